"""`check_package`: the rules of the conformance kit that take no time, in the process of the test that calls it.

    from model_service.testing import check_package

    def test_the_package_keeps_its_promises():
        model = check_package(IrisModel, payloads=[...])

The whole kit, a test per rule, is `model_service.conformance.pytest_plugin`. Both need the extra ``serve`` for their
validators.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model_service.conformance.catalogue import find_rule
from model_service.conformance.examination import Examination, name_class
from model_service.conformance.options import Options
from model_service.conformance.rule import State
from model_service.conformance.subject import Subject
from model_service.loading import describe_model
from model_service.model import MLModel
from model_service.records import Payload
from model_service.schema.difference import TOLERANCE

#: Rules of the contract, the files, and of the examples and payloads that the author gives.
_RULES = (
    *("schemas", "examples", "digests", "listed", "pickles", "figures", "builds", "answers", "untouched"),
    *("repeatable", "round_trip", "integers", "nulls", "batch", "columns"),
)
#: Every payload is asked about, however many there are.
_SECONDS = 3600.0


def check_package(
    model_class: type[MLModel],
    *,
    payloads: Sequence[Payload] = (),
    card: Path | None = None,
    section: str = "Quality",
    tolerance: float = TOLERANCE,
    may_hold_pickles: bool = False,
) -> MLModel:
    """Check a package by its examples and by payloads of your own, and return its model, built.

    Args:
        model_class: The class that the package serves.
        payloads: Valid payloads beside the schema's examples; the more, the better.
        card: The model card; ``None`` looks for ``README.md`` above the module. Without one, no figure is checked.
        section: The heading in the card below which every figure with a decimal point, and every number that is a
            cell of a table, must have been measured.
        tolerance: How far floats of a row may differ between batches.
        may_hold_pickles: Whether its artifacts may, as those of a pipeline that is served as it was trained.

    Raises:
        AssertionError: Says which rule is broken, and with what payload.
        model_service.errors.PackageError: The package cannot be loaded.
    """
    describe_model(model_class)
    options = Options(seconds=_SECONDS, cases=0, tolerance=tolerance, payloads=tuple(payloads), section=section)
    if card is not None:
        options = replace(options, card=str(card))
    subject = Subject(name_class(model_class), options, model_class=model_class)
    examination = Examination(subject.class_path, options, subject=subject)
    for rule_id in _RULES:
        if may_hold_pickles and rule_id == "pickles":
            continue
        rule, verdict = find_rule(rule_id), examination.judge(rule_id)
        assert verdict.state is not State.FAILED, f"{rule.title}: {verdict.evidence}\nremedy: {rule.remedy}"
    return subject.build()
