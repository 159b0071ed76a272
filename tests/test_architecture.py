"""The layers and limits of docs/architecture.md, and proof that each rule can turn red."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import architecture
import pytest

import model_service

ROOT = Path(__file__).parent.parent


def test_the_package_keeps_every_rule_of_the_house():
    assert architecture.find_violations(ROOT) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("records.py", "from model_service.manager import ModelManager", "imports model_service.manager.ModelManager"),
        ("records.py", "import model_service.config", "imports model_service.config"),
        ("schema/form.py", "from model_service import prediction", "imports model_service.prediction"),
        ("backends/x.py", "from model_service.transports.http import codec", "from its own layer or above"),
        ("columns.py", "from model_service.artifacts import verify_artifacts", "from its own layer or above"),
        ("helpers.py", "", "has no layer"),
        ("prediction.py", "import flask", "imports flask"),
        ("cli/x.py", "from flask import Flask", "imports flask"),
        ("schema/x.py", "import jsonschema.exceptions", "imports jsonschema"),
        ("backends/x.py", "import ray", "imports ray"),
        ("transports/http/x.py", "import grpc", "imports grpc"),
        ("manager.py", "import onnxruntime", "imports onnxruntime"),
        ("fields.py", "import numpy", "imports numpy"),
        ("training/runs.py", "from model_service.loading import build_model", "from its own layer or above"),
        ("manager.py", "import yaml\nyaml.safe_load('')", "calls yaml.safe_load"),
        ("wiring.py", "import os\nos.getenv('X')", "calls os.getenv"),
        ("cli/x.py", "import os\nos.environ['X']", "reads os.environ"),
        ("manager.py", "def f():\n    import json\n", "imports inside the function f"),
        ("manager.py", "x = 1\n" * 351, "more than 350"),
        ("manager.py", "def f():\n" + "    x = 1\n" * 50, "the function f has 51 lines"),
    ],
)
def test_a_planted_violation_turns_the_rule_red(tmp_path, module, source, expected):
    path = tmp_path / architecture.PACKAGE / module
    path.parent.mkdir(parents=True)
    path.write_text(source)
    found = architecture.find_violations(tmp_path)
    assert len(found) == 1
    assert expected in found[0]


def test_a_clean_module_is_not_accused(tmp_path):
    path = tmp_path / architecture.PACKAGE / "manager.py"
    path.parent.mkdir()
    path.write_text("from model_service.schema.validation import SchemaValidator\nimport threading\n")
    assert architecture.find_violations(tmp_path) == []


def test_every_public_name_has_a_docstring():
    missing = []
    for found in pkgutil.walk_packages(model_service.__path__, "model_service."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != found.name:
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                members = vars(value).items() if inspect.isclass(value) else ()
                missing += [f"{found.name}.{name}"] * (not inspect.getdoc(value))
                missing += [
                    f"{found.name}.{name}.{member}"
                    for member, function in members
                    # getdoc finds the docstring of the method that is overridden.
                    if inspect.isfunction(function) and member[0] != "_" and not inspect.getdoc(getattr(value, member))
                ]
    assert missing == []
