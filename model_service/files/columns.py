"""The columns of an output: those of the input, those of the prediction, those of the error."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from model_service.errors import ServiceError
from model_service.files.leftovers import Leftovers
from model_service.files.rows import Head, Outcome, Row
from model_service.records import Schema
from model_service.schema.cells import MISSING, Place, get_value, list_leaves

#: The column of what a row has beside the columns, as one JSON object.
OTHERS_NAME = "other"
ERROR_NAMES = ("error.code", "error.column", "error.message")
_NO_ERROR = ("", "", "")
#: Broken rules that one message tells of.
_MOST_TOLD = 5


class OutputColumns:
    """What the columns of an output are called, and what stands in them.

    Attributes:
        input_names: As they are in the file that is read; then, where its rows may have members that are no column,
            one for these.
        leaves: Where the values of the prediction's columns stand in an output.
        prediction_names: Of these columns: dotted, and prefixed where the input has a column of that name.
        error_names: Of the last three columns.
    """

    def __init__(self, head: Head, output_schema: Schema) -> None:
        self._head = head
        taken = {*head.names}
        self.input_names = (*head.names, find_free_name(OTHERS_NAME, taken)) if head.is_open else head.names
        taken.update(self.input_names)
        self._leftovers = Leftovers(head.names, head.places)
        # An output without named fields is one column of JSON.
        self.leaves = list_leaves(output_schema) or [Place((), ("object",))]
        names = [".".join(leaf.path) or "prediction" for leaf in self.leaves]
        self.prediction_names = tuple(find_free_name(name, taken) for name in names)
        self.error_names = tuple(find_free_name(name, {*taken, *self.prediction_names}) for name in ERROR_NAMES)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.input_names, *self.prediction_names, *self.error_names)

    def read_input(self, row: Row) -> Sequence[Any]:
        """Return the values of a row as it stood in the file."""
        source = row.source
        if isinstance(source, list):
            return source
        values = [
            source[name] if name in source else (get_value(source, place.path) if place is not None else None)
            for name, place in zip(self._head.names, self._head.places, strict=True)
        ]
        if self._head.is_open:
            values.append(self._leftovers.find(source) or None)
        return values

    def read_predictions(self, outcomes: Sequence[Outcome]) -> list[list[Any]]:
        """Return the values of each of the prediction's columns; None where there is none."""
        return [_read_column(leaf.path, outcomes) for leaf in self.leaves]


def find_free_name(name: str, taken: set[str]) -> str:
    """Return a name, prefixed until it is not taken."""
    while name in taken:
        name = f"prediction.{name}"
    return name


def describe_error(outcome: Outcome) -> tuple[str, str, str]:
    """Return code, column and message of an error; empty texts of an output."""
    if not isinstance(outcome, ServiceError):
        return _NO_ERROR
    violations = outcome.violations
    if not violations:
        return outcome.code, "", outcome.message
    first, *others = [(read_pointer(each.pointer), each.message) for each in violations[:_MOST_TOLD]]
    told = [first[1], *(f"{column}: {message}" for column, message in others)]
    if len(violations) > _MOST_TOLD:
        told.append(f"and {len(violations) - _MOST_TOLD} more")
    return outcome.code, first[0], "; ".join(told)


def describe_errors(outcomes: Sequence[Outcome]) -> list[Sequence[str]]:
    """Return the values of the three columns of errors."""
    if all(type(outcome) is dict for outcome in outcomes):
        return [list(repeat("", len(outcomes)))] * 3
    return [*map(list, zip(*map(describe_error, outcomes), strict=True))]


def read_pointer(pointer: str) -> str:
    """Return the dotted name of the column that a JSON Pointer leads to."""
    return ".".join(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _read_column(path: Sequence[str], outcomes: Sequence[Any]) -> list[Any]:
    try:
        if len(path) == 1:
            (name,) = path
            return [outcome[name] for outcome in outcomes]
        if len(path) == 2:
            outer, inner = path
            return [outcome[outer][inner] for outcome in outcomes]
    except (KeyError, TypeError):  # an error, or what the schema does not require
        pass
    found = (MISSING if isinstance(outcome, ServiceError) else get_value(outcome, path) for outcome in outcomes)
    return [None if value is MISSING else value for value in found]
