"""Species of an iris flower from four measurements."""

from iris_model.model import IrisModel

__all__ = ["IrisModel"]
