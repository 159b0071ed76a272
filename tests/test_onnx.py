"""Graphs: nothing is written or reported, one thread per session, and a model that is a graph."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from model_service.fields import answer, number, record
from model_service.onnx import OnnxModel, open_session


def test_the_runtime_leaves_no_device_id_and_no_events_behind(tmp_path):
    program = "from iris_model import IrisModel; model = IrisModel(); model.predict(model.input_schema['examples'][0])"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-B", "-c", program],
        env={**environment, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        check=True,
        timeout=60,
    )
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(("said", "threads"), [(None, 1), ("3", 3), ("2,1", 2), ("0", 1), ("many", 1)])
def test_a_session_has_the_threads_that_the_environment_says_or_one(monkeypatch, said, threads):
    from iris_model import IrisModel

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    path = IrisModel.artifact_path("model.onnx")
    options = open_session(path).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    assert open_session(str(path)).get_providers() == ["CPUExecutionProvider"]


class Doubled(OnnxModel):
    qualified_name, display_name, version, description = "doubled", "Doubled", "1.0.0", "Doubles a number."
    input_schema = record("In", {"x": number("X")}, examples=[{"x": 1}])
    output_schema = answer("Out", {"y": number("Y"), "rows": number("Rows of the chunk")})
    inputs, outputs, chunk_rows = ("x",), ("y",), 3

    @classmethod
    def artifact_path(cls, name):
        return ARTIFACTS / name

    def encode(self, payloads):
        return {"x": np.array([[row["x"]] for row in payloads], np.float32)}

    def decode(self, payloads, outputs):
        return [{"y": y, "rows": len(payloads)} for y in outputs["y"][:, 0].tolist()]


ARTIFACTS = Path()


@pytest.fixture(autouse=True)
def graph(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("artifacts")
    monkeypatch.setitem(globals(), "ARTIFACTS", folder)
    ends = {name: [helper.make_tensor_value_info(name, 1, [None, 1])] for name in "xyz"}
    nodes = [helper.make_node("Add", ["x", "x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    made = helper.make_graph(nodes, "doubled", ends["x"], ends["y"] + ends["z"])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def test_a_batch_is_cut_into_chunks_and_answered_in_order():
    model = Doubled()
    assert model.predict({"x": 4}) == {"y": 8.0, "rows": 1}
    outputs = model.predict_batch([{"x": x} for x in range(7)])
    assert [output["y"] for output in outputs] == [0, 2, 4, 6, 8, 10, 12]
    assert [output["rows"] for output in outputs] == [3, 3, 3, 3, 3, 3, 1]


def test_threads_predict_at_once():
    model = Doubled()
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda x: model.predict_batch([{"x": x}] * (x % 3 + 1)), range(500)))
    assert [output[0]["y"] for output in outputs] == [2.0 * x for x in range(500)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": ("x", "w")}, "its inputs are 'x', and the class gives 'w', 'x'"),
        ({"inputs": ()}, "its inputs are 'x', and the class gives none"),
        ({"outputs": ("y", "label")}, "its outputs are 'y', 'z', and the class reads 'label', 'y'"),
        ({"outputs": ()}, "the class reads none"),
    ],
)
def test_a_graph_that_is_not_what_the_class_says_is_refused_when_it_is_loaded(changed, said):
    with pytest.raises(ValueError, match="not the graph that Other reads") as caught:
        type("Other", (Doubled,), changed)()
    assert said in str(caught.value)


def test_an_ensemble_asks_several_sessions():
    class Pair(Doubled):
        def __init__(self):
            super().__init__()
            self._second = open_session(self.artifact_path("model.onnx"))

        def run(self, inputs):
            (y,) = self._second.run(["y"], inputs)
            return {"y": (super().run(inputs)["y"] + y) / 2}

    assert Pair().predict({"x": 3})["y"] == 6.0
