"""`KeyFile`: the file of the API keys, for those who read it and those who change it.

A change replaces the whole file in one step, under a lock, so that no reader ever sees a half of it. A key that is
revoked stays in the file: who made and revoked it, and when, is part of the record.
"""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from model_service.access.key import Key, check_name, check_scopes, digest_key, make_secret, tell_now
from model_service.errors import ConfigInvalid

#: Some thousands of keys; more would take the workers too long to read.
MOST_BYTES = 2 * 1024 * 1024
_VERSION = 1
_MODE = 0o600
_SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """What a file holds.

    Attributes:
        salt: Of its digests.
        keys: In the order they were made, those that are revoked or expired among them.
    """

    salt: bytes
    keys: tuple[Key, ...]


class KeyFile:
    """A file of keys.

    Args:
        path: Where it is; `add` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Keys:
        """Return what it holds.

        Raises:
            ConfigInvalid: It is not there, cannot be read, is not a file of keys, or others may write to it.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
                    raise ConfigInvalid(
                        f"'{self.path}' can be written to by others than its owner, who could add keys; "
                        f"chmod go-w '{self.path}'"
                    )
                raw = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise ConfigInvalid(
                f"there is no file of keys '{self.path}'; make it, with its first key: model-service keys add NAME"
            ) from None
        except OSError as error:
            raise ConfigInvalid(f"the file of keys '{self.path}' cannot be read: {error.strerror}") from None
        if len(raw) > MOST_BYTES:
            raise ConfigInvalid(f"the file of keys '{self.path}' has more than {MOST_BYTES} bytes")
        return self._parse(raw)

    def add(self, name: str, scopes: list[str], *, expires: datetime | None, by: str) -> tuple[Key, str]:
        """Make a key; return it, and the text that its owner sends, which is not kept.

        Raises:
            ConfigInvalid: Name or scopes are not valid, a valid key has the name, or the file cannot be used.
        """
        key_id, text = make_secret()
        with self._changing(may_create=True) as held:
            now = tell_now()
            if any(key.name == name and key.is_valid(now) for key in held.keys):
                raise ConfigInvalid(f"there is a valid key '{name}'; take another name, or revoke that one first")
            digest = digest_key(text, held.salt)
            key = Key(key_id, check_name(name), check_scopes(scopes), digest, now, by, expires)
            self._write(replace(held, keys=(*held.keys, key)))
        return key, text

    def revoke(self, name: str, *, by: str) -> Key:
        """Revoke the key of a name, or of an id.

        Raises:
            ConfigInvalid: There is no valid one, or the file cannot be used.
        """
        with self._changing(may_create=False) as held:
            now = tell_now()
            found = [key for key in held.keys if name in (key.name, key.id) and key.revoked is None]
            # A name may have had a key before, whose time is over.
            found.sort(key=lambda key: key.is_valid(now))
            if not found:
                raise ConfigInvalid(f"there is no key '{name}' that is not revoked; model-service keys list")
            revoked = replace(found[-1], revoked=now, revoked_by=by)
            keys = tuple(revoked if key.id == revoked.id else key for key in held.keys)
            self._write(replace(held, keys=keys))
        return revoked

    @contextmanager
    def _changing(self, *, may_create: bool) -> Iterator[Keys]:
        """Keep others from changing the file for the length of a block."""
        try:
            lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise ConfigInvalid(f"the file of keys '{self.path}' cannot be changed: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if may_create and not self.path.exists():
                yield Keys(secrets.token_bytes(_SALT_BYTES), ())
            else:
                yield self.read()
        finally:
            os.close(lock)

    def _write(self, keys: Keys) -> None:
        document = {"version": _VERSION, "salt": keys.salt.hex(), "keys": [_dump(key) for key in keys.keys]}
        text = json.dumps(document, indent=1) + "\n"
        if len(text) > MOST_BYTES:
            raise ConfigInvalid(f"'{self.path}' has no room for another key; remove those that are revoked from it")
        target = Path(os.path.realpath(self.path))  # what a link leads to, not the link
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            with os.fdopen(descriptor, "w") as file:
                if self.path.exists():  # the service may run as another user, who is let in by owner or group
                    before = self.path.stat()
                    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
                    if os.geteuid() == 0:
                        os.fchown(descriptor, before.st_uid, before.st_gid)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise ConfigInvalid(f"the file of keys '{self.path}' cannot be written: {error.strerror}") from None

    def _parse(self, raw: bytes) -> Keys:
        try:
            document = json.loads(raw)
            if document["version"] != _VERSION:
                raise ValueError("another version")
            salt, keys = bytes.fromhex(document["salt"]), tuple(map(_load, document["keys"]))
        except (ValueError, KeyError, TypeError, AttributeError, ConfigInvalid, RecursionError):
            raise ConfigInvalid(
                f"'{self.path}' is not a file of keys as `model-service keys` writes it; restore it from a backup, or "
                "remove it and make the keys anew"
            ) from None
        if len(salt) != _SALT_BYTES or len({key.id for key in keys}) != len(keys):
            raise ConfigInvalid(f"'{self.path}' is damaged: its salt is not whole, or two keys have one id")
        return Keys(salt, keys)


def _dump(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "digest": key.digest,
        "created": key.created.isoformat(),
        "created_by": key.created_by,
        "expires": key.expires.isoformat() if key.expires else None,
        "revoked": key.revoked.isoformat() if key.revoked else None,
        "revoked_by": key.revoked_by,
    }


def _load(entry: dict[str, Any]) -> Key:
    expires, revoked = entry.get("expires"), entry.get("revoked")
    return Key(
        str(entry["id"]),
        check_name(entry["name"]),
        check_scopes(entry["scopes"]),
        str(entry["digest"]),
        _read_time(entry["created"]),
        str(entry["created_by"]),
        _read_time(expires) if expires is not None else None,
        _read_time(revoked) if revoked is not None else None,
        entry.get("revoked_by"),
    )


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
