"""Programs in processes of their own: a package that is proved, a training, a model that is opened."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: What a program may take; a training of a large sample belongs into the author's hands.
TIMEOUT_S = 900
_MAX_LINES = 15


class ChildFailed(Exception):
    """A program ended with an error; the message is the end of what it wrote."""


def run_module(module: str, arguments: Sequence[object], *, folder: Path) -> str:
    """Run a module with the folder first on the path, and return what it printed.

    Raises:
        ChildFailed: It ended otherwise than well.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - our own modules
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"it took more than {TIMEOUT_S} seconds") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()
        has_traceback = any(line.startswith("Traceback ") for line in lines)
        raise ChildFailed("\n".join(lines[-1:] if has_traceback else lines[-_MAX_LINES:]))
    return done.stdout


def ask_module(module: str, arguments: Sequence[object]) -> dict[str, Any]:
    """Return the JSON object that a module writes into the file that its last argument names.

    Raises:
        ChildFailed: As `run_module`, or what it wrote is that it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "told.json"
        run_module(module, [*arguments, out], folder=Path(folder))
        told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if "failed" in told:
        raise ChildFailed(told["failed"])
    return told
