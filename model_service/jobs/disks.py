"""Disks of jobs: whether there is room, and what a file system that raises means. It needs no library."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_service.jobs.errors import JobNotFound, StorageFull, store_unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What does not pass by itself: rights, a read-only disk, a file where a folder should be.
_LASTING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
#: Fewer bytes left on a disk than this, and it counts as full: SQLite needs room to say what has become of jobs.
LEAST_FREE_BYTES = 16 * 1024 * 1024


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, where there is none.

    Raises:
        StorageFull, JobStoreUnavailable: It is not there.
    """
    with translated():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # what /proc says; no file of a job that is gone
            raise PermissionError(errno.EPERM, "no folder can be made there", str(folder)) from None


def require_room(folder: Path, size_bytes: int) -> None:
    """Make sure that so many bytes fit on the disk of a folder, and some more.

    Raises:
        StorageFull: They do not.
    """
    if shutil.disk_usage(folder).free < size_bytes + LEAST_FREE_BYTES:
        raise storage_full()


def storage_full() -> StorageFull:
    """Return the error of a disk that has no room left."""
    return StorageFull("the storage of jobs is full; remove jobs that are over, or free space", retry_after_s=30)


@contextmanager
def translated() -> Iterator[None]:
    """Word what a file system raises.

    Raises:
        JobNotFound: The file is gone.
        StorageFull: It has no room.
        JobStoreUnavailable: Anything else is wrong with it.
    """
    try:
        yield
    except FileNotFoundError:
        raise JobNotFound("a file of the job is gone; it may have been removed at this moment") from None
    except OSError as error:
        if error.errno in _FULL:
            raise storage_full() from None
        reason = error.strerror or type(error).__name__
        problem = f"the files of jobs cannot be used: {reason}"
        place = f"{error}; see 'jobs.folder' and 'jobs.store'"
        raise store_unavailable(problem, place, is_lasting=error.errno in _LASTING) from error
