"""Species of an iris flower by a random forest: a model package that only the benchmark serves."""

from forest_model.model import ForestModel

__all__ = ["ForestModel"]
