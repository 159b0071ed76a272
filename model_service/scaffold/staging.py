"""A package appears whole or not at all: it is made in a hidden folder beside its place, and moved there at the end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_service.errors import ConfigInvalid


@contextmanager
def stage(target: Path) -> Iterator[Path]:
    """Yield a folder that becomes the target when all went well, and is removed when it did not.

    What a process that was killed has left is removed by the next one: a folder is locked while its process lives.

    Raises:
        ConfigInvalid: The target has come into being meanwhile, or nothing can be written beside it.
    """
    prefix = f".{target.name}.new-"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target.parent, prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    except OSError as error:
        raise ConfigInvalid(f"'{target.parent}' cannot be written to: {error.strerror}") from None
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder / target.name
        made.mkdir()
        yield made
        _move(made, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _move(made: Path, target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise ConfigInvalid(f"'{target}' has come into being meanwhile; it is left as it is")
    made.rename(target)


def _remove_left(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another process works in it, or has removed it
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
