"""The self-test: a model answers the examples of its own input schema before anyone asks; it warms the model up too."""

import copy

from model_service.backends.base import Backend
from model_service.backends.ticket import name_cause
from model_service.errors import SelfTestFailed, ServiceError
from model_service.records import ModelInfo
from model_service.schema.validation import SchemaValidator


def run_self_test(info: ModelInfo, backend: Backend, output_validator: SchemaValidator) -> None:
    """Answer the examples of the input schema and hold the answers against the output schema.

    Args:
        info: Has the examples; without any, there is nothing to test.
        backend: Started.
        output_validator: Of the model's output schema.

    Raises:
        SelfTestFailed: The model raised, or broke its own rules or its output schema.
    """
    examples = copy.deepcopy(list(info.examples))  # a model that changes them must not change the schema
    if not examples:
        return
    try:
        broken = [violation for found in backend.find_violations(examples) for violation in found]
        outputs = backend.run(examples)
    except ServiceError as error:
        raise SelfTestFailed(
            f"'{info.qualified_name}' cannot answer the examples of its input schema",
            cause=f"{error.message}: {name_cause(error.__cause__)}" if error.__cause__ else error.message,
            remedy="mend the model or its examples (the log has the traceback)",
        ) from error
    for output in outputs:
        broken.extend(output_validator.find_violations(output))
    if broken:
        faults = "; ".join(f"'{violation.pointer or '/'}' {violation.message}" for violation in broken[:5])
        raise SelfTestFailed(
            f"'{info.qualified_name}' does not keep to its own schemas on its own examples",
            cause=faults,
            remedy="mend the model, its examples or its output schema",
        )
