"""MLflow's scoring client, run by an environment of its own: what it got, as one line of JSON per call.

    python with_mlflow.py < calls

A call is one line of JSON: ``{"port": 8000, "kind": "frame", "rows": [...], "params": {...}}``.
"""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main() -> None:
    for line in sys.stdin:
        call = json.loads(line)
        client = ScoringServerClient("127.0.0.1", call["port"])
        client.wait_server_ready(timeout=5)
        try:
            answer = json.loads(client.invoke(make_data(call["kind"], call["rows"]), call.get("params")).to_json())
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer | {"version": client.get_version()}))


def make_data(kind: str, rows: list) -> object:
    # A dict of arrays is documented, but the client of 3.17 raises before it sends one.
    return {"frame": pd.DataFrame, "matrix": np.array, "list": list}[kind](rows)


if __name__ == "__main__":
    main()
