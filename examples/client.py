"""Call the service from Python with any HTTP client: python examples/client.py [base address]."""

import sys

import httpx


def main() -> None:
    """List the models, predict one flower and several, and show what a mistake looks like."""
    base = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
    with httpx.Client(base_url=base) as client:
        for model in client.get("/api/models").json()["models"]:
            print(model["qualified_name"], model["version"], model["state"])

        flower = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
        print(client.post("/api/models/iris_model/predict", json=flower).json()["species"])
        print([row["species"] for row in client.post("/api/models/iris_model/predict", json=[flower, flower]).json()])

        answer = client.post("/api/models/iris_model/predict", json=flower | {"petal_width": "wide"})
        for error in answer.json()["errors"]:
            print(answer.status_code, error["pointer"], error["message"])


if __name__ == "__main__":
    main()
