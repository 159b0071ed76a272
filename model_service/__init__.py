"""Serve trained models: one `MLModel` class in, every endpoint out.

Importing this package loads the standard library only, so that a model package
and every process that runs one can import `MLModel` without a web framework.
"""

import importlib
import typing

from model_service.errors import ServiceError
from model_service.model import MLModel
from model_service.records import Violation

if typing.TYPE_CHECKING:
    from model_service.notebook import load as load

__version__ = "0.1.0"

__all__ = ["MLModel", "ServiceError", "Violation", "__version__"]

if not typing.TYPE_CHECKING:  # who checks types shall still be told of names that are not there

    def __getattr__(name: str) -> object:
        """Return `model_service.notebook.load` as ``model_service.load``; it needs the extra ``serve``.

        Raises:
            ImportError: The extra is not installed.
        """
        if name != "load":
            raise AttributeError(f"module 'model_service' has no attribute '{name}'")
        try:
            return importlib.import_module("model_service.notebook").load
        except ModuleNotFoundError as error:
            raise ImportError(f"model_service.load needs '{error.name}': pip install 'model-service[serve]'") from error
