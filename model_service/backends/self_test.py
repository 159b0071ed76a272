"""The self-test: a model answers the examples of its own input schema before anyone asks; it warms the model up too."""

import copy
from typing import TYPE_CHECKING

from model_service.backends.base import Backend
from model_service.backends.ticket import describe_cause
from model_service.errors import OutputInvalid, SelfTestFailed, ServiceError
from model_service.records import ModelInfo
from model_service.schema.tensor_columns import find_disagreement
from model_service.schema.validation import SchemaValidator, word_violations

if TYPE_CHECKING:
    from model_service.schema.table_validation import TableSchemas

_CHANGES = (
    "the model changes its payload (example {} was another one after it): what is tried again, or written beside the "
    "output, is then not what the caller sent; compute on a copy"
)


def run_self_test(
    info: ModelInfo, backend: Backend, output_validator: SchemaValidator, tables: "TableSchemas | None" = None
) -> list[str]:
    """Answer the examples of the input schema and hold the answers against the output schema; return warnings.

    Args:
        info: Has the examples; without any, there is nothing to test.
        backend: Started.
        output_validator: Of the model's output schema.
        tables: Of a model that predicts columns: they must be answered as the rows are.

    Raises:
        SelfTestFailed: The model raised, or broke its own rules or its output schema.
    """
    examples = copy.deepcopy(list(info.examples))  # a model that changes them must not change the schema
    if not examples:
        return []
    try:
        faults = [
            word_violations(f"example {i}", found) for i, found in enumerate(backend.find_violations(examples)) if found
        ]
        outputs = [] if faults else backend.run(examples)
        for i, output in enumerate(outputs):
            if violations := output_validator.find_violations(output):
                faults.append(word_violations(f"output {i}", violations))
        if tables is not None and not faults:
            difference = find_disagreement(tables, backend.run_columns, examples, outputs)
            faults += [f"predict_columns disagrees with predict_batch: {difference}"] if difference else []
    except OutputInvalid as error:  # another process could not even send it
        raise _break(info, error.message) from None
    except ServiceError as error:
        raise SelfTestFailed(
            f"'{info.qualified_name}' cannot answer the examples of its input schema",
            cause=f"{error.message}: {describe_cause(error.__cause__)}" if error.__cause__ else error.message,
            remedy="mend the model or its examples (the log has the traceback)",
        ) from error
    if faults:
        raise _break(info, "; ".join(faults[:5]))
    # By what they look like: whatever a model has put there may not even be comparable.
    pairs = enumerate(zip(info.examples, examples, strict=True))
    changed = [i for i, (example, sent) in pairs if repr(example) != repr(sent)]
    return [_CHANGES.format(changed[0])] if changed else []


def _break(info: ModelInfo, cause: str) -> SelfTestFailed:
    return SelfTestFailed(
        f"'{info.qualified_name}' does not keep to its own schemas on its own examples",
        cause=cause,
        remedy="mend the model, its examples or its output schema",
    )
