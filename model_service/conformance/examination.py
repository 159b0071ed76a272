"""One model before all rules: each is judged in a child process, and only where what it needs holds.

A rule whose model hangs is ended at its deadline, one whose model crashes has taken only the child with it; the next
rule starts another.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from model_service.conformance.catalogue import GENERATED, RULES, find_rule
from model_service.conformance.options import Options
from model_service.conformance.process import Process, ProcessLost
from model_service.conformance.rule import Rule, State, Verdict, shorten
from model_service.conformance.score_card import ScoreCard
from model_service.conformance.subject import Subject
from model_service.model import MLModel

#: Until a child process is there, on however busy a machine.
_START_S = 120.0


class Examination:
    """Judges rules about one model, in any order; what a rule needs is judged first, and everything once.

    Args:
        class_path: The class, as ``module:Class``.
        options: How thoroughly.
        subject: Judge it in this process, where a model that hangs or crashes takes the caller along.
    """

    def __init__(self, class_path: str, options: Options | None = None, *, subject: Subject | None = None) -> None:
        self.class_path = class_path
        self.options = options or Options()
        self._subject = subject
        self._verdicts: dict[str, Verdict] = {}
        self._process: Process | None = None
        self._generated = 0

    def judge(self, rule_id: str) -> Verdict:
        """Return what comes of a rule."""
        if rule_id not in self._verdicts:
            self._verdicts[rule_id] = self._judge(find_rule(rule_id))
        return self._verdicts[rule_id]

    def judge_all(self, rules: Iterable[Rule] = RULES) -> Iterator[Verdict]:
        """Yield what comes of rules, as soon as it is known."""
        for rule in rules:
            yield self.judge(rule.id)

    def close(self) -> None:
        """End the child process, or close the model that was built here."""
        if self._subject is not None:
            self._subject.close()
        if self._process is not None:
            self._process.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _judge(self, rule: Rule) -> Verdict:
        for need in rule.needs:
            if self.judge(need).state in (State.FAILED, State.SKIPPED):
                return Verdict(rule.id, State.SKIPPED, f"not judged: it needs '{need}'")
        if rule.uses_rows:
            self.judge(GENERATED)  # a model that fails on generated payloads fails one rule for it, not all
        return rule.judge(self._subject) if self._subject is not None else self._ask_process(rule)

    def _ask_process(self, rule: Rule) -> Verdict:
        try:
            if self._process is None:
                self._process = Process()
                first = {"class_path": self.class_path, "options": self.options.as_dict()}
                self._process.ask(first, deadline_s=_START_S)
            request = {"rule": rule.id, "generated": self._generated}
            answer = self._process.ask(
                request, deadline_s=self.options.deadline_s * rule.patience + self.options.seconds
            )
        except ProcessLost as error:
            self.close()
            return Verdict(rule.id, State.FAILED, shorten(str(error)))
        self._generated = answer["generated"]
        return Verdict(rule.id, State(answer["state"]), answer["evidence"], answer["duration_s"])


def check_model(model: type[MLModel] | str, options: Options | None = None) -> ScoreCard:
    """Judge every rule of the kit about a model, each in a child process, and return the score card.

    Args:
        model: The class, which must be importable by its module and name; or its path, ``module:Class``.
        options: How thoroughly.
    """
    with Examination(name_class(model), options) as examination:
        return ScoreCard(examination.class_path, tuple(examination.judge_all()), examination.options)


def name_class(model: type[MLModel] | str) -> str:
    """Return the path of a class, as ``module:Class``."""
    return model if isinstance(model, str) else f"{model.__module__}:{model.__qualname__}"
