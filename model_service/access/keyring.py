"""`Keyring`: the keys of a running service.

The file is looked at a few times per second, and read when it has changed, in a thread of its own. What
has been read is one snapshot, swapped by one assignment; a key that was found once is found in it by the bytes that
were sent. That comparison is a dictionary's: it compares bytes only where a hash with a random seed is the same, so
how long it takes tells nothing of a key. Only valid keys are remembered, so nobody fills the memory with others.

A file that cannot be read lets nobody in: what it would have revoked is not known.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from model_service.access.key import Key, is_key, read_id, tell_now
from model_service.access.key_file import KeyFile
from model_service.errors import ConfigInvalid, KeysUnavailable, Unauthenticated

logger = logging.getLogger(__name__)

#: How often the file is looked at.
LOOK_S = 0.25
#: More ways to send valid keys are not remembered: they are found by digest each time.
_MOST_KNOWN = 1024
_Signature = tuple[int, ...]


class Snapshot:
    """What stood in the file when it was read.

    Attributes:
        keys: Those that were valid then, by id.
        spent: Those that are not valid any more, by id, so that their owners can be told.
        known: Those that were sent, by what was sent.
        problem: Why there are none.
    """

    def __init__(self, salt: bytes = b"", keys: tuple[Key, ...] = (), problem: str | None = None) -> None:
        now = tell_now()
        self.salt = salt
        self.keys = {key.id: key for key in keys if key.is_valid(now)}
        self.spent = {key.id: key for key in keys if not key.is_valid(now)}
        self.known: dict[bytes, Key] = {}
        self.problem = problem

    def retire(self) -> None:
        """Part with the keys whose time is over."""
        now = tell_now()
        # Copies, because other threads may find keys meanwhile.
        for key in [key for key in self.keys.copy().values() if key.has_expired(now)]:
            self.spent[key.id] = key
            self.keys.pop(key.id, None)
            self.known = {sent: each for sent, each in self.known.copy().items() if each.id != key.id}


class Keyring:
    """Finds the key that a request has. One thread looks at the file at a time; any may find keys.

    Args:
        path: The file.
        on_change: Told of the keys that have come, and of those that are not valid any more, after the first reading.

    Attributes:
        snapshot: What is valid now.
    """

    def __init__(self, path: Path, on_change: Callable[[list[Key], list[Key]], object] | None = None) -> None:
        self._file = KeyFile(path)
        self._on_change = on_change
        self._signature: _Signature | None = None
        self._looked = time.monotonic()
        self.snapshot = Snapshot(problem="the keys have not been read yet")
        self.read()

    def is_due(self) -> bool:
        """Whether the file is to be read: it has changed since. Also parts with keys whose time is over."""
        now = time.monotonic()
        if now < self._looked + LOOK_S:
            return False
        self._looked = now
        self.snapshot.retire()
        return self._sign() != self._signature

    def read(self) -> None:
        """Read the file."""
        before = self.snapshot
        # Before the reading: what changes during it is seen the next time.
        self._signature = self._sign()
        try:
            held = self._file.read()
        except ConfigInvalid as error:
            self.snapshot = Snapshot(problem=error.message)
            logger.error("no key is let in: %s", error.message, extra={"code": KeysUnavailable.code})
            return
        self.snapshot = after = Snapshot(held.salt, held.keys)
        if before.problem is not None:
            logger.info("%d API keys are valid", len(after.keys))
        elif self._on_change is not None:
            come = [key for key in after.keys.values() if key.id not in before.keys]
            gone = [after.spent.get(key.id, key) for key in before.keys.values() if key.id not in after.keys]
            self._on_change(come, gone)

    def find(self, sent: bytes) -> Key:
        """Return the key that was sent.

        Raises:
            Unauthenticated: It is none, or not valid any more.
            KeysUnavailable: Nobody can tell.
        """
        snapshot = self.snapshot
        if (known := snapshot.known.get(sent)) is not None:
            return known
        if snapshot.problem is not None:
            raise KeysUnavailable(
                "the keys of the service cannot be read; its operator finds why in its log", retry_after_s=5
            )
        text = sent.decode("latin-1")
        key_id = read_id(text) if text.isascii() else None
        if key_id is None:
            raise Unauthenticated(
                "what was sent does not have the form of a key: ms_, 12 digits, _, 43 characters", has_key=True
            )
        key = snapshot.keys.get(key_id)
        if key is not None and is_key(text, snapshot.salt, key.digest):
            if len(snapshot.known) < _MOST_KNOWN:
                snapshot.known[sent] = key
            return key
        spent = snapshot.spent.get(key_id)
        if spent is not None and is_key(text, snapshot.salt, spent.digest):
            what = "has been revoked" if spent.revoked is not None else "has expired"
            raise Unauthenticated(f"the key {what}; ask the operator of the service for a new one", has_key=True)
        raise Unauthenticated("the key is not one of this service", has_key=True)

    def _sign(self) -> _Signature | None:
        """Return what is another whenever the file is."""
        try:
            status = os.stat(self._file.path)
        except OSError:
            return None
        return status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns, status.st_ctime_ns
