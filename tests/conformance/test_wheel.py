"""The wheel: what a package forgets to ship is found, and a whole one passes."""

import pytest

from model_service.artifacts import write_manifest
from model_service.conformance import Examination, Options
from model_service.conformance.rule import State

MODEL = """
import json
from model_service import MLModel
from model_service.fields import answer, number, record

class AddModel(MLModel):
    qualified_name, display_name, version, description = "add_model", "Add", "1.0.0", "Adds a number to another."
    input_schema = record("In", {"x": number("X", least=0, most=9)}, examples=[{"x": 1}])
    output_schema = answer("Out", {"sum": number("Sum")})

    def __init__(self):
        self._more = json.loads(self.artifact_path("more.json").read_text())

    def predict(self, payload):
        return {"sum": float(payload["x"] + self._more)}
"""
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "wheel-package"
version = "1.0.0"

[tool.setuptools]
packages = [{packages}]
package-data = {{ "*" = ["*.json"] }}
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "wheel_package"
    (folder / "artifacts").mkdir(parents=True)
    (folder / "__init__.py").write_text(MODEL)
    (folder / "artifacts/more.json").write_text("2")
    write_manifest(folder / "artifacts", made_with=())
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("packages", "state", "said"),
    [
        ('"wheel_package", "wheel_package.artifacts"', State.PASSED, "wheel_package-1.0.0-py3-none-any.whl, 0.00 MB"),
        ('"wheel_package"', State.FAILED, "a fresh process cannot answer: building wheel_package.AddModel failed"),
    ],
)
def test_what_is_installed_is_asked(package, packages, state, said):
    (package / "pyproject.toml").write_text(PROJECT.format(packages=packages))
    options = Options(seconds=0.5, cases=5, builds_wheel=True)
    with Examination("wheel_package:AddModel", options) as examination:
        verdict = examination.judge("wheel")
    assert verdict.state is state
    assert said in verdict.evidence
    assert {path.name for path in package.iterdir()} == {"wheel_package", "pyproject.toml"}


def test_a_wheel_that_cannot_be_built_says_what_pip_said(package):
    (package / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'nowhere'\n")
    with Examination("wheel_package:AddModel", Options(seconds=0.5, cases=5, builds_wheel=True)) as examination:
        verdict = examination.judge("wheel")
    assert (verdict.state, verdict.evidence.startswith("the wheel cannot be built: ")) == (State.FAILED, True)
