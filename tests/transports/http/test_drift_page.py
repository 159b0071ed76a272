"""The page that compares with training: figures, plots, and every state in which there are none."""

import re

import pytest
from sklearn.datasets import load_iris

from model_service.config import ModelConfig, ServiceConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.service import Service

PAGE = {"accept": "text/html"}
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@pytest.fixture
def serve(manager, tmp_path):
    services = []

    def start(class_path="iris_model.IrisModel", **log):
        config = ServiceConfig(
            models=(ModelConfig(class_path=class_path, prediction_log=ModelLogConfig(sample=1.0, **log)),),
            prediction_log=PredictionLogConfig(folder=tmp_path / "log", flush_s=600),
        )
        services.append(Service(config).start())
        services[-1].watch_predictions()
        return services[-1].app.test_client(), services[-1]

    yield start
    for service in services:
        service.close()


def read(client, path="/models/iris_model/drift", status=200):
    answer = client.get(path, headers=PAGE)
    assert answer.status_code == status
    return answer.get_data(as_text=True)


def send_flowers(client, service, count, add=0.0):
    rows = load_iris(return_X_y=True)[0].tolist()[:: 150 // count][:count]
    payloads = [dict(zip(NAMES, [row[0] + add, *row[1:]], strict=True)) for row in rows]
    answer = client.post("/api/models/iris_model/predict", json=payloads, headers={"X-Request-ID": "r"})
    assert answer.status_code == 200
    service.predictions.log.flush()


def test_a_model_without_rows_says_what_to_do(serve):
    client, _ = serve()
    page = read(client)
    assert "Nothing can be compared: there are no rows; log some" in page
    assert "<svg" not in page.partition("<main")[2]


def test_a_model_without_a_reference_says_so(serve):
    client, _ = serve("models.DoubleModel")
    assert "no artifacts/reference.json" in read(client, "/models/double_model/drift")


def test_too_few_rows_are_said_plainly(serve):
    client, service = serve()
    send_flowers(client, service, 10)
    assert "10 rows are too few to judge by; at least 50 are needed" in read(client)


def test_what_has_drifted_is_named_and_drawn_first(serve):
    client, service = serve()
    send_flowers(client, service, 75, add=2.0)
    page = read(client)
    assert "drifted" in re.search(r'id="drift-summary">(.*?)</div>', page, re.DOTALL)[1]
    assert "75 rows from" in page
    sections = re.findall(r'<section class="card h-100" aria-label="(\w+)">(.*?)</section>', page, re.DOTALL)
    assert sections[0][0] == "sepal_length"
    assert "psi" in sections[0][1]
    assert {name for name, _ in sections} == {*NAMES, "species", "probabilities"}
    for name, section in sections:
        assert (section.count("drift-now") > 1) == (name != "probabilities")
    assert [name for name, section in sections if "badge" in section][:1] == ["sepal_length"]
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.-]+)"', page)]
    assert all(0 <= width <= 320 for width in widths)
    assert "style=" not in page.partition("<main")[2]


def test_rows_like_those_of_training_are_said_to_be_so(serve):
    client, service = serve()
    send_flowers(client, service, 75)
    assert "Nothing has drifted" in read(client)


def test_a_field_that_is_left_out_of_the_log_is_not_judged(serve):
    client, service = serve(redact=("sepal_width",))
    send_flowers(client, service, 75)
    assert "Not judged: left out of the log." in read(client)


def test_feedback_stands_on_the_page(serve):
    client, service = serve()
    send_flowers(client, service, 75)
    for row in range(4):
        body = {"outcome": {"species": "virginica" if row == 0 else "setosa"}, "row": row}
        assert client.post("/api/predictions/r/feedback", json=body).status_code == 200
    assert "species: 75.0 % right, of 4 rows" in read(client)


def test_the_days_that_are_asked_for_count_and_others_are_refused(serve):
    client, service = serve()
    send_flowers(client, service, 75)
    assert "there are no rows" in read(client, "/models/iris_model/drift?until=2020-01-31")
    assert "75 rows from" in read(client, "/models/iris_model/drift?since=2020-01-31&until=")
    read(client, "/models/iris_model/drift?since=yesterday", status=400)
    read(client, "/models/iris_model/drift?until=%00", status=400)
    read(client, "/models/iris_model/drift?until=9999-12-31")


def test_the_page_about_a_model_leads_there_and_an_unknown_model_is_404(serve):
    client, _ = serve()
    assert 'href="/models/iris_model/drift"' in read(client, "/models/iris_model")
    read(client, "/models/iris_model/versions/1.0.0/drift")
    read(client, "/models/none/drift", status=404)
