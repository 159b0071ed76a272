"""The base of every error, and the broken rules that it carries."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a schema or a model.

    Attributes:
        pointer: JSON Pointer (RFC 6901) to the value, or to where a missing one belongs.
        rule: Keyword of JSON Schema that was broken, or a rule of the model under its own name.
        message: What was expected.
    """

    pointer: str
    rule: str
    message: str


class ModelServiceError(Exception):
    """Base of every error below.

    Attributes:
        code: Stable identifier of the kind of error, such as ``payload_invalid``.
        message: What happened and the way out.
        violations: Broken rules, with pointers; often empty.
        status: The HTTP status; ``None`` where there was none.
        request_id: Finds the lines of the request in the server's log.
        retry_after_s: Seconds after which the server expects another try to make sense.
    """

    code = "service_error"

    def __init__(self, message: str, violations: Iterable[Violation] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.status: int | None = None
        self.request_id: str | None = None
        self.retry_after_s: float | None = None

    def __str__(self) -> str:
        faults = "".join(f"\n  {each.pointer or '(the whole payload)'}: {each.message}" for each in self.violations)
        found = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.message}{found}{faults}"

    def shift(self, rows: int) -> Self:
        """Return it with pointers, which begin with the index of a row, that count from so many rows earlier."""
        self.violations = tuple(_shift(each, rows) for each in self.violations)
        return self


def _shift(violation: Violation, rows: int) -> Violation:
    _, row, *rest = violation.pointer.split("/") if violation.pointer else ("", "")
    if not row.isdecimal():
        return violation
    return replace(violation, pointer="/".join(["", str(int(row) + rows), *rest]))
