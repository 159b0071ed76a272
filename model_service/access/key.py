"""`Key`: what is kept of an API key, and what it allows.

    ms_1f9c0a7d4e22_8Z...   prefix, public id, secret of 256 random bits

The id finds the key, the digest proves it. Nobody can guess 256 random bits, however fast the digest is, so it is one
keyed BLAKE2: a slow one, as for passwords, would protect nothing more, and cost every request.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from model_service.errors import ConfigInvalid

PREFIX = "ms"
#: No key is longer, whatever is sent as one.
MOST_CHARACTERS = 100
PREDICT, JOBS, MANAGE, METRICS = "predict", "jobs", "manage", "metrics"
SCOPES = (PREDICT, JOBS, MANAGE, METRICS)
_MODEL_SCOPE = f"{PREDICT}:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SCOPE = re.compile(rf"{'|'.join(SCOPES)}|{_MODEL_SCOPE}[a-z][a-z0-9_]{{0,63}}")
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret.

    Attributes:
        id: The public part.
        name: Who has it, for logs; no two keys that are valid share one.
        scopes: What it allows: of `SCOPES`, or ``predict:<model>``.
        digest: Of the whole key, hexadecimal.
        created: When it was made.
        created_by: Who made it: user and host.
        expires: From when on it is not valid any more; ``None``: never.
        revoked: Since when it is not valid any more; ``None``: it is not revoked.
        revoked_by: Who revoked it.
    """

    id: str
    name: str
    scopes: frozenset[str]
    digest: str
    created: datetime
    created_by: str
    expires: datetime | None = None
    revoked: datetime | None = None
    revoked_by: str | None = None

    def allows(self, scope: str) -> bool:
        """Whether it has a scope; that of one model is enough for ``predict`` as such, and `may_ask` says for which."""
        return scope in self.scopes or (scope == PREDICT and any(each.startswith(_MODEL_SCOPE) for each in self.scopes))

    def may_ask(self, qualified_name: str) -> bool:
        """Whether it allows predictions of a model."""
        return PREDICT in self.scopes or _MODEL_SCOPE + qualified_name in self.scopes

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked is None and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= now


def make_secret() -> tuple[str, str]:
    """Return the public id of a new key, and the key."""
    key_id = secrets.token_hex(6)
    return key_id, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"


def read_id(text: str) -> str | None:
    """Return the public id of what has the form of a key."""
    found = _KEY.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    return found[1] if found else None


def digest_key(text: str, salt: bytes) -> str:
    """Return what is kept of a key."""
    return hashlib.blake2b(text.encode(), key=salt, digest_size=32).hexdigest()


def is_key(text: str, salt: bytes, digest: str) -> bool:
    """Whether a key is the one of a digest, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_key(text, salt), digest)


def check_name(name: str) -> str:
    """Return the name of a key.

    Raises:
        ConfigInvalid: It is none.
    """
    if not _NAME.fullmatch(name):
        raise ConfigInvalid(
            "the name of a key has 1 to 64 letters, digits and . _ @ -, and begins with one of the former"
        )
    return name


def check_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return scopes.

    Raises:
        ConfigInvalid: One is not known.
    """
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ConfigInvalid(f"a scope is one of {', '.join(SCOPES)}, or predict:<model>, not {scope!r}")
    return frozenset(scopes)


def tell_now() -> datetime:
    """Return the time in UTC, to the second, as files of keys have it."""
    return datetime.now(UTC).replace(microsecond=0)
