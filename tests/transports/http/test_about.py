"""What the page about a model says, and that whatever a package says of itself can be shown."""

from dataclasses import replace

import pytest
from configurations import make_config

from model_service.config_metrics import MetricsConfig
from model_service.records import ModelInfo
from model_service.service import Service
from model_service.transports.http.about import About, Table, tabulate, write_json

PAGE = {"accept": "text/html"}
#: Results whose texts no page can hold, and others that are none.
ODD_RESULTS = {
    "a": [dict.fromkeys(("model", "split", "metric", "value", "spread"), "\ud800")],
    "b": [{"model": [], "split": {}, "metric": 1, "value": 2, "spread": 3}],
}


def read_page(client, path):
    return client.get(path, headers=PAGE).get_data(as_text=True)


# Measured quality


def test_plain_values_are_one_table_of_names_and_values():
    metrics = {"task": "classification", "rows": 150, "is_final": True, "seed": None, "folds": [1, 2], "split": {}}
    assert [*tabulate(metrics)] == [
        Table(
            "",
            (),
            (
                ("task", "classification"),
                ("rows", "150"),
                ("is final", "true"),
                ("seed", "null"),
                ("folds", "1, 2"),
                ("split", "{}"),
            ),
        )
    ]


def test_a_list_of_objects_is_a_table_with_a_column_a_name():
    metrics = {
        "evaluations": [
            {"split": "a", "scores": {"log_loss": 0.5, "auc": 1}},
            {"split": "b", "scores": {"auc": 0.25}, "wrong": [{"x": 1}]},
            "odd",
        ]
    }
    assert [*tabulate(metrics)] == [
        Table(
            "evaluations",
            ("split", "scores, log loss", "scores, auc", "wrong", "value"),
            (("a", "0.5", "1", "", ""), ("b", "", "0.25", '[{"x": 1}]', ""), ("", "", "", "", "odd")),
            (False, True, True, False, False),
        )
    ]


def test_results_of_a_training_are_a_table_per_split_with_a_row_per_model():
    forest, rule = {"model": "forest", "split": "10 folds"}, {"model": "rule", "split": "10 folds"}
    results = [
        {**forest, "metric": "accuracy", "value": 0.8175, "spread": 0.001},
        {**forest, "metric": "log_loss", "value": 0.46, "spread": None},
        {**rule, "metric": "accuracy", "value": 0.8, "spread": 0.0},
        {"model": "forest", "split": "2012", "metric": "rows", "value": 5, "spread": None},
    ]
    assert [*tabulate({"task": "classification", "data": {"rows": 492}, "results": results})] == [
        Table("", (), (("task", "classification"),)),
        Table("data", (), (("rows", "492"),)),
        Table(
            "10 folds",
            ("model", "accuracy", "log loss"),
            (("forest", "0.8175 ± 0.001", "0.46"), ("rule", "0.8 ± 0.0", "")),
            (False, True, True),
        ),
        Table("2012", ("model", "rows"), (("forest", "5"),), (False, True)),
    ]


def test_nested_objects_are_tables_of_their_own():
    metrics = {"test": {"accuracy": 0.9, "by_class": {"a": 1}}, "matrix": [[1, 2], [3, 4]]}
    assert [(table.title, table.rows) for table in tabulate(metrics)] == [
        ("", (("matrix", "[[1, 2], [3, 4]]"),)),
        ("test", (("accuracy", "0.9"),)),
        ("test, by class", (("a", "1"),)),
    ]


@pytest.mark.parametrize(
    "metrics", [{}, {"a": {}}, {"a": []}, {"a": [{}]}, {"a": [[], [{}]]}, {"": ""}, {"\ud800": "\udfff"}, ODD_RESULTS]
)
def test_whatever_a_metrics_file_holds_can_be_shown(metrics):
    for table in tabulate(metrics):
        for text in (table.title, *table.columns, *(text for row in table.rows for text in row)):
            text.encode()


def test_json_is_indented_and_keeps_its_letters():
    assert write_json({"name": "Ädä"}) == '{\n  "name": "Ädä"\n}'
    write_json("\ud800").encode()


# The page


def test_the_page_is_decided_from_what_is_known_of_a_model():
    info = ModelInfo(
        qualified_name="a_model",
        display_name="A",
        description="Of a.",
        version="1.0.0",
        class_path="a:A",
        input_schema={"type": "object", "properties": {"x": {}}},
        output_schema={"type": "object"},
        examples=({"x": 1},),
        metrics={"rows": 1},
        card="# A\n\nText",
    )
    about = About.of(info)
    assert [row.path for row in about.input.rows] == ["x"]
    assert about.output.rows == ()
    assert about.examples == ('{\n  "x": 1\n}',)
    assert about.quality == (Table("", (), (("rows", "1"),)),)
    assert about.card == "<p>Text</p>\n"


def test_a_model_without_card_metrics_and_artifacts_has_a_page_without_their_headings(make_client):
    html = read_page(make_client("models.EchoModel"), "/models/echo_model")
    for text in ("Input", "Output"):
        assert f">{text}</h2>" in html
    for text in ("Examples", "Model card", "Measured quality", "Artifacts"):
        assert text not in html


def test_a_shipped_model_has_a_page_of_everything(make_client):
    html = read_page(make_client("loan_model.LoanModel"), "/models/loan_model")
    for text in ("Input", "Output", "Examples", "Model card", "Measured quality", "Artifacts"):
        assert f">{text}</h2>" in html
    assert "/models/loan_model/predict#example=0" in html
    assert 'href="/api/models/loan_model/metadata"' in html
    assert "Debts paid as agreed" in html
    assert "style=" not in html


def test_two_versions_lead_to_each_other(make_client):
    client = make_client("models.DoubleModel", "models.DoubleModelTwo")
    assert 'href="/models/double_model/versions/1.0.0"' in read_page(client, "/models/double_model")
    old = read_page(client, "/models/double_model/versions/1.0.0")
    assert 'href="/models/double_model"' in old
    assert "/models/double_model/versions/1.0.0/predict#example=0" in old


def test_the_metadata_holds_the_card_as_markdown(make_client):
    client = make_client("iris_model.IrisModel", "models.EchoModel")
    assert client.get("/api/models/iris_model/metadata").json["card"].startswith("# iris_model\n")
    assert client.get("/api/models/echo_model/metadata").json["card"] == ""


# Figures


def test_a_model_that_nobody_has_asked_says_so(make_client):
    page = read_page(make_client("models.DoubleModel"), "/models/double_model")
    assert "0: nobody has asked yet" in page
    assert "Answered within" not in page


def test_figures_count_requests_rows_and_errors_of_the_model_alone(make_client):
    client = make_client("models.DoubleModel", "models.EchoModel")
    path = "/api/models/double_model/predict"
    for payload in ({"x": 1}, [{"x": 1}, {"x": 2}], {"x": 3}, {"x": "no"}):
        client.post(path, json=payload)
    page = " ".join(read_page(client, "/models/double_model").split())
    assert "<dt>Requests</dt><dd>4</dd> <dt>Rows</dt><dd>4</dd> <dt>Errors</dt><dd>1 (25 %)</dd>" in page
    assert "ms for half of them" in page
    assert "nobody has asked yet" in read_page(client, "/models/echo_model")


def test_without_metrics_there_are_no_figures(manager):
    config = replace(make_config("models.DoubleModel"), metrics=MetricsConfig(enabled=False))
    page = read_page(Service(config).start().app.test_client(), "/models/double_model")
    assert "Since the service was started" not in page
