"""Toy models of `test_manager` alone: odd versions, self-tests and ends. Import them as ``manager_models:Class``."""

from typing import Any

from models import NUMBER_IN, ClosingModel, DoubleModel, FussyModel


class DoubleModelNine(DoubleModel):
    """A version that text order would put above 1.10."""

    version = "1.9.0"


class DoubleModelBroken(DoubleModel):
    """The highest version, which cannot be built."""

    version = "2.0.0"

    def __init__(self) -> None:
        raise OSError("the new weights are gone")


class WrongExampleOutputModel(DoubleModel):
    """Breaks its output schema on its own example."""

    qualified_name = "wrong_example_output_model"

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": "many"}


class OddExampleModel(FussyModel):
    """Its own rule refuses its own example."""

    qualified_name = "odd_example_model"
    input_schema = {**NUMBER_IN, "examples": [{"x": 3}]}


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class UnspeakableModel(DoubleModel):
    """Cannot be built, and its exception cannot even be printed."""

    qualified_name = "unspeakable_model"

    def __init__(self) -> None:
        raise _Unspeakable


class ExitingCloseModel(ClosingModel):
    """Counts like its base, then tries to end the process."""

    qualified_name = "exiting_close_model"
    closed = 0

    def close(self) -> None:
        super().close()
        raise SystemExit(3)


class ClosingAfterFailureModel(ClosingModel):
    """Is built, then cannot answer its own example."""

    qualified_name = "closing_after_failure_model"
    closed = 0

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("no answer")
