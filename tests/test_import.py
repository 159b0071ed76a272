"""Importing does nothing, and `import model_service` needs nothing."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import model_service

#: For model packages only; onnxruntime writes a cache into the home folder when it is imported.
OPTIONAL = {
    "model_service.onnx",
    *(f"model_service.training.{name}" for name in ("parity", "sklearn", "doubles", "pipelines", "torch", "keras")),
    *(f"model_service.scaffold.{name}" for name in ("graphs", "conversion", "pickled")),  # programs of `new`
}
MODULES = sorted({module.name for module in pkgutil.walk_packages(model_service.__path__, "model_service.")} - OPTIONAL)

IMPORT_ALL = """
import importlib, json, logging, signal, sys, threading, warnings

sys.dont_write_bytecode = True
handlers, signals = list(logging.root.handlers), [signal.getsignal(number) for number in signal.valid_signals()]
level, path = logging.root.level, list(sys.path)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps({
    "optional": [name for name in sys.modules if name in ("onnxruntime", "model_service.onnx")],
    "threads": [thread.name for thread in threading.enumerate()],
    "handlers": [repr(handler) for handler in logging.root.handlers if handler not in handlers],
    "level": logging.root.level - level,
    "signals": signals != [signal.getsignal(number) for number in signal.valid_signals()],
    "path": [entry for entry in sys.path if entry not in path],
}))
"""


def run_python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(model_service.__file__).parents[1]),
        "HOME": str(cwd),
        "TMPDIR": str(cwd),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_import_model_service_loads_the_standard_library_only(tmp_path):
    code = (
        "import sys; before = set(sys.modules); import model_service; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = set(run_python(code, cwd=tmp_path).stdout.split())
    assert "model_service" in loaded
    assert loaded - set(sys.stdlib_module_names) == {"model_service"}


def test_importing_every_module_has_no_side_effects(tmp_path):
    assert "model_service.wiring" in MODULES
    assert "model_service.__main__" in MODULES
    before = set(tmp_path.iterdir())
    answer = run_python(IMPORT_ALL, json.dumps(MODULES), cwd=tmp_path)
    found = json.loads(answer.stdout)
    assert found == {
        "optional": [],
        "threads": ["MainThread"],
        "handlers": [],
        "level": 0,
        "signals": False,
        "path": [],
    }
    assert answer.stderr == ""
    assert set(tmp_path.iterdir()) == before


def test_the_main_module_is_the_command_line(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "model_service", "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (answer.returncode, answer.stdout) == (0, f"model-service, version {model_service.__version__}\n")
