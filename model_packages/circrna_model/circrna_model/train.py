"""Train the transformer and export it: ``python -m circrna_model.train --data PATH/TO/train.csv.gz``.

The file needs the columns ``rna_sequence``, ``is_circrna`` and ``group``. It measures by groups first (baselines,
the ensemble, what it answers when something is changed in the letters), then trains the networks
that are shipped on all rows and writes the artifacts. Needs the extra ``circrna-model[train]``.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from circrna_model import damage, evaluation
from circrna_model.dataset import Dataset, Rows, cut_sequences, read_dataset
from circrna_model.evaluation import Fold, Probabilities
from circrna_model.features import FIRST_TOKEN, PATCH, VOCABULARY, Codes
from circrna_model.model import CircRnaModel
from circrna_model.native import WEIGHTS_NAME, save_ensemble
from circrna_model.network import CircRnaNetwork, Ensemble
from circrna_model.summary import SUMMARY_SIZE
from circrna_model.training import PLANS, Job, Plan, find_kept, fit_networks, predict_rows
from model_service.training import Training, run
from model_service.training.torch import export_torch

ROTATED_CIRCLES = 1_000
_MIDDLE = f"one network, trained on the middle {damage.MIDDLE_NT} nt"
_REPORT = partial(print, flush=True)
_MADE_WITH = ("torch", "onnx", "onnxscript", "safetensors", "scikit-learn", "numpy")


def main(arguments: list[str] | None = None) -> None:
    """Measure, train, export and write the manifest."""
    run(
        train,
        CircRnaModel,
        task="binary classification",
        made_with=_MADE_WITH,
        add_options=_add_options,
        arguments=arguments,
    )


def train(training: Training) -> None:
    """Train the circular RNA transformer."""
    options = training.options
    plan = PLANS[options.size].with_epochs(options.epochs)
    assert training.data is not None
    dataset = read_dataset(training.data)
    training.describe_data(dataset.payloads)
    training.report("the data", "all rows", share_of_circrna=float(dataset.classes.mean()))
    folds = evaluation.split_groups(dataset, folds=options.folds, seed=training.seed)
    split = f"{options.folds}-fold cross-validation by group, seed {training.seed}"
    report_baselines(training, dataset, folds, split)
    middle = cut_sequences(dataset, damage.keep_middle)
    jobs = plan_jobs(dataset, middle, folds, plan, options)
    networks = iter(fit_networks(jobs, workers=options.workers, keep=options.keep))
    shipped = _take_ensemble(networks, plan)
    by_fold = [_take_ensemble(networks, plan) for _ in folds]
    shipped.calibrate(*calibrate_folds(dataset, folds, by_fold))
    report_ensembles(training, dataset, folds, by_fold, split)
    _, test = folds[0]
    scores = evaluation.score(dataset.classes[test], predict_rows(next(networks), middle, test))
    training.report(_MIDDLE, f"the first fold of a {split}", **scores)
    report_rotations(training, dataset, shipped, "the shipped ensemble", np.arange(len(dataset.classes)))
    export(shipped, training.out / "model.onnx")
    save_ensemble(shipped, plan.size, training.out / WEIGHTS_NAME)


def plan_jobs(
    dataset: Dataset, middle: Dataset, folds: list[Fold], plan: Plan, options: argparse.Namespace
) -> list[Job]:
    """Return what to train: the shipped ensemble, one like it per fold, and one network on the middle of sequences."""
    wanted = [
        ("all rows", dataset, np.arange(len(dataset.classes)), plan.networks),
        *((f"fold {number}", dataset, rows, plan.networks) for number, (rows, _) in enumerate(folds, start=1)),
        (_MIDDLE, middle, folds[0][0], 1),
    ]
    jobs: list[Job] = []
    for name, part, rows, count in wanted:
        titles = [f"{name}, network {number}" for number in range(count)]
        targets = part.classes.astype(np.float32)
        if not all(find_kept(options.keep, title) for title in titles):  # the trees take a minute
            targets = set_targets(part, rows, plan, seed=options.seed)
        jobs.extend(
            Job(title, part, rows, targets, plan, options.seed + number, _REPORT) for number, title in enumerate(titles)
        )
    return jobs


def set_targets(dataset: Dataset, rows: Rows, plan: Plan, *, seed: int) -> NDArray[np.float32]:
    """Return what the networks shall say: partly the label, partly what boosted trees say that did not see the row."""
    if not plan.taught:
        return dataset.classes.astype(np.float32)
    taught = evaluation.teach(dataset, rows, seed=seed)
    return ((1 - plan.taught) * dataset.classes + plan.taught * taught).astype(np.float32)


def calibrate_folds(dataset: Dataset, folds: list[Fold], ensembles: list[Ensemble]) -> tuple[float, float]:
    """Calibrate the ensemble of each fold with what the others say of their own held-back rows.

    Returns:
        Scale and offset that fit all held-back rows, for an ensemble that is trained on all of them.
    """
    said = _predict_folds(dataset, folds, ensembles)
    for ensemble, (_, test) in zip(ensembles, folds, strict=True):
        others = np.setdiff1d(np.concatenate([rows for _, rows in folds]), test)
        ensemble.calibrate(*evaluation.fit_calibration(dataset.classes[others], said[others]))
    return evaluation.fit_calibration(dataset.classes, said)


def report_baselines(training: Training, dataset: Dataset, folds: list[Fold], split: str) -> None:
    """Report one number, and boosted trees on hand-made features."""
    boost = partial(evaluation.learn_boosting, seed=training.seed)
    learners = {
        "one threshold on the share of the longest open frame": evaluation.learn_open_share,
        "gradient boosting: 1- to 4-mers, two letters of each end, log length": boost(evaluation.baseline_columns()),
        "gradient boosting: all features": boost(list(range(SUMMARY_SIZE))),
    }
    for name, learner in learners.items():
        probabilities = evaluation.cross_validate(dataset, folds, learner)
        training.report(name, split, **evaluation.score_folds(dataset, folds, probabilities))


def report_ensembles(
    training: Training, dataset: Dataset, folds: list[Fold], ensembles: list[Ensemble], split: str
) -> None:
    """Report the ensemble as it is shipped, its parts, its calibration, and what it answers to changed letters."""
    name = "transformer"
    said = _predict_folds(dataset, folds, ensembles)
    training.report(name, split, **evaluation.score_folds(dataset, folds, said))
    singles = [Ensemble(list(ensemble.networks)[:1]).eval() for ensemble in ensembles]
    calibrate_folds(dataset, folds, singles)
    training.report(
        "one network of the ensemble",
        split,
        **evaluation.score_folds(dataset, folds, _predict_folds(dataset, folds, singles)),
    )
    for subset, scores in evaluation.score_subsets(dataset, said).items():
        training.report(name, f"{split}; {subset}", **scores)
    error, bins = evaluation.measure_calibration(dataset.classes, said)
    training.report(name, split, expected_calibration_error=error)
    for subset, numbers in bins.items():
        training.report(name, f"{split}; {subset}", **numbers)
    for what, changed in _change_letters(dataset, folds, training.seed).items():
        answers = _predict_folds(changed, folds, ensembles)
        training.report(
            name,
            f"{split}; {what}",
            **evaluation.score_folds(dataset, folds, answers),
            share_called_circrna=float((answers >= 0.5).mean()),
            share_of_answers_changed=float(((answers >= 0.5) != (said >= 0.5)).mean()),
        )
    _, test = folds[0]
    report_rotations(training, dataset, ensembles[0], f"{split}; held-back rows of the first fold", test)


def report_rotations(training: Training, dataset: Dataset, ensemble: Ensemble, where: str, rows: Rows) -> None:
    """Report how many circles get another answer when they begin elsewhere: a circle has no beginning."""
    rng = np.random.default_rng(training.seed)
    circles = rng.permutation(rows[dataset.classes[rows] == 1])[:ROTATED_CIRCLES]
    chosen = dataset.choose(circles)
    rotated = replace(chosen, codes=[damage.rotate(codes, rng) for codes in chosen.codes])
    everything = np.arange(len(circles))
    before, after = (predict_rows(ensemble, part, everything) >= 0.5 for part in (chosen, rotated))
    training.report(
        "transformer",
        f"{where}; circles rotated at random",
        circles=len(circles),
        answers_changed=int((before != after).sum()),
        called_circrna_before=float(before.mean()),
        called_circrna_after=float(after.mean()),
    )


def export(ensemble: Ensemble, path: Path) -> None:
    """Write the ensemble as an ONNX graph, ``tokens`` -> ``probability``, and compare both on sequences."""
    windows, patches = torch.export.Dim("windows"), torch.export.Dim("patches")
    tokens = np.random.default_rng(0).integers(FIRST_TOKEN, len(VOCABULARY), (3, 2, 6 * PATCH))
    export_torch(
        ensemble,
        {"tokens": tokens},
        path,
        outputs=["probability"],
        dynamic={"tokens": {1: windows, 2: PATCH * patches}},
    )


def _change_letters(dataset: Dataset, folds: list[Fold], seed: int) -> dict[str, Dataset]:
    """Return the same rows with other letters each."""
    rng = np.random.default_rng(seed)
    order = np.arange(len(dataset.classes))
    for _, test in folds:
        order[test] = rng.permutation(test)
    others = [dataset.codes[row] for row in order]
    with_ends = [damage.take_ends(codes, other) for codes, other in zip(dataset.codes, others, strict=True)]
    return {
        "letters of other rows": replace(dataset, codes=others),
        f"{damage.END_NT} letters of each end of other rows": replace(dataset, codes=with_ends),
        "a stop codon every 100 nt, in every frame": _change(dataset, damage.plant_stops),
        "codons of the open frame in another order": _change(dataset, partial(damage.shuffle_codons, rng=rng)),
        "all letters but the ends in another order": _change(dataset, partial(damage.shuffle_letters, rng=rng)),
    }


def _change(dataset: Dataset, change: Callable[[Codes], Codes]) -> Dataset:
    return replace(dataset, codes=[change(codes) for codes in dataset.codes])


def _predict_folds(dataset: Dataset, folds: list[Fold], ensembles: list[Ensemble]) -> Probabilities:
    remaining = iter(ensembles)

    def predict(part: Dataset, _train: Rows, test: Rows) -> Probabilities:
        return predict_rows(next(remaining), part, test)

    return evaluation.cross_validate(dataset, folds, predict)


def _take_ensemble(networks: Iterator[CircRnaNetwork], plan: Plan) -> Ensemble:
    return Ensemble(list(islice(networks, plan.networks))).eval()


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", choices=sorted(PLANS), default="full", help="tiny is for tests")
    parser.add_argument("--epochs", type=int, help="passes over the rows; default: the plan's")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="networks trained side by side, a thread each")
    parser.add_argument("--keep", type=Path, help="folder for trained networks; those it has are not trained again")


if __name__ == "__main__":
    main()
