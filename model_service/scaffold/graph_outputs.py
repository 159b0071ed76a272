"""The outputs of a graph to the fields of an answer, and the lines of `decode` that make them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_service.scaffold.drafting import Draft
from model_service.scaffold.plan import name_probabilities
from model_service.scaffold.source import write_literal, write_text

_WHOLE = ("int64", "int32", "int16", "int8", "uint8")
#: What `model_service.fields` calls what JSON calls otherwise.
KINDS = {"string": "text", "boolean": "flag"}


def name_type(dtype: str) -> str:
    """Return the JSON type of the numbers or texts of a tensor."""
    return "integer" if dtype in _WHOLE else {"object_": "string", "bool_": "boolean"}.get(dtype, "number")


def draft_outputs(
    outputs: Sequence[dict[str, Any]], answers: Mapping[str, dict[str, Any]]
) -> tuple[tuple[Draft, ...], dict[str, str]]:
    """Return a draft per output, and how each becomes plain JSON.

    Args:
        outputs: As the graph names them.
        answers: What they were for some rows.
    """
    drafts, names, parts = [], [each["name"] for each in outputs], []
    for each in outputs:
        shape = answers[each["name"]]["shape"][1:]
        kind = name_type(each["dtype"])
        text = write_text(each["name"])
        if shape in ([], [1]):
            drafts.append(Draft(each["name"], KINDS.get(kind, kind)))
            parts.append(f"{text}: outputs[{text}].reshape(-1).tolist()")
        else:
            known = [axis if axis == seen else None for axis, seen in zip(each["shape"][1:], shape, strict=False)]
            drafts.append(Draft(each["name"], "array", shape=tuple(known or shape), item=kind))
            parts.append(f"{text}: outputs[{text}].tolist()")
    lines = ["        columns = {", *(f"            {part}," for part in parts), "        }"]
    lines.append("        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]")
    return tuple(drafts), {"graph_outputs": write_literal(tuple(names)), "decode_lines": "\n".join(lines)}


def decode_target(
    aim: Draft, outputs: Sequence[dict[str, Any]], answers: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, str], tuple[str, ...], bool]:
    """Return how the graph's outputs become the target, what is guessed, and whether there are probabilities.

    Raises:
        ValueError: No output can be the target.
    """
    floats = [each["name"] for each in outputs if each["dtype"].startswith("float")]
    many = [name for name in floats if answers[name]["shape"][1:] == [len(aim.values)]]
    one = [name for name in floats if answers[name]["shape"][1:] in ([], [1])]
    if aim.kind != "choice" and one:
        return _write(aim, one[0], _decode_number), (), False
    guess = ("the order of the classes is a guess, by their names: see CLASSES in schema.py",)
    if aim.kind == "choice" and many:
        is_probable = answers[many[0]]["adds_up"]
        return _write(aim, many[0], _decode_many if is_probable else _decode_scores), guess, is_probable
    if aim.kind == "choice" and one and len(aim.values) == 2 and answers[one[0]]["is_share"]:
        return _write(aim, one[0], _decode_one), guess, True
    raise ValueError(f"no output says {aim.name!r}: give no --from-sample, and the outputs are taken as they are")


def _write(aim: Draft, name: str, decode: Callable[[str, str], str]) -> dict[str, str]:
    key = write_text(name_probabilities(aim.name))
    return {"graph_outputs": write_literal((name,)), "decode_lines": decode(write_text(name), key)}


def _decode_many(name: str, key: str) -> str:
    return f"""        # The graph computes in float32, whose probabilities may exceed 1 in the last bit.
        rows = np.clip(outputs[{name}], 0.0, 1.0)
        labels = rows.argmax(axis=1).tolist()
        return [
            {{TARGET: CLASSES[label], {key}: dict(zip(NAMES, row, strict=True))}}
            for label, row in zip(labels, rows.tolist(), strict=True)
        ]"""


def _decode_number(name: str, key: str) -> str:
    return f"        return [{{TARGET: value}} for value in outputs[{name}].reshape(-1).tolist()]"


def _decode_scores(name: str, key: str) -> str:
    return f"        return [{{TARGET: CLASSES[label]}} for label in outputs[{name}].argmax(axis=1).tolist()]"


def _decode_one(name: str, key: str) -> str:
    return f"""        # One number per row: how probable the second class is.
        shares = np.clip(outputs[{name}].reshape(-1), 0.0, 1.0).tolist()
        return [
            {{TARGET: CLASSES[share > 0.5], {key}: dict(zip(NAMES, (1 - share, share), strict=True))}}
            for share in shares
        ]"""
