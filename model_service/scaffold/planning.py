"""What was asked for to a plan: from nothing, from a sample, or around a trained model."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_service.errors import ConfigInvalid, FileUnreadable
from model_service.scaffold.adopting import adopt_pipeline, open_pipeline
from model_service.scaffold.drafting import draft_fields, draft_target, find_examples
from model_service.scaffold.graph_plans import plan_graph
from model_service.scaffold.made_up import FILE_NAME, ROWS, TARGETS, write_made_up
from model_service.scaffold.names import name_class
from model_service.scaffold.plan import Plan
from model_service.scaffold.sample import Sample, read_sample

#: Files that are pickles of scikit-learn.
PICKLES = (".joblib", ".pkl", ".pickle")
GRAPHS = (".onnx",)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for.

    Attributes:
        name: Of the package.
        display_name: For people.
        description: One sentence.
        template: One of `model_service.scaffold.layouts.CHOICES`.
        task: ``classification`` or ``regression``; empty where the sample is to tell.
        sample: A file of rows.
        target: Its column that is predicted.
        dropped: Its columns that are no fields.
        model: A trained model.
        is_pickle_served: Whether a pickle is served as it is.
    """

    name: str
    display_name: str
    description: str
    template: str = "python"
    task: str = ""
    sample: Path | None = None
    target: str = ""
    dropped: tuple[str, ...] = ()
    model: Path | None = None
    is_pickle_served: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what its author should hear of it.

    Attributes:
        plan: The plan.
        rows: How many rows the sample has.
        told: Sentences.
    """

    plan: Plan
    rows: int
    told: tuple[str, ...]


def make_plan(wish: Wish) -> Planned:
    """Return the plan of what was asked for.

    Raises:
        FileUnreadable: The sample does not serve: the message says why.
        ConfigInvalid: What was asked for does not go together.
        ModelLoadFailed: No package can be made around the trained model.
    """
    if wish.model is not None and wish.model.suffix.lower() in GRAPHS:
        return _plan_graph(wish)
    if wish.sample is None:
        return _plan_made_up(wish)
    sample = _drop(read_sample(wish.sample), wish.dropped)
    told = [] if sample.is_whole else [f"only the first {sample.rows} rows of {wish.sample.name} are looked at"]
    if wish.model is not None:
        return _plan_around(wish, sample, told)
    return Planned(_plan_from(wish, sample), sample.rows, tuple(told))


def _plan_made_up(wish: Wish) -> Planned:
    if wish.model is not None:
        raise ConfigInvalid("--from needs rows that the model was trained on: give --from-sample and --target")
    with tempfile.TemporaryDirectory() as folder:
        path, task = Path(folder) / FILE_NAME, wish.task or "classification"
        write_made_up(path, task)
        plan = _plan_from(replace(wish, target=TARGETS[task], task=task), read_sample(path))
    return Planned(replace(plan, sample=None), ROWS, ())


def _plan_from(wish: Wish, sample: Sample) -> Plan:
    target = draft_target(sample, wish.target, wish.task)
    drafts, left_out = draft_fields(sample, wish.target)
    if not drafts:
        raise FileUnreadable(
            "no column is left that a model could read: texts with many values, days and empty columns are left out"
        )
    return Plan(
        wish.name,
        name_class(wish.name),
        wish.display_name,
        wish.description,
        wish.template,
        tuple(drafts),
        target,
        tuple(find_examples(sample, drafts)),
        (*left_out, *((name, "--drop names it") for name in wish.dropped)),
        sample.path,
    )


def _plan_around(wish: Wish, sample: Sample, told: Sequence[str]) -> Planned:
    assert wish.model is not None  # `make_plan` knows
    found = adopt_pipeline(open_pipeline(wish.model), sample, wish.target, is_pickle=wish.is_pickle_served)
    plan = Plan(
        wish.name,
        name_class(wish.name),
        wish.display_name,
        wish.description,
        "pickled" if wish.is_pickle_served else "pipeline",
        found.fields,
        found.target,
        tuple(find_examples(sample, found.fields)),
        found.left_out,
        sample.path,
        wish.model,
        found.flags,
    )
    return Planned(plan, sample.rows, (*told, *found.warnings))


def _plan_graph(wish: Wish) -> Planned:
    assert wish.model is not None  # `make_plan` knows
    sample = _drop(read_sample(wish.sample), wish.dropped) if wish.sample is not None else None
    found = plan_graph(wish.model, sample, wish.target, wish.task)
    plan = Plan(
        wish.name,
        name_class(wish.name),
        wish.display_name,
        wish.description,
        "graph",
        found.fields,
        found.target,
        found.examples,
        found.left_out,
        wish.sample,
        wish.model,
        found.flags | {"no_data"},
        found.outputs,
        found.words,
    )
    return Planned(plan, sample.rows if sample is not None else 0, found.notes)


def _drop(sample: Sample, dropped: Sequence[str]) -> Sample:
    unknown = [name for name in dropped if name not in sample.columns]
    if unknown:
        raise FileUnreadable(f"the sample has no column {unknown[0]!r} to drop")
    kept = {name: cells for name, cells in sample.columns.items() if name not in dropped}
    return replace(sample, columns=kept)
