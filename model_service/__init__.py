"""Serve trained models: one `MLModel` class in, every endpoint out.

Importing this package loads the standard library only, so that a model package
and every process that runs one can import `MLModel` without a web framework.
"""

from model_service.errors import ServiceError
from model_service.model import MLModel
from model_service.records import Violation

__version__ = "0.1.0"

__all__ = ["MLModel", "ServiceError", "Violation", "__version__"]
