"""Train the loan classifier and export it: ``python -m loan_model.train --data train.csv``.

The CSV file has the columns of "Loan Prediction III", ``Loan_Status`` among them. Every
candidate is compared with the rule "Y unless Credit_History is 0" on the same folds; the
forest is exported. Needs the extra ``loan-model[train]``.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from loan_model import evaluation
from loan_model.candidates import (
    SHIPPED,
    Candidate,
    CreditRule,
    Labels,
    Numbers,
    Rows,
    build_forest,
    list_candidates,
    list_settings,
)
from loan_model.features import CATEGORIES, COLUMNS, NUMBERS, UNUSED
from loan_model.model import REASONS_NAME, USUAL_NAME, LoanModel
from loan_model.reasons import Reasons
from model_service.training import Training, run
from model_service.training.sklearn import export_sklearn

FOLDS, REPEATS = 10, 5
NESTED = "random forest, settings chosen inside each fold"


def read_applications(path: Path) -> tuple[list[dict[str, Any]], Labels]:
    """Return payloads as a caller would send them, and 1 for each approved one."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    payloads = [
        {name: row[name] or None for name in (*UNUSED, *CATEGORIES)}
        | {name: float(row[name]) if row[name] else None for name in NUMBERS}
        for row in rows
    ]
    return payloads, np.array([{"Y": 1, "N": 0}[row["Loan_Status"]] for row in rows])


def report_quality(training: Training, payloads: Rows, labels: Labels) -> Numbers:
    """Measure every candidate on the same folds; return the held-out probabilities of the shipped one."""
    seed, repeats, folds = training.seed, training.options.repeats, training.options.folds
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    splits = list(splitter.split(np.zeros(len(labels)), labels))
    name = f"stratified {folds}-fold cross-validation, repeated {repeats} times, seed {seed}"
    rule = evaluation.predict_held_out(CreditRule, payloads, labels, splits)
    shipped = rule
    for model, build in list_candidates(seed).items():
        said = evaluation.predict_held_out(build, payloads, labels, splits)
        training.report(model, name, **evaluation.measure(said, labels, rule=rule))
        shipped = said if model == SHIPPED else shipped
    nested = evaluation.build_nested(list_settings(seed), seed)
    said = evaluation.predict_held_out(nested, payloads, labels, splits[:folds])
    training.report(NESTED, f"{name}, the first repeat", **evaluation.measure(said, labels, rule=rule[:1]))
    return shipped


def report_groups(training: Training, probabilities: Numbers, payloads: Rows, labels: Labels) -> None:
    """Report calibration and rates by group, of held-out probabilities averaged over the repeats."""
    mean = probabilities.mean(axis=0)
    for name, numbers in evaluation.list_bins(mean, labels):
        training.report(f"probability {name}", f"{SHIPPED}: calibration, rows held out", **numbers)
    for name, numbers in evaluation.list_groups(mean, labels, payloads, ("Gender", "Married", "Dependents")):
        training.report(name, f"{SHIPPED}: groups of people, rows held out", **numbers)


def train(training: Training) -> None:
    """Compare, train on all rows and export."""
    assert training.data is not None
    payloads, labels = read_applications(training.data)
    training.describe_data(payloads)
    report_groups(training, report_quality(training, payloads, labels), payloads, labels)
    shipped = Candidate(build_forest(training.seed)).fit(payloads, labels)
    export_sklearn(shipped.classifier, shipped.encode(payloads), training.out / LoanModel.graph)
    Reasons.of(shipped.classifier, len(COLUMNS)).save(training.out / REASONS_NAME)
    (training.out / USUAL_NAME).write_text(json.dumps(shipped.usual, indent=2) + "\n", encoding="utf-8")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", type=int, default=FOLDS, help="folds of the cross-validation")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="repeats of the cross-validation")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and train."""
    run(
        train,
        LoanModel,
        task="classification",
        made_with=("scikit-learn", "skl2onnx", "onnx", "numpy"),
        add_options=_add_options,
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
