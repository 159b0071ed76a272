"""The score card of one model: what came of each rule, as lines for a terminal and as JSON."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model_service.conformance.catalogue import find_rule
from model_service.conformance.options import Options
from model_service.conformance.rule import State, Verdict

#: What stands before a line.
MARKS = {State.PASSED: "pass", State.FAILED: "FAIL", State.TOLD: "info", State.SKIPPED: "skip"}


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """What came of the rules for one model.

    Attributes:
        class_path: The class, as ``module:Class``.
        verdicts: In the order of the catalogue.
        options: How thoroughly it was checked.
    """

    class_path: str
    verdicts: tuple[Verdict, ...]
    options: Options

    @property
    def failed(self) -> list[str]:
        """Ids of the rules that are broken."""
        return [verdict.rule for verdict in self.verdicts if verdict.state is State.FAILED]

    @property
    def is_fit(self) -> bool:
        """Whether no rule is broken."""
        return not self.failed

    @property
    def summary(self) -> str:
        """One line: how many rules hold, are broken, or could not be judged."""
        counts = {state: sum(verdict.state is state for verdict in self.verdicts) for state in State}
        judged = counts[State.PASSED] + counts[State.FAILED]
        words = [f"{counts[State.PASSED]} of {judged} rules hold"]
        words += [f"{counts[State.SKIPPED]} not judged"] if counts[State.SKIPPED] else []
        return f"{self.class_path}: {', '.join(words)}{'' if self.is_fit else ': ' + ', '.join(self.failed)}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        rules = []
        for verdict in self.verdicts:
            rule = find_rule(verdict.rule)
            told: dict[str, Any] = {"rule": rule.id, "family": rule.family, "title": rule.title}
            told |= {"state": verdict.state.value, "evidence": verdict.evidence, "duration_s": verdict.duration_s}
            rules.append(told | ({"remedy": rule.remedy} if verdict.state is State.FAILED else {}))
        options = {**self.options.as_dict(), "payloads": len(self.options.payloads)}
        return {
            "class": self.class_path,
            "fit": self.is_fit,
            "failed": self.failed,
            "rules": rules,
            "options": options,
            "python": platform.python_version(),
        }


def write_verdict(verdict: Verdict) -> Iterator[str]:
    """Yield the lines of one verdict: mark, id, evidence, and of a failure what the rule says and its remedy."""
    rule = find_rule(verdict.rule)
    yield f"{MARKS[verdict.state]}  {rule.id:<11} {verdict.evidence}"
    if verdict.state is State.FAILED:
        yield f"      rule:    {rule.title}"
        yield f"      remedy:  {rule.remedy}"
