import copy
import json
from dataclasses import replace

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from model_service.records import ModelInfo
from model_service.schema.contract import find_schema_faults
from model_service.schema.openapi import ModelRoute, build_components, build_model_paths
from model_service.schema.openapi_names import name_components
from model_service.schema.validation import SchemaValidator

HEADERS = ("X-Model-Version", "X-Request-ID", "X-Failed-Rows", "Preference-Applied", "ETag")
PROBLEMS = {status: {"description": status} for status in ("404", "406", "422", "500")}


def make_info(qualified_name="some_model", version="1.0.0", input_schema=None, output_schema=None, examples=()):
    return ModelInfo(
        qualified_name=qualified_name,
        display_name="Some model",
        description="Answers something.",
        version=version,
        class_path="some_model:SomeModel",
        input_schema=input_schema or {"type": "object"},
        output_schema=output_schema or {"type": "object"},
        examples=tuple(examples),
    )


def make_route(info, suffix="some_model"):
    return ModelRoute(info, f"/api/models/{suffix}", suffix, "SomeModel", info.qualified_name)


def build_input(schema):
    """Return the component of an input schema and the others by what follows ``MInput_``."""
    components = build_components(make_info(input_schema=schema), "M")
    others = {name.removeprefix("MInput_"): node for name, node in components.items() if name.startswith("MInput_")}
    return components["MInput"], others


def find_references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            elif key not in ("const", "enum", "default", "examples", "example"):
                yield from find_references(value)
    elif isinstance(node, list):
        for child in node:
            yield from find_references(child)


def assemble(infos):
    """Return a whole document of models, to be judged by a validator of OpenAPI documents."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "models", "version": "1"},
        "paths": {},
        "components": {
            "schemas": {"ModelMetadata": {"type": "object"}, "RowError": {"type": "object"}},
            "headers": {name: {"schema": {"type": "string"}} for name in HEADERS},
            "responses": {"NotModified": {"description": "Nothing has changed."}},
        },
    }
    for i, (info, component) in enumerate(zip(infos, name_components((info, True) for info in infos), strict=True)):
        document["components"]["schemas"] |= build_components(info, component)
        route = ModelRoute(info, f"/api/models/{i}", f"m{i}", component, info.qualified_name)
        document["paths"] |= build_model_paths(route, max_rows=10, problems=PROBLEMS)
    return document


def as_json_schema(components, name):
    """Return the components as one JSON Schema whose root is one of them."""
    return {"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}}


# Components


def test_a_model_has_a_component_for_each_schema_and_definition():
    info = make_info(
        input_schema={"type": "object", "$defs": {"a": {"type": "number"}, "b": {}}},
        output_schema={"type": "object", "$defs": {"a": {"type": "string"}}},
    )
    components = build_components(info, "M")
    outcome = components.pop("MRowOutcome")
    assert [branch["required"] for branch in outcome["oneOf"]] == [["output"], ["error"]]
    assert components == {
        "MInput": {"type": "object"},
        "MInput_a": {"type": "number"},
        "MInput_b": {},
        "MOutput": {"type": "object"},
        "MOutput_a": {"type": "string"},
    }


def test_a_schema_without_references_stays_as_it_is_but_for_what_belongs_to_the_service():
    field = {"type": "number", "title": "X", "minimum": 0, "examples": [1], "x-order": 3}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/m",
        "$anchor": "root",
        "type": "object",
        "properties": {"x": {**field, "x-error-messages": {"minimum": "No debts."}}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert build_input(schema)[0] == {
        "type": "object",
        "properties": {"x": field},
        "required": ["x"],
        "additionalProperties": False,
    }


def test_the_schemas_of_the_model_are_not_changed():
    schema = {"$id": "https://a", "properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$anchor": "a"}}}
    before = copy.deepcopy(schema)
    build_input(schema)
    assert schema == before


DEFINITIONS = {
    "a": {"$anchor": "here", "type": "number", "properties": {"b c": {"type": "null"}}},
    "d": {"$dynamicAnchor": "there", "$defs": {"inner": {"type": "string"}}},
    "c/d": {"items": {"$ref": "#here"}},
    "größe": {},
}


@pytest.mark.parametrize(
    ("reference", "rewritten"),
    [
        pytest.param("#/$defs/a", "MInput_a", id="definition"),
        pytest.param("#here", "MInput_a", id="anchor"),
        pytest.param("#there", "MInput_d", id="dynamic-anchor"),
        pytest.param("#/$defs/d/$defs/inner", "MInput_d/$defs/inner", id="definition-in-a-definition"),
        pytest.param("#/$defs/a/properties/b c", "MInput_a/properties/b%20c", id="below-a-definition"),
        pytest.param("#/$defs/a/properties/b%20c", "MInput_a/properties/b%20c", id="percent-encoded"),
        pytest.param("#/$defs/c~1d", "MInput_c_d", id="escaped-name"),
        pytest.param("#/$defs/gr%C3%B6%C3%9Fe", "MInput_gr__e", id="name-beyond-ascii"),
        pytest.param("#", "MInput", id="root"),
        pytest.param("#/properties/y~1z", "MInput/properties/y~1z", id="field"),
        pytest.param("#/properties/y~1z/items", "MInput/properties/y~1z/items", id="below-a-field"),
        pytest.param("#/properties/w/$defs/local", "MInput/properties/w/$defs/local", id="definition-of-a-field"),
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_reference_leads_to_a_component(keyword, reference, rewritten):
    properties = {
        "x": {"anyOf": [{keyword: reference}, True]},
        "y/z": {"items": {}},
        "w": {"$defs": {"local": {"type": "boolean"}}},
    }
    schema = {"type": "object", "properties": properties, "$defs": DEFINITIONS}
    assert find_schema_faults(schema, "input_schema") == []
    component, _ = build_input(schema)
    assert component["properties"]["x"] == {"anyOf": [{"$ref": f"#/components/schemas/{rewritten}"}, True]}


def test_a_definition_may_refer_to_another_and_to_itself():
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "v": {"$ref": "#/$defs/v"}}}, "v": {}},
    }
    component, others = build_input(schema)
    assert component == {"$ref": "#/components/schemas/MInput_node"}
    assert others["node"]["properties"] == {
        "next": {"$ref": "#/components/schemas/MInput_node"},
        "v": {"$ref": "#/components/schemas/MInput_v"},
    }


def test_definitions_whose_names_would_be_the_same_are_told_apart():
    definitions = {"a b": {"const": 1}, "a_b": {"const": 2}, "a/b": {"const": 3}}
    properties = {"x": {"$ref": "#/$defs/a b"}, "y": {"$ref": "#/$defs/a_b"}, "z": {"$ref": "#/$defs/a~1b"}}
    component, others = build_input({"properties": properties, "$defs": definitions})
    found = [others[component["properties"][name]["$ref"].rpartition("MInput_")[2]]["const"] for name in "xyz"]
    assert found == [1, 2, 3]


@pytest.mark.parametrize(("definition", "component"), [(True, {}), (False, {"not": {}})])
def test_a_boolean_definition_becomes_an_object(definition, component):
    assert build_input({"$defs": {"a": definition}})[1] == {"a": component}


@pytest.mark.parametrize("keyword", ["default", "const"])
@pytest.mark.parametrize("value", [{"$ref": "#/$defs/a"}, [{"$ref": 5, "$id": "b"}], {"$defs": {}, "$schema": 1}])
def test_data_that_looks_like_a_reference_is_not_touched(keyword, value):
    schema = {"properties": {"x": {keyword: value}}, "$defs": {"a": {keyword: value}}}
    component, others = build_input(schema)
    assert component["properties"]["x"] == {keyword: value}
    assert others["a"] == {keyword: value}


@pytest.mark.parametrize("keyword", ["enum", "examples"])
def test_lists_of_data_that_look_like_references_are_not_touched(keyword):
    values = [{"$ref": "#/$defs/a"}, {"x": {"$id": "b", "$anchor": "c"}}]
    component, _ = build_input({keyword: values, "items": {keyword: values}})
    assert component == {keyword: values, "items": {keyword: values}}


@pytest.mark.parametrize(
    "words", [{"$ref": 5}, {"$ref": "see below"}, {"$ref": "#/nowhere"}, {"properties": [1]}], ids=str
)
def test_what_stands_under_an_unknown_keyword_sends_no_reader_away(words):
    schema = {"type": "object", "x-ours": words}
    assert find_schema_faults(schema, "input_schema") == []
    component, _ = build_input(schema)
    assert list(find_references(component)) == []


@pytest.mark.parametrize(
    "name", ["$ref", "$dynamicRef", "$id", "$schema", "$anchor", "$defs", "examples", "const", "x-error-messages"]
)
def test_a_field_may_be_named_like_a_keyword(name):
    schema = {
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/a"}},
        "patternProperties": {name: {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"properties": {name: {"type": "string"}}}, name: {"type": "string"}},
    }
    component, others = build_input(schema)
    reference = {"$ref": "#/components/schemas/MInput_a"}
    assert component["properties"] == component["patternProperties"] == {name: reference}
    assert others["a"] == {"properties": {name: {"type": "string"}}}


TREE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "root": {"$ref": "#/$defs/tree node"},
        "again": {"$ref": "#"},
        "size": {"$ref": "#size"},
        "width": {"$ref": "#/properties/size"},
    },
    "additionalProperties": False,
    "$defs": {
        "tree node": {
            "type": "object",
            "properties": {
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree node"}},
                "size": {"$ref": "#size"},
            },
            "additionalProperties": False,
        },
        "size": {
            "$anchor": "size",
            "anyOf": [{"$ref": "#/$defs/size/$defs/inner"}, {"type": "null"}],
            "$defs": {"inner": {"type": "number"}},
        },
    },
    "examples": [{"size": 1}],
}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"size": 1, "width": None},
        {"size": "1"},
        {"width": "1"},
        {"root": {"children": [{"size": 1}, {"children": [{"size": None}]}]}},
        {"root": {"children": [{"size": 1}, {"children": [{"size": "1"}]}]}},
        {"root": {"children": [{"sise": 1}]}},
        {"again": {"again": {"size": 1}}},
        {"again": {"again": {"size": []}}},
        {"again": {"root": 5}},
    ],
    ids=json.dumps,
)
def test_the_components_mean_what_the_schema_means(payload):
    assert find_schema_faults(TREE, "input_schema") == []
    components = build_components(make_info(input_schema=TREE), "M")
    before = [v.pointer for v in SchemaValidator(TREE).find_violations(payload)]
    after = [v.pointer for v in SchemaValidator(as_json_schema(components, "MInput")).find_violations(payload)]
    assert before == after


# Paths


def test_a_model_has_two_operations():
    info = make_info()
    paths = build_model_paths(make_route(info), max_rows=7, problems=PROBLEMS)
    assert {path: list(operations) for path, operations in paths.items()} == {
        "/api/models/some_model/predict": ["post"],
        "/api/models/some_model/metadata": ["get"],
    }
    predict = paths["/api/models/some_model/predict"]["post"]
    assert predict["operationId"] == "predict_some_model"
    assert predict["tags"] == ["some_model"]
    assert predict["summary"] == "Predict with Some model 1.0.0"
    assert predict["description"].startswith("Answers something.\n\n")
    metadata = paths["/api/models/some_model/metadata"]["get"]
    assert metadata["operationId"] == "get_metadata_some_model"
    assert list(metadata["responses"]) == ["200", "304", "404", "406", "500"]


def test_the_route_of_a_name_lists_its_versions_too():
    route = replace(make_route(make_info()), is_default=True)
    operation = build_model_paths(route, max_rows=7, problems=PROBLEMS)["/api/models/some_model/versions"]["get"]
    assert operation["operationId"] == "list_versions_some_model"


def test_a_request_is_one_payload_or_an_array_of_them():
    route = make_route(make_info())
    predict = build_model_paths(route, max_rows=7, problems=PROBLEMS)["/api/models/some_model/predict"]["post"]
    payload = {"$ref": "#/components/schemas/SomeModelInput"}
    assert predict["requestBody"]["required"] is True
    assert predict["requestBody"]["content"]["application/json"]["schema"] == {
        "anyOf": [payload, {"type": "array", "items": payload, "minItems": 1, "maxItems": 7}]
    }


def test_an_answer_is_one_output_or_an_array_of_them_and_names_the_version():
    route = make_route(make_info())
    predict = build_model_paths(route, max_rows=7, problems=PROBLEMS)["/api/models/some_model/predict"]["post"]
    output = {"$ref": "#/components/schemas/SomeModelOutput"}
    assert list(predict["responses"]) == ["200", *PROBLEMS]
    assert predict["responses"]["200"]["content"]["application/json"]["schema"] == {
        "anyOf": [
            output,
            {"type": "array", "items": output, "minItems": 1},
            {"type": "array", "items": {"$ref": "#/components/schemas/SomeModelRowOutcome"}, "minItems": 1},
        ]
    }
    headers = ["X-Request-ID", "X-Model-Version", "X-Failed-Rows", "Preference-Applied"]
    assert list(predict["responses"]["200"]["headers"]) == headers
    assert [each["name"] for each in predict["parameters"]] == ["Prefer"]


def test_files_are_read_and_written_beside_json():
    route = replace(make_route(make_info()), files=("text/csv",), answers=("text/csv", "application/x-ndjson"))
    predict = build_model_paths(route, max_rows=7, problems=PROBLEMS)["/api/models/some_model/predict"]["post"]
    assert list(predict["requestBody"]["content"]) == ["application/json", "text/csv"]
    assert {"application/json", "text/csv", "application/x-ndjson"} <= set(predict["responses"]["200"]["content"])


def read_examples(examples, max_rows=10):
    paths = build_model_paths(make_route(make_info(examples=examples)), max_rows=max_rows, problems=PROBLEMS)
    return paths["/api/models/some_model/predict"]["post"]["requestBody"]["content"]["application/json"].get("examples")


def test_the_examples_of_the_model_are_shown_alone_and_together():
    assert read_examples([{"x": 1}, {"x": 2}]) == {
        "example_1": {"summary": "Example 1", "value": {"x": 1}},
        "example_2": {"summary": "Example 2", "value": {"x": 2}},
        "several_rows": {"summary": "Several rows", "value": [{"x": 1}, {"x": 2}]},
    }


def test_no_examples_are_invented():
    assert read_examples([]) is None


def test_an_example_is_not_larger_than_a_request_may_be():
    assert read_examples([{"x": i} for i in range(5)], max_rows=2)["several_rows"]["value"] == [{"x": 0}, {"x": 1}]


def test_one_model_at_two_places_differs_in_the_operation_ids_only():
    info = make_info(input_schema=TREE, examples=[{"size": 1}])
    one, two = (
        build_model_paths(make_route(info, suffix), max_rows=7, problems=PROBLEMS)
        for suffix in ("some_model", "some_model_1_0_0")
    )
    plain = json.dumps(list(one.values()))
    assert plain.count("_some_model") == 2
    assert json.dumps(list(two.values())) == plain.replace("_some_model", "_some_model_1_0_0")


# The whole document


def test_the_document_is_valid_openapi_and_every_reference_leads_somewhere():
    infos = [
        make_info("tree_model", input_schema=TREE, output_schema=TREE, examples=[{"size": 1}, {}]),
        make_info("plain_model"),
        make_info("plain__model", input_schema={"type": "object", "$defs": {"a b": True, "a_b": {}}}),
    ]
    document = assemble(infos)
    OpenAPIV31SpecValidator(document).validate()
    references = set(find_references(document))
    assert len(references) >= 8
    for reference in references:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~").replace("%20", " ")]
