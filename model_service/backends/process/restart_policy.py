"""`RestartPolicy`: when a model process that has ended is started again. Pure: it is told what happened.

A process that never came to predict is started again a few times and then given up: its package is at fault. One that
has predicted is a circuit. Processes that live for a while are replaced at once, however often they end; after several
short lives the circuit opens, and closes again slowly.

    closed ── `MOST_SHORT_LIVES` short lives ──> open: nothing runs, callers are told when to come again
      ^                                            │ after a pause, each time twice as long
      └── a process that lives `STEADY_S` <── half-open: one process; a short life opens again
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

#: A process that has been ready for so long has not ended for being started.
STEADY_S = 10.0
MOST_SHORT_LIVES = 5
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
        self._short_lives = 0
        self._opened = 0

    def decide(self, end: End, *, was_ready: bool, lived_s: float) -> Decision:
        """Return what comes after the end of a process.

        Args:
            end: How it ended.
            was_ready: Whether this process, or one before it, has loaded the model.
            lived_s: Seconds for which this process was ready.
        """
        if end is End.OVERDUE:
            return self._restart(0)
        if not was_ready and end is End.UNFIT:
            return Decision(Step.GIVE_UP)
        if lived_s >= STEADY_S:
            self._short_lives = self._opened = 0
            return self._restart(0)
        self._short_lives += 1
        if self._short_lives < MOST_SHORT_LIVES and not self._opened:
            return self._restart(self._short_lives)
        if not was_ready:
            return Decision(Step.GIVE_UP)
        pause_s = min(FIRST_OPEN_S * 2**self._opened, LONGEST_OPEN_S)
        self._opened += 1
        return Decision(Step.OPEN, pause_s)

    def _restart(self, short_lives: int) -> Decision:
        longest_s = min(FIRST_PAUSE_S * 2**short_lives, LONGEST_PAUSE_S)
        return Decision(Step.RESTART, self._draw(longest_s / 2, longest_s))
