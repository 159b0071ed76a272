"""One number of threads for every framework."""

import json
import subprocess
import sys

import httpx
import pytest
from serving import TESTS, Server

from model_service.threads import VARIABLES, limit_threads


def test_one_thread_is_what_frameworks_are_told_by_default():
    environment = {"HOME": "/root"}
    limit_threads(None, environment)
    assert environment == {"HOME": "/root", **dict.fromkeys(VARIABLES, "1")}


def test_what_the_operator_has_said_to_a_framework_stays():
    environment = {"OMP_NUM_THREADS": "4"}
    limit_threads(None, environment)
    assert environment == {**dict.fromkeys(VARIABLES, "1"), "OMP_NUM_THREADS": "4"}


def test_the_key_is_stronger_than_the_environment():
    environment = {"OMP_NUM_THREADS": "4"}
    limit_threads(2, environment)
    assert environment == dict.fromkeys(VARIABLES, "2")


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_frameworks_listen(framework):
    program = {
        "torch": "import torch; print(torch.get_num_threads())",
        # TensorFlow tells only what was set by its API, so its pool is counted by its threads at work.
        "tensorflow": (
            "import os, tensorflow as tf; tf.linalg.matmul(tf.ones((999, 999)), tf.ones((999, 999)));"
            "names = [open(f'/proc/self/task/{t}/comm').read() for t in os.listdir('/proc/self/task')];"
            "print(sum('tf_Compute' in name for name in names))"
        ),
    }[framework]
    environment: dict[str, str] = {"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    limit_threads(1, environment)
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    print(ended.stdout, ended.stderr)
    assert int(ended.stdout) == 1


#: Answers what frameworks are told about threads.
_MODEL = """
import os
from models import DoubleModel
from model_service.threads import VARIABLES

class ThreadsModel(DoubleModel):
    qualified_name = "threads_model"
    output_schema = {"type": "object"}

    def predict(self, payload):
        return {name: os.environ.get(name) for name in VARIABLES}
"""


@pytest.mark.parametrize("backend", ["local", "process"])
def test_a_served_model_finds_the_number_of_the_configuration(tmp_path, backend):
    (tmp_path / "threads_package.py").write_text(_MODEL)
    model = {"class": "threads_package.ThreadsModel", "backend": backend}
    config = json.dumps({"server": {"model_threads": 3, "workers": 1}, "models": [model]})
    environment = {"OMP_NUM_THREADS": "7", "PYTHONPATH": f"{TESTS}:{tmp_path}"}
    server = Server(config, tmp_path, environment=environment).wait_until_ready()
    try:
        answer = httpx.post(f"{server.url}/api/models/threads_model/predict", json={"x": 1})
        assert answer.json() == dict.fromkeys(VARIABLES, "3")
    finally:
        server.stop()
