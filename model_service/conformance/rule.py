"""A rule of the kit: a function that looks at one model, with an id, a title and a remedy.

    @rule("closed", "schemas", "objects refuse fields that have no name", remedy="...", needs=("schemas",))
    def closed(subject):
        ...
        return "4 objects"          the evidence, one line
        raise Broken("...")         or what is wrong
        raise NotJudged("...")      or why nothing can be said

It knows neither the order of the rules nor where they run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from model_service.errors import ServiceError

if TYPE_CHECKING:
    from model_service.conformance.subject import Subject

Check = Callable[["Subject"], str]

#: Characters of a line of evidence; what is longer is cut in its middle.
_MAX_CHARACTERS = 300


class Broken(Exception):
    """The model breaks the rule; the message is the evidence."""


class NotJudged(Exception):
    """The rule says nothing about this model; the message is why."""


class State(StrEnum):
    """What came of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    #: It reports, and judges nothing.
    TOLD = "told"
    #: It does not concern this model, or what it needs is broken.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Names it, on the command line and in tests.
        family: Which rules it stands among.
        title: What holds of a model that keeps it.
        remedy: What the author of a model that breaks it does.
        needs: Ids of the rules without which this one would only repeat their failure.
        is_told: Whether it reports, and judges nothing.
        uses_rows: Whether it asks about generated payloads: only while the model can answer those.
        patience: How many times the usual deadline it has.
    """

    id: str
    family: str
    title: str
    remedy: str
    check: Check
    needs: tuple[str, ...] = ()
    is_told: bool = False
    uses_rows: bool = False
    patience: float = 1.0

    @property
    def explanation(self) -> str:
        """What is looked at, in a sentence or two."""
        return " ".join((self.check.__doc__ or "").split())

    def judge(self, subject: "Subject") -> "Verdict":
        """Return what comes of it for a model; whatever the model raises is a failure."""
        began = time.perf_counter()
        try:
            state, evidence = (State.TOLD if self.is_told else State.PASSED), self.check(subject)
        except Broken as error:
            state, evidence = State.FAILED, str(error)
        except NotJudged as error:
            state, evidence = State.SKIPPED, str(error)
        except (Exception, SystemExit) as error:
            state, evidence = State.FAILED, describe_error(error)
        return Verdict(self.id, state, shorten(evidence), round(time.perf_counter() - began, 3))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one rule for one model.

    Attributes:
        evidence: One line: what was seen, or why nothing was.
    """

    rule: str
    state: State
    evidence: str
    duration_s: float = 0.0


def rule(rule_id: str, family: str, title: str, *, remedy: str, **traits: Any) -> Callable[[Check], Rule]:
    """Make a rule of the function below it; traits are the attributes of `Rule` that have a default."""
    return lambda check: Rule(rule_id, family, title, remedy, check, **traits)


def describe_error(error: BaseException) -> str:
    """Return what an exception says, in one line: ours with their cause."""
    if isinstance(error, ServiceError):
        cause = getattr(error, "cause", "")
        return f"{error.message}: {cause}" if cause else error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def shorten(text: str, most: int = _MAX_CHARACTERS) -> str:
    """Return a text as one line of bounded length, of characters that every terminal shows."""
    line = " ".join(text.split())
    if not (line.isascii() and line.isprintable()):
        line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 2 :]}"
