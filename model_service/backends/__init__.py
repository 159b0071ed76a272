"""Where model code runs. To add a backend:

1. Write ``backends/<name>.py`` with a subclass of `model_service.backends.base.Backend`.
2. Add its name to `model_service.config.BackendName` and its row to `BACKENDS` below.
3. Add it to the list in ``tests/backends/test_backend_contract.py``; that suite is its specification.

A row is ``module:Class``, so that a backend's dependencies are imported only when a
configuration asks for it.
"""

import importlib
from typing import TYPE_CHECKING

from model_service.config import BackendName

if TYPE_CHECKING:
    from model_service.backends.base import Backend

BACKENDS: dict[BackendName, str] = {
    BackendName.LOCAL: "model_service.backends.local:LocalBackend",
    BackendName.PROCESS: "model_service.backends.process.backend:ProcessBackend",
}


def find_backend(name: BackendName) -> "type[Backend]":
    """Return the class of a backend."""
    module_path, _, class_name = BACKENDS[name].partition(":")
    found: type[Backend] = getattr(importlib.import_module(module_path), class_name)
    return found
