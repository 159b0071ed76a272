"""Drafts to Python source. Whatever came from a file or a person is written as a literal, and nothing else of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model_service.scaffold.drafting import Draft
from model_service.scaffold.names import name_for_people
from model_service.scaffold.plan import Plan

WIDTH = 120
_STEP = "    "


def write_literal(value: Any, indent: int = 0, before: int = 0) -> str:
    """Return a value as Python writes it, in one line where it fits and else over several.

    Args:
        value: Of plain JSON types, or a tuple.
        indent: How deep the line is that it begins in.
        before: How many characters stand before and behind it there.
    """
    if not isinstance(value, dict | list | tuple):
        return write_text(value) if isinstance(value, str) else repr(value)
    is_mapping = isinstance(value, dict)
    left, right = ("{", "}") if is_mapping else ("[", "]") if isinstance(value, list) else ("(", ")")
    parts = [
        f"{write_literal(key)}: {write_literal(value[key], indent + 1, len(write_literal(key)) + 3)}"
        if is_mapping
        else write_literal(key, indent + 1, 1)
        for key in value
    ]
    end = "," if left == "(" and len(parts) == 1 else ""
    line = f"{left}{', '.join(parts)}{end}{right}"
    if "\n" not in line and len(line) + before + indent * len(_STEP) <= WIDTH:
        return line
    return _break(left, parts, right, indent)


def write_text(text: str) -> str:
    """Return a text as a literal in double quotes, where it holds none; what cannot be seen is escaped."""
    # A single quote in it makes `repr` choose double ones.
    return '"' + repr("'" + text)[2:] if '"' not in text else repr(text)


def write_comment(text: str, indent: int = 0) -> str:
    """Return one line of comment; a text with line ends is none.

    Raises:
        ValueError: It has several lines, of which all but the first would be code.
    """
    if not text.isprintable():
        raise ValueError("a comment is one line of printable text")
    return f"{_STEP * indent}# {text}\n"


def write_schema(plan: Plan) -> str:
    """Return the source of ``schema.py``."""
    fields = "".join(_write_entry(draft, title=name_for_people(draft.name)) for draft in plan.fields)
    target, outputs = plan.target, _write_outputs(plan)
    has_probabilities = plan.is_classifier and "improbable" not in plan.flags
    used = {*_find_functions([*plan.fields, *(plan.outputs or [target])]), "answer", "record"}
    used |= {"probabilities"} if has_probabilities else set()
    examples = f"EXAMPLES: list[dict[str, Any]] = {write_literal(list(plan.examples), 0, 33)}\n"
    lines = [
        '"""What goes in and what comes out.\n\n'
        f"Drafted by `model-service new` from {plan.origin}: its comments are for you.\n"
        '"""\n\n',
        "from typing import Any\n\n",
        f"from model_service.fields import {', '.join(sorted(used))}\n\n",
        "" if plan.outputs else f"TARGET = {write_text(target.name)}\n",
    ]
    if plan.is_classifier:
        lines.append(f"CLASSES = {write_literal(target.values, 0, 10)}\n")
    if has_probabilities:
        lines.append("#: What the probabilities are called.\nNAMES = tuple(str(each) for each in CLASSES)\n")
    lines += [write_comment(f"Left out: {write_text(name)}, because {reason}.") for name, reason in plan.left_out]
    lines += [
        f"FIELDS: dict[str, dict[str, Any]] = {{\n{fields}}}\n",
        "#: Which of them the model reads as numbers, and which as texts.\n" if not plan.is_graph else "",
        f"NUMBERS: tuple[str, ...] = {write_literal(plan.numbers, 0, 27)}\n" if not plan.is_graph else "",
        f"TEXTS: tuple[str, ...] = {write_literal(plan.texts, 0, 25)}\n" if not plan.is_graph else "",
        "# Real rows of the sample, which everybody sees: replace them where they tell of people.\n"
        if plan.sample_name
        else "",
        "# TODO: real rows, in place of zeros.\n" if plan.is_graph and not plan.sample_name else "",
        examples,
        f"INPUT = record({write_text(plan.display_name)}, FIELDS, examples=EXAMPLES)\n",
        f"OUTPUT_FIELDS: dict[str, dict[str, Any]] = {{\n{outputs}}}\n",
        f"OUTPUT = answer({write_text(name_for_people(target.name) or plan.display_name)}, OUTPUT_FIELDS)\n",
    ]
    return "".join(lines)


def _write_outputs(plan: Plan) -> str:
    """Return the lines of the fields of an answer."""
    if plan.outputs:
        return "".join(_write_entry(draft, title=name_for_people(draft.name)) for draft in plan.outputs)
    outputs = _write_entry(plan.target, title=name_for_people(plan.target.name))
    if not plan.is_classifier:
        return outputs
    outputs = outputs.replace(_write_values(plan.target.values, 2), "CLASSES", 1)
    is_probable = "improbable" not in plan.flags
    return outputs + (f"{_STEP}{write_text(plan.probabilities)}: probabilities(NAMES),\n" if is_probable else "")


def _write_entry(draft: Draft, *, title: str) -> str:
    """Return the line of a mapping that a field is, below its notes."""
    comments = "".join(write_comment(note, 1) for note in draft.notes)
    values = _write_values(draft.values, 2) if draft.kind == "choice" else ""
    bounds = {} if draft.kind == "date" else {"least": draft.least, "most": draft.most}
    words = [write_text(title), values, *(f"{name}={value!r}" for name, value in bounds.items() if value is not None)]
    call = f"{'text' if draft.kind == 'date' else draft.kind}({', '.join(filter(None, words))})"
    call += ' | {"format": "date"}' if draft.kind == "date" else ""
    key = write_text(draft.name)
    if draft.kind == "array":
        return f"{comments}{_STEP}{key}: {write_literal(_make_array(draft, title), 1, len(key) + 3)},\n"
    return f"{comments}{_STEP}{key}: {f'optional({call})' if draft.is_optional else call},\n"


def _make_array(draft: Draft, title: str) -> dict[str, Any]:
    """Return the schema of an array, whose axes have the lengths that are known."""
    schema: dict[str, Any] = {"type": draft.item}
    for axis in reversed(draft.shape):
        lengths = {"minItems": axis, "maxItems": axis} if axis is not None else {}
        schema = {"type": "array", "items": schema, **lengths}
    return {**schema, "title": title}


def _write_values(values: Sequence[Any], indent: int) -> str:
    line = write_literal(tuple(values))
    return line if len(line) <= WIDTH // 2 else _break("(", [write_literal(value) for value in values], ")", indent - 1)


def _break(left: str, parts: Sequence[str], right: str, indent: int) -> str:
    inner = "".join(f"{_STEP * (indent + 1)}{part},\n" for part in parts)
    return f"{left}\n{inner}{_STEP * indent}{right}"


def _find_functions(drafts: Iterable[Draft]) -> set[str]:
    names: Mapping[str, str] = {"date": "text"}
    found = {names.get(draft.kind, draft.kind) for draft in drafts if draft.kind != "array"}
    return found | ({"optional"} if any(draft.is_optional for draft in drafts) else set())
