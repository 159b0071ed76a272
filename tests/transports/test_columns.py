"""Tensors of many rows that a model predicts as columns are answered as its rows are, faults and all."""

import json
import math
import struct
from contextlib import closing

import httpx
import pytest
from grpc_client import GrpcClient, make_infer
from grpc_client import read_tensors as read_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Server, find_free_port
from table_models import EXAMPLES, GRADES, SumModel
from tensor_doors import V2BinaryDoor

from model_service.config import BackendName, ModelConfig
from model_service.prediction import LEAST_TABLE_ROWS
from model_service.schema.difference import find_difference

COLUMNS, ROWS = "sum_model", "sum_rows_model"
HEADER = "Inference-Header-Content-Length"
CODES = {"FP64": "d", "FP32": "f", "INT64": "q", "INT8": "b", "UINT64": "Q", "BOOL": "?"}
FIELDS = {"x": "FP64", "n": "INT64", "flag": "BOOL", "maybe": "FP64", "code": "FP64", "grade": "BYTES"}
#: What a fault is replaced by, by the datatypes that can hold it.
NUMBERS = [0, 1, -1, 2, 3, 7, 10, 0.1, 2.5, 10.5, 1e300, math.nan, math.inf, 2**40, 2**53 + 2, 2**62]
TEXTS = [*GRADES, "", "other"]


def pack(datatype, values):
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(raw)) + raw for raw in (value.encode() for value in values))
    return struct.pack(f"<{len(values)}{CODES[datatype]}", *values)


def make_table(rows=LEAST_TABLE_ROWS + 8):
    """Return sound columns by name, as (datatype, shape, values)."""
    examples = [EXAMPLES[row % len(EXAMPLES)] for row in range(rows)]
    columns = {}
    for name, datatype in FIELDS.items():
        values = [math.nan if row[name] is None else row[name] for row in examples]
        columns[name] = (datatype, [rows], values)
    return columns


def ask_rest(http, model, columns, *, is_binary, wanted=None):
    """Return the status and all that can be told apart of an answer of REST."""
    parts, inputs = [], []
    for name, (datatype, shape, values) in columns.items():
        tensor = {"name": name, "datatype": datatype, "shape": shape}
        if is_binary:
            parts.append(pack(datatype, values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = [None if value != value else value for value in values]
        inputs.append(tensor)
    document = {"inputs": inputs, "parameters": {"binary_data_output": is_binary}}
    if wanted is not None:
        document["outputs"] = [{"name": name} for name in wanted]
    head = json.dumps(document).encode()
    response = http.post(f"/v2/models/{model}/infer", data=head + b"".join(parts), headers={HEADER: str(len(head))})
    end = int(response.headers.get(HEADER, len(response.data)))
    told = json.loads(response.data[:end].replace(model.encode(), b"MODEL"))
    told.pop("request_id", None)
    return response.status_code, told, response.data[end:]


@pytest.fixture
def http(make_client):
    classes = ("SumModel", "SumRowsModel", "RaisingColumnsModel", "UnsoundColumnsModel", "RuledColumnsModel")
    return make_client(*(f"table_models.{name}" for name in classes), max_request_rows=100)


def find_model(manager, name):
    return manager.get_model(name).backend._backend._model  # what ran, no door tells


def is_same(one, other):
    """Whether answers are the same; 1 and 1.0 are."""
    return one[0] == other[0] and one[1] == other[1] and one[2] == other[2]


@pytest.mark.parametrize("is_binary", [True, False], ids=["bytes", "json"])
def test_columns_are_answered_as_rows_are(http, manager, is_binary):
    found = ask_rest(http, COLUMNS, make_table(), is_binary=is_binary)
    assert found[0] == 200
    assert find_model(manager, COLUMNS).lengths[1:] == [len(make_table()["x"][2])]
    assert is_same(found, ask_rest(http, ROWS, make_table(), is_binary=is_binary))
    few = make_table(LEAST_TABLE_ROWS - 1)
    assert ask_rest(http, COLUMNS, few, is_binary=is_binary)[0] == 200
    assert len(find_model(manager, COLUMNS).lengths) == 2, "few rows are no table"


def test_wanted_outputs_come_in_their_order(http):
    wanted = ["inner.x", "grade"]
    found = ask_rest(http, COLUMNS, make_table(), is_binary=False, wanted=wanted)
    assert [each["name"] for each in found[1]["outputs"]] == wanted
    assert is_same(found, ask_rest(http, ROWS, make_table(), is_binary=False, wanted=wanted))


changes = st.lists(
    st.tuples(
        st.sampled_from([*FIELDS]),
        st.sampled_from(["value", "value", "value", "datatype", "column", "missing", "short", "other"]),
        st.integers(0, 39),
        st.sampled_from([*NUMBERS, *TEXTS, True]),
        st.sampled_from([*CODES, "BYTES"]),
    ),
    max_size=3,
)


def fits(datatype, value):
    if datatype == "BYTES":
        return isinstance(value, str)
    try:
        return not isinstance(value, str) and struct.pack(f"<{CODES[datatype]}", value) is not None
    except (struct.error, OverflowError):
        return False


def change(columns, made):
    """Return columns with values, datatypes and shapes replaced, as far as there is a way to write them down."""
    columns = {name: (datatype, shape, [*values]) for name, (datatype, shape, values) in columns.items()}
    for name, what, row, value, datatype in made:
        if name not in columns:
            continue
        own, shape, values = columns[name]
        if what == "value" and fits(own, value):
            values[row % len(values)] = value
        elif what == "datatype" and all(fits(datatype, each) for each in values):
            columns[name] = (datatype, shape, values)
        elif what == "column":
            columns[name] = (own, [shape[0], 1], values)
        elif what == "missing":
            del columns[name]
        elif what == "short":
            columns[name] = (own, [len(values) - 1], values[:-1])
        elif what == "other":
            columns[f"{name}_"] = columns.pop(name)
    return columns


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(changes, st.booleans())
def test_whatever_is_sent_is_told_as_of_rows(http, made, is_binary):
    columns = change(make_table(), made)
    if not is_binary and any(value in (math.inf, -math.inf) for _, _, values in columns.values() for value in values):
        return  # no JSON
    answers = [ask_rest(http, model, columns, is_binary=is_binary) for model in (COLUMNS, ROWS)]
    assert is_same(*answers)
    assert answers[0][0] < 500


@pytest.mark.parametrize("model", ["raising_columns_model", "unsound_columns_model", "ruled_columns_model"])
def test_rows_answer_where_columns_cannot(http, caplog, model):
    assert is_same(
        ask_rest(http, model, make_table(), is_binary=True), ask_rest(http, ROWS, make_table(), is_binary=True)
    )
    warned = [record.getMessage() for record in caplog.records if "predicted again as rows" in record.getMessage()]
    assert len(warned) == (model != "ruled_columns_model")
    broken = make_table()
    broken["x"][2][3] = 7
    refused = ask_rest(http, model, broken, is_binary=True)
    assert refused[0] == (422 if model == "ruled_columns_model" else 200)


def test_a_model_in_a_process_of_its_own_answers_rows(make_client, manager):
    http = make_client(ModelConfig(class_path="table_models.SumModel", backend=BackendName.PROCESS))
    assert ask_rest(http, COLUMNS, make_table(), is_binary=True)[0] == 200
    assert manager.get_model(COLUMNS).tables is None


# Over gRPC, and the models that ship


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    port = find_free_port()
    models = "[{class: table_models.SumModel}, {class: table_models.SumRowsModel}, {class: iris_model.IrisModel}]"
    text = f"server: {{grpc_port: {port}}}\nmodels: {models}"
    running = Server(text, tmp_path_factory.mktemp("columns")).wait_until_ready()
    running.grpc_port = port
    yield running
    assert running.stop() == 0


@pytest.fixture
def grpc_client(server):
    client = GrpcClient(server.grpc_port)
    yield client
    client.close()


def ask_grpc(client, model, columns, *, is_raw):
    tensors = [
        {"name": name, "datatype": datatype, "shape": shape, "data": values}
        for name, (datatype, shape, values) in columns.items()
    ]
    return read_message(client.call("ModelInfer", make_infer(model, tensors, is_raw=is_raw)))


@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "typed"])
def test_columns_over_grpc_are_answered_as_rows_are(grpc_client, is_raw):
    rows = 3000  # large enough for the pool, and for several slices
    columns, expected = (ask_grpc(grpc_client, model, make_table(rows), is_raw=is_raw) for model in (COLUMNS, ROWS))
    assert repr(columns) == repr(expected)
    assert columns[0]["shape"] == [rows]


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_a_matrix_of_flowers_is_answered_as_the_native_route_answers_it(server, grpc_client, datatype):
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    flowers = [
        (4.5 + row % 30 / 10, 3.5 - row % 13 / 10, 1.5 + row % 40 / 8, 0.25 + row % 19 / 8) for row in range(500)
    ]
    values = [value for flower in flowers for value in flower]
    request = GrpcClient.make("ModelInfer", model_name="iris_model")
    request.inputs.add(name="input-0", datatype=datatype, shape=[500, 4])
    request.raw_input_contents.append(pack(datatype, values))
    found = {tensor["name"]: tensor["data"] for tensor in read_message(grpc_client.call("ModelInfer", request))}
    sent = struct.unpack(f"<{len(values)}{CODES[datatype]}", pack(datatype, values))
    payloads = [dict(zip(names, sent[start : start + 4], strict=True)) for start in range(0, len(sent), 4)]
    outputs = httpx.post(f"{server.url}/api/models/iris_model/predict", json=payloads).json()
    assert found["species"] == [output["species"] for output in outputs]
    for name in ("setosa", "versicolor", "virginica"):
        expected = [output["probabilities"][name] for output in outputs]
        assert found[f"probabilities.{name}"] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_many_examples_of_each_shipped_model_are_answered_as_the_native_route_answers_them(shipped, tmp_path):
    with closing(V2BinaryDoor(shipped, tmp_path)) as door:
        for entry in door.http.get("/api/models").json()["models"]:
            name = entry["qualified_name"]
            examples = door.http.get(f"/api/models/{name}/metadata").json()["input_schema"]["examples"]
            payloads = (examples * LEAST_TABLE_ROWS)[: LEAST_TABLE_ROWS + len(examples)]
            native = door.http.post(f"/api/models/{name}/predict", json=payloads).json()
            found = door.predict(name, payloads).outputs
            assert not find_difference(*(json.loads(json.dumps(each), parse_int=float) for each in (native, found)))


def test_the_toy_says_yes_to_its_examples():
    assert [SumModel().predict(example)["sum"] for example in EXAMPLES] == [2.1, 8.5]
