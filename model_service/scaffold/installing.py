"""A new package into this environment, editable: nothing is fetched, and nothing else is installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from model_service.errors import MissingDependency

_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")


def install_editable(path: Path) -> None:
    """Install a package so that its folder is what is imported.

    Raises:
        MissingDependency: pip or setuptools is not there, or pip refuses; the message says what to do.
    """
    missing = [name for name in ("pip", "setuptools") if find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"the package is made, and not installed: {missing[0]} is not in this environment. Install it, or install "
            f"the package with a tool of your own: {path}"
        )
    command = [sys.executable, "-m", "pip", "install", *_OPTIONS, "--editable", str(path)]
    done = subprocess.run(  # noqa: S603 - pip, of this environment
        command, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise MissingDependency(f"the package is made, and pip has not installed it: {' '.join(lines[-3:])}")
