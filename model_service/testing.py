"""`check_package`: what every model package owes the platform, as one call of its tests.

    from model_service.testing import check_package

    def test_the_package_keeps_its_promises():
        check_package(IrisModel)

It builds the model and predicts. It is for tests, and needs the extra ``serve`` for its validators.
"""

import importlib
import math
import random
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from model_service.artifacts import find_artifact_warnings, read_metrics
from model_service.loading import build_model, describe_model
from model_service.model import MLModel
from model_service.records import Payload
from model_service.schema.json_values import find_unrepresentable
from model_service.schema.tensor_columns import find_disagreement
from model_service.schema.validation import SchemaValidator, make_pointer

#: Loaded only for a model that predicts columns.
TABLES = "model_service.schema.table_validation"

#: Floats of a row may differ by this much between batches: vector instructions add up in another order.
TOLERANCE = 1e-5
_SHUFFLES = 3
#: A number as people write it in a card: 0.8175, -0.0012, 1,024, 72.3 %.
_FIGURE = re.compile(r"(?<![\w.,-])[-\u2212]?\d[\d,]*(?:\.\d+)?(?![\w,]|\.\d)(?: ?%)?")
_FACTS = ("value", "spread")


def check_package(
    model_class: type[MLModel],
    *,
    payloads: Sequence[Payload] = (),
    card: Path | None = None,
    section: str = "Quality",
    tolerance: float = TOLERANCE,
) -> MLModel:
    """Check a package and return its model, built.

    Checked: the contract, without warnings; the digests of the artifacts; that examples and outputs keep to their
    schemas and are plain JSON; that null and absent are the same; that a batch is answered as its rows, in any
    order, and so are columns, where the model predicts them; that payloads, and their list, are left as they were;
    that each measured figure of the model card is in ``metrics.json``.

    Args:
        model_class: The class that the package serves.
        payloads: Valid payloads beside the schema's examples; the more, the better.
        card: The model card; ``None`` looks for ``README.md`` above the module. Without one, no figure is checked.
        section: The heading in the card below which every figure with a decimal point, and every number that is a
            cell of a table, must have been measured.
        tolerance: How far floats of a row may differ between batches.

    Raises:
        AssertionError: Says which promise is broken, and with what payload.
        model_service.errors.PackageError: The package cannot be loaded.
    """
    info = describe_model(model_class)
    assert not info.warnings, f"the package has warnings: {'; '.join(info.warnings)}"
    assert not find_artifact_warnings(model_class)
    model = build_model(model_class)
    rows = [*info.examples, *payloads]
    assert rows, "nothing to predict: give input_schema examples"
    check_answers(model, rows)
    check_batches(model, rows, tolerance=tolerance)
    check_nulls(model, rows, tolerance=tolerance)
    check_columns(model, rows)
    found = card or find_card(model_class)
    if found is not None:
        faults = find_unmeasured(found.read_text(encoding="utf-8"), read_metrics(model_class), section)
        assert not faults, f"{found.name} states what {section.lower()} nobody measured: {', '.join(faults)}"
    return model


def check_answers(model: MLModel, payloads: Sequence[Payload]) -> None:
    """Check that payloads and their outputs keep to the schemas, are plain JSON, and that payloads are not changed."""
    accepts, promises = SchemaValidator(model.input_schema), SchemaValidator(model.output_schema)
    for payload in payloads:
        violations = [*accepts.find_violations(payload)] or [*model.find_violations(payload)]
        assert not violations, f"{payload} is refused: {violations[0]}"
        before = deepcopy(payload)
        output = model.predict(payload)
        assert payload == before, f"predict changed its payload, which was {before}"
        unfit = [f"{make_pointer(path) or '/'} {message}" for path, _, message in find_unrepresentable(output)]
        assert not unfit, f"not plain JSON: {'; '.join(unfit)}, in the output of {payload}"
        violations = promises.find_violations(output)
        assert not violations, f"the output of {payload} breaks output_schema: {violations[0]}"


def check_batches(model: MLModel, payloads: Sequence[Payload], *, tolerance: float = TOLERANCE) -> None:
    """Check that rows are answered alike alone, together, repeated and in any order, and are left as they were."""
    alone = [model.predict(payload) for payload in payloads]
    order = [*range(len(payloads)), *range(len(payloads))]
    for seed in range(_SHUFFLES):
        given = [deepcopy(payloads[row]) for row in order]
        together = model.predict_batch(given)
        assert len(given) == len(order), (
            f"predict_batch changed the list of payloads that it was given: {len(order)} before, {len(given)} after"
        )
        changed = [row for row, payload in zip(order, given, strict=True) if payload != payloads[row]]
        assert not changed, f"predict_batch changed its payloads or their order; the first was {payloads[changed[0]]}"
        assert len(together) == len(order), f"a batch of {len(order)} payloads has {len(together)} outputs"
        for row, output in zip(order, together, strict=True):
            difference = find_difference(alone[row], output, tolerance=tolerance)
            assert not difference, f"{payloads[row]} is answered differently in a batch: {difference}"
        random.Random(seed).shuffle(order)  # noqa: S311 - no secret


def check_columns(model: MLModel, payloads: Sequence[Payload]) -> None:
    """Check that `MLModel.predict_columns`, where there is one, is asked, and answers as `predict_batch` does."""
    if type(model).predict_columns is MLModel.predict_columns:
        return
    has_rules = type(model).find_violations.__func__ is not MLModel.find_violations.__func__  # type: ignore[attr-defined]
    assert not has_rules, "predict_columns is never asked: find_violations needs rows"
    tables = importlib.import_module(TABLES).TableSchemas(describe_model(type(model)))  # it needs NumPy
    assert tables.are_able, "predict_columns is never asked: the schemas say more than columns are held against"
    outputs = model.predict_batch([deepcopy(payload) for payload in payloads])
    found = find_disagreement(
        tables, lambda table: table.answer(model.predict_columns(table.columns)), payloads, outputs
    )
    assert not found, f"predict_columns answers otherwise than predict_batch: {found}"


def check_nulls(model: MLModel, payloads: Sequence[Payload], *, tolerance: float = TOLERANCE) -> None:
    """Check that a field which may be null and may be absent means the same both ways."""
    accepts = SchemaValidator(model.input_schema)
    for payload in payloads:
        for name in model.input_schema.get("properties", {}):
            null = {**payload, name: None}
            absent = {key: value for key, value in payload.items() if key != name}
            if any(accepts.find_violations(row) or model.find_violations(row) for row in (null, absent)):
                continue
            difference = find_difference(model.predict(null), model.predict(absent), tolerance=tolerance)
            assert not difference, f"'{name}' null is answered differently from absent: {difference}"


def find_difference(one: Any, other: Any, *, tolerance: float = TOLERANCE, place: str = "") -> str:
    """Return where two outputs differ by more than the tolerance, and how; empty when they do not."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(f"{place}/{name}", one[name], other[name]) for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [
            (f"{place}/{number}", left, right) for number, (left, right) in enumerate(zip(one, other, strict=True))
        ]
    elif isinstance(one, float) and isinstance(other, float):
        is_near = math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
        return "" if is_near else f"{place}: {one} and {other}"
    else:
        return "" if one == other and type(one) is type(other) else f"{place}: {one} and {other}"
    return next(filter(None, (find_difference(a, b, tolerance=tolerance, place=path) for path, a, b in pairs)), "")


def find_card(model_class: type[MLModel]) -> Path | None:
    """Return the ``README.md`` of a package that lies as in its sources; ``None`` where there is none."""
    path = model_class.artifact_path("").parent.parent / "README.md"
    return path if path.is_file() else None


def find_unmeasured(card: str, metrics: Any, section: str = "Quality") -> list[str]:
    """Return the figures below a heading of a card that no result in ``metrics.json`` has.

    A figure is right when a measured number, or a hundred times it before a per cent sign, rounds to it.
    """
    measured = [result[fact] for result in metrics.get("results", ()) for fact in _FACTS if result[fact] is not None]
    measured.append(metrics.get("data", {}).get("rows", 0))
    return [text for text in dict.fromkeys(_read_figures(card, section)) if not _is_measured(text, measured)]


def _read_figures(card: str, section: str) -> Iterator[str]:
    match = re.search(rf"^(#+) {re.escape(section)}\s*$(.*?)(?=^#{{1,2}} |\Z)", card, re.MULTILINE | re.DOTALL)
    for line in match[2].splitlines() if match else ():
        is_row = line.startswith("|")
        plain = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", " ", line).replace("*", "")
        for figure in _FIGURE.findall(plain.partition("|")[2].partition("|")[2] if is_row else plain):
            if is_row or "." in figure:
                yield figure


def _is_measured(text: str, measured: Sequence[float]) -> bool:
    plain = text.rstrip(" %").replace(",", "").replace("\u2212", "-")
    scale = 100 if text.endswith("%") else 1
    digits = len(plain.partition(".")[2])
    # Half a unit of the last digit, and a little for what floating point adds.
    return any(abs(abs(value) * scale - abs(float(plain))) <= 0.5000001 * 10**-digits for value in measured)
