"""Opening graphs: nothing is written or reported, and one thread a session."""

import os
import subprocess
import sys

import pytest


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
    from model_service.onnx import open_session

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    path = IrisModel.artifact_path("model.onnx")
    options = open_session(path).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    assert open_session(str(path)).get_providers() == ["CPUExecutionProvider"]
