"""Rows through the client: the same answers as the route itself, errors with their names, values of many kinds."""

import asyncio
import datetime
import decimal
import inspect
import itertools
import math

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest
from serving import Server

import model_service_client
from model_service.schema.difference import find_difference
from model_service_client import AsyncModelServiceClient, ModelServiceClient, PayloadInvalid
from model_service_client.errors import MediaTypeUnsupported, ModelNotFound, PayloadMalformed, PayloadTooLarge
from model_service_client.values import to_json

SHIPPED = ["iris_model", "loan_model", "bike_model", "dna_lstm_model", "circrna_model"]
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def assert_same(found: list[object], expected: list[object]) -> None:
    """Rows that are computed together differ from single ones, and by how they were put together, in last digits."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert find_difference(one, other, tolerance=1e-5) == ""


def test_what_is_no_payload_is_not_sent_and_its_method_is_named(client):
    iris = client.model("iris_model")
    for wrong, words in (
        ([FLOWER], "not a list; predict_many takes several"),
        (None, "not a NoneType"),
        ("text", "not a str"),
        (pd.DataFrame([FLOWER]), "predict_frame takes a data frame"),
    ):
        with pytest.raises(PayloadMalformed, match=words) as caught:
            iris.predict(wrong)
        assert caught.value.status is None
    assert iris.predict(**FLOWER)["species"] == "setosa"
    with pytest.raises(PayloadInvalid):
        iris.predict({})


def test_every_model_is_listed_with_its_state(client):
    assert [(model.qualified_name, model.state) for model in client.models()] == [(name, "ready") for name in SHIPPED]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_model_answers_as_its_route_does(client, shipped, name):
    model = client.model(name)
    metadata = model.metadata()
    url, examples = f"{shipped.url}/api/models/{name}/predict", metadata.examples
    expected = [httpx.post(url, json=example, timeout=60).json() for example in examples]
    assert [model.predict(each) for each in examples] == expected
    assert [model.predict(**each) for each in examples] == expected
    assert client.model(name, metadata.version).predict(examples[0]) == expected[0]
    assert_same(model.predict_many(examples), expected)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_twin_for_event_loops_answers_the_same(client, shipped, name):
    model = client.model(name)
    examples = model.metadata().examples

    async def ask() -> list[object]:
        async with AsyncModelServiceClient(shipped.url) as twin:
            other = twin.model(name)
            assert (await other.metadata()).examples == examples
            assert len(await twin.models()) == len(SHIPPED)
            return [await other.predict(**examples[0]), await other.predict_many(examples), await other.stub()]

    one, many, stub = asyncio.run(ask())
    assert (one, stub) == (model.predict(examples[0]), model.stub())
    assert_same(many, model.predict_many(examples))


@pytest.mark.parametrize("name", ["ModelServiceClient", "Model", "Job"])
def test_the_twin_has_the_same_surface(name):
    one, other = getattr(model_service_client, name), getattr(model_service_client, f"Async{name}")
    public = {each for each in vars(one) if each[0] != "_"} - {"close"}
    assert {each for each in vars(other) if each[0] != "_"} - {"aclose"} == public
    for each in public:
        if not isinstance(vars(one)[each], property):
            mine, twin = inspect.signature(vars(one)[each]), inspect.signature(vars(other)[each])
            assert mine.parameters == twin.parameters, each
            assert inspect.getdoc(vars(one)[each])


def test_what_is_wrong_is_named_field_by_field_with_the_id_of_the_request(client):
    with pytest.raises(PayloadInvalid) as caught:
        client.model("iris_model").predict(FLOWER | {"sepal_length": "long"}, petal_width=-1)
    error = caught.value
    assert {each.pointer: each.rule for each in error.violations} == {
        "/sepal_length": "type",
        "/petal_width": "exclusiveMinimum",
    }
    assert (error.code, error.status) == ("payload_invalid", 422)
    assert error.request_id
    assert error.request_id in str(error)
    assert "/sepal_length: expected a number" in str(error)


def test_a_model_that_is_not_there_is_its_own_error(client):
    for call in (client.model("irs_model").metadata, lambda: client.model("irs_model").predict(FLOWER)):
        with pytest.raises(ModelNotFound, match="iris_model"):
            call()
    with pytest.raises(ModelNotFound):
        client.model("iris_model", "9.9.9").predict(FLOWER)


def test_a_checked_model_refuses_before_anything_is_sent(client, script):
    model = client.model("iris_model", check=True)
    assert model.predict(FLOWER)["species"] == "setosa"
    with pytest.raises(PayloadInvalid, match="not sent") as caught:
        model.predict(sepal_length="long", sepal_width=1, petal_length=1, colour="red")
    assert {each.pointer: each.rule for each in caught.value.violations} == {
        "": "additionalProperties",
        "/sepal_length": "type",
        "/petal_width": "required",
    }
    assert caught.value.status is None
    with pytest.raises(PayloadInvalid) as caught:
        model.predict_many([FLOWER, {}])
    assert caught.value.violations[0].pointer == "/1/sepal_length"
    outcomes = model.predict_many([{}, FLOWER], lenient=True)
    assert isinstance(outcomes[0], PayloadInvalid)
    assert outcomes[1]["species"] == "setosa"


# --- many rows --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A service that takes few rows and few bytes at a time."""
    config = """
server: {max_request_rows: 7, max_body_bytes: 400}
models:
  - class: models.DoubleModel
  - class: models.FussyModel
  - class: models.EchoModel
  - class: models.RaisingModel
"""
    server = Server(config, tmp_path_factory.mktemp("narrow")).wait_until_ready()
    yield server
    assert server.stop() == 0


@pytest.fixture
def few(narrow):
    with ModelServiceClient(narrow.url) as client:
        yield client


def test_more_rows_than_a_request_may_have_are_answered_in_order(few):
    seen = []
    rows = ({"x": number} for number in range(100))
    outputs = few.model("double_model").predict_many(rows, progress=lambda done, total: seen.append((done, total)))
    assert [output["y"] for output in outputs] == [2 * number for number in range(100)]
    assert seen[-1] == (100, None)
    assert all(later[0] - before[0] <= 7 for before, later in itertools.pairwise(seen))


def test_a_fault_in_a_late_chunk_is_named_by_its_row_among_all(few):
    rows = [{"x": number} for number in range(30)]
    with pytest.raises(PayloadInvalid) as caught:
        few.model("double_model").predict_many([*rows, {"x": "no"}])
    assert caught.value.violations[0].pointer == "/30/x"


def test_rows_that_fail_alone_leave_the_others_answered(few):
    rows = [{"x": 1}, {"x": "no"}, {"x": math.inf}, {"x": 2}, "no row", {"x": 3}] * 5
    outcomes = few.model("double_model").predict_many(rows, lenient=True)
    assert len(outcomes) == len(rows)
    kinds = [type(each).__name__ for each in outcomes[:6]]
    assert kinds == ["dict", "PayloadInvalid", "PayloadMalformed", "dict", "PayloadMalformed", "dict"]
    assert [each["y"] for each in outcomes[24:] if isinstance(each, dict)] == [2, 4, 6]
    assert outcomes[1].violations[0].pointer == "/x"


def test_rows_of_many_bytes_go_in_smaller_requests_and_one_that_is_too_large_fails_alone(few):
    rows = [{"x": "a" * 150}, {"x": "b" * 390}, {"x": "c" * 150}, {"x": "d" * 150}]
    outcomes = few.model("echo_model").predict_many([{"words": row} for row in rows], lenient=True)
    assert [isinstance(each, PayloadTooLarge) for each in outcomes] == [False, True, False, False]
    with pytest.raises(PayloadTooLarge):
        few.model("echo_model").predict_many([{"words": row} for row in rows])


def test_no_rows_are_no_outputs(few):
    assert few.model("double_model").predict_many([]) == []
    assert few.model("double_model").predict_many(iter(()), lenient=True) == []


def test_what_is_no_payload_is_told_before_anything_is_sent(few):
    with pytest.raises(PayloadMalformed, match="row 1: a payload is a dict of fields, not a list"):
        few.model("double_model").predict_many([{"x": 1}, [1]])
    with pytest.raises(PayloadMalformed, match="/x: a number that is infinite"):
        few.model("double_model").predict(x=math.inf)
    with pytest.raises(PayloadMalformed, match="/x/1: a object has no JSON"):
        few.model("double_model").predict(x=[1, object()])


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(2**60), 2**60),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.5, np.nan]), [1.5, None]),
        (np.datetime64("2024-05-01"), "2024-05-01"),
        (np.datetime64("2024-05-01T10:00:00.000000001"), "2024-05-01T10:00:00.000000001"),
        (np.datetime64("NaT"), None),
        (float("nan"), None),
        (np.float64("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (None, None),
        (pd.Timestamp("2024-05-01 10:00"), "2024-05-01T10:00:00"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.time(10, 30), "10:30:00"),
        (decimal.Decimal("3"), 3),
        (decimal.Decimal("0.5"), 0.5),
        ((1, {2}), [1, [2]]),
        ({"a": {1: pd.Series([1, 2])}}, {"a": {"1": [1, 2]}}),
        ([pl.Series([1.5, None])], [[1.5, None]]),
        (True, True),
        (10**30, 10**30),
    ],
)
def test_a_value_is_written_as_json_has_it(value, expected):
    found = to_json(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("value", [b"bytes", 1j, object(), float("-inf"), np.float32("inf"), decimal.Decimal("inf")])
def test_a_value_that_json_does_not_have_is_refused_with_its_place(value):
    with pytest.raises(PayloadMalformed) as caught:
        to_json({"a/b": [value]})
    assert caught.value.violations[0].pointer == "/a~1b/0"


def test_a_file_whose_format_nobody_knows_is_told_so(client, tmp_path):
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    with pytest.raises(MediaTypeUnsupported, match="text/csv"):
        client.model("iris_model").score_file(tmp_path / "rows.xlsx", output=tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.xlsx"]
