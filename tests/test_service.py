"""What a process serves with begins and ends as a whole; nothing is left of it, whichever way it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import TESTS

from model_service.config import BackendName, ModelConfig, ServiceConfig
from model_service.service import Service

CONFIG = """
models:
  - class: unruly_models.ClosingModel
  - class: unruly_models.UnrulyModel
    backend: process
"""
#: Ways to use a configuration in a process that then ends by itself.
PROGRAMS = {
    "predict": '-m model_service predict unruly_model --json {"x":1}',
    "predict with a model in this process": '-m model_service predict closing_model --json {"x":1}',
    "check-config": "-m model_service check-config",
    "create_app": "-c from+model_service.wiring+import+create_app;create_app('config.yaml')",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_nothing_is_left_in_the_temporary_folder_and_models_are_closed(tmp_path, program):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(Path(__file__).parents[1])]),
        "TMPDIR": str(temporary),
        "CLOSED_FILE": str(tmp_path / "closed"),
    }
    arguments = [argument.replace("+", " ") for argument in program.split(" ")]
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert list(temporary.glob("*model-service*")) == []
    assert (tmp_path / "closed").exists() is ("unruly" not in program)


def test_a_service_answers_between_its_start_and_its_end(manager):
    config = ServiceConfig(models=(ModelConfig(class_path="models.DoubleModel"),))
    with Service(config) as service:
        service.announce()
        assert service.app.test_client().get("/health/ready").status_code == 503
        service.start()
        answer = service.app.test_client().post("/api/models/double_model/predict", json={"x": 2})
        assert answer.get_json() == {"y": 4}
        assert service.drain(30)
    assert manager.get_models() == []


def test_describing_leaves_no_process_behind(manager):
    config = ServiceConfig(models=(ModelConfig(class_path="unruly_models.UnrulyModel", backend=BackendName.PROCESS),))
    (status,) = Service(config).describe()
    assert status.qualified_name == "unruly_model"
    assert status.info is not None
