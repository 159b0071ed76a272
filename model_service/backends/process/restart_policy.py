"""`RestartPolicy`: when a model process that has ended is started again. Pure: it is told what happened, and when.

A process that never came to predict is started again a few times and then given up: its package is at fault. One that
has predicted is a circuit: after too many crashes it opens, and closes again slowly.

    closed ── crashes, `MOST_CRASHES` within `WINDOW_S` ──> open: nothing runs, callers are told when to come again
      ^                                                       │ after a pause, each time twice as long
      └── a process that lives for `WINDOW_S` ── half-open <──┘ one process; its first crash opens again
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

#: So many crashes within so long are too many.
MOST_CRASHES, WINDOW_S = 5, 60.0
#: The pause before a new process: it doubles from one crash to the next.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
#: The pause of an open circuit.
FIRST_OPEN_S, LONGEST_OPEN_S = 10.0, 300.0


class End(Enum):
    """How a process ended."""

    CRASH = auto()
    #: It was ended for a prediction past its deadline: the model is slow, not broken.
    OVERDUE = auto()
    #: It was ended because it took too long to start, or too much memory for it.
    UNFIT = auto()


class Step(Enum):
    """What comes next."""

    RESTART = auto()
    #: The circuit opens: start again after the pause, and tell callers of it.
    OPEN = auto()
    GIVE_UP = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next, and after how many seconds."""

    step: Step
    pause_s: float = 0.0


class RestartPolicy:
    """The policy for one process after another.

    Args:
        draw: Returns a number between two others, so that processes which crashed together do not start in step.
    """

    def __init__(self, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._draw = draw
        self._crashes: deque[float] = deque()
        self._opened = 0
        self._half_open_until = float("-inf")

    def decide(self, end: End, *, was_ready: bool, now: float) -> Decision:
        """Return what comes after the end of a process.

        Args:
            end: How it ended.
            was_ready: Whether this process, or one before it, has loaded the model.
            now: Seconds that only grow.
        """
        if end is End.OVERDUE:
            return Decision(Step.RESTART, self._pause(FIRST_PAUSE_S))
        if not was_ready and end is End.UNFIT:
            return Decision(Step.GIVE_UP)
        self._crashes.append(now)
        while self._crashes[0] < now - WINDOW_S:
            self._crashes.popleft()
        is_too_often = len(self._crashes) >= MOST_CRASHES
        if not was_ready:
            return Decision(Step.GIVE_UP) if is_too_often else self._restart()
        if self._opened and now >= self._half_open_until:
            self._opened = 0  # it has lived long enough: the circuit had closed
        if not is_too_often and not self._opened:
            return self._restart()
        pause_s = min(FIRST_OPEN_S * 2**self._opened, LONGEST_OPEN_S)
        self._opened += 1
        self._half_open_until = now + pause_s + WINDOW_S
        self._crashes.clear()
        return Decision(Step.OPEN, pause_s)

    def _restart(self) -> Decision:
        return Decision(Step.RESTART, self._pause(min(FIRST_PAUSE_S * 2 ** len(self._crashes), LONGEST_PAUSE_S)))

    def _pause(self, longest_s: float) -> float:
        return self._draw(longest_s / 2, longest_s)
