"""Train the loan classifier and export it: ``python -m loan_model.train --data train.csv``.

The CSV file has the columns of "Loan Prediction III", ``Loan_Status`` among them. Every
candidate is compared with the rule "Y unless Credit_History is 0" on the same folds; the
first one is exported. Needs the extra ``loan-model[train]``.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from loan_model.features import CATEGORIES, COLUMNS, NUMBERS, encode_applications
from loan_model.model import APPROVAL_THRESHOLD, LoanModel
from model_service.artifacts import METRICS_NAME, write_manifest

OPSET = 17
FOLDS = 10
REPEATS = 5
SHIPPED = "random forest"
RULE = "rule: Y unless Credit_History is 0"
#: A missing category, or a term (mostly 360), takes the most frequent value; an amount the median.
FREQUENT = ("Gender", "Married", "Dependents", "Education", "Self_Employed", "Credit_History", "Loan_Amount_Term")
AMOUNTS = ("ApplicantIncome", "CoapplicantIncome", "LoanAmount", "loan_to_income")

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def read_applications(path: Path) -> tuple[list[dict[str, Any]], Labels]:
    """Return payloads as a caller would send them, and 1 for each approved one."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    payloads = [
        {name: row[name] or None for name in CATEGORIES}
        | {name: float(row[name]) if row[name] else None for name in NUMBERS}
        for row in rows
    ]
    return payloads, np.array([{"Y": 1, "N": 0}[row["Loan_Status"]] for row in rows])


class CreditRule:
    """The baseline "Y unless Credit_History is 0"; its probability is the rate of each side."""

    def fit(self, features: Features, labels: Labels) -> "CreditRule":
        """Learn the two rates of approval."""
        is_bad = self._find_bad(features)
        self._rates = np.array([labels[~is_bad].mean(), labels[is_bad].mean()])
        return self

    def predict_proba(self, features: Features) -> Numbers:
        """Return shape (rows, 2), as scikit-learn's classifiers."""
        approvals = self._rates[self._find_bad(features).astype(int)]
        return np.column_stack([1 - approvals, approvals])

    @staticmethod
    def _find_bad(features: Features) -> npt.NDArray[np.bool_]:
        is_bad: npt.NDArray[np.bool_] = features[:, COLUMNS.index("Credit_History")] == 0
        return is_bad


def build_pipeline(classifier: Any, *, has_scaling: bool = False, without: tuple[str, ...] = ()) -> Pipeline:
    """Return an untrained pipeline from the columns of `encode_applications`, with imputing and encoding.

    Dependents keep their count; the areas, which have no order, get a column each.

    Args:
        classifier: An untrained scikit-learn classifier.
        has_scaling: Whether the columns are standardised first, as linear models want them.
        without: Columns of `AMOUNTS` to leave out.
    """
    prepare = ColumnTransformer(
        [
            ("frequent", SimpleImputer(strategy="most_frequent"), _find_places(FREQUENT)),
            ("area", OneHotEncoder(dtype=np.float32), _find_places(["Property_Area"])),
            ("amounts", SimpleImputer(strategy="median"), _find_places(n for n in AMOUNTS if n not in without)),
        ]
    )
    return make_pipeline(prepare, StandardScaler(), classifier) if has_scaling else make_pipeline(prepare, classifier)


def _find_places(names: Iterable[str]) -> list[int]:
    return [COLUMNS.index(name) for name in names]


def build_forest(seed: int, *, without: tuple[str, ...] = ()) -> Pipeline:
    """Return the untrained pipeline that is shipped: shallow trees, because there are few rows."""
    forest = RandomForestClassifier(
        n_estimators=100, max_depth=4, min_samples_leaf=5, max_features=0.5, random_state=seed, n_jobs=1
    )
    return build_pipeline(forest, without=without)


def list_candidates(seed: int) -> dict[str, Callable[[], Any]]:
    """Return what is compared, by name; the rule comes first because the others are measured against it."""
    return {
        RULE: CreditRule,
        "logistic regression": lambda: build_pipeline(LogisticRegression(max_iter=2000), has_scaling=True),
        "decision tree of three leaves": lambda: build_pipeline(
            DecisionTreeClassifier(max_leaf_nodes=3, min_samples_leaf=15, random_state=seed)
        ),
        "gradient boosting": lambda: build_pipeline(
            GradientBoostingClassifier(
                n_estimators=50, max_depth=2, learning_rate=0.05, subsample=0.8, min_samples_leaf=10, random_state=seed
            )
        ),
        "random forest without loan_to_income": lambda: build_forest(seed, without=("loan_to_income",)),
        SHIPPED: lambda: build_forest(seed),
    }


def predict_held_out(build: Callable[[], Any], features: Features, labels: Labels, splits: list[Any]) -> Numbers:
    """Return probabilities of shape (repeats, rows), each from a model that did not see the row."""
    probabilities = np.zeros((len(splits) // FOLDS, len(labels)))
    for number, (train, test) in enumerate(splits):
        trained = build().fit(features[train], labels[train])
        probabilities[number // FOLDS, test] = trained.predict_proba(features[test])[:, 1]
    return probabilities


def measure(probabilities: Numbers, labels: Labels, *, rule: Numbers) -> dict[str, float]:
    """Return the quality of held-out probabilities and the gain over the rule's, averaged over repeats.

    A gain's standard error is over the rows (a row's gain is averaged over the repeats first): it
    tells how far another sample of as many rows would move it.
    """
    gains = (_find_hits(probabilities, labels) - _find_hits(rule, labels)).mean(axis=0)
    loss_gains = (_find_losses(rule, labels) - _find_losses(probabilities, labels)).mean(axis=0)
    accuracies = _find_hits(probabilities, labels).mean(axis=1)
    numbers = {
        "accuracy": accuracies.mean(),
        "accuracy_std_over_repeats": accuracies.std(),
        "accuracy_gain_over_rule": gains.mean(),
        "accuracy_gain_standard_error": gains.std() / np.sqrt(len(gains)),
        "log_loss": _find_losses(probabilities, labels).mean(),
        "log_loss_gain_over_rule": loss_gains.mean(),
        "log_loss_gain_standard_error": loss_gains.std() / np.sqrt(len(loss_gains)),
        "roc_auc": np.mean([roc_auc_score(labels, repeat) for repeat in probabilities]),
        "brier_score": ((probabilities - labels) ** 2).mean(),
    }
    return {name: round(float(number), 4) for name, number in numbers.items()}


def _find_hits(probabilities: Numbers, labels: Labels) -> Numbers:
    hits: Numbers = ((probabilities >= APPROVAL_THRESHOLD) == labels).astype(np.float64)
    return hits


def _find_losses(probabilities: Numbers, labels: Labels) -> Numbers:
    likelihoods = np.where(labels == 1, probabilities, 1 - probabilities)
    losses: Numbers = -np.log(np.clip(likelihoods, 1e-9, None))
    return losses


def evaluate(features: Features, labels: Labels, *, seed: int, repeats: int) -> list[dict[str, Any]]:
    """Return one evaluation a candidate, the shipped one first, printing each as it comes."""
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=seed)
    splits = list(splitter.split(features, labels))
    split = f"stratified {FOLDS}-fold cross-validation, repeated {repeats} times, seed {seed}"
    evaluations = []
    rule = predict_held_out(CreditRule, features, labels, splits)
    for name, build in list_candidates(seed).items():
        numbers = measure(predict_held_out(build, features, labels, splits), labels, rule=rule)
        print(f"{name:38} accuracy {numbers['accuracy']:.4f}, log loss {numbers['log_loss']:.4f}", flush=True)
        evaluations.append({"split": split, "candidate": name, **numbers})
    return sorted(evaluations, key=lambda evaluation: evaluation["candidate"] != SHIPPED)


def count_changed_answers(pipeline: Pipeline, payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """Return in how many rows the answer changes with the applicant's gender and nothing else."""
    answers = [
        pipeline.predict_proba(encode_applications([payload | {"Gender": gender} for payload in payloads]))[:, 1]
        for gender in CATEGORIES["Gender"]
    ]
    is_changed = (answers[0] >= APPROVAL_THRESHOLD) != (answers[1] >= APPROVAL_THRESHOLD)
    return {
        "split": "every training row, once as Female and once as Male",
        "answers_changed": int(is_changed.sum()),
        "largest_change_of_probability": round(float(np.abs(answers[0] - answers[1]).max()), 4),
    }


def export(pipeline: Pipeline, path: Path) -> None:
    """Write the trained pipeline as an ONNX graph: ``features`` -> ``label``, ``probabilities``."""
    graph = to_onnx(
        pipeline,
        initial_types=[("features", FloatTensorType([None, len(COLUMNS)]))],
        options={id(pipeline): {"zipmap": False}},
        target_opset=OPSET,
    )
    # The exporter lists the operator sets in the order of a Python set, which differs from run to run.
    operator_sets = sorted(graph.opset_import, key=lambda operator_set: operator_set.domain)
    del graph.opset_import[:]
    graph.opset_import.extend(operator_sets)
    path.write_bytes(graph.SerializeToString())


def main(arguments: list[str] | None = None) -> None:
    """Compare, train, export and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CSV file with labelled applications")
    parser.add_argument("--out", type=Path, default=LoanModel.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="repeats of the cross-validation")
    options = parser.parse_args(arguments)
    payloads, labels = read_applications(options.data)
    features = encode_applications(payloads)
    print(f"{len(labels)} applications, {labels.mean():.1%} approved")
    evaluations = evaluate(features, labels, seed=options.seed, repeats=options.repeats)
    pipeline = build_forest(options.seed).fit(features, labels)
    options.out.mkdir(parents=True, exist_ok=True)
    export(pipeline, options.out / "model.onnx")
    metrics = {
        "task": "classification",
        "data": options.data.name,
        "rows": len(labels),
        "evaluations": [*evaluations, count_changed_answers(pipeline, payloads)],
    }
    (options.out / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_manifest(options.out, made_with=("scikit-learn", "skl2onnx", "onnx", "numpy"))
    print(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
