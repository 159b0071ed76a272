"""The kit as tests of a package, one per rule, in two lines:

    from model_service.conformance.pytest_plugin import conformance

    test_conformance = conformance(IrisModel, payloads=[...])

A rule that does not concern the model is skipped, and pytest says why with ``-rs``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from model_service.conformance.catalogue import RULES, WHEEL, find_rule
from model_service.conformance.examination import Examination, name_class
from model_service.conformance.options import Options
from model_service.conformance.rule import State
from model_service.model import MLModel
from model_service.records import Payload


def conformance(
    model: type[MLModel] | str, *, payloads: Sequence[Payload] = (), **options: Any
) -> Callable[[str, pytest.FixtureRequest], None]:
    """Return a test function that judges every rule about a model, each as a test of its own.

    Args:
        model: The class, importable by its module and name; or its path, ``module:Class``.
        payloads: Valid payloads beside the examples of the schema; the more of the edges, the better.
        options: Of `Options`, such as ``seconds=1`` or ``builds_wheel=True``.
    """
    chosen = Options(payloads=tuple(payloads), **options)
    rules = [rule.id for rule in RULES if rule.id != WHEEL or chosen.builds_wheel]
    open_ones: list[Examination] = []

    @pytest.mark.parametrize("rule", rules)
    def test(rule: str, request: pytest.FixtureRequest) -> None:
        if not open_ones:
            open_ones.append(Examination(name_class(model), chosen))
            module = request.node.getparent(pytest.Module)
            module.addfinalizer(lambda: open_ones.pop().close())
        judge_rule(open_ones[0], rule)

    return test


def judge_rule(examination: Examination, rule_id: str) -> None:
    """Pass, fail or skip the test that calls it."""
    rule, verdict = find_rule(rule_id), examination.judge(rule_id)
    if verdict.state is State.FAILED:
        pytest.fail(f"{rule.title}: {verdict.evidence}\nremedy: {rule.remedy}", pytrace=False)
    if verdict.state is State.SKIPPED:
        pytest.skip(verdict.evidence)
