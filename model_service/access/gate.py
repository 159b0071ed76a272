"""`Gate`: what a door asks of each request before it looks at anything else."""

import threading
from collections.abc import Callable

from model_service.access.audit import Audit
from model_service.access.key import Key
from model_service.access.keyring import Keyring
from model_service.access.rates import Rates
from model_service.config_access import AccessConfig
from model_service.errors import Forbidden, Unauthenticated

#: The header that holds a key beside ``Authorization: Bearer``, in small letters; in gRPC, of the metadata.
HEADER = "x-api-key"


class Gate:
    """The keys, the limits and the audit log of one process.

    Args:
        config: Which of them there are.
        workers: How many processes share the limits.
        tells_changes: Whether this process says in the log which keys come and go; one of a service does.

    Attributes:
        keyring: The keys; ``None`` where none is needed.
        rates: The limits; ``None`` where there are none.
        audit: Where refusals are told.
    """

    def __init__(self, config: AccessConfig, *, workers: int = 1, tells_changes: bool = True) -> None:
        self.audit = Audit()
        self._looking = threading.Lock()
        told = self.audit.tell_keys if tells_changes else None
        self.keyring = Keyring(config.keys_file, told) if config.keys_file is not None else None
        has_limits = config.limit_per_key is not None or config.limit_per_address is not None
        self.rates = Rates(config, workers=workers) if has_limits else None

    def admit(self, sent: bytes | None) -> Key | None:
        """Return whose key a request has; ``None`` where none is needed.

        Args:
            sent: The key; ``None`` where there is none.

        Raises:
            Unauthenticated: There is none, or it is not valid.
            KeysUnavailable: Nobody can tell.
        """
        if self.keyring is None:
            return None
        if sent is None:
            raise Unauthenticated(
                "send an API key: 'Authorization: Bearer <key>' or 'X-API-Key: <key>'; the operator of the service has "
                "them (model-service keys add)"
            )
        return self.keyring.find(sent)

    def look(self) -> None:
        """Read the keys again if their file has changed; for threads that may wait for a disk."""
        if self.keyring is not None and self._looking.acquire(blocking=False):
            try:
                if self.keyring.is_due():
                    self.keyring.read()
            finally:
                self._looking.release()

    def look_with(self, every_tick: Callable[[Callable[[], object]], object]) -> None:
        """Keep looking at the file of keys from the ticks of a loop; a thread of its own reads what has changed."""
        keyring = self.keyring
        if keyring is None:
            return

        def look() -> None:
            if keyring.is_due():
                threading.Thread(target=keyring.read, name="keys", daemon=True).start()

        every_tick(look)


def check_scope(key: Key | None, scope: str) -> None:
    """Let a request go on to what needs a scope.

    Raises:
        Forbidden: Its key does not have it.
    """
    if key is not None and not key.allows(scope):
        raise Forbidden(f"the key '{key.name}' does not have the scope '{scope}'", scope=scope)


def make_gate(config: AccessConfig, *, workers: int = 1, tells_changes: bool = True) -> Gate | None:
    """Return the gate of a configuration; ``None`` where everybody may do everything.

    Raises:
        ConfigInvalid, MissingDependency: From `Rates`.
    """
    is_open = config.keys_file is None and config.limit_per_key is None and config.limit_per_address is None
    return None if is_open else Gate(config, workers=workers, tells_changes=tells_changes)
