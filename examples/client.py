"""Call the service from Python, here with the standard library alone: python examples/client.py [base address]."""

import json
import sys
import urllib.error
import urllib.request
from typing import Any


def call(address: str, payload: object = None) -> tuple[int, Any]:
    """Return status and document of a GET, or of a POST when there is a payload."""
    body = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:  # a problem document: it says what is wrong, field by field
        return error.code, json.load(error)


def main() -> None:
    """List the models, predict one flower and several, and show what a mistake looks like."""
    base = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
    for model in call(f"{base}/api/models")[1]["models"]:
        print(model["qualified_name"], model["version"], model["state"])

    predict = f"{base}/api/models/iris_model/predict"
    flower = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    print(call(predict, flower)[1]["species"])
    print([output["species"] for output in call(predict, [flower, flower])[1]])

    status, problem = call(predict, flower | {"petal_width": "wide"})
    for error in problem["errors"]:
        print(status, error["pointer"], error["message"])


if __name__ == "__main__":
    main()
