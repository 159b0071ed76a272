"""`ObjectStore`: the files of jobs, through fsspec: a folder on a disk, or a bucket.

    <job>/input                      the file as it was sent
    <job>/output/000007-<token>      one chunk of output; the store knows which of them count

An object is written whole, under a name that nobody else uses, before a record names it. So what a dead worker left
half written is never read, and is removed with its job.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from model_service.errors import ConfigInvalid
from model_service.jobs.disks import make_folder, require_room, translated
from model_service.jobs.errors import JobStoreUnavailable


class ObjectStore:
    """Objects by name. Thread-safe.

    Args:
        url: A path, or what fsspec takes: ``s3://bucket/folder``.

    Raises:
        ConfigInvalid: Nothing can be stored there.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ConfigInvalid(f"'jobs.store' cannot be used: {error}") from None
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def write(self, name: str, content: bytes) -> None:
        """Store an object; when this returns it is there, whatever happens to the machine.

        Raises:
            StorageFull, JobStoreUnavailable: It is not there.
        """
        with self._translated():
            if self._is_local:
                self._require_room(len(content))
                path = self._make_folder(name)
                with path.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                _sync_folder(path.parent)
            else:
                self._fs.pipe_file(self._path(name), content)

    def move_in(self, path: Path, name: str) -> None:
        """Store a file of this machine, which is gone then.

        Raises:
            StorageFull, JobStoreUnavailable: It is not there; the file may be.
        """
        with self._translated():
            if self._is_local:
                target = self._make_folder(name)
                shutil.move(path, target)  # on the same disk, a rename
                with target.open("rb") as file:
                    os.fsync(file.fileno())
                _sync_folder(target.parent)
            else:
                self._fs.put_file(str(path), self._path(name))
                path.unlink()

    def open(self, name: str) -> BinaryIO:
        """Return an object, to be read and closed.

        Raises:
            JobNotFound, JobStoreUnavailable: It is gone, or cannot be read.
        """
        with self._translated():
            return cast(BinaryIO, self._fs.open(self._path(name), "rb"))

    def read(self, name: str, start: int, end: int) -> bytes:
        """Return a part of an object.

        Raises:
            JobNotFound, JobStoreUnavailable: It is gone, or cannot be read.
        """
        with self._translated():
            content: bytes = self._fs.cat_file(self._path(name), start=start, end=end)
            if len(content) != end - start:
                raise JobStoreUnavailable("an object of the job is shorter than its record says", retry_after_s=30)
            return content

    def remove(self, job_id: str, *, but: frozenset[str] = frozenset()) -> None:
        """Remove the objects of a job, but for some; those that are gone already do not matter.

        Args:
            job_id: The job.
            but: Names below the job's folder of objects that stay.

        Raises:
            JobStoreUnavailable: Some may be left.
        """
        folder = self._path(job_id)
        with self._translated():
            try:
                if not but:
                    self._fs.rm(folder, recursive=True)
                    return
                found = self._fs.find(folder)
            except FileNotFoundError:
                return
            left = [path for path in found if path.removeprefix(f"{folder}/") not in but]
            if left:
                self._fs.rm(left)

    def list_jobs(self) -> list[tuple[str, float]]:
        """Return the jobs that have objects, and when the first of them was stored, in seconds since 1970."""
        with self._translated():
            try:
                entries = self._fs.ls(self._root, detail=True)
            except FileNotFoundError:
                return []
            folders = [entry["name"] for entry in entries if entry["type"] == "directory"]
            return [(folder.rsplit("/", 1)[-1], self._find_age(folder)) for folder in folders]

    def _find_age(self, folder: str) -> float:
        found = self._fs.find(folder, detail=True).values()
        times = [_read_time(entry) for entry in found]
        if not times and self._is_local:
            return Path(folder).stat().st_mtime
        return min(times, default=0.0)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _make_folder(self, name: str) -> Path:
        path = Path(self._path(name))
        make_folder(path.parent)
        return path

    def _require_room(self, size_bytes: int) -> None:
        path = Path(self._root)
        make_folder(path)
        require_room(path, size_bytes)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated():
            yield


def _read_time(entry: dict[str, Any]) -> float:
    stored = entry.get("mtime") or entry.get("LastModified") or entry.get("created") or 0.0
    return stored.timestamp() if hasattr(stored, "timestamp") else float(stored)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
