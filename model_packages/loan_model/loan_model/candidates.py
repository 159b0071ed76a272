"""What training compares: the shipped forest, the rule it must beat, and others. Each learns from payloads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from loan_model.features import COLUMNS, UNUSED, encode_applications, learn_usual
from loan_model.reasons import DEPTH
from model_service.columns import read_codes

Rows = Sequence[dict[str, Any]]
Labels = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

SHIPPED = "random forest"
RULE = "rule: Y unless Credit_History is 0"
LOGGED = ("ApplicantIncome", "CoapplicantIncome", "LoanAmount", "loan_to_income")


class CreditRule:
    """The baseline "Y unless Credit_History is 0"; its probability is the rate of each side."""

    def fit(self, payloads: Rows, labels: Labels) -> Self:
        """Learn the two rates of approval."""
        is_bad = self._find_bad(payloads)
        self._rates = np.array([labels[~is_bad].mean(), labels[is_bad].mean()])
        return self

    def predict(self, payloads: Rows) -> Numbers:
        """Return the probability of approval of each row."""
        approvals: Numbers = self._rates[self._find_bad(payloads).astype(int)]
        return approvals

    @staticmethod
    def _find_bad(payloads: Rows) -> npt.NDArray[np.bool_]:
        return np.array([payload["Credit_History"] == 0 for payload in payloads])


@dataclass
class Candidate:
    """A scikit-learn classifier on the columns of `encode_applications`.

    Attributes:
        classifier: Untrained, until `fit`.
        extra: Names of `UNUSED` that it sees as well.
        without: Columns that it does not see.
        usual: What `fit` learnt to stand for unknown values.
    """

    classifier: Any
    extra: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    usual: dict[str, float] = field(default_factory=dict)

    def fit(self, payloads: Rows, labels: Labels) -> Self:
        """Learn what is usual, and then the classifier."""
        self.usual = learn_usual(payloads)
        self._codes = {name: self._encode_extra(payloads, name, np.nan) for name in self.extra}
        self._codes = {name: np.nanmedian(codes) for name, codes in self._codes.items()}
        self.classifier.fit(self.encode(payloads), labels)
        return self

    def predict(self, payloads: Rows) -> Numbers:
        """Return the probability of approval of each row."""
        approvals: Numbers = self.classifier.predict_proba(self.encode(payloads))[:, 1]
        return approvals

    def encode(self, payloads: Rows) -> npt.NDArray[np.float32]:
        """Return the columns that the classifier sees."""
        features = encode_applications(payloads, self.usual)
        kept = [place for place, name in enumerate(COLUMNS) if name not in self.without]
        extra = [self._encode_extra(payloads, name, self._codes[name]) for name in self.extra]
        return np.column_stack([features[:, kept], *extra])

    @staticmethod
    def _encode_extra(payloads: Rows, name: str, missing: Any) -> Any:
        return read_codes(payloads, name, UNUSED[name], missing=missing)


def build_forest(seed: int, *, trees: int = 50, max_features: float = 0.7, leaf: int = 5) -> RandomForestClassifier:
    """Return the untrained forest: shallow trees, because there are few rows and each answer is explained."""
    return RandomForestClassifier(
        trees, max_depth=DEPTH, max_features=max_features, min_samples_leaf=leaf, random_state=seed, n_jobs=1
    )


def list_settings(seed: int) -> list[Callable[[], Candidate]]:
    """Return the forests that nested cross-validation chooses from, the shipped one among them.

    In none do all trees see all columns: such a forest may say exactly 0, and one wrong 0 is all of its log loss.
    """
    return [
        lambda trees=trees, share=share, leaf=leaf: Candidate(  # type: ignore[misc]  # the defaults hold the loop's values
            build_forest(seed, trees=trees, max_features=share, leaf=leaf)
        )
        for trees, share, leaf in ((50, 0.7, 5), (50, 0.5, 5), (50, 0.3, 5), (50, 0.7, 10), (30, 0.5, 5), (100, 0.7, 5))
    ]


def list_candidates(seed: int) -> dict[str, Callable[[], Any]]:
    """Return what is compared, by name; the rule comes first because the others are measured against it."""
    logs = ColumnTransformer(
        [
            ("logs", FunctionTransformer(np.log1p), [COLUMNS.index(name) for name in LOGGED]),
            ("area", OneHotEncoder(), [COLUMNS.index("Property_Area")]),
        ],
        remainder="passthrough",
    )
    boosting = {"n_estimators": 50, "max_depth": 2, "learning_rate": 0.05, "subsample": 0.8, "min_samples_leaf": 10}
    return {
        RULE: CreditRule,
        SHIPPED: lambda: Candidate(build_forest(seed)),
        "logistic regression on logged amounts": lambda: Candidate(
            make_pipeline(logs, StandardScaler(), LogisticRegression(max_iter=2000))
        ),
        "decision tree of three leaves": lambda: Candidate(
            DecisionTreeClassifier(max_leaf_nodes=3, min_samples_leaf=15, random_state=seed)
        ),
        "gradient boosting": lambda: Candidate(GradientBoostingClassifier(random_state=seed, **boosting)),
        "random forest with Gender": lambda: Candidate(build_forest(seed), extra=("Gender",)),
        "random forest with Gender, Married, Dependents": lambda: Candidate(build_forest(seed), extra=tuple(UNUSED)),
        "random forest without loan_to_income": lambda: Candidate(build_forest(seed), without=("loan_to_income",)),
    }
