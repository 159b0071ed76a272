"""What `pip install model-service` brings: the contract and what authors need; the server is an extra."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from email import message_from_string
from importlib import metadata
from pathlib import Path

import pytest
from serving import TESTS

import model_service
from model_service.cli.main import COMMANDS

ROOT = TESTS.parent
GRAPH_MODULES = ("arrays.py", "columns.py", "explain.py", "onnx.py", "tables.py")
#: What a training script and a model's module do; the modules that it leaves imported are printed.
AUTHOR = """
import json, sys
before = set(sys.modules)
from model_service import MLModel, ServiceError, Violation
from model_service.artifacts import read_artifacts, verify_artifacts, write_manifest
from model_service.fields import record
from model_service.threads import limit_threads
from model_service.training import run
from author_package import AuthorModel

folder = AuthorModel.artifact_path("")
write_manifest(folder, made_with=("model-service",))
verify_artifacts(AuthorModel)
foreign = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(json.dumps({
    "output": AuthorModel().predict({}),
    "artifacts": [artifact.name for artifact in read_artifacts(AuthorModel)],
    "made_with": json.loads((folder / "manifest.json").read_text())["made_with"],
    "foreign": sorted(foreign),
}))
"""
MODEL = """
from model_service import MLModel

class AuthorModel(MLModel):
    qualified_name, display_name, version, description = "author_model", "Author", "1.0.0", "Says what it loaded."
    input_schema = {"type": "object"}
    output_schema = {"type": "object"}

    def __init__(self):
        self._word = self.artifact_path("word.txt").read_text()

    def predict(self, payload):
        return {"word": self._word}
"""


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment with nothing but the wheel."""

    wheel: Path
    bin: Path

    def run(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / str(command[0])), *map(str, command[1:])],
            cwd=cwd,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def light(tmp_path_factory) -> Environment:
    """The wheel, built from a copy of the sources, in an environment of its own; nothing comes from a network."""
    folder = tmp_path_factory.mktemp("light")
    source = folder / "source"
    shutil.copytree(ROOT / "model_service", source / "model_service", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder / "dist", source]
    subprocess.run(build, check=True)
    (wheel,) = (folder / "dist").iterdir()
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv/bin/python"
    # The dependencies are left to pip: without an index it fails when there is one.
    subprocess.run([*pip, "--python", python, "install", "--no-index", wheel], check=True)
    return Environment(wheel, python.parent)


@pytest.fixture(scope="module")
def requirements(light) -> dict[str, list[str]]:
    """The requirements that the wheel states, by extra; those without one are under an empty name."""
    with zipfile.ZipFile(light.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    stated: dict[str, list[str]] = {}
    for requirement in message_from_string(text).get_all("Requires-Dist", []):
        wanted, _, marker = requirement.partition(";")
        extra = re.fullmatch(r""" *extra == ["'](\w+)["']""", marker)
        stated.setdefault(extra[1] if extra else marker, []).append(re.match(r"[\w.-]+", wanted)[0].lower())
    return stated


def test_the_wheel_alone_requires_nothing_and_has_extras_for_what_few_need(requirements):
    assert set(requirements) == {
        *("arrow", "grpc", "jobs", "limits", "onnx", "otel", "postgresql", "s3", "serve", "train")
    }
    assert requirements["arrow"] == ["pyarrow"]
    assert requirements["onnx"] == ["numpy", "onnxruntime"]


def test_the_extras_bring_every_library_that_the_package_imports(requirements):
    providers = metadata.packages_distributions()
    missing = []
    for path in sorted((ROOT / "model_service").rglob("*.py")):
        place = path.relative_to(ROOT / "model_service").parts[0]
        extra = "train" if place == "training" else "onnx" if place in GRAPH_MODULES else "serve"
        extra = "arrow" if path.stem in ("arrow_rows", "arrow_writing") else extra
        extra = "otel" if path.parent.name == "tracing" else extra
        extra = "onnx" if path.stem == "table_validation" else extra  # loaded for models that have NumPy alone
        is_program = place == "scaffold" and path.stem in ("pickled", "graphs", "conversion")
        extra = "train" if is_program else extra  # run for a trained model alone, in its environment
        is_grpc = path.parent.name == "grpc"
        extras = ("serve", "jobs") if place == "jobs" else ("serve", "grpc") if is_grpc else (extra,)
        known = {name.replace("_", "-") for each in extras for name in requirements[each]}
        for library in _imported_libraries(path):
            if not known & {name.lower().replace("_", "-") for name in providers[library]}:
                missing.append(f"{path.relative_to(ROOT)}: {library}")
    # Flask stands on the first two and brings them, as scikit-learn does joblib; torch is for those who export from it,
    # pytest for those who test.
    brought = {"joblib", "markupsafe", "pytest", "torch", "werkzeug"}
    assert {entry.partition(": ")[2] for entry in missing} == brought, missing


def test_the_pinned_list_of_the_server_holds_every_library_of_the_extras(requirements):
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/serve.txt").read_text(), re.MULTILINE)
    pinned = {name.lower().replace("_", "-") for name in pinned}
    assert {
        *requirements["serve"],
        *requirements["onnx"],
        *requirements["jobs"],
        *requirements["grpc"],
    } - pinned == set()


def test_a_service_needs_no_more_than_its_own_extra(tmp_path):
    blocked = ("alembic", "fsspec", "grpc", "google.protobuf", "mako", "onnxruntime", "numpy", "pyarrow", "sqlalchemy")
    (tmp_path / "config.yaml").write_text("models: [class: models.DoubleModel]")
    program = textwrap.dedent("""
        import sys
        sys.modules.update(dict.fromkeys(sys.argv[1:]))  # whoever imports one of them fails
        import model_service.cli.main, model_service.parent, model_service.worker
        from model_service.wiring import create_app
        client = create_app("config.yaml").test_client()
        print(client.post("/api/models/double_model/predict", json={"x": 1}).json)
        print([client.get(path).status_code for path in ("/", "/openapi.json", "/api/models", "/health/ready")])
    """)
    command = [sys.executable, "-c", program, *blocked]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["{'y': 2}", "[200, 200, 200, 200]"], done.stderr


def test_the_wheel_holds_the_files_of_the_package_and_no_others(light):
    with zipfile.ZipFile(light.wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", "model_service"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert packed == {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def test_an_author_writes_a_manifest_and_loads_a_model_with_the_standard_library(light, tmp_path):
    (tmp_path / "author_package/artifacts").mkdir(parents=True)
    (tmp_path / "author_package/__init__.py").write_text(MODEL)
    (tmp_path / "author_package/artifacts/word.txt").write_text("learnt")
    (tmp_path / "train.py").write_text(AUTHOR)
    done = light.run("python", "train.py", cwd=tmp_path)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "output": {"word": "learnt"},
        "artifacts": ["word.txt"],
        "made_with": {"model-service": model_service.__version__},
        "foreign": ["author_package", "model_service"],
    }


def test_the_environment_holds_no_other_distribution(light, tmp_path):
    code = "from importlib import metadata; print(*[found.name for found in metadata.distributions()])"
    assert light.run("python", "-c", code, cwd=tmp_path).stdout.split() == ["model-service"]


def test_onnx_without_its_extra_says_which_one(light, tmp_path):
    done = light.run("python", "-c", "import model_service.onnx", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: model_service.onnx needs onnxruntime: "
        "install model-service with its extra 'onnx', as model-service[onnx]"
    )


@pytest.mark.parametrize("command", [*COMMANDS, "--help", "no-such-command"])
def test_a_command_without_the_server_ends_with_3_and_one_sentence_that_names_the_extra(light, tmp_path, command):
    done = light.run("model-service", command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Error: this command needs the server, which the light install leaves out: ")
    assert "model-service[serve]" in sentence
    assert re.search(r"\(not installed: a2wsgi, apispec, bootstrap-flask and \d+ more\)$", sentence)


def test_the_version_needs_no_server(light, tmp_path):
    for command in (["model-service", "--version"], ["python", "-m", "model_service", "--version"]):
        done = light.run(*command, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"model-service, version {model_service.__version__}\n")


def test_an_environment_with_some_of_the_libraries_is_told_which_are_missing(light, requirements, tmp_path):
    for name in requirements["serve"]:
        if name != "uvloop":
            folder = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    done = light.run("python", "-m", "model_service", "serve", cwd=tmp_path)  # `-m` looks into the working folder
    assert done.returncode == 3
    assert done.stderr.endswith("(not installed: uvloop)\n")


def test_a_shipped_package_needs_the_contract_and_its_own_framework_only():
    paths = sorted((ROOT / "model_packages").glob("*/pyproject.toml"))
    listed = {path.parent.name: tomllib.loads(path.read_text())["project"]["dependencies"] for path in paths}
    # All of them are served as ONNX graphs.
    assert set(map(tuple, listed.values())) == {("model-service[onnx]", "numpy>=1.26,<3")}, listed


def _imported_libraries(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"model_service", "_typeshed"}  # the last one is for mypy alone
