"""The page for those who come from another server: its classes are served, its script reads a signature."""

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from platform_models import LineEstimator
from serving import TESTS

from model_service.artifacts import write_manifest
from model_service.config_keys import describe_settings

PAGE = TESTS.parent / "docs/migrating.md"
FILES = dict(re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *command: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{TESTS}:{TESTS.parent}"}
    arguments = [sys.executable, *command]
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("class_path", "payload", "output"),
    [
        ("words_package.WordsModel", {"text": "a b c"}, {"words": 3}),
        ("iris_package.IrisPetalModel", {"petal_length": 1.4}, {"species": "setosa"}),
    ],
)
def test_a_class_of_the_page_is_served(folder, class_path, payload, output):
    (folder / "config.yaml").write_text(f"models: [{{class: {class_path}}}]\n")
    name = re.findall(r'"(\w+_model)"', (folder / class_path.partition(".")[0] / "__init__.py").read_text())[0]
    command = ("-m", "model_service", "predict", name, "--json", json.dumps(payload))
    assert run(folder, *command) == output


def test_the_pickle_of_a_script_is_served_in_a_process_of_its_own(folder):
    artifacts = folder / "rent_package/artifacts"
    artifacts.mkdir()
    (artifacts / "model.pickle").write_bytes(pickle.dumps(LineEstimator()))
    write_manifest(artifacts, made_with=("pip",))
    predict = ("-m", "model_service", "predict", "rent_model", "--json", '{"area": 60, "rooms": 2}')
    assert run(folder, *predict) == {"rent": 800}


def test_the_signature_of_an_mlflow_directory_becomes_a_schema(folder):
    columns = [
        {"type": "double", "name": "area", "required": True},
        {"type": "long", "name": "rooms", "required": False},
        {"type": "datetime", "name": "day", "required": True},
        {"type": "string", "name": "district", "required": True},
    ]
    (folder / "MLmodel").write_text(yaml.safe_dump({"signature": {"inputs": json.dumps(columns)}}))
    schema = run(folder, "read_signature.py", "MLmodel")
    assert [field["type"] for field in schema["properties"].values()] == ["number", "integer", "string", "string"]
    assert schema["properties"]["day"]["format"] == "date-time"
    assert schema["required"] == ["area", "day", "district"]


def test_every_key_that_the_pages_name_is_a_key():
    keys = {path for path, *_ in describe_settings()}
    for page in (PAGE, PAGE.with_name("cloud.md")):
        named = set(re.findall(r"`((?:server|models\[\]|invocations|jobs|logging)\.\w+)", page.read_text()))
        assert named
        assert named <= keys
