"""A plan around a pickled scikit-learn pipeline, from what it says of itself and a sample of its rows."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_service.errors import FileUnreadable, ModelLoadFailed
from model_service.scaffold.children import ChildFailed, ask_module
from model_service.scaffold.drafting import Draft, draft_field
from model_service.scaffold.sample import Sample

#: A choice among more categories is a text.
MAX_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a trained model brings to a plan.

    Attributes:
        fields: Of a payload, in the order of the training.
        left_out: Columns of the sample that it does not read, with the reason.
        target: What is predicted.
        flags: For the templates.
        warnings: What the library said when it opened the file.
    """

    fields: tuple[Draft, ...]
    left_out: tuple[tuple[str, str], ...]
    target: Draft
    flags: frozenset[str]
    warnings: tuple[str, ...]


def open_pipeline(path: Path) -> dict[str, Any]:
    """Return what a pickled pipeline says of itself. It is opened by a process of its own, and runs what is in it.

    Raises:
        ModelLoadFailed: It cannot be opened, or no package can be made around it.
    """
    try:
        return ask_module("model_service.scaffold.pickled", [path.absolute()])
    except ChildFailed as error:
        raise ModelLoadFailed(
            f"no package can be made around '{path.name}'",
            cause=str(error),
            remedy="run `model-service new` in the environment in which it was trained, on a classifier or regressor "
            "that is trained on a data frame",
        ) from None


def adopt_pipeline(told: dict[str, Any], sample: Sample, target: str, *, is_pickle: bool) -> Adopted:
    """Return what a pipeline and a sample say together.

    Args:
        told: What `open_pipeline` returned.
        sample: Rows as the pipeline was trained on them.
        target: The column of the sample that is predicted.
        is_pickle: Whether the pipeline is served as it is.

    Raises:
        FileUnreadable: The sample is not one of the pipeline's rows.
        ModelLoadFailed: The pipeline says no probabilities, which its graph needs.
    """
    facts = told["facts"]
    if facts["is_classifier"] and not facts["has_probabilities"] and not is_pickle:
        raise ModelLoadFailed(
            f"{facts['kind']} cannot be made a graph",
            cause="it has no predict_proba, so nothing says how probable its classes are",
            remedy="wrap it into CalibratedClassifierCV and train again, or give --serve-pickle to serve it as it is",
        )
    names = _find_columns(facts, sample, target)
    fields = tuple(_adopt_field(name, sample, facts["values"].get(name)) for name in names)
    left_out = tuple((name, "the pipeline does not read it") for name in sample.columns if name not in {*names, target})
    is_frame = bool(facts["columns"])
    texts = [field.name for field in fields if not field.is_number]
    is_matrix = facts["takes_matrix"] and not texts
    if texts and not is_frame:
        raise FileUnreadable(
            f"the column {texts[0]!r} holds texts, and the pipeline was trained on an array of numbers"
        )
    flags = {"frame" if is_frame else "array", "pickle" if is_pickle else "", "matrix" if is_matrix else ""}
    if facts["is_classifier"] and not facts["has_probabilities"]:
        flags.add("improbable")
    aim, is_measured = _adopt_target(facts, sample, target)
    flags.add("measured" if is_measured else "unmeasured")
    return Adopted(fields, left_out, aim, frozenset(flags - {""}), tuple(told["warnings"]))


def _find_columns(facts: dict[str, Any], sample: Sample, target: str) -> list[str]:
    if target not in sample.columns:
        raise FileUnreadable(f"the sample has no column for --target; its columns are {', '.join(sample.columns)}")
    names: list[str] = facts["columns"] or [name for name in sample.columns if name != target]
    missing = [name for name in names if name not in sample.columns]
    if missing:
        raise FileUnreadable(f"the pipeline reads the column {missing[0]!r}, which the sample does not have")
    if target in names:
        raise FileUnreadable(f"the pipeline reads {target!r} itself, so it is not what is predicted; see --target")
    if not facts["columns"] and len(names) != facts["width"]:
        raise FileUnreadable(
            f"the pipeline was trained on an array of {facts['width']} columns, and the sample has {len(names)} "
            "beside the target; leave the others out with --drop"
        )
    return names


def _adopt_field(name: str, sample: Sample, values: list[Any] | None) -> Draft:
    cells, has_comma = sample.columns[name], sample.delimiter == ";"
    draft = draft_field(name, cells, has_comma=has_comma)
    if draft is None:
        raise FileUnreadable(
            f"the column {name!r} of the sample is empty, and the pipeline reads it: nothing tells its type"
        )
    texts = [value for value in values or () if isinstance(value, str)]
    if texts and draft.is_number:
        # The pipeline has made texts of its numbers, or the sample has only some of them.
        draft = Draft(name, "choice", draft.is_optional, values=tuple(sorted({*texts})), notes=_note_missing(draft))
    if values and not texts and not draft.is_number:
        raise FileUnreadable(f"the column {name!r} holds texts, and the pipeline was trained with numbers there")
    if not texts:
        return draft
    known = {*texts, *(draft.values if draft.kind == "choice" else ())}
    if len(known) > MAX_CATEGORIES:
        return draft
    notes = (*_note_missing(draft), "What the pipeline knows, and what the sample has beside it.")
    return replace(draft, kind="choice", least=None, most=None, values=tuple(sorted(known)), notes=notes)


def _note_missing(draft: Draft) -> tuple[str, ...]:
    return tuple(note for note in draft.notes if note.startswith("Missing"))


def _adopt_target(facts: dict[str, Any], sample: Sample, target: str) -> tuple[Draft, bool]:
    """Return what is predicted, and whether the sample's own column can be held against it."""
    draft = draft_field(target, sample.columns[target], has_comma=sample.delimiter == ";")
    if draft is None:
        raise FileUnreadable("every cell of the target is empty")
    if not facts["is_classifier"]:
        return Draft(target, "number", notes=("TODO: unit? Add unit='...'.",)), draft.is_number
    adopted = Draft(target, "choice", values=tuple(facts["classes"]))
    if adopted.types == ("string",) or draft.types == adopted.types:
        return adopted, True
    return replace(adopted, notes=("The pipeline's own classes; the sample has other values.",)), False
