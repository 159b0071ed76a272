import csv
import json
from datetime import date, timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from bike_model import BikeModel
from bike_model.days import instant_of, is_holiday, is_working, season_of, weekday_of
from bike_model.ensemble import export, fit_ensemble
from bike_model.features import ATEMP_TOLERANCE, COLUMNS, build_features
from bike_model.train import OUTAGES, Days, calibrate, is_covered, learn_parameters, main, read_days, train
from model_service.onnx import open_session

#: The columns of the data's file, in its order.
FIELDS = (
    *("instant", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed", "casual", "registered", "cnt"),
)


def generate_rows(count, *, seed):
    """Rows shaped like the real file, its two sensor faults and some empty cells included."""
    rng = np.random.default_rng(seed)
    rows = []
    for offset in sorted(rng.choice(731, count, replace=False).tolist()):
        day = date(2011, 1, 1) + timedelta(days=offset)
        temp = float(np.clip(0.5 - 0.3 * np.cos(2 * np.pi * offset / 365) + rng.normal(0, 0.06), 0, 1))
        hum, wind = float(rng.uniform(0.3, 0.95)), float(rng.uniform(0.03, 0.5))
        weather = int(rng.choice([1, 2, 3], p=[0.6, 0.33, 0.07]))
        holiday = is_holiday(day)
        cnt = int(max(1500 + 3 * offset + 5000 * temp - 900 * (weather - 1) + rng.normal(0, 300), 10))
        values = (instant_of(day), day, season_of(day), day.year - 2011, day.month, holiday, weekday_of(day))
        values += (is_working(day, holiday=holiday), weather, temp, 0.05 + 0.85 * temp, hum, wind, 0, cnt, cnt)
        rows.append(dict(zip(FIELDS, values, strict=True)))
    rows[3]["hum"] = 0
    rows[5]["atemp"] = 0.9 if rows[5]["temp"] < 0.5 else 0.1
    for row in rows[10:20]:
        row["atemp"] = row["holiday"] = row["workingday"] = ""
    return rows


def write_rows(rows, path):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(generate_rows(160, seed=3), tmp_path_factory.mktemp("table") / "days.csv")


def test_the_exported_graph_answers_as_the_fitted_regressors_do(table, tmp_path):
    days = read_days(table)
    parameters = learn_parameters(days)
    features = build_features(days.payloads, parameters)
    ensemble = fit_ensemble(features, days.counts, seed=0)
    export(ensemble, tmp_path / "model.onnx")
    rng = np.random.default_rng(4)
    # Around the training rows, which lie on the trees' thresholds' two sides, and far from them.
    near = features[rng.integers(0, len(features), 2000)] + rng.normal(0, 0.05, (2000, len(COLUMNS)))
    far = rng.uniform(-3, 8, (2000, len(COLUMNS)))
    bare = [{name: p[name] for name in BikeModel.input_schema["required"]} for p in days.payloads]
    rows = np.vstack([near, far]).astype(np.float32).astype(np.float64)
    rows = np.vstack([rows, features, build_features(bare, parameters)])
    (counts,) = open_session(tmp_path / "model.onnx").run(["cnt"], {"features": rows})
    np.testing.assert_allclose(counts[:, 0], ensemble.predict(rows), rtol=1e-5, atol=0.01)


def test_training_writes_artifacts_that_the_model_serves(table, tmp_path, capsys):
    main(["--data", str(table), "--out", str(tmp_path), "--seed", "1"])

    class Retrained(BikeModel):
        @classmethod
        def artifact_path(cls, name):
            return tmp_path / name

    payloads = [{name: p[name] for name in BikeModel.input_schema["required"]} for p in read_days(table).payloads]
    for output in Retrained().predict_batch(payloads):
        Draft202012Validator(BikeModel.output_schema).validate(output)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["task"], metrics["rows"], len(metrics["evaluations"])) == ("regression", 160, 3)
    assert json.dumps(metrics, indent=2) in capsys.readouterr().out
    listed = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    assert set(listed) == {"metrics.json", "model.onnx", "parameters.json"}


def test_the_same_seed_trains_the_same_model(table):
    days = read_days(table)
    first, second = (train(days, seed=7).predict(days.payloads) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_casual_and_registered_are_never_read(table):
    days = read_days(table)
    assert all(set(payload) == set(BikeModel.input_schema["properties"]) for payload in days.payloads)
    assert not {"casual", "registered", "cnt"} & set(COLUMNS)


def test_sensor_faults_do_not_teach_the_feeling_temperature(table):
    days = read_days(table)
    parameters = learn_parameters(days)
    assert min(parameters.humidity) > 0.3
    sound = [row for row in generate_rows(160, seed=3) if row["atemp"] != ""]
    payloads = [{**row, "dteday": str(row["dteday"]), "atemp": None, "holiday": None} for row in sound]
    derived = build_features(payloads, parameters)[:, COLUMNS.index("atemp")] / 5
    errors = np.abs(derived - [row["atemp"] for row in sound])
    assert (errors > ATEMP_TOLERANCE).sum() == 1
    assert np.sort(errors)[-2] < 0.01


def test_the_days_of_the_hurricane_teach_nothing(table):
    days = read_days(table)
    storm = [{**days.payloads[0], "dteday": day} for day in OUTAGES]
    with_storm = Days([*days.payloads, *storm], np.append(days.counts, [22.0, 1096.0]))
    assert train(with_storm, seed=0).predict(days.payloads[:5]).tolist() == (
        train(days.select([i for i, p in enumerate(days.payloads) if p["dteday"] not in OUTAGES]), seed=0)
        .predict(days.payloads[:5])
        .tolist()
    )


def test_the_interval_covers_its_share_of_unseen_errors_in_each_weather(table):
    parameters = learn_parameters(read_days(table))
    rng = np.random.default_rng(5)
    payloads = [{"weathersit": 1 + i % 2} for i in range(4000)]
    predictions = np.full(4000, 3000.0)
    days = Days(payloads, predictions + rng.normal(0, 1, 4000) * (1 + 2 * (np.arange(4000) % 2)) * 100)
    half = list(range(2000))
    calibrated = calibrate(parameters, days.select(half), predictions[:2000])
    covered = is_covered(calibrated, days.select(range(2000, 4000)), predictions[2000:])
    assert abs(covered[0::2].mean() - 0.9) < 0.03
    assert abs(covered[1::2].mean() - 0.9) < 0.03
    assert calibrated.below[1] > 2 * calibrated.below[0]


def test_a_row_that_contradicts_itself_stops_the_training_and_names_the_line(tmp_path):
    rows = generate_rows(30, seed=6)
    rows[4]["season"] = rows[4]["season"] % 4 + 1
    with pytest.raises(SystemExit, match=r"days\.csv, line 6: season contradicts dteday"):
        read_days(write_rows(rows, tmp_path / "days.csv"))
