import csv
import json
from datetime import date, timedelta

import numpy as np
import pytest

from bike_model import BikeModel
from bike_model.days import instant_of, is_holiday, is_working, season_of, weekday_of
from bike_model.evaluate import split_by_blocks, split_by_rolling
from bike_model.export import export
from bike_model.features import ATEMP_TOLERANCE, COLUMNS, build_features
from bike_model.fitting import FIELDS, OUTAGES, Days, calibrate, learn_parameters, read_days, train
from bike_model.train import main
from model_service.artifacts import verify_artifacts
from model_service.onnx import open_session


def generate_rows(count, *, seed):
    """Rows shaped like the real file, its two sensor faults and some empty cells included."""
    rng = np.random.default_rng(seed)
    rows = []
    for offset in sorted(rng.choice(731, count, replace=False).tolist()):
        day = date(2011, 1, 1) + timedelta(days=offset)
        temp = float(np.clip(0.5 - 0.3 * np.cos(2 * np.pi * offset / 365) + rng.normal(0, 0.06), 0, 1))
        weather = int(rng.choice([1, 2, 3], p=[0.6, 0.33, 0.07]))
        row = {"instant": instant_of(day), "dteday": day, "season": season_of(day), "yr": day.year - 2011}
        row |= {"mnth": day.month, "holiday": is_holiday(day), "weekday": weekday_of(day), "weathersit": weather}
        row |= {"workingday": is_working(day, holiday=row["holiday"]), "temp": temp, "atemp": 0.05 + 0.85 * temp}
        row |= {"hum": float(rng.uniform(0.3, 0.95)), "windspeed": float(rng.uniform(0.03, 0.5)), "casual": 0}
        row["cnt"] = int(max(1500 + 3 * offset + 5000 * temp - 900 * (weather - 1) + rng.normal(0, 300), 10))
        rows.append(row)
    rows[3]["hum"] = 0
    rows[5]["atemp"] = 0.9 if rows[5]["temp"] < 0.5 else 0.1
    for row in rows[10:20]:
        row["atemp"] = row["holiday"] = row["workingday"] = ""
    return rows


def write_rows(rows, path):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(generate_rows(110, seed=3), tmp_path_factory.mktemp("table") / "days.csv")


def test_the_exported_graph_answers_as_the_fitted_regressors_do(table, tmp_path):
    days = read_days(table)
    trained = train(days, seed=0)
    export(trained.ensemble, tmp_path / "model.onnx")
    features = build_features(days.payloads, trained.parameters)
    rng = np.random.default_rng(4)
    # Around the training rows, which lie on the trees' thresholds' two sides, and far from them.
    near = features[rng.integers(0, len(features), 2000)] + rng.normal(0, 0.05, (2000, len(COLUMNS)))
    far = rng.uniform(-3, 8, (2000, len(COLUMNS)))
    rows = np.vstack([near, far, features]).astype(np.float32).astype(np.float64)
    session = open_session(tmp_path / "model.onnx")
    for batch in (rows, rows[:1]):
        counts, deviations = session.run(["cnt", "deviation"], {"features": batch})
        expected_counts, expected_deviations = trained.ensemble.predict(batch)
        np.testing.assert_allclose(counts[:, 0], expected_counts, rtol=1e-5, atol=0.01)
        # Directions that are nearly all noise are left out, which widens a little and never narrows.
        ratios = deviations[:, 0] / expected_deviations
        assert 1 - 1e-3 < ratios.min() <= ratios.max() < 1.02


def test_training_measures_on_unseen_days_and_writes_artifacts_that_the_model_serves(table, tmp_path, capsys):
    main(["--data", str(table), "--out", str(tmp_path), "--seed", "1"])

    class Retrained(BikeModel):
        @classmethod
        def artifact_path(cls, name):
            return tmp_path / name

    verify_artifacts(Retrained)
    assert len(Retrained().predict_batch(BikeModel.input_schema["examples"])) == 3
    results = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["results"]
    printed = capsys.readouterr().out
    assert all(f"{row['split']}: {row['model']}: {row['metric']} {row['value']}" in printed for row in results)
    maes = {(row["split"][:10], row["model"]) for row in results if row["metric"] == "mae"}
    assert {model for split, model in maes if split == "rolling th"} == {
        *("this model", "required fields only", "Gaussian process only", "trees only", "no local kernel"),
        "persistence",
    }
    assert ("10-fold, b", "random forest on the raw fields") in maes


def test_no_split_by_time_knows_a_later_day_and_no_block_a_day_of_its_own_two_weeks(table):
    days = read_days(table)
    for split in split_by_rolling(days, (1, 7)):
        ahead = days.instants[split.tested] - days.instants[split.known].max()
        assert set(ahead.tolist()) <= {1, 7}
    blocks = [days.instants // 14] * 2
    tested = []
    for split in split_by_blocks(days):
        assert not set(blocks[0][split.known]) & set(blocks[1][split.tested])
        tested += split.tested.tolist()
    assert sorted(tested) == list(range(len(days)))


def test_the_target_and_its_parts_are_never_read_and_the_outages_teach_nothing(table):
    days = read_days(table)
    assert not {"casual", "registered", "cnt"} & {*FIELDS, *COLUMNS, *days.payloads[0]}
    storm = [{**days.payloads[0], "dteday": day} for day in OUTAGES]
    with_storm = Days([*days.payloads, *storm], np.append(days.counts, [22.0, 1096.0]))
    without = days.select([i for i, payload in enumerate(days.payloads) if payload["dteday"] not in OUTAGES])
    first, second = (train(known, seed=7).predict(days.payloads[:5])[0].tolist() for known in (with_storm, without))
    assert first == second


def test_sensor_faults_do_not_teach_the_feeling_temperature(table):
    days = read_days(table)
    parameters = learn_parameters(days)
    assert min(parameters.humidity) > 0.3
    assert parameters.ranges["hum"][0] >= 0.3
    known = [payload for payload in days.payloads if payload["atemp"] is not None]
    derived = build_features([payload | {"atemp": None} for payload in known], parameters)[:, COLUMNS.index("atemp")]
    errors = np.abs(derived / 5 - [payload["atemp"] for payload in known])
    assert (errors > ATEMP_TOLERANCE).sum() == 1
    assert np.sort(errors)[-2] < 0.01


def test_the_interval_covers_its_share_of_unseen_errors_in_each_weather():
    rng = np.random.default_rng(5)
    overcast = np.arange(4000) % 2
    predictions, deviations = np.full(4000, 3000.0), rng.uniform(50, 300, 4000)
    counts = predictions + rng.normal(0, 1, 4000) * (1 + 2 * overcast) * deviations
    seen, unseen = slice(0, 2000), slice(2000, 4000)
    limits = calibrate(counts[seen], predictions[seen], deviations[seen], overcast[seen])
    lower, upper = limits.find_ends(predictions[unseen], deviations[unseen], overcast[unseen])
    covered = (lower <= counts[unseen]) & (counts[unseen] <= upper)
    assert abs(covered[0::2].mean() - 0.9) < 0.03
    assert abs(covered[1::2].mean() - 0.9) < 0.03
    assert limits.below[1] > 2 * limits.below[0]


def test_a_row_that_contradicts_itself_stops_the_training_and_names_the_line(tmp_path):
    rows = generate_rows(30, seed=6)
    rows[4]["season"] = rows[4]["season"] % 4 + 1
    with pytest.raises(SystemExit, match=r"days\.csv, line 6: season contradicts dteday"):
        read_days(write_rows(rows, tmp_path / "days.csv"))
