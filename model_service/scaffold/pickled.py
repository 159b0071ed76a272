"""Opens a pickled pipeline and writes what it says of itself: ``python -m model_service.scaffold.pickled FILE OUT``.

The only module of the platform that opens a pickle. It is run as a process of its own, for `model-service new` with
``--trust-pickle`` alone; nothing imports it, and no service runs it.
"""

import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import sklearn

from model_service.training.pipelines import describe_pipeline


def main() -> None:
    """Open the file and write the facts, or why there are none, as JSON."""
    source, out = sys.argv[1:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pipeline = joblib.load(source)
            told: dict[str, Any] = {"facts": asdict(describe_pipeline(pipeline))}
        except Exception as error:  # opening runs whatever is written in the file
            told = {"failed": f"{type(error).__name__}: {error}"}
    told["warnings"] = [str(each.message).partition(". ")[0] for each in caught]
    told["made_with"] = f"scikit-learn {sklearn.__version__}"
    Path(out).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
