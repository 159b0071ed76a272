"""The input of a job as a stream of bytes, inflated, counted and bounded."""

import gzip
import io
import zlib
from typing import Any, BinaryIO, cast

from model_service.errors import PayloadMalformed, PayloadTooLarge
from model_service.jobs.disks import translated
from model_service.jobs.objects import ObjectStore
from model_service.jobs.records import Chunk, Job

_BUFFER_BYTES = 256 * 1024


class JobInput:
    """The file of a job, to be read once. A context manager.

    Args:
        objects: Where it is.
        job: Whose file it is.
        max_bytes: Most bytes of it, inflated.

    Attributes:
        stream: What to read.

    Raises:
        JobNotFound, JobStoreUnavailable: The file is gone, or cannot be read.
    """

    def __init__(self, objects: ObjectStore, job: Job, max_bytes: int) -> None:
        self._file = _Stored(objects.open(f"{job.id}/input"))
        self.stream: BinaryIO = cast(BinaryIO, io.BufferedReader(self._file, _BUFFER_BYTES))
        if job.request.encoding == "gzip":
            self.stream = inflate(self.stream, max_bytes)

    @property
    def position(self) -> int:
        """How many bytes of the file have been read, as they were sent."""
        return self._file.position

    def __enter__(self) -> "JobInput":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._file.close()


def join_chunks(objects: ObjectStore, job_id: str, chunks: list[Chunk], tail: bytes) -> BinaryIO:
    """Return the output of a job so far as a stream, with something more at its end."""
    return cast(BinaryIO, io.BufferedReader(_Joined(objects, job_id, chunks, tail), _BUFFER_BYTES))


def inflate(stream: BinaryIO, max_bytes: int) -> BinaryIO:
    """Return the contents of a gzip stream, which end with an error where they become too large."""
    return cast(BinaryIO, io.BufferedReader(_Inflated(stream, max_bytes), _BUFFER_BYTES))


class _Stored(io.RawIOBase):
    """An object, and how far it has been read. Faults of the store are told as such."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with translated():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, target: Any, /) -> int:
        view = memoryview(target)
        with translated():
            content = self._file.read(len(view))
            view[: len(content)] = content
            self.position = max(self.position, self._file.tell())
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Joined(io.RawIOBase):
    """The pieces of an output, one after the other."""

    def __init__(self, objects: ObjectStore, job_id: str, chunks: list[Chunk], tail: bytes) -> None:
        self._objects = objects
        self._job_id = job_id
        self._left = iter(chunks)
        self._tail = tail
        self._chunk: Chunk | None = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        view = memoryview(target)
        while self._chunk is None or self._at == self._chunk.size:
            self._chunk, self._at = next(self._left, None), 0
            if self._chunk is None:
                content, self._tail = self._tail[: len(view)], self._tail[len(view) :]
                break
        else:
            until = min(self._at + len(view), self._chunk.size)
            content = self._objects.read(f"{self._job_id}/{self._chunk.name}", self._at, until)
            self._at = until
        view[: len(content)] = content
        return len(content)


class _Inflated(io.RawIOBase):
    """A gzip stream that ends with an error where it has become too large, and not in the memory of the process."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._left = max_bytes
        self._most = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        view = memoryview(target)
        try:
            content = self._gzip.read(len(view))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise PayloadMalformed("the file is no gzip file, or is cut off; compress it again") from None
        self._left -= len(content)
        if self._left < 0:
            raise PayloadTooLarge(f"the inflated file is larger than {self._most} bytes; send it in parts")
        view[: len(content)] = content
        return len(content)
