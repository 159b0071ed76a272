"""`FreedMemory`: gives back to the system what large bodies took, once they are over."""

from model_service.backends.loop import ServiceLoop
from model_service.memory import give_back

#: So long after the latest large body nobody seems to need it again at once.
_QUIET_S = 0.5


class FreedMemory:
    """Gives memory back from the loop's pool, when the last large body has been over for a while.

    Args:
        loop: Of the worker.
    """

    def __init__(self, loop: ServiceLoop) -> None:
        self._loop = loop
        self._since: float | None = None
        self._is_giving = False

    def note(self, held_bytes: int) -> None:
        """Note that a large body has begun, or is over, and how much is held by all of them now."""
        self._since = None if held_bytes else self._loop.now

    def look(self) -> None:
        """Give memory back if it is time; for every tick of the loop."""
        if self._since is None or self._is_giving or self._loop.now - self._since < _QUIET_S:
            return
        self._since, self._is_giving = None, True
        self._loop.compute(self._give)

    def _give(self) -> None:
        try:
            give_back()
        finally:
            self._is_giving = False
