"""Fit the two scikit-learn models with the scikit-learn of this environment: ``python estimators.py FOLDER``.

Same data, parameters and seed everywhere, so every environment gets the same model without reading a
pickle that another version wrote.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Write ``iris.joblib``, the pipeline that `iris_model` exports, and ``forest.joblib``."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    features, classes = load_iris(return_X_y=True)
    features = features.astype(np.float32)
    estimators = {
        "iris": make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000)),
        "forest": RandomForestClassifier(n_estimators=100, random_state=0),
    }
    for name, estimator in estimators.items():
        joblib.dump(estimator.fit(features, classes), folder / f"{name}.joblib")


if __name__ == "__main__":
    main()
