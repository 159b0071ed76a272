"""What the frames of a model process say, as outcomes, errors and violations."""

from pathlib import Path

from model_service.backends.process.frames import Frame
from model_service.backends.ticket import RemoteTraceback, RowOutcome
from model_service.errors import (
    ModelLoadFailed,
    OutputInvalid,
    PackageError,
    PayloadInvalid,
    PredictionFailed,
    PredictionTimeout,
    ServiceError,
)
from model_service.records import Problem, Violation


def restore_outcomes(answer: Frame) -> list[RowOutcome]:
    """Return the outputs that an answer carries, with the errors of rows among them; raise its error."""
    if "error" in answer:
        raise restore_error(answer["error"])
    outcomes: list[RowOutcome] = answer["outputs"]
    for row, fields in answer.get("errors", {}).items():
        outcomes[int(row)] = restore_error(fields)
    return outcomes


def restore_error(fields: Frame) -> ServiceError:
    """Return the error that a process has sent."""
    if fields["code"] == PayloadInvalid.code:
        return PayloadInvalid(fields["message"], restore_violations(fields["violations"]))
    if fields["code"] == PredictionTimeout.code:
        return PredictionTimeout(fields["message"])
    kind = OutputInvalid if fields["code"] == OutputInvalid.code else PredictionFailed
    error = kind(fields["message"])
    error.__cause__ = RemoteTraceback(fields["traceback"], fields["cause"])
    return error


def restore_violations(fields: list[list[str]]) -> list[Violation]:
    """Return the violations that a process has sent."""
    return [Violation(*each) for each in fields]


def restore_fault(problem: Problem, python: Path | None) -> PackageError:
    """Return the error that the problem was made of, with the interpreter that had it where it is another one."""
    kinds = {kind.code: kind for kind in PackageError.__subclasses__()}
    return kinds.get(problem.code, ModelLoadFailed)(
        f"{problem.problem}, by {python}" if python is not None else problem.problem,
        cause=problem.cause,
        remedy=problem.remedy,
        qualified_name=problem.qualified_name,
        version=problem.version,
    )
