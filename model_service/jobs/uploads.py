"""`Upload`: a file of rows on its way in, on the disk of this machine, never in memory."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from model_service.errors import PayloadTooLarge
from model_service.jobs.disks import make_folder, require_room, translated

#: How many bytes may arrive until room on the disk is looked for again.
_LOOK_BYTES = 8 * 1024 * 1024


class Upload:
    """One file that arrives. Not thread-safe: its parts come one after the other.

    Args:
        folder: Where it is kept meanwhile.
        max_bytes: Largest file.

    Attributes:
        path: The file.
        size: Bytes so far.

    Raises:
        StorageFull, JobStoreUnavailable: There is no room for it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._most = max_bytes
        self._digest = hashlib.sha256()
        self._looked = -_LOOK_BYTES
        self.size = 0
        make_folder(folder)
        with translated():
            descriptor, name = tempfile.mkstemp(dir=folder)
            self.path = Path(name)
            self._file = os.fdopen(descriptor, "wb")

    def write(self, content: bytes) -> None:
        """Take the next part.

        Raises:
            PayloadTooLarge: There is more than may be.
            StorageFull, JobStoreUnavailable: There is no room for it.
        """
        self.size += len(content)
        if self.size > self._most:
            raise PayloadTooLarge(f"the file is larger than {self._most} bytes; send it in parts")
        with translated():
            if self.size - self._looked >= _LOOK_BYTES:
                self._looked = self.size
                require_room(self.path.parent, _LOOK_BYTES)
            self._file.write(content)
        self._digest.update(content)

    def finish(self) -> str:
        """Let it be complete; return its SHA-256. May be called again.

        Raises:
            StorageFull, JobStoreUnavailable: The last of it could not be written.
        """
        with translated():
            self._file.close()
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove what is left of it; for a file that has been moved away, nothing."""
        with suppress(OSError):  # the disk is full: what waited in memory is not wanted any more
            self._file.close()
        self.path.unlink(missing_ok=True)
