"""Where model code runs. To add a backend:

1. Write ``backends/<name>.py`` with a subclass of `model_service.backends.base.Backend`.
2. Add its name to `model_service.config.BackendName` and its row to `BACKENDS` below.
3. Add it to the list in ``tests/backends/test_backend_contract.py``; that suite is its specification.

A row is ``module:Class``, so that a backend's dependencies are imported only when a
configuration asks for it.
"""

from model_service.config import BackendName

BACKENDS: dict[BackendName, str] = {
    BackendName.LOCAL: "model_service.backends.local:LocalBackend",
    BackendName.PROCESS: "model_service.backends.process:ProcessBackend",
}
