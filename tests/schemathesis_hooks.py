"""Keeps schemathesis' valid payloads valid: it knows the schemas, but not the rules that join several fields."""

import schemathesis
from configurations import SHIPPED

from model_service.loading import describe_model, import_model_class
from model_service.schema.validation import SchemaValidator

_CLASSES = [import_model_class(path) for path in SHIPPED]
_VALIDATORS = {model.qualified_name: SchemaValidator(describe_model(model).input_schema) for model in _CLASSES}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Leave only JSON, all or nothing: no schema says what a file holds, and a lenient request refuses no row."""
    # Explanations cost hundreds of rows: those of one model stand for all.
    for path in [path for path in raw_schema["paths"] if path.endswith("/explain") and "/loan_model/v" not in path]:
        del raw_schema["paths"][path]
    for operations in raw_schema["paths"].values():
        operations.get("post", {}).pop("parameters", None)
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        for media_type in [name for name in content if name != "application/json"]:
            del content[media_type]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Mend payloads that keep to the schema and break a rule of the model; leave every other body as it is."""
    for model in _CLASSES:
        if f"/{model.qualified_name}/" in case.operation.path:
            if isinstance(case.body, list):
                case.body = [_mend(model, row) for row in case.body]
            else:
                case.body = _mend(model, case.body)


def _mend(model, row):
    if _VALIDATORS[model.qualified_name].find_violations(row):
        return row
    # A field that contradicts another one is left out where it may be, and else takes its example,
    # which others may contradict in their turn.
    while violations := model.find_violations(row):
        for violation in violations:
            name = violation.pointer.removeprefix("/")
            row = {key: value for key, value in row.items() if key != name}
            if name in model.input_schema["required"]:
                row[name] = model.input_schema["examples"][0][name]
    return row
