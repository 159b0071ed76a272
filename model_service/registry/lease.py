"""`Leases`: who holds a model, so that it is not stopped under them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Leases:
    """How many callers hold a model, so that it is not stopped between the moment they found it and their answer."""

    def __init__(self) -> None:
        self._held = 0
        self._change = threading.Condition()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold it for the length of a block."""
        with self._change:
            self._held += 1
        try:
            yield
        finally:
            with self._change:
                self._held -= 1
                self._change.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nobody holds it; return whether that came to be in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._held, timeout_s)
