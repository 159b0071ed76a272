"""Files of `model-service score` that are not on this machine: what fsspec finds behind a URL, such as a bucket."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from model_service.errors import ConfigInvalid, FileUnreadable, MissingDependency


def is_remote(name: str) -> bool:
    """Whether a name is a URL."""
    return "://" in name


def normalize(name: str) -> str:
    """Return a name as it is compared with others; a ``file://`` URL is the path that it means.

    Raises:
        ConfigInvalid, MissingDependency: Nothing here can read such a URL.
    """
    if not is_remote(name):
        return name
    fs, path = _find(name)
    is_here = "file" in ([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)
    ending = "/" if name.endswith("/") else ""
    return (str(path) if is_here else str(fs.unstrip_protocol(path))).rstrip("/") + ending


def expand(pattern: str) -> list[str]:
    """Return the names of the files that a name or a pattern means.

    Raises:
        click.UsageError: There are none.
        FileUnreadable: Where they should be cannot be reached.
    """
    found = _expand_remote(pattern) if is_remote(pattern) else _expand_local(pattern)
    if not found:
        what = "no file matches" if has_magic(pattern) else "there is no file"
        raise click.UsageError(f"{what} '{pattern}'")
    return found


def exists(name: str) -> bool:
    """Whether there is such a file."""
    if not is_remote(name):
        return Path(name).exists()
    fs, path = _find(name)
    with _reading(name):
        return bool(fs.exists(path))


@contextmanager
def open_file(name: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file to read; with its size, where that is known.

    Raises:
        FileUnreadable: It cannot be reached.
    """
    if not is_remote(name):
        with open(name, "rb") as file:
            yield file, Path(name).stat().st_size
        return
    fs, path = _find(name)
    with _reading(name):
        size, stream = fs.size(path), fs.open(path, "rb")
    with stream:
        yield cast(BinaryIO, stream), size


def identify(name: str) -> list[object]:
    """Return what tells a file from another one of its name, and from what it was before."""
    if not is_remote(name):
        stat = Path(name).stat()
        return [str(Path(name).absolute()), stat.st_size, stat.st_mtime_ns]
    fs, path = _find(name)
    with _reading(name):
        return [name, fs.size(path), fs.ukey(path)]


def send(path: Path, name: str) -> None:
    """Put a file of this machine behind a URL; then it is gone here.

    Raises:
        ConfigInvalid: It cannot be put there, and is here still.
    """
    fs, target = _find(name)
    try:
        fs.put_file(str(path), target)
    except Exception as error:  # of whatever library speaks to the other end
        raise ConfigInvalid(
            f"'{name}' cannot be written ({type(error).__name__}); all of the output is in '{path}': put it there by "
            "other means, or mend the access and score again"
        ) from error
    path.unlink()


def _find(name: str) -> tuple[Any, str]:
    try:
        return cast(tuple[Any, str], importlib.import_module("fsspec").core.url_to_fs(name, use_listings_cache=False))
    except ModuleNotFoundError:
        raise MissingDependency(f"'{name}' needs fsspec: install 'model-service[jobs]'") from None
    except (ImportError, ValueError) as error:
        raise ConfigInvalid(f"'{name}' cannot be used: {error}") from None


def _expand_local(pattern: str) -> list[str]:
    if not has_magic(pattern) or Path(pattern).exists():
        return [pattern] if Path(pattern).is_file() else []
    return sorted(path for path in glob(pattern, recursive=True) if Path(path).is_file())


def _expand_remote(pattern: str) -> list[str]:
    fs, path = _find(pattern)
    with _reading(pattern):
        if not has_magic(path) or fs.isfile(path):
            return [pattern] if fs.isfile(path) else []
        return sorted(fs.unstrip_protocol(each) for each in fs.glob(path) if fs.isfile(each))


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of whatever library speaks to the other end
        raise FileUnreadable(
            f"'{name}' cannot be reached ({type(error).__name__}); look at its name and your access"
        ) from error
