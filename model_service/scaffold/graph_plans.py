"""A plan around an ONNX graph: from its inputs and outputs, and from a sample where there is one."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.errors import FileUnreadable, ModelLoadFailed
from model_service.records import Payload
from model_service.scaffold.children import ChildFailed, ask_module
from model_service.scaffold.drafting import Draft, draft_field, draft_target, find_examples
from model_service.scaffold.graph_outputs import KINDS, decode_target, draft_outputs, name_type
from model_service.scaffold.sample import MAX_COLUMNS, Sample
from model_service.scaffold.source import write_literal, write_text

_STEP = " " * 12


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """What a graph brings to a plan.

    Attributes:
        fields: Of a payload.
        outputs: Of an answer, where no sample names the target.
        target: What is predicted, where a sample says it.
        examples: Complete payloads.
        left_out: Columns of the sample that are no inputs.
        flags: For the templates.
        words: What templates put for ``$word``.
        notes: For the author.
    """

    fields: tuple[Draft, ...]
    outputs: tuple[Draft, ...]
    target: Draft
    examples: tuple[Payload, ...]
    left_out: tuple[tuple[str, str], ...]
    flags: frozenset[str]
    words: Mapping[str, str]
    notes: tuple[str, ...]


def plan_graph(path: Path, sample: Sample | None, target: str, task: str) -> GraphPlan:
    """Return what a graph and a sample say together.

    Raises:
        ModelLoadFailed: The graph cannot be opened or run, or has inputs that no payload can hold.
        FileUnreadable: The sample is not one of the graph's rows.
    """
    told = _ask(path, None)
    inputs, outputs = told["inputs"], [each for each in told["outputs"] if each["dtype"]]
    _check(path, inputs, outputs)
    aim = draft_target(sample, target, task) if sample is not None else Draft("", "number")
    fields, lines = _draft_inputs(inputs, sample, target)
    examples = find_examples(sample, fields) if sample is not None else [_make_example(fields)]
    is_single = any(axis is None for each in inputs for axis in each["shape"][1:])
    is_single = is_single or any(each["shape"][0] == 1 for each in inputs)
    rows = examples[:1] if is_single else [*examples, examples[0]]
    answers = _ask(path, {name: _collect(rows, inputs, fields)[name] for name in (each["name"] for each in inputs)})[
        "answers"
    ]
    strange = [name for name, answer in answers.items() if answer["shape"][:1] != [len(rows)]]
    if strange:
        raise _refuse(
            path, f"the output {strange[0]!r} has no axis of rows: its shape is {answers[strange[0]]['shape']}"
        )
    words = {"graph_inputs": write_literal(tuple(each["name"] for each in inputs)), "encode_lines": "\n".join(lines)}
    flags = {"single"} if is_single else set()
    notes: tuple[str, ...] = ()
    drafts: tuple[Draft, ...] = ()
    if sample is None:
        drafts, more = draft_outputs(outputs, answers)
    else:
        try:
            more, notes, is_probable = decode_target(aim, outputs, answers)
        except ValueError as error:
            raise _refuse(path, str(error)) from None
        flags |= set() if is_probable else {"improbable"}
    names = {field.name for field in fields}
    columns = sample.columns if sample is not None else {}
    left_out = tuple((name, "the graph does not read it") for name in columns if name not in {*names, target})
    return GraphPlan(tuple(fields), drafts, aim, tuple(examples), left_out, frozenset(flags), {**words, **more}, notes)


def _ask(path: Path, inputs: dict[str, Any] | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "inputs.json"
        given.write_text(json.dumps(inputs), encoding="utf-8")
        try:
            return ask_module("model_service.scaffold.graphs", [path.absolute(), "-" if inputs is None else given])
        except ChildFailed as error:
            raise _refuse(path, str(error)) from None


def _refuse(path: Path, cause: str) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"no package can be made around '{path.name}'",
        cause=cause,
        remedy="export it with an axis of rows and with tensors alone (skl2onnx: zipmap=False), or write the package "
        "with --template onnx",
    )


def _check(path: Path, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]]) -> None:
    for each in inputs:
        if not each["dtype"]:
            raise _refuse(path, f"the input {each['name']!r} is of the type {each['type']}")
        if not each["shape"] or each["shape"][0] not in (None, 1):
            raise _refuse(
                path, f"the input {each['name']!r} has no axis of rows that varies: its shape is {each['shape']}"
            )
    if not inputs or not outputs:
        raise _refuse(path, "it has no input, or no output that is a tensor")


def _is_scalar(tensor: dict[str, Any]) -> bool:
    return len(tensor["shape"]) == 1 or tensor["shape"][1:] == [1]


def _draft_inputs(
    inputs: Sequence[dict[str, Any]], sample: Sample | None, target: str
) -> tuple[list[Draft], list[str]]:
    """Return the fields, and the lines that make the arrays of them."""
    first = inputs[0]
    width = first["shape"][1] if len(first["shape"]) == 2 else None
    if len(inputs) == 1 and width and width > 1 and width <= MAX_COLUMNS and first["dtype"] not in ("object_", "bool_"):
        names = _name_columns(first, width, sample, target)
        fields = [_draft(name, first["dtype"], sample) for name in names]
        dtype = f"np.{first['dtype']}"
        rows = f"np.array([[row.get(name) for name in FIELDS] for row in payloads], {dtype})"
        return fields, [
            f"{_STEP}# TODO: the order of the columns is a guess: is it that of the training?",
            f"{_STEP}{write_text(first['name'])}: {rows},",
        ]
    fields, lines = [], []
    for each in inputs:
        name = write_text(each["name"])
        if _is_scalar(each):
            fields.append(_draft(each["name"], each["dtype"], sample))
            value = f"[row.get({name})]" if len(each["shape"]) == 2 else f"row.get({name})"
        elif sample is None:
            kind = name_type(each["dtype"])
            fields.append(Draft(each["name"], "array", shape=tuple(each["shape"][1:]), item=kind))
            value = f"row[{name}]"
        else:
            raise FileUnreadable(
                f"the input {each['name']!r} of the graph is an array, which no CSV file has; leave out --from-sample"
            )
        lines.append(f"{_STEP}{name}: np.array([{value} for row in payloads], np.{each['dtype']}),")
    return fields, lines


def _name_columns(tensor: dict[str, Any], width: int, sample: Sample | None, target: str) -> list[str]:
    if sample is None:
        return [f"{tensor['name']}_{number}" for number in range(1, width + 1)]
    names = [name for name in sample.columns if name != target]
    if len(names) != width:
        raise FileUnreadable(
            f"the graph reads {width} columns, and the sample has {len(names)} beside the target; "
            "leave the others out with --drop"
        )
    return names


def _draft(name: str, dtype: str, sample: Sample | None) -> Draft:
    kind = KINDS.get(name_type(dtype), name_type(dtype))
    if sample is None:
        note = () if kind in ("text", "flag") else ("TODO: unit? And which values may it have?",)
        return Draft(name, kind, notes=note)
    if name not in sample.columns:
        raise FileUnreadable(f"the graph reads the column {name!r}, which the sample does not have")
    draft = draft_field(name, sample.columns[name], has_comma=sample.delimiter == ";")
    if draft is None or draft.is_number != (kind != "text"):
        raise FileUnreadable(f"the column {name!r} of the sample does not hold what the graph reads there ({dtype})")
    if draft.is_optional and not dtype.startswith("float"):
        raise FileUnreadable(f"the column {name!r} has missing values, for which the graph's {dtype} has none")
    return draft


def _make_example(fields: Sequence[Draft]) -> Payload:
    return {field.name: _make_value(field) for field in fields}


def _make_value(field: Draft) -> Any:
    value: Any = {"integer": 0, "number": 0.0, "string": "", "boolean": False}[field.item or field.types[0]]
    for axis in reversed(field.shape):
        value = [value] * (axis or 2)
    return value


def _collect(rows: Sequence[Payload], inputs: Sequence[dict[str, Any]], fields: Sequence[Draft]) -> dict[str, Any]:
    """Return the arrays of some rows, as the package's own `encode` makes them."""
    if len(inputs) == 1 and len(fields) > 1:
        return {inputs[0]["name"]: [[row[field.name] for field in fields] for row in rows]}
    return {
        each["name"]: [[row[each["name"]]] if each["shape"][1:] == [1] else row[each["name"]] for row in rows]
        for each in inputs
    }
