"""The Dockerfile without an engine: linted, read, and its steps run in a folder of their own.

What stays untested is what an engine does: base images, layers, users, health checks. docs/cloud.md says so.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
from serving import TESTS, Server, find_free_port

ROOT = TESTS.parent
DOCKERFILE = ROOT / "deploy/Dockerfile"
MODELS = ("iris_model", "loan_model", "bike_model", "dna_lstm_model", "circrna_model")


def read_instructions() -> list[tuple[str, str]]:
    """Return ``(instruction, arguments)`` of every line, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def read_stages() -> dict[str, list[tuple[str, str]]]:
    stages: dict[str, list[tuple[str, str]]] = {}
    for instruction, arguments in read_instructions():
        if instruction == "FROM":
            stages[arguments.rpartition(" ")[2]] = []
        elif stages:
            stages[[*stages][-1]].append((instruction, arguments))
    return stages


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out, by the two forms of patterns that stand in ours."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    parts = path.split("/")
    return any(
        any(fnmatch(part, pattern[3:]) for part in parts)
        if pattern.startswith("**/")
        else fnmatch("/".join(parts[: pattern.count("/") + 1]), pattern)
        for pattern in patterns
    )


def test_the_linter_has_nothing_to_say():
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert linter is not None, "install requirements/dev.txt"
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_one_program_as_nobody_in_particular():
    stages = read_stages()
    assert [*stages] == ["build", "service", "sagemaker", "final"]
    service = dict(stages["service"])
    assert service["USER"] == "10001:10001"
    assert json.loads(service["ENTRYPOINT"]) == ["model-service"]
    assert json.loads(service["CMD"]) == ["serve"]
    assert json.loads(dict(stages["sagemaker"])["ENTRYPOINT"]) == ["model-service", "sagemaker"]
    assert json.loads(service["HEALTHCHECK"].partition("CMD ")[2])[:2] == ["python", "-c"]
    runs = " ".join(arguments for instruction, arguments in stages["service"] if instruction == "RUN")
    assert not re.search(r"apt|pip|gcc|curl", runs)
    assert {arguments.partition("=")[0] for instruction, arguments in read_instructions() if instruction == "ARG"} == {
        *("BASE_IMAGE", "EXTRAS", "PACKAGES", "CONFIG")
    }


def test_the_context_has_what_is_built_and_nothing_of_this_checkout_beside_it():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    kept = {path for path in listed if not is_ignored(path)}
    assert {"pyproject.toml", "config.yaml", "requirements/serve.txt", "model_service/py.typed"} <= kept
    assert "model_packages/iris_model/iris_model/model.py" in kept
    assert {path.partition("/")[0] for path in kept if "/" in path} == {
        "model_service",
        "model_packages",
        "requirements",
    }
    for path in (".venv/bin/python", ".git/config", "tests/x.py", "model_packages/iris_model/tests/test_x.py"):
        assert is_ignored(path), path
    assert is_ignored("model_service/__pycache__/x.pyc")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for the root of the image's file system, after the steps of the build."""
    root = tmp_path_factory.mktemp("image")
    source, venv = root / "source", root / "opt/venv"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    arguments: dict[str, str] = {"BASE_IMAGE": ""}
    # A base image has a Python and nothing else of this one. Its packages come from where pip finds them here.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = {**kept, "PATH": f"{venv}/bin:{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"}
    for instruction, text in read_stages()["build"]:
        if instruction == "ARG":
            name, _, value = text.partition("=")
            arguments[name] = value.strip('"')
        elif instruction == "COPY":
            wanted, _, _ = text.partition(" ")
            for path in listed:
                if not is_ignored(path) and wanted in (".", path):
                    (source / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, source / path)
        elif instruction == "RUN":
            source.mkdir(exist_ok=True)
            command = text.replace("/opt/venv", str(venv)).replace("python -m", f"python{sys.version_info[0]} -m")
            step = {**environment, **arguments, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            done = subprocess.run(
                ["sh", "-ec", command], cwd=source, env=step, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr[-3000:]
    return root


# Everything is installed from nothing, which takes minutes.
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not os.environ.get("CI"), reason="installs the service from nothing; set CI=1 to run it")
def test_what_the_steps_build_serves_every_model_without_the_source(built, temporary):
    installed = built / "opt/venv/lib"
    assert not [path for path in installed.rglob("*.pth") if "model" in path.name]
    assert not list(installed.rglob("__editable__*"))
    shutil.rmtree(built / "source")
    server = ImageServer(built, temporary)
    try:
        server.wait_until_ready()
        models = httpx.get(f"{server.url}/api/models").json()["models"]
        assert {each["qualified_name"]: each["state"] for each in models} == dict.fromkeys(MODELS, "ready")
        script = json.loads(dict(read_stages()["service"])["HEALTHCHECK"].partition("CMD ")[2])[-1]
        check = [built / "opt/venv/bin/python", "-c", script.replace("8080", str(server.port))]
        assert subprocess.run(check, check=False).returncode == 0
    finally:
        assert server.stop() == 0
    assert {path.name for path in temporary.iterdir()} == {"server.log", "config.yaml"}


class ImageServer(Server):
    """The entry point of the image, with its environment."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        shutil.copy(ROOT / "config.yaml", folder)
        stages = dict(read_stages()["service"])
        environment = dict(pair.split("=", 1) for pair in shlex.split(stages["ENV"]))
        environment |= {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
        environment["MODEL_SERVICE__SERVER__PORT"] = str(self.port)
        # Whoever runs the image says who may call it: by keys, or like this.
        environment["MODEL_SERVICE__ACCESS__ALLOW_ANONYMOUS"] = "true"
        program, *_ = json.loads(stages["ENTRYPOINT"])
        with self.log.open("wb") as log:
            command = [built / "opt/venv/bin" / program, *json.loads(stages["CMD"])]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
