"""The rule about what others install: the wheel holds everything that the model needs."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from model_service.conformance.company_rules import ask_fresh_process
from model_service.conformance.rule import Broken, NotJudged, rule
from model_service.conformance.subject import Subject
from model_service.schema.difference import find_difference

_PIP_S = 300


@rule(
    "wheel",
    "distribution",
    "the wheel can be built and installed, and answers",
    remedy="List packages, artifacts and package-data in pyproject.toml; it is built with what is installed here.",
    needs=("repeatable",),
    patience=10.0,
)
def wheel(subject: Subject) -> str:
    """A wheel is built from a copy of the sources and installed into an empty folder; the model there answers its
    examples as the one here does. What it depends on is taken from this environment.
    """
    if not subject.options.builds_wheel:
        raise NotJudged("not asked for: --wheel builds and installs it")
    source = subject.source
    if source is None or not any((source / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise NotJudged("there are no sources with a pyproject.toml above the module")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ignored = shutil.ignore_patterns("build", "*.egg-info", ".*", "__pycache__", "tests")
        shutil.copytree(source, work / "source", ignore=ignored)
        built = ["wheel", "--no-build-isolation", "--wheel-dir", str(work), str(work / "source")]
        _run_pip(built, "the wheel cannot be built")
        (found,) = work.glob("*.whl")
        _run_pip(["install", "--target", str(work / "installed"), str(found)], "the wheel cannot be installed")
        rows = subject.examples
        answer = ask_fresh_process(subject, rows, first_path=work / "installed")
        if not str(answer["file"]).startswith(str(work)):
            raise Broken(f"the wheel does not hold the module: it was found at {answer['file']}")
        for row, output in zip(rows, answer["outputs"], strict=True):
            if difference := find_difference(subject.predict(row), output, tolerance=subject.options.tolerance):
                raise Broken(f"what the wheel installs answers differently: {difference}")
        return f"{found.name}, {found.stat().st_size / 1e6:.2f} MB"


RULES = (wheel,)


def _run_pip(arguments: list[str], fault: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        *arguments,
        "--no-deps",
        "--no-index",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_S, check=False)  # noqa: S603 - ours
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise Broken(f"{fault}: {lines[-1] if lines else 'pip says nothing'}")
