"""Train the transformer and export it: ``python -m circrna_model.train --data PATH/TO/train.csv.gz``.

The file needs the columns ``rna_sequence``, ``is_circrna`` and ``group``. It measures by groups
first (the transformer, baselines, and the transformer with information taken away), then trains the
networks that are shipped on all rows and writes ``model.onnx``, ``weights.safetensors``,
``metrics.json`` and ``manifest.json``. Needs the extra ``circrna-model[train]``.
"""

import argparse
import json
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from circrna_model import evaluation
from circrna_model.dataset import ALL_PARTS, Dataset, Rows, Table, build_dataset, read_table
from circrna_model.features import END_LETTERS, PATCH, SUMMARY_SIZE
from circrna_model.model import CircRnaModel
from circrna_model.native import WEIGHTS_NAME, save_ensemble
from circrna_model.network import CircRnaNetwork, Ensemble
from circrna_model.training import PLANS, Job, Plan, fit_networks, predict_rows
from model_service.artifacts import METRICS_NAME, write_manifest

OPSET = 18
#: Long enough to say something, and at least 20 nt from either end of the shortest sequence.
MIDDLE_NT = 160
_TRANSFORMER = "transformer"
_REPORT = partial(print, flush=True)
_MADE_WITH = ("torch", "onnx", "onnxscript", "safetensors", "scikit-learn", "numpy")


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement of the transformer: on what, and on which folds."""

    name: str
    dataset: Dataset
    folds: list[evaluation.Fold]


def main(arguments: list[str] | None = None) -> None:
    """Measure, train, export and write the manifest."""
    options = _parse(arguments)
    plan = PLANS[options.size].with_epochs(options.epochs)
    table = read_table(options.data)
    dataset = build_dataset(table)
    print(f"{len(dataset.classes)} sequences, {dataset.classes.mean():.3f} circular", flush=True)
    folds = evaluation.split_groups(dataset, folds=options.folds, seed=options.seed)
    split = f"{options.folds}-fold cross-validation by group, seed {options.seed}"
    evaluations = measure_baselines(dataset, folds, split=split, seed=options.seed)
    trials = plan_trials(table, dataset, folds)
    jobs = [
        *_plan_final_jobs(dataset, plan, seed=options.seed),
        *(
            Job(f"{trial.name}, fold {number} of {len(trial.folds)}", trial.dataset, train, plan, options.seed, _REPORT)
            for trial in trials
            for number, (train, _) in enumerate(trial.folds, start=1)
        ),
    ]
    networks = fit_networks(jobs, workers=options.workers)
    ensemble = Ensemble(networks[: plan.networks]).eval()
    evaluations.extend(measure_trials(trials, networks[plan.networks :], split=split))
    options.out.mkdir(parents=True, exist_ok=True)
    metrics = {
        "task": "binary classification",
        "data": options.data.name,
        "rows": len(dataset.classes),
        "epochs": plan.epochs,
        "networks": plan.networks,
        "evaluations": evaluations,
    }
    export(ensemble, options.out / "model.onnx")
    save_ensemble(ensemble, [plan.size] * plan.networks, options.out / WEIGHTS_NAME)
    (options.out / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_manifest(options.out, made_with=_MADE_WITH)
    print(json.dumps(metrics, indent=2))


def measure_baselines(dataset: Dataset, folds: list[evaluation.Fold], *, split: str, seed: int) -> list[dict[str, Any]]:
    """Return the scores of one number and of boosted trees."""
    learners = {
        "one threshold on the share of the longest open frame": evaluation.learn_open_share,
        "gradient boosting: 1- to 4-mers, two letters of each end, log length": evaluation.learn_boosting(
            evaluation.baseline_columns(), seed=seed
        ),
        "gradient boosting: the whole summary": evaluation.learn_boosting(list(range(SUMMARY_SIZE)), seed=seed),
    }
    results = []
    for name, learner in learners.items():
        probabilities = evaluation.cross_validate(dataset, folds, learner)
        results.append({"split": split, "model": name, **evaluation.score_folds(dataset, folds, probabilities)})
        print(results[-1], flush=True)
    return results


def plan_trials(table: Table, dataset: Dataset, folds: list[evaluation.Fold]) -> list[Trial]:
    """Return the transformer itself and three ablations; those that take long are tried on one fold."""
    first = folds[:1]
    return [
        Trial(_TRANSFORMER, dataset, folds),
        Trial(f"{_TRANSFORMER} on the middle {MIDDLE_NT} nt: no length, no ends", _keep_middle(table), folds),
        Trial(f"{_TRANSFORMER} without {END_LETTERS} letters of each end and lengths", _hide_ends(table), first),
        Trial(f"{_TRANSFORMER} without the summary", build_dataset(table, hidden_parts=ALL_PARTS), first),
    ]


def measure_trials(trials: list[Trial], networks: list[CircRnaNetwork], *, split: str) -> list[dict[str, Any]]:
    """Return the scores of the trials, whose networks come in order, one per fold."""
    results = []
    remaining = iter(networks)

    def predict(dataset: Dataset, _train: Rows, test: Rows) -> evaluation.Probabilities:
        return predict_rows(next(remaining), dataset, test)

    for trial in trials:
        probabilities = evaluation.cross_validate(trial.dataset, trial.folds, predict)
        where = split if len(trial.folds) > 1 else f"the first fold of a {split}"
        named = {"split": where, "model": trial.name}
        results.append({**named, **evaluation.score_folds(trial.dataset, trial.folds, probabilities)})
        if trial.name == _TRANSFORMER:
            results.append({**named, "subset": "the first fold", **_score_first_fold(trial, probabilities)})
            results.extend({**named, **subset} for subset in evaluation.score_subsets(trial.dataset, probabilities))
    return results


def _score_first_fold(trial: Trial, probabilities: evaluation.Probabilities) -> dict[str, Any]:
    test = trial.folds[0][1]
    return evaluation.score(trial.dataset.classes[test], probabilities[test])


def _plan_final_jobs(dataset: Dataset, plan: Plan, *, seed: int) -> list[Job]:
    rows = np.arange(len(dataset.classes))
    return [
        Job(f"network {number + 1} of {plan.networks} on all rows", dataset, rows, plan, seed + number, _REPORT)
        for number in range(plan.networks)
    ]


def export(ensemble: Ensemble, path: Path) -> None:
    """Write the ensemble as an ONNX graph: ``tokens``, ``summary`` -> ``probability``."""
    rows, windows, patches = (torch.export.Dim(name) for name in ("rows", "windows", "patches"))
    tokens = torch.full((3, 2, 5 * PATCH), 2, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        program = torch.onnx.export(
            ensemble,
            (tokens, torch.zeros(3, SUMMARY_SIZE)),
            input_names=["tokens", "summary"],
            output_names=["probability"],
            dynamic_shapes={"tokens": {0: rows, 1: windows, 2: PATCH * patches}, "summary": {0: rows}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    # The exporter writes its machine's source paths into every node; they help nobody and are not ours to ship.
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString())


def _keep_middle(table: Table) -> Dataset:
    def cut(sequence: str) -> str:
        start = (len(sequence) - MIDDLE_NT) // 2
        return sequence[start : start + MIDDLE_NT]

    return build_dataset(table, cut=cut)


def _hide_ends(table: Table) -> Dataset:
    hidden = ("open_frame_lengths", "log_length", "ends")
    return build_dataset(table, cut=lambda sequence: sequence[END_LETTERS:-END_LETTERS], hidden_parts=hidden)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CSV file, gzipped or not")
    parser.add_argument("--out", type=Path, default=CircRnaModel.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=sorted(PLANS), default="full", help="tiny is for tests")
    parser.add_argument("--epochs", type=int, help="passes over the rows; default: the plan's")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="networks trained side by side, a thread each")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
