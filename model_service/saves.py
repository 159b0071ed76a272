"""`SaveWatch`: sees that files have been saved, for `model-service dev`. It polls: that works everywhere."""

import threading
from collections.abc import Callable
from pathlib import Path

#: Soon enough to feel immediate, and seldom enough to cost nothing.
_POLL_S = 0.3
#: What Python and editors leave beside the files that somebody saves.
_IGNORED = ("__pycache__", ".egg-info")

Snapshot = dict[Path, tuple[int, int]]


class SaveWatch:
    """Watches a folder, or one file, in a thread of its own.

    Args:
        code: The folder, with all that is below it; or the file.
        tell: Given the files that have changed, as seen from there, once nothing changes any more: an editor may
            write a file in two steps, and a training writes several.
        poll_s: How often it looks.
    """

    def __init__(self, code: Path, tell: Callable[[list[str]], object], *, poll_s: float = _POLL_S) -> None:
        self._code = code
        self._root = code.parent if code.is_file() else code
        self._tell = tell
        self._poll_s = poll_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="saves", daemon=True)
        self._told = self._look()

    def start(self) -> None:
        """Tell of what is saved from its construction on."""
        self._thread.start()

    def close(self) -> None:
        """Tell of nothing more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        latest = self._told
        while not self._ending.wait(self._poll_s):
            before, latest = latest, self._look()
            if latest == before and latest != self._told:
                changed = sorted(path for path in {*latest, *self._told} if latest.get(path) != self._told.get(path))
                self._told = latest
                self._tell([path.relative_to(self._root).as_posix() for path in changed])

    def _look(self) -> Snapshot:
        found: Snapshot = {}
        for path in self._code.rglob("*") if self._root is self._code else [self._code]:
            parts = path.relative_to(self._root).parts
            if any(part.startswith(".") or part.endswith(("~", *_IGNORED)) for part in parts):
                continue
            try:
                stat = path.stat()
            except OSError:  # gone meanwhile
                continue
            if path.is_file():
                found[path] = (stat.st_mtime_ns, stat.st_size)
        return found
