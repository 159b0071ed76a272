"""Tensors of schemas: which there are, what payloads they make, what outputs become."""

import json
import math
import struct

import pytest

from model_service import errors
from model_service.records import ModelInfo
from model_service.schema.tensor_bytes import Unwritable, read_bytes, write_bytes
from model_service.schema.tensor_rows import check_wanted, count_rows, read_payloads, write_outputs
from model_service.schema.tensor_specs import Signature, Signatures
from model_service.schema.tensors import INTEGERS, MAX_DIMENSIONS, Tensor, check_shape, flatten, make_tensor

MOST = 1000


def make_info(fields=None, outputs=None, **more):
    """Return a model whose fields are all required, in a schema that is closed unless more is said."""
    closed = {"additionalProperties": False}
    schema = {"type": "object", "properties": fields or {}, "required": list(fields or {}), **closed, **more}
    output = {"type": "object", "properties": outputs or {}, "required": list(outputs or {}), **closed}
    return ModelInfo("m", "M", "", "1.0", "m:M", schema, output)


def sign(fields=None, outputs=None, **more):
    return Signature(make_info(fields, outputs, **more))


def tensor(name, datatype, shape, data, **more):
    return make_tensor(Tensor(name, datatype, tuple(shape), data, **more))


def read(signature, *tensors):
    count_rows(tensors)
    return read_payloads(signature, tensors, max_values=MOST)


def list_specs(specs):
    return [(spec.name, spec.datatype, list(spec.shape), spec.is_json) for spec in specs.values()]


# --- which tensors there are ------------------------------------------------------------------------------------------

INTEGER_GRID = {
    **{"type": "array", "minItems": 2, "maxItems": 2},
    "items": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"type": "number"}, ("FP64", [-1], False)),
        ({"type": "integer"}, ("INT64", [-1], False)),
        ({"type": "boolean"}, ("BOOL", [-1], False)),
        ({"type": "string"}, ("BYTES", [-1], False)),
        ({"type": "string", "format": "date"}, ("BYTES", [-1], False)),
        ({"enum": ["a", "b"]}, ("BYTES", [-1], False)),
        ({"oneOf": [{"const": 0}, {"const": 1}], "type": "integer"}, ("INT64", [-1], False)),
        ({"type": ["number", "null"]}, ("FP64", [-1], False)),
        ({"type": ["integer", "null"]}, ("FP64", [-1], False)),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ("BYTES", [-1], False)),
        ({"type": ["boolean", "null"]}, ("BYTES", [-1], True)),
        ({"type": ["string", "number"]}, ("BYTES", [-1], True)),
        ({}, ("BYTES", [-1], True)),
        ({"type": "object"}, ("BYTES", [-1], True)),
        (INTEGER_GRID, ("INT64", [-1, 2, 3], False)),
        ({"type": "array", "items": {"type": "object"}}, ("BYTES", [-1], True)),
        ({"type": "array", "prefixItems": [{"type": "number"}]}, ("BYTES", [-1], True)),
        ({"type": ["array", "null"], "items": {"type": "number"}}, ("BYTES", [-1], True)),
    ],
    ids=json.dumps,
)
def test_a_field_has_the_tensor_that_can_hold_its_values(field, expected):
    assert list_specs(sign({"f": field}).inputs) == [("f", *expected)]
    assert list_specs(sign(outputs={"f": field}).outputs) == [("f", *expected)]


def test_an_array_of_any_size_is_a_tensor_of_an_input_and_json_of_an_output():
    numbers = {"type": "array", "items": {"type": "number"}}
    signature = sign({"f": numbers}, {"f": numbers})
    assert list_specs(signature.inputs) == [("f", "FP64", [-1, -1], False)]
    assert list_specs(signature.outputs) == [("f", "BYTES", [-1], True)]


def test_objects_unfold_into_dotted_names_and_open_ones_only_in_inputs():
    inner = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "string"}}, "required": ["x", "y"]}
    signature = sign({"a": inner}, {"a": inner, "b": {**inner, "additionalProperties": False}})
    assert [*signature.inputs] == ["a.x", "a.y"]
    assert list_specs(signature.outputs) == [
        ("a", "BYTES", [-1], True),
        ("b.x", "FP64", [-1], False),
        ("b.y", "BYTES", [-1], False),
    ]


def test_an_object_whose_dotted_name_is_taken_is_json():
    inner = {"type": "object", "properties": {"b": {"type": "number"}}, "required": ["b"]}
    assert list_specs(sign({"a": inner, "a.b": {"type": "number"}}).inputs) == [
        ("a", "BYTES", [-1], True),
        ("a.b", "FP64", [-1], False),
    ]


def test_a_schema_that_comes_back_to_itself_ends_in_json():
    tree = {"type": "object", "properties": {"value": {"type": "number"}, "next": {"$ref": "#/$defs/tree"}}}
    signature = sign({"tree": {"$ref": "#/$defs/tree"}}, **{"$defs": {"tree": tree}})
    assert [(spec.name, spec.is_json) for spec in signature.inputs.values()] == [
        ("tree.value", False),
        ("tree.next", True),
    ]


def test_a_signature_is_derived_once_and_again_for_a_model_that_was_loaded_again():
    signatures, info = Signatures(), make_info({"x": {"type": "number"}})
    assert signatures.find(info) is signatures.find(info)
    again = make_info({"y": {"type": "number"}})
    assert [*signatures.find(again).inputs] == ["y"]


# --- tensors to payloads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_a_scalar_is_a_vector_or_a_column(shape):
    assert read(sign({"x": {"type": "number"}}), tensor("x", "FP32", shape, [1, 2.5])) == [{"x": 1}, {"x": 2.5}]


def test_whole_numbers_of_a_float_tensor_are_integers_where_integers_are_expected():
    (row, other) = read(sign({"x": {"type": "integer"}}), tensor("x", "FP64", [2], [3.0, 3.5]))
    assert (row["x"], type(row["x"])) == (3, int)
    assert other["x"] == 3.5  # for validation to explain


def test_null_nan_and_an_empty_text_are_null_where_that_is_allowed():
    fields = {"n": {"type": ["number", "null"]}, "t": {"type": ["string", "null"]}}
    told = tensor("n", "FP64", [2], [None, 1.0]), tensor("t", "BYTES", [2], [None, ""])
    assert read(sign(fields), *told) == [{"n": None, "t": None}, {"n": 1.0, "t": ""}]
    raw = (
        Tensor("n", "FP64", (2,), [math.nan, 1.0], has_null=False),
        Tensor("t", "BYTES", (2,), ["", "a"], has_null=False),
    )
    assert read(sign(fields), *raw) == [{"n": None, "t": None}, {"n": 1.0, "t": "a"}]


def test_null_leaves_out_a_field_that_may_be_missing_and_stays_where_it_may_not():
    signature = sign({"x": {"type": "number"}, "y": {"type": "number"}}, required=["y"])
    rows = read(signature, tensor("x", "FP64", [2], [None, 1]), tensor("y", "FP64", [2], [2, None]))
    assert rows == [{"y": 2}, {"x": 1, "y": None}]


def test_nan_stays_where_null_is_not_allowed_for_validation_to_refuse():
    (row,) = read(sign({"x": {"type": "number"}}), Tensor("x", "FP64", (1,), [math.nan], has_null=False))
    assert math.isnan(row["x"])


def test_dotted_names_make_objects_and_none_where_nothing_is_in_them():
    inner = {"properties": {"x": {"type": ["number", "null"]}}, "type": ["object", "null"]}
    signature = sign({"a": inner, "n": {"type": "number"}})
    rows = read(signature, tensor("a.x", "FP64", [2], [None, 1]), tensor("n", "FP64", [2], [1, 1]))
    assert rows == [{"a": None, "n": 1}, {"a": {"x": 1}, "n": 1}]
    assert read(signature, tensor("n", "FP64", [1], [1])) == [{"n": 1}]


def test_arrays_are_nested_as_the_shape_says_or_json():
    signature = sign({"f": INTEGER_GRID, "w": {"type": "array", "items": {"type": "string"}}})
    grid = tensor("f", "INT64", [2, 2, 3], [*range(12)])
    rows = read(signature, grid, tensor("w", "BYTES", [2], ['["a"]', "[]"]))
    assert rows[1] == {"f": [[6, 7, 8], [9, 10, 11]], "w": []}
    assert read(signature, tensor("w", "BYTES", [2, 1], ["a", "b"])) == [{"w": ["a"]}, {"w": ["b"]}]
    assert read(signature, tensor("w", "BYTES", [2, 0], [])) == [{"w": []}, {"w": []}]


def test_json_texts_become_what_they_say_and_an_empty_one_is_missing():
    signature = sign({"f": {}, "g": {"type": ["boolean", "null"]}}, required=["g"])
    rows = read(
        signature, tensor("f", "BYTES", [2], ['{"a": [1]}', ""]), tensor("g", "BYTES", [2, 1], ["true", "null"])
    )
    assert rows == [{"f": {"a": [1]}, "g": True}, {"g": None}]
    assert read(signature, tensor("g", "BOOL", [1], [True])) == [{"g": True}]


def test_base64_and_plain_texts_are_read_as_their_content_type_says():
    signature = sign({"f": {"type": ["string", "number"]}, "t": {"type": "string"}})
    plain = tensor("f", "BYTES", [1], ["3"], content_type="str")
    assert read(signature, plain, tensor("t", "BYTES", [1], ["w6k="], content_type="base64")) == [{"f": "3", "t": "é"}]
    with pytest.raises(errors.PayloadMalformed, match="tensor 't': expected base64"):
        read(signature, tensor("t", "BYTES", [1], ["é"], content_type="base64"))


def test_one_matrix_of_numbers_is_all_fields_in_the_schemas_order():
    signature = sign({"b": {"type": "number"}, "a": {"type": "integer"}})
    rows = read(signature, tensor("input-0", "FP32", [2, 2], [1.5, 2.0, 3.5, 4.0]))
    assert rows == [{"b": 1.5, "a": 2}, {"b": 3.5, "a": 4}]
    assert type(rows[0]["a"]) is int
    with pytest.raises(
        errors.PayloadInvalid, match=r"tensor 'input-0': expected numbers of shape \[-1, 2\], which are b, a"
    ):
        read(signature, tensor("input-0", "FP32", [1, 3], [1, 2, 3]))


def test_tensors_that_no_schema_names_are_fields_of_an_open_one():
    signature = sign({"x": {"type": "number"}}, additionalProperties=True)
    x = tensor("x", "FP64", [1], [1])
    more = tensor("a", "BYTES", [1], ["1"]), tensor("b", "BYTES", [1], ["[1]"], content_type="json")
    assert read(signature, x, *more, tensor("c", "BOOL", [1, 2], [True, False])) == [
        {"x": 1, "a": "1", "b": [1], "c": [True, False]}
    ]


def test_ten_thousand_rows_are_columns_turned_once():
    names = [f"f{i}" for i in range(8)]
    signature = sign({name: {"type": "number"} for name in names})
    rows = 10_000
    tensors = [tensor(name, "FP64", [rows], [float(i)] * rows) for i, name in enumerate(names)]
    payloads = read_payloads(signature, tensors, max_values=MOST)
    assert len(payloads) == rows
    assert payloads[-1] == {name: float(i) for i, name in enumerate(names)}


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ([-1], "none of them negative"),
        ([1.0], "list of integers"),
        ([True], "list of integers"),
        ("2", "list of integers"),
        (None, "list of integers"),
        ([], f"1 to {MAX_DIMENSIONS} dimensions"),
        ([1] * (MAX_DIMENSIONS + 1), f"1 to {MAX_DIMENSIONS} dimensions"),
    ],
    ids=repr,
)
def test_a_shape_that_is_none_is_told(shape, said):
    with pytest.raises(errors.PayloadMalformed, match=f"tensor 'x': .*{said}"):
        check_shape("x", shape, MOST)


@pytest.mark.parametrize("shape", [[MOST + 1], [10**9, 4], [10**30, 0], [0, 10**30], [2, MOST, 0]], ids=repr)
def test_a_shape_of_more_than_may_be_is_refused_before_anything_is_made(shape):
    with pytest.raises(errors.PayloadTooLarge, match=f"more than {MOST} values"):
        check_shape("x", shape, MOST)


@pytest.mark.parametrize(
    ("datatype", "data", "said"),
    [
        ("FP64", [1.0], "its shape says 2 values, its data has 1"),
        ("FP64", ["a", 1], "expected numbers as data of FP64"),
        ("FP64", [True, 1], "expected numbers"),
        ("INT64", [1.5, 1], "expected integers"),
        ("UINT8", [256, None], "UINT8 holds integers from 0 to 255"),
        ("INT8", [0, -129], "INT8 holds integers from -128 to 127"),
        ("BOOL", [0, 1], "expected true or false"),
        ("BYTES", [1, "a"], "expected texts"),
        ("BYTES", [["a"], "a"], "expected texts"),
    ],
)
def test_data_that_its_datatype_cannot_hold_is_told(datatype, data, said):
    with pytest.raises(errors.PayloadMalformed, match=f"tensor 'x': .*{said}"):
        tensor("x", datatype, [2], data)


@pytest.mark.parametrize(
    ("data", "shape"), [([[1, 2], [3]], (2, 2)), ([[1, 2]], (2, 1)), ([[1], 2], (2, 1)), ([[[1]], [[2]]], (2, 1))]
)
def test_data_that_is_nested_in_another_way_is_told(data, shape):
    with pytest.raises(errors.PayloadMalformed, match="tensor 'x'"):
        make_tensor(Tensor("x", "FP64", shape, flatten("x", data, shape)))


def test_data_is_nested_or_flat():
    assert flatten("x", [[1, 2], [3, 4]], (2, 2)) == flatten("x", [1, 2, 3, 4], (2, 2)) == [1, 2, 3, 4]
    assert flatten("x", [[], []], (2, 0)) == flatten("x", [], (2, 0)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("x", "BYTES", [1], ["a"]), r"expected FP64 \[-1\] or another datatype of numbers, got BYTES"),
        (("x", "BOOL", [1], [True]), ".*got BOOL"),
        (("t", "FP64", [1], [1.0]), r"expected BYTES \[-1\], got FP64"),
        (("b", "INT8", [1], [1]), r"expected BOOL \[-1\], got INT8"),
        (("x", "FP64", [1, 2], [1, 2]), r"expected FP64 \[-1\], got another shape"),
        (("f", "INT64", [1, 3, 2], [1] * 6), r"expected INT64 \[-1, 2, 3\], got another shape"),
        (("z", "FP64", [1], [1]), "there is no such input; the inputs are x, t, b, f"),
    ],
)
def test_a_tensor_that_the_model_does_not_take_is_told_with_what_it_takes(wrong, said):
    kinds = {"x": {"type": "number"}, "t": {"type": "string"}, "b": {"type": "boolean"}, "f": INTEGER_GRID}
    with pytest.raises(errors.PayloadInvalid, match=f"tensor '{wrong[0]}': {said}") as caught:
        read(sign(kinds), tensor(*wrong))
    (violation,) = caught.value.violations
    assert violation.pointer == f"/{wrong[0]}"


def test_tensors_that_do_not_agree_are_told():
    x, y = tensor("x", "FP64", [1], [1]), tensor("y", "FP64", [2], [1, 2])
    with pytest.raises(errors.PayloadMalformed, match="tensor 'y': it has 2 rows, and 'x' has 1"):
        count_rows([x, y])
    with pytest.raises(errors.PayloadMalformed, match="tensor 'x': it is given twice"):
        count_rows([x, x])
    with pytest.raises(errors.PayloadMalformed, match="at least one tensor"):
        count_rows([])


def test_a_text_that_is_no_json_is_told_with_its_row():
    with pytest.raises(errors.PayloadMalformed, match="tensor 'f': expected JSON in row 1"):
        read(sign({"f": {}}), tensor("f", "BYTES", [2], ["1", "{"]))


def test_no_more_values_hide_in_texts_than_may_be():
    many = json.dumps([1] * (MOST // 2 + 10))
    told = f"more than {MOST} JSON values"
    with pytest.raises(errors.PayloadTooLarge, match=told):
        read(sign({"f": {}}), tensor("f", "BYTES", [2], [many, many]))
    with pytest.raises(errors.PayloadTooLarge, match=told):
        read(sign({"f": {}, "g": {}}), tensor("f", "BYTES", [1], [many]), tensor("g", "BYTES", [1], [many]))
    assert len(read(sign({"f": {}}), tensor("f", "BYTES", [1], [many]))[0]["f"]) == MOST // 2 + 10


# --- outputs to tensors -----------------------------------------------------------------------------------------------


def write(outputs, rows, wanted=None, **more):
    signature = sign(outputs=outputs)
    check_wanted(signature, wanted or ())
    return {each.name: (each.datatype, each.shape, each.data) for each in write_outputs(signature, rows, wanted)}


def test_outputs_become_columns():
    kinds = {"n": {"type": "number"}, "i": {"type": "integer"}, "m": {"type": ["integer", "null"]}, "f": INTEGER_GRID}
    rows = [{"n": 1, "i": 2.0, "m": None, "f": [[1, 2, 3], [4, 5, 6]]}, {"n": 0.5, "i": 3, "m": 4, "f": [[0] * 3] * 2}]
    written = write({**kinds, "j": {}}, [{**row, "j": {"a": [None]}} for row in rows])
    assert written == {
        "n": ("FP64", (2,), [1, 0.5]),
        "i": ("INT64", (2,), [2, 3]),
        "m": ("FP64", (2,), [None, 4]),
        "f": ("INT64", (2, 2, 3), [1, 2, 3, 4, 5, 6, *[0] * 6]),
        "j": ("BYTES", (2,), ['{"a":[null]}'] * 2),
    }
    assert {type(value) for value in written["i"][2]} == {int}


def test_only_the_outputs_that_are_wanted_are_given_in_their_order():
    kinds = {"a": {"type": "number"}, "b": {"type": "number"}, "c": {"type": "number"}}
    assert [*write(kinds, [{"a": 1, "b": 2, "c": 3}], ["c", "a"])] == ["c", "a"]
    with pytest.raises(errors.PayloadInvalid, match="there is no such output; the outputs are a, b, c"):
        write(kinds, [{"a": 1, "b": 2, "c": 3}], ["d"])
    with pytest.raises(errors.PayloadMalformed, match="output 'a' is wanted twice"):
        write(kinds, [{"a": 1, "b": 2, "c": 3}], ["a", "a"])


def test_fields_of_an_output_that_no_schema_names_are_json():
    info = make_info()
    info.output_schema.update(additionalProperties=True, properties={"a": {"type": "number"}}, required=["a"])
    written = write_outputs(Signature(info), [{"a": 1, "b": "x"}, {"a": 2}], None)
    assert [(each.name, each.data) for each in written] == [("a", [1, 2]), ("b", ['"x"', ""])]


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("datatype", "bounds"), INTEGERS.items())
def test_integers_are_little_endian_bytes(datatype, bounds):
    tensor = Tensor("x", datatype, (3,), [bounds[0], 1, bounds[1]])
    raw = write_bytes(tensor)
    bits = int(datatype.removeprefix("U").removeprefix("INT"))
    assert raw[bits // 8 : bits // 4] == (1).to_bytes(bits // 8, "little")
    assert [*read_bytes("x", datatype, (3,), raw)] == tensor.data


def test_floats_booleans_and_texts_are_bytes():
    assert write_bytes(Tensor("x", "FP32", (2,), [1, 0.5])) == struct.pack("<2f", 1, 0.5)
    assert math.isnan(read_bytes("x", "FP64", (1,), write_bytes(Tensor("x", "FP64", (1,), [None])))[0])
    assert read_bytes("x", "FP16", (2,), struct.pack("<2e", 1.5, -2)) == [1.5, -2]
    assert read_bytes("x", "BOOL", (2,), write_bytes(Tensor("x", "BOOL", (2,), [True, False]))) == [True, False]
    assert write_bytes(Tensor("x", "BYTES", (2,), ["é", None])) == b"\2\0\0\0\xc3\xa9\0\0\0\0"
    assert read_bytes("x", "BYTES", (2,), b"\2\0\0\0\xc3\xa9\0\0\0\0") == ["é", ""]


@pytest.mark.parametrize(
    ("datatype", "raw", "said"),
    [
        ("FP64", b"\0" * 15, "its shape says 16 bytes of FP64, and 15 were sent"),
        ("BOOL", b"\0\2", "bytes of 0 or 1"),
        ("BYTES", b"", "2 texts"),
        ("BYTES", b"\0\0\0\0", "2 texts"),
        ("BYTES", b"\0\0\0\0" * 3, "2 texts"),
        ("BYTES", b"\0\0\0\0\1\0\0\0", "2 texts"),
        ("BYTES", b"\0\0\0\0\0\0", "2 texts"),
        ("BYTES", b"\xff\xff\xff\xff\0\0", "2 texts"),
        ("BYTES", b"\1\0\0\0\xff\0\0\0\0", "UTF-8"),
    ],
)
def test_bytes_that_are_not_what_the_shape_says_are_told(datatype, raw, said):
    with pytest.raises(errors.PayloadMalformed, match=f"tensor 'x': .*{said}"):
        read_bytes("x", datatype, (2,), raw)


@pytest.mark.parametrize(("datatype", "value"), [("INT64", 2**63), ("FP64", 10**400)])
def test_a_number_that_has_no_bytes_is_told_to_the_door(datatype, value):
    with pytest.raises(Unwritable):
        write_bytes(Tensor("x", datatype, (1,), [value]))
