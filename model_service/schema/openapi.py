"""Models to the paths and components of an OpenAPI 3.1 document.

OpenAPI 3.1 speaks JSON Schema 2020-12, so a model's schemas go in as they are but for
their references: ``#`` means the whole document there, so each schema and each of its
``$defs`` becomes a component, and every ``$ref`` is pointed at it.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from model_service.records import ModelInfo, Schema
from model_service.schema.openapi_dialect import adapt
from model_service.schema.validation import make_pointer
from model_service.schema.walk import HOLD_DATA, HOLD_MAPS, REFERENCES, Path, resolve_reference

_COMPONENTS = "#/components/schemas/"
_FILE = {"type": "string", "format": "binary"}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`handling=lenient` (RFC 7240): the rows of an array succeed or fail alone.",
    "schema": {"type": "string"},
    "example": "handling=lenient",
}
_PREDICT_HEADERS = ("X-Request-ID", "X-Model-Version", "X-Failed-Rows", "Preference-Applied")
#: Meaningless or wrong once a schema is part of another document.
_DROPPED_KEYWORDS = frozenset({"$schema", "$id", "$anchor", "$dynamicAnchor", "x-error-messages"})
#: What can go wrong where a document is read.
_OF_READING = ("400", "404", "405", "406", "421", "500", "503")


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """One model at one base path.

    Attributes:
        path: Such as ``/api/models/iris_model``.
        operation_suffix: What makes the operation ids unique, such as ``iris_model``.
        component: Prefix of the model's components, such as ``IrisModel``.
        files: Media types of files of rows that it reads.
        answers: Media types of files that it writes.
        tag: Name of the group the operations are shown in.
        is_default: Whether it is the route of a name, without a version.
    """

    info: ModelInfo
    path: str
    operation_suffix: str
    component: str
    tag: str
    is_default: bool = False
    files: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def build_components(info: ModelInfo, component: str) -> dict[str, Schema]:
    """Return the schemas of a model by component name, with every reference resolved to a component."""
    components: dict[str, Schema] = {}
    for suffix, schema in (("Input", info.input_schema), ("Output", info.output_schema)):
        name = component + suffix
        components[name] = _rebase({key: schema[key] for key in schema if key != "$defs"}, schema, name)
        for definition, component_name in _name_definitions(schema, name).items():
            subschema = schema["$defs"][definition]
            if isinstance(subschema, bool):  # as an object, because apispec takes no other
                subschema = {} if subschema else {"not": {}}
            components[component_name] = _rebase(subschema, schema, name)
    components[f"{component}RowOutcome"] = _make_row_outcome(component)
    for component_schema in components.values():
        # Generators of clients would name the class after the title, and two versions have the same.
        component_schema.pop("title", None)
    return components


def build_model_paths(route: ModelRoute, *, max_rows: int, problems: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of one model: predict and metadata, and its versions where the route names none.

    Args:
        route: The model and where it is served.
        max_rows: Most payloads of one request.
        problems: The responses that every operation may give, by status.
    """
    info = route.info
    paths = {
        f"{route.path}/predict": {"post": _predict_operation(route, max_rows, problems)},
        f"{route.path}/metadata": {
            "get": {
                "operationId": f"get_metadata_{route.operation_suffix}",
                "tags": [route.tag],
                "summary": f"Describe {info.display_name} {info.version}",
                "responses": document_responses("Everything about the model.", "ModelMetadata", problems),
            }
        },
    }
    if route.is_default:
        paths[f"{route.path}/versions"] = {
            "get": {
                "operationId": f"list_versions_{route.operation_suffix}",
                "tags": [route.tag],
                "summary": f"List the versions of {info.display_name}",
                "responses": document_responses("Every configured version of the model.", "ModelList", problems),
            }
        }
    return paths


def document_responses(description: str, component: str, problems: dict[str, Any]) -> dict[str, Any]:
    """Return the responses of an operation that reads a document about models.

    Args:
        description: Of the document.
        component: Name of its schema.
        problems: As for `build_model_paths`.
    """
    ok = _json_response(description, {"$ref": f"{_COMPONENTS}{component}"})
    ok["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "ETag")}
    not_modified = {"304": {"$ref": "#/components/responses/NotModified"}}
    return {"200": ok, **not_modified, **{status: problems[status] for status in _OF_READING if status in problems}}


def _predict_operation(route: ModelRoute, max_rows: int, problems: dict[str, Any]) -> dict[str, Any]:
    payload = {"$ref": f"{_COMPONENTS}{route.component}Input"}
    output = {"$ref": f"{_COMPONENTS}{route.component}Output"}
    payloads = {"type": "array", "items": payload, "minItems": 1, "maxItems": max_rows}
    outcomes = _array({"$ref": f"{_COMPONENTS}{route.component}RowOutcome"})
    ok = _json_response(
        "The output, or the array of outputs in order; of a lenient request, the array of each row's output or error; "
        "of a file, the same rows with the columns of the prediction, or of the error, in the format that is accepted.",
        {"anyOf": [output, _array(output), outcomes]},
    )
    ok["content"].update({media_type: {"schema": _FILE} for media_type in route.answers})
    ok["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _PREDICT_HEADERS}
    return {
        "operationId": f"predict_{route.operation_suffix}",
        "tags": [route.tag],
        "summary": f"Predict with {route.info.display_name} {route.info.version}",
        "description": f"{route.info.description}\n\nOne payload is answered by its output; "
        f"an array of up to {max_rows} payloads by the array of their outputs, all or nothing. With the header "
        "`Prefer: handling=lenient` an array is answered by each row's output or error. A file of rows is answered "
        "by a file; its columns are named after the fields, those of nested objects by dots.",
        "parameters": [_PREFER],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [payload, payloads]}, **_examples(route.info, max_rows)},
                **{media_type: {"schema": _FILE} for media_type in route.files},
            },
        },
        "responses": {"200": ok, **problems},
    }


def _make_row_outcome(component: str) -> Schema:
    """Return the schema of what became of one row: the one member that is there tells."""
    members = {"output": f"{component}Output", "error": "RowError"}
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {name: {"$ref": f"{_COMPONENTS}{target}"}},
                "required": [name],
                "additionalProperties": False,
            }
            for name, target in members.items()
        ]
    }


def _array(schema: Schema) -> Schema:
    return {"type": "array", "items": schema, "minItems": 1}


def _examples(info: ModelInfo, max_rows: int) -> dict[str, Any]:
    if not info.examples:
        return {}
    examples: dict[str, Any] = {
        f"example_{i}": {"summary": f"Example {i}", "value": example}
        for i, example in enumerate(info.examples, start=1)
    }
    examples["several_rows"] = {"summary": "Several rows", "value": list(info.examples[:max_rows])}
    return {"examples": examples}


def _json_response(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _name_definitions(root: Schema, component: str) -> dict[str, str]:
    """Return the component of each of a schema's ``$defs``."""
    names: dict[str, str] = {}
    for definition in root.get("$defs", {}):
        # Component names allow letters, digits, dot, dash and underscore only.
        name = f"{component}_" + "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in definition)
        while name in names.values():
            name += "_"
        names[definition] = name
    return names


def _rebase(node: Any, root: Schema, component: str) -> Any:
    """Return a copy of a (sub)schema of ``root`` whose references point at components."""
    if isinstance(node, list):
        return [_rebase(child, root, component) for child in node]
    if not isinstance(node, dict):
        return node
    rebased: dict[str, Any] = {}
    for key, value in node.items():
        if key in _DROPPED_KEYWORDS:
            continue
        if key in REFERENCES:
            # Under a keyword that JSON Schema does not know it may lead nowhere; readers of OpenAPI would go there.
            if isinstance(value, str) and (path := resolve_reference(root, value)) is not None:
                rebased["$ref"] = _component_reference(root, path, component)
        elif key in HOLD_DATA:
            rebased[key] = value
        elif key in HOLD_MAPS and isinstance(value, dict):
            rebased[key] = {name: _rebase(child, root, component) for name, child in value.items()}
        else:
            rebased[key] = _rebase(value, root, component)
    return adapt(rebased)


def _component_reference(root: Schema, path: Path, component: str) -> str:
    if path[:1] == ("$defs",) and len(path) > 1:
        component, path = _name_definitions(root, component)[str(path[1])], path[2:]
    return _COMPONENTS + component + quote(make_pointer(path), safe="/~$")
