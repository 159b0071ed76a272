"""Make what the servers run in: one environment per peer from its pinned list, fitted estimators, the forest's graph.

Everything is left alone that was made from the same list before. What cannot be made costs its rows only.
"""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import model_service
from benchmarks.serving import places

OWN = "own"
#: Of this project's own environment, what its figures depend on.
_OWN_LIBRARIES = (
    *(
        "flask",
        "httptools",
        "jsonschema",
        "jsonschema-rs",
        "numpy",
        "onnxruntime",
        "orjson",
        "uvicorn",
        "uvloop",
        "werkzeug",
    ),
)
#: An installation must not take the core from what runs beside it.
_GENTLY = ("nice", "-n", "19")


class SetUpFailed(Exception):
    """An environment could not be made; the message has the last line of why."""


def prepare_own() -> None:
    """Fit the estimators in this environment and export the forest."""
    _fit(OWN, Path(sys.executable))
    graph = places.PACKAGES / "forest_model" / "artifacts" / "model.onnx"
    forest = places.FITTED / OWN / "forest.joblib"
    if not graph.exists() or graph.stat().st_mtime < forest.stat().st_mtime:
        _run([sys.executable, "-m", "forest_model.train", str(forest)], {"PYTHONPATH": str(places.PACKAGES)})


def prepare_peer(name: str) -> None:
    """Make the environment of a peer and fit the estimators in it.

    Raises:
        SetUpFailed: The list does not install, or its scikit-learn does not fit.
    """
    folder = places.ENVIRONMENTS / name
    pins = (places.REQUIREMENTS / f"{name}.txt").read_text()
    python, done = folder / "bin" / "python", folder / ".done"
    if not done.exists() or done.read_text() != pins:
        print(f"installing {name}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
        _run([*_GENTLY, *install, str(places.REQUIREMENTS / f"{name}.txt")])
        done.write_text(pins)
    if "scikit-learn" in pins:
        _fit(name, python)


def describe_versions(names: list[str]) -> dict[str, dict[str, str]]:
    """Return the installed versions that matter, by environment."""
    versions = {OWN: {"model_service": _describe_revision()} | _list_versions(Path(sys.executable), _OWN_LIBRARIES)}
    for name in names:
        listed = re.findall(
            r"^([\w.-]+)(?:\[[\w,]+\])?==", (places.REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE
        )
        versions[name] = _list_versions(places.ENVIRONMENTS / name / "bin" / "python", tuple(listed))
    return versions


def describe_machine() -> dict[str, str | int]:
    """Return what a reader must know of the machine."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(int(memory[1]) / 2**20) if memory else 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _fit(name: str, python: Path) -> None:
    folder, program = places.FITTED / name, places.SERVERS / "estimators.py"
    fitted = folder / "forest.joblib"
    if not fitted.exists() or fitted.stat().st_mtime < program.stat().st_mtime:
        _run([str(python), str(program), str(folder)])


def _describe_revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever is on the path
        cwd=places.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{model_service.__version__} ({done.stdout.strip()})" if done.stdout else model_service.__version__


def _list_versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    try:
        listed = json.loads(_run([str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]))
    except (OSError, SetUpFailed):
        return {}
    installed = {entry["name"].lower(): entry["version"] for entry in listed}
    return {name: installed[name.lower()] for name in names if name.lower() in installed}


def _run(command: list[str], variables: dict[str, str] | None = None) -> str:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | (variables or {})
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=places.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise SetUpFailed(lines[-1][:300])
    return done.stdout
