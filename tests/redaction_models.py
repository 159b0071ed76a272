"""Toy models that take a note beside their number, and misbehave as they are known to."""

from models import NUMBER_IN, DoubleModel, FussyModel, RaisingModel, WrongOutputModel
from unruly_models import NotJsonModel, ThinkingModel, UnrulyModel

NOTED = {**NUMBER_IN, "properties": {**NUMBER_IN["properties"], "note": {"type": "string"}}, "examples": []}


class Noted(DoubleModel):
    qualified_name = "noted_model"
    input_schema = NOTED


class NotedFussy(FussyModel):
    input_schema = NOTED


class NotedRaising(RaisingModel):
    input_schema = NOTED


class NotedWrongOutput(WrongOutputModel):
    input_schema = NOTED


class NotedUnruly(UnrulyModel):
    input_schema = NOTED


class NotedNotJson(NotJsonModel):
    input_schema = NOTED


class NotedThinking(ThinkingModel):
    input_schema = NOTED
