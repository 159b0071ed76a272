"""The payload and the output of both iris models in pydantic, for the servers that check each field."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter


class Flower(BaseModel):
    """Payload of both iris models."""

    sepal_length: Annotated[float, Field(gt=0, le=25)]
    sepal_width: Annotated[float, Field(gt=0, le=15)]
    petal_length: Annotated[float, Field(gt=0, le=25)]
    petal_width: Annotated[float, Field(gt=0, le=10)]


class Probabilities(BaseModel):
    """Probability of each species."""

    setosa: float
    versicolor: float
    virginica: float


class Species(BaseModel):
    """Output of both iris models."""

    species: str
    probabilities: Probabilities


_FLOWERS = TypeAdapter(list[Flower])


def read_rows(payloads: Any) -> list[list[float]]:
    """Return one row of numbers per payload.

    Raises:
        pydantic.ValidationError: A payload breaks its model.
    """
    return [list_numbers(flower) for flower in _FLOWERS.validate_python(payloads)]


def list_numbers(flower: Flower) -> list[float]:
    """Return the measurements in the order of the columns."""
    return [flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]
