"""A plan to a package on the disk: its files are written, its artifacts made, its promises proved; then it appears."""

import json
import shutil
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from model_service.artifacts import write_manifest
from model_service.errors import ModelLoadFailed, SelfTestFailed
from model_service.scaffold.card import write_card
from model_service.scaffold.children import ChildFailed, run_module
from model_service.scaffold.layouts import LAYOUTS, render
from model_service.scaffold.made_up import FILE_NAME, write_made_up
from model_service.scaffold.plan import Plan
from model_service.scaffold.source import write_schema, write_text
from model_service.scaffold.staging import stage

#: A larger sample is trained on by its author, who knows how long that may take.
MAX_TRAINED_BYTES = 64 * 1024 * 1024
#: Fewer rows than these teach nothing.
MIN_TRAINED_ROWS = 10
#: What `model_service.training.parity` says of a graph that answers otherwise.
NOT_THE_MODEL = " is not the model: "
_PICKLE_REMEDY = (
    "change the pipeline as the cause says, or give --serve-pickle: it is then served as it is, in a process of its "
    "own (docs/serving-a-pickled-pipeline.md)"
)


@dataclass(frozen=True, slots=True)
class Built:
    """A package that was made.

    Attributes:
        path: Where it lies.
        told: What its training or export printed.
        missing: Modules that its training needs and this environment lacks.
        is_ready: Whether its artifacts are made, and it can be served.
    """

    path: Path
    told: str
    missing: tuple[str, ...]
    is_ready: bool


def build_package(plan: Plan, folder: Path, *, rows: int) -> Built:
    """Make a package in a folder.

    Args:
        plan: What it is.
        folder: In which it appears, under its name.
        rows: How many rows the sample has.

    Raises:
        ModelLoadFailed: Its artifacts cannot be made; there is no package then.
        SelfTestFailed: It does not keep its promises; there is no package then.
        ConfigInvalid: The folder cannot be written to, or has such a package by now.
    """
    layout = LAYOUTS[plan.template]
    missing = tuple(library for library in layout.libraries if find_spec(library) is None)
    with stage(folder / plan.name) as made:
        _write_files(plan, made)
        sample = plan.sample or made / "data" / FILE_NAME
        is_fit = plan.model is not None or (rows >= MIN_TRAINED_ROWS and sample.stat().st_size <= MAX_TRAINED_BYTES)
        is_ready = not missing and is_fit
        told = ""
        if is_ready:
            plan, told = _fill(plan, made, sample)
        (made / "README.md").write_text(write_card(plan, made), encoding="utf-8")
        if is_ready:
            _prove(plan, made)
        for cache in made.rglob("__pycache__"):
            shutil.rmtree(cache)
    return Built(folder / plan.name, told, missing, is_ready)


def _write_files(plan: Plan, made: Path) -> None:
    layout = LAYOUTS[plan.template]
    values, flags = _describe(plan), _list_flags(plan)
    for path, template in layout.files.items():
        file = made / path.replace("NAME", plan.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(template, values, flags), encoding="utf-8")
    (made / plan.name / "schema.py").write_text(write_schema(plan), encoding="utf-8")
    (made / plan.name / "py.typed").touch()
    artifacts = made / plan.name / "artifacts"
    artifacts.mkdir(exist_ok=True)
    write_manifest(artifacts, made_with=())  # an empty one, until the artifacts are there
    if plan.sample is None and plan.model is None:
        (made / "data").mkdir()
        write_made_up(made / "data" / FILE_NAME, plan.task)


def _describe(plan: Plan) -> dict[str, str]:
    """Return what the words of a template stand for."""
    layout = LAYOUTS[plan.template]
    is_matrix = "matrix" in plan.flags
    names = {"INPUT", "OUTPUT", *({"FIELDS"} if is_matrix else {"NUMBERS", "TEXTS"} if not plan.is_graph else ())}
    names |= {"TARGET"} if not plan.outputs else set()
    names |= {"NAMES"} if plan.is_classifier and "improbable" not in plan.flags else set()
    names |= {"CLASSES"} if plan.is_classifier and (plan.model is None or plan.is_graph) else set()
    names |= {"FIELDS"} if "FIELDS" in plan.words.get("encode_lines", "") else set()
    made_with = ("joblib", "numpy", "scikit-learn", *(() if "pickle" in plan.flags else ("onnx", "skl2onnx")))
    return {
        "name": plan.name,
        "class_name": plan.class_name,
        "distribution": plan.distribution,
        "display_name": write_text(plan.display_name),
        "description": write_text(plan.description),
        "description_toml": json.dumps(plan.description),
        "dependencies": ", ".join(map(write_text, layout.dependencies)),
        "train_dependencies": ", ".join(map(write_text, layout.train_dependencies)),
        "model_names": ", ".join(sorted(names)),
        "probabilities": write_text(plan.probabilities),
        "task": plan.task,
        "script": layout.script,
        "label": _write_label(plan),
        "made_with": ", ".join(map(write_text, made_with)),
        "is_double": ", is_double=True" if "double" in plan.flags else "",
        "to_array": ".to_numpy()" if is_matrix and "frame" in plan.flags else "",
        **plan.words,
    }


def _list_flags(plan: Plan) -> frozenset[str]:
    """Return what is true of the package, as the lines of templates ask for it."""
    has_numbers, has_texts = bool(plan.numbers), bool(plan.texts)
    is_matrix, is_double = "matrix" in plan.flags, "double" in plan.flags
    is_pickle, is_measured = "pickle" in plan.flags, "measured" in plan.flags
    flags = {
        plan.task: True,
        "numbers": has_numbers,
        "texts": has_texts,
        "both": has_numbers and has_texts,
        "only_numbers": not has_texts,
        "only_texts": not has_numbers,
        "graph": not is_pickle,
        "columns": not is_matrix,
        "columns_float": not is_matrix and not is_double,
        "columns_double": not is_matrix and is_double,
        "matrix_float": is_matrix and not is_double,
        "matrix_double": is_matrix and is_double,
        "reads_columns": not (is_matrix and is_double),
        "needs_numpy": plan.is_classifier or is_matrix or is_double,
        "probable": plan.is_classifier and "improbable" not in plan.flags,
        "improbable": not plan.is_classifier,
        "measured_classes": is_measured and plan.is_classifier,
        "measured_numbers": is_measured and not plan.is_classifier,
        "graph_measured": is_measured and not is_pickle,
        "pickle_measured": is_measured and is_pickle,
        "opens": is_measured or not is_pickle,
    }
    return plan.flags | {name for name, is_true in flags.items() if is_true}


def _write_label(plan: Plan) -> str:
    """Return how a label of the graph becomes one of the classes."""
    if plan.model is None:
        return "CLASSES[label]"
    return "bool(label)" if plan.is_classifier and isinstance(plan.target.values[0], bool) else "label"


def _fill(plan: Plan, made: Path, sample: Path) -> tuple[Plan, str]:
    """Make the artifacts; return the plan, which has changed where float32 does not do, and what was printed."""
    try:
        return plan, _run_script(plan, made, sample)
    except ChildFailed as error:
        failure = error
        if plan.template == "pipeline" and NOT_THE_MODEL in str(error):
            changed = replace(plan, flags=plan.flags | {"double"})
            _write_files(changed, made)
            try:
                first = "in float32 the graph answers some rows otherwise than the pipeline, so it reads float64\n"
                return changed, first + _run_script(changed, made, sample)
            except ChildFailed as second:
                failure = second
    raise ModelLoadFailed(
        f"the artifacts of '{plan.name}' cannot be made, so there is no package",
        cause=str(failure).rpartition("model_service.training.parity.ExportFailed: ")[2],
        remedy=_PICKLE_REMEDY if plan.template == "pipeline" else "see what the script says, or begin without --from",
    ) from None


def _run_script(plan: Plan, made: Path, sample: Path) -> str:
    arguments: list[object] = ["--model", plan.model.absolute()] if plan.model is not None else []
    arguments += [] if "no_data" in plan.flags else ["--data", sample.absolute()]
    told = run_module(f"{plan.name}.{LAYOUTS[plan.template].script}", arguments, folder=made)
    return "".join(line for line in told.splitlines(keepends=True) if not line.startswith("wrote "))


def _prove(plan: Plan, made: Path) -> None:
    allowed = ["pickled"] if "pickle" in plan.flags else []
    try:
        run_module("model_service.scaffold.proving", [plan.class_path, *allowed], folder=made)
    except ChildFailed as error:
        raise SelfTestFailed(
            f"'{plan.name}' does not keep what a package owes, so there is no package",
            cause=str(error),
            remedy="look at the columns that the message names; --drop leaves a column out",
        ) from None
