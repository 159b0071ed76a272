"""The guides are followed step by step, in a fresh environment with the built wheel; what they print is what they say.

The environment has `model-service` from its wheel and what the guides install; the libraries they need are those
of the environment of the tests, because nothing is asked of an index.
"""

import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from serving import TESTS, Server

DOCS = TESTS.parent / "docs"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]
#: Numbers in the last digits of which processors and library versions differ.
TOLERANCE = 0.02
_NUMBER = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a folder to work in."""

    bin: Path
    folder: Path

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.variables(), capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def variables(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {**inherited, "PATH": f"{self.bin}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("model_service", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(TESTS.parent / name)
    subprocess.run([*PIP, "wheel", *OFFLINE, "--wheel-dir", folder / "dist", source], check=True)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture
def environment(tmp_path, wheel) -> Environment:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    fresh = tmp_path / "venv"
    (packages,) = fresh.glob("lib/python*/site-packages")
    # These folders come after the environment's own, and their editable installations do not count.
    (packages / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    subprocess.run([*PIP, "--python", fresh / "bin/python", "install", *OFFLINE, wheel], check=True)
    (tmp_path / "work").mkdir()
    made = Environment(fresh / "bin", tmp_path / "work")
    assert str(packages) in made.run("python -c 'import model_service; print(model_service.__file__)'")
    return made


def write_files(document: Path, folder: Path, *, changed: tuple[str, str] = ("", "")) -> str:
    """Write every named file of a document; return its text from its first trained model on."""
    text = document.read_text(encoding="utf-8")
    for name, content in re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace(*changed) if changed[0] else content, encoding="utf-8")
    return text.rpartition("## 4. A trained model")[2]


def follow(environment: Environment, text: str) -> None:
    """Run the commands of the console blocks, in order, and compare what they print."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for step in block.removeprefix("$ ").split("\n$ "):
            command, _, expected = step.strip().partition("\n")
            if command.startswith("pip install"):
                command = f"python -m {command} --quiet {' '.join(OFFLINE)}"
            printed = environment.run(command).strip()
            assert matches(expected, printed), f"{command}\n{printed}\nand the guide says\n{expected}"


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what was expected: ``...`` is anything within a line, and decimals are compared as numbers."""
    lines, found = expected.splitlines(), printed.splitlines()
    if len(lines) != len(found):
        return False
    for line, text in zip(lines, found, strict=True):
        parts = re.split(r"(\.\.\.|-?\d+\.\d+)", line)
        pattern = "".join(
            ".*" if part == "..." else rf"({_NUMBER.pattern})" if _NUMBER.fullmatch(part) else re.escape(part)
            for part in parts
        )
        match = re.fullmatch(pattern, text)
        wanted = [float(part) for part in parts if _NUMBER.fullmatch(part)]
        if match is None or [float(number) for number in match.groups()] != pytest.approx(wanted, rel=TOLERANCE):
            return False
    return True


def test_a_printed_line_is_compared_by_its_words_and_numbers():
    assert matches("r2 0.96 ± 0.5, in ...", "r2 0.9601 ± 0.501, in 5 s")
    assert not matches("r2 0.96", "r2 0.90")
    assert not matches("r2 0.96", "mae 0.96")
    assert not matches("one", "one\ntwo")


def make_server_class(python: Path) -> type[Server]:
    """Return the server that an interpreter of another environment runs."""

    class ForeignServer(Server):
        def _command(self, config: Path) -> list[str]:
            return [str(python), *super()._command(config)[1:]]

    return ForeignServer


def test_the_guide_leads_from_a_table_to_the_served_form(environment):
    text = write_files(DOCS / "writing-a-model-package.md", environment.folder)
    follow(environment, text)
    # What is served is what was installed.
    (environment.folder / "rent_package").rename(environment.folder / "elsewhere")
    python, config = environment.bin / "python", (environment.folder / "rents.yaml").read_text()
    server = make_server_class(python)(config, environment.folder, environment={"PYTHONPATH": ""})
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url) as client:
            page = {"accept": "text/html"}
            form = client.get("/models/rent_model/predict", headers=page).text
            assert "Living area" in form
            assert "Year of construction" in form
            about = client.get("/models/rent_model", headers=page).text
            assert "no rent of a real flat should follow it" in about
            assert "0.9604 ± 0.0063" in about
            output = client.post("/api/models/rent_model/predict", json={"area": 64.5, "district": "centre"}).json()
            assert output["rent"] == pytest.approx(1195.5, rel=TOLERANCE)
    finally:
        server.stop()


def test_a_pickled_pipeline_is_served_by_an_interpreter_of_its_own(environment, tmp_path):
    write_files(DOCS / "writing-a-model-package.md", environment.folder)
    interpreter = ("/srv/rents/.venv/bin/python", str(environment.bin / "python"))
    text = write_files(DOCS / "serving-a-pickled-pipeline.md", environment.folder, changed=interpreter)
    environment.run("python make_table.py && python fit.py")
    environment.run(f"python -m pip install --quiet {' '.join(OFFLINE)} ./pickled_package")
    # The server's environment is that of the tests, which has no such package.
    commands = re.findall(r"^\$ (model-service.*)\n((?:[^$`].*\n)*)", text, re.MULTILINE)
    assert len(commands) == 2
    for command, expected in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command.replace("model-service", "model_service", 1).split()],
            cwd=environment.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert matches(expected, done.stdout), done.stdout


def test_a_torch_module_is_served_as_a_graph_and_as_itself(environment):
    pytest.importorskip("torch", reason="the guide is for those who have torch")
    follow(environment, write_files(DOCS / "serving-a-torch-module.md", environment.folder))


def test_a_trained_pipeline_and_its_table_are_served_after_one_command(environment):
    follow(environment, write_files(DOCS / "new.md", environment.folder))
    server = make_server_class(environment.bin / "python")(
        (environment.folder / "config.yaml").read_text(), environment.folder, environment={"PYTHONPATH": ""}
    )
    try:
        server.wait_until_ready()
        form = httpx.get(f"{server.url}/models/churn_model/predict", headers={"accept": "text/html"}).text
        assert "Months" in form
        payload = {"months": 3, "fee": None, "plan": "pro"}
        output = httpx.post(f"{server.url}/api/models/churn_model/predict", json=payload).json()
        assert output["left"] == "yes"
    finally:
        server.stop()
