"""What becomes of rows: which documents are payloads, which outputs may leave, and what callers are told of the rest.

The two ends of the road that `model_service.prediction` goes. A row's outcome is its output or its error.
"""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model_service.backends.ticket import RowOutcome, TableTicket, Ticket
from model_service.errors import CapacityError, ModelError, OutputInvalid, PayloadInvalid
from model_service.records import ModelInfo, Output, Payload, Violation
from model_service.registry.entry import ServedModel
from model_service.schema.validation import MAX_VIOLATIONS, word_violations

if TYPE_CHECKING:
    from model_service.tables import Table

logger = logging.getLogger(__name__)


def find_schema_faults(
    target: ServedModel, documents: list[Any], *, enough: int | None = None
) -> list[list[Violation]]:
    """Return the violations of the input schema by each document.

    Args:
        target: The model.
        documents: Any JSON documents.
        enough: With so many violations the rest of the documents are not looked at, and the list is shorter.
    """
    if target.input_validator.accepts_all(documents):
        return [[] for _ in documents]
    found: list[list[Violation]] = []
    count = 0
    for document in documents:
        found.append(target.input_validator.find_violations(document))
        count += len(found[-1])
        if enough is not None and count >= enough:
            break
    return found


def find_faults(target: ServedModel, documents: list[Any]) -> list[list[Violation]]:
    """Return the violations of each document: the schema's, or, where it has none, those of the model's own rules.

    Those are as many as an answer holds: with them the rest of the documents are not looked at.

    Raises:
        PredictionFailed: The model's own rules raised.
    """
    found = find_schema_faults(target, documents, enough=MAX_VIOLATIONS)
    if sum(map(len, found)) >= MAX_VIOLATIONS:
        return found
    sound = [row for row, violations in enumerate(found) if not violations]
    if sound:
        own = _find_own_violations(target, [documents[row] for row in sound])
        for row, violations in zip(sound, own, strict=True):
            found[row] = violations
    return found


def settle(target: ServedModel, ticket: Ticket, *, is_many: bool) -> list[Output]:
    """Return the outputs of a ticket that is over.

    Args:
        target: The model it was submitted to.
        ticket: It is not lenient.
        is_many: Whether its caller sent an array, so that pointers start with the index of the row.

    Raises:
        PayloadInvalid: The model's own rules refuse it: every violation.
        PredictionFailed, OutputInvalid, CapacityError: From the backend and the model.
    """
    error, ticket.error = ticket.error, None
    try:
        if error is None:
            _check_outputs(target, ticket.outputs)
            return ticket.outputs  # type: ignore[return-value]  # it is not lenient
        if isinstance(error, PayloadInvalid):
            found = find_faults(target, ticket.payloads)
            raise word_faults(target.info, _join(found, is_many=is_many) or list(error.violations))
        raise error
    except ModelError as fault:
        raise log_fault(target, fault) from None
    finally:
        del error  # its traceback holds this frame


def settle_rows(target: ServedModel, ticket: Ticket) -> list[RowOutcome]:
    """Return what became of each row of a lenient ticket that is over; of faults of the model, the first is logged."""
    if ticket.error is not None:
        return [ticket.error.with_traceback(None)] * len(ticket.payloads)
    if target.output_validator.accepts_all(ticket.outputs):
        return ticket.outputs
    outcomes = [_check_row(target, outcome) for outcome in ticket.outputs]
    faults = [outcome for outcome in outcomes if isinstance(outcome, ModelError)]
    if faults:
        told = log_fault(target, faults[0], rows=len(faults))
        return [type(each)(told.message) if isinstance(each, ModelError) else each for each in outcomes]
    return outcomes


def settle_table(target: ServedModel, ticket: TableTicket) -> "Table | None":
    """Return the outputs of columns that are over, once the output schema has certainly accepted them.

    Where it has not, or the model failed, nothing is decided: rows are, and say why. That they must is logged.

    Raises:
        CapacityError: From the backend.
    """
    error, ticket.error = ticket.error, None
    if isinstance(error, CapacityError):
        raise error
    found = target.tables.output.read(ticket.answer.columns) if error is None and target.tables else None
    if found is None:
        names = {"model": target.info.qualified_name, "version": target.info.version}
        what = error.message if error is not None else "its columns are not certainly what output_schema says"
        logger.warning("columns are predicted again as rows: %s", what, extra=names, exc_info=error)
    return found


def raise_faults(target: ServedModel, found: list[list[Violation]], *, is_many: bool) -> None:
    """Raise one `PayloadInvalid` for the violations of all documents, if there are any."""
    violations = _join(found, is_many=is_many)
    if violations:
        raise word_faults(target.info, violations)


def word_faults(info: ModelInfo, violations: list[Violation]) -> PayloadInvalid:
    """Return the error that tells a caller of violations: as many of them as an answer holds."""
    count = f"{len(violations)} {'fault' if len(violations) == 1 else 'faults'}"
    if len(violations) >= MAX_VIOLATIONS:
        count = f"at least {MAX_VIOLATIONS} faults"
    message = f"the payload for model '{info.qualified_name}' has {count}"
    return PayloadInvalid(message, violations[:MAX_VIOLATIONS])


def _join(found: list[list[Violation]], *, is_many: bool) -> list[Violation]:
    """Return the violations of all documents; of an array, with pointers that start with the index of the row."""
    if not is_many:
        return found[0]
    return [
        replace(violation, pointer=f"/{row}{violation.pointer}")
        for row, violations in enumerate(found)
        for violation in violations
    ]


def _find_own_violations(target: ServedModel, payloads: list[Payload]) -> list[list[Violation]]:
    try:
        return target.backend.find_violations(payloads)
    except ModelError as error:
        raise log_fault(target, error) from None


def log_fault(target: ServedModel, error: ModelError, rows: int = 1) -> ModelError:
    """Log what the model raised; return what may leave, the kind of the error: its cause may repeat the payload."""
    info = target.info
    target.backend.vitals.note_failure(error.code)
    names = {"model": info.qualified_name, "version": info.version}
    count = f" for {rows} rows, first" if rows > 1 else ""
    logger.error("prediction failed%s: %s", count, error.message, extra=names, exc_info=error)
    return type(error)(f"model '{info.qualified_name}' failed; the log tells why, by request id")


def _check_outputs(target: ServedModel, outputs: list[RowOutcome]) -> None:
    """Hold every output against the output schema.

    Raises:
        OutputInvalid: Names the broken rules of the first bad output, for the log.
    """
    if target.output_validator.accepts_all(outputs):
        return
    for row, output in enumerate(outputs):
        violations = target.output_validator.find_violations(output)
        if violations:
            raise OutputInvalid(word_violations(f"output {row}", violations), violations)


def _check_row(target: ServedModel, outcome: RowOutcome) -> RowOutcome:
    if isinstance(outcome, PayloadInvalid):
        return word_faults(target.info, list(outcome.violations))
    if isinstance(outcome, dict) and target.output_validator.accepts_all([outcome]):
        return outcome
    if isinstance(outcome, Exception):
        return outcome
    violations = target.output_validator.find_violations(outcome)
    return OutputInvalid(word_violations("an output", violations), violations) if violations else outcome
