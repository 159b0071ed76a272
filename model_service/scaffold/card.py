"""The model card of a new package: the sections that every card has, and measured figures alone."""

import json
from pathlib import Path
from typing import Any

from model_service.artifacts import METRICS_NAME
from model_service.scaffold.drafting import Draft
from model_service.scaffold.layouts import LAYOUTS, render
from model_service.scaffold.plan import Plan

_NOT_MEASURED = "Nothing has been measured yet: train the model, and write the table of `artifacts/metrics.json` here."
#: Most values of a choice that the table shows.
_MAX_SHOWN = 8


def write_card(plan: Plan, package: Path) -> str:
    """Return the text of ``README.md``.

    Args:
        plan: Of the package.
        package: Its folder, with the artifacts as they are by now.
    """
    layout = LAYOUTS[plan.template]
    words = ", ".join(_code(draft.name) for draft in plan.outputs) + "." if plan.outputs else _write_target(plan)
    left_out = [f"- {_code(name)} of the sample is left out, because {reason}.\n" for name, reason in plan.left_out]
    values = {
        "name": plan.name,
        "readme_description": _plain(plan.description),
        "drafted_from": f" from {plan.origin}",
        "input_rows": "\n".join(map(_write_row, plan.fields)),
        "output_words": words,
        "model_words": layout.model,
        "quality_words": _write_quality(package / plan.name / "artifacts" / METRICS_NAME),
        "fault_rows": "".join(left_out),
        "train_commands": "\n".join(list_commands(plan)),
        "config_entry": "models:\n" + write_entry(plan),
    }
    return render("readme.md", values, plan.flags)


def _write_target(plan: Plan) -> str:
    """Return what the output is, in words."""
    label = _code(plan.target.name)
    if not plan.is_classifier:
        return f"{label}, a number. TODO: in which unit?"
    words = f"{label}, one of {', '.join(map(_code, map(str, plan.target.values)))}"
    if "improbable" in plan.flags:
        return f"{words}."
    return f"{words}, and {_code(plan.probabilities)}, one per class, which add up to 1."


def list_commands(plan: Plan) -> list[str]:
    """Return the commands that install a package and fill its artifacts, in its folder."""
    layout = LAYOUTS[plan.template]
    extra = "'.[train]'" if layout.train_dependencies else "."
    sample = plan.sample_name or "data/made_up.csv"
    model = f" --model {plan.model_name}" if plan.model else ""
    data = "" if "no_data" in plan.flags else f" --data {sample}"
    return [f"pip install -e {extra}", f"python -m {plan.name}.{layout.script}{model}{data}"]


def write_entry(plan: Plan) -> str:
    """Return the lines of the configuration that list the model."""
    lines = [f"  - class: {plan.class_path}"]
    if "pickle" in plan.flags:
        lines.append("    backend: process  # with `python:`, the interpreter of the environment that trained it")
    return "\n".join(lines)


def _write_row(draft: Draft) -> str:
    if draft.kind == "choice":
        shown = ", ".join(_code(str(value)) for value in draft.values[:_MAX_SHOWN])
        rest = len(draft.values) - _MAX_SHOWN
        bounds = f"{shown} and {rest} more" if rest > 0 else shown
    else:
        ends = ("from", draft.least), ("to", draft.most)
        bounds = " ".join(f"{word} {end}" for word, end in ends if end is not None)
        bounds += " characters" if bounds and draft.kind == "text" else ""
        bounds += " by ".join("any number" if axis is None else str(axis) for axis in draft.shape)
    return f"| {_code(draft.name)} | {draft.types[0]} | {bounds} | {'yes' if draft.is_optional else 'no'} |"


def _write_quality(metrics: Path) -> str:
    if not metrics.is_file():
        return _NOT_MEASURED
    results: list[dict[str, Any]] = json.loads(metrics.read_text(encoding="utf-8"))["results"]
    if not results:
        return _NOT_MEASURED
    rows = [
        f"| {result['model']}, {result['split']} | {result['metric']} | {result['value']} "
        f"| {'' if result['spread'] is None else result['spread']} |"
        for result in results
    ]
    return "\n".join(["| model and rows | metric | value | spread |", "|---|---|--:|--:|", *rows])


def _code(text: str) -> str:
    """Return a text from a file as Markdown shows it, as code."""
    plain = _plain(text).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else "an empty text"


def _plain(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
