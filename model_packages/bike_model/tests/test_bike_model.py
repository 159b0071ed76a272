import copy
import re
from datetime import date, timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from bike_model import BikeModel
from bike_model.days import DATE_PATTERN, find_holidays, is_holiday, read_date, season_of, weekday_of
from bike_model.features import COLUMNS, build_features
from model_service.artifacts import read_metrics, verify_artifacts
from model_service.schema.validation import SchemaValidator

BARE = {"dteday": "2012-05-16", "weathersit": 1, "temp": 0.6, "hum": 0.55, "windspeed": 0.2}

#: The order of the data's file, which is not that of the form.
CLASSIC_FIELDS = (
    *("instant", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed"),
)
#: The first three days of the data, as the classic request sends them, with the rentals that were counted.
CLASSIC = [
    ((1, "2011-01-01", 1, 0, 1, 0, 6, 0, 2, 0.344167, 0.363625, 0.805833, 0.160446), 985),
    ((2, "2011-01-02", 1, 0, 1, 0, 0, 0, 2, 0.363478, 0.353739, 0.696087, 0.248539), 801),
    ((3, "2011-01-03", 1, 0, 1, 0, 1, 1, 1, 0.196364, 0.189405, 0.437273, 0.248309), 1349),
]


@pytest.fixture(scope="module")
def model():
    return BikeModel()


def accepts(payload):
    return Draft202012Validator(BikeModel.input_schema).is_valid(payload)


def classic_payloads():
    return [dict(zip(CLASSIC_FIELDS, values, strict=True)) for values, _ in CLASSIC]


def generate_payloads(count, *, seed):
    rng = np.random.default_rng(seed)
    payloads = []
    for _ in range(count):
        payload = {
            "dteday": str(date(2011, 1, 1) + timedelta(days=int(rng.integers(0, 1096)))),
            "weathersit": int(rng.integers(1, 5)),
            "temp": float(rng.random()),
            "hum": float(rng.choice([0.0, 1.0, rng.random()])),
            "windspeed": float(rng.random()),
        }
        if rng.random() < 0.5:
            payload["atemp"] = rng.choice([None, float(rng.random())])
        if rng.random() < 0.5:
            payload["holiday"] = rng.choice([None, int(rng.integers(0, 2))])
        payloads.append(payload)
    return payloads


def pointers(payload):
    return [violation.pointer for violation in BikeModel.find_violations(payload)]


def test_the_first_three_days_of_the_data_get_the_shipped_models_answers(model):
    outputs = model.predict_batch(classic_payloads())
    assert [(o["cnt"], o["interval"]["lower"], o["interval"]["upper"]) for o in outputs] == [
        (857, 0, 1860),
        (1086, 0, 2089),
        (1409, 772, 1975),
    ]


def test_the_intervals_of_the_first_three_days_hold_the_true_counts(model):
    for payload, (_, count) in zip(classic_payloads(), CLASSIC, strict=True):
        interval = model.predict(payload)["interval"]
        assert interval["lower"] <= count <= interval["upper"]


def test_a_batch_answers_what_each_row_gets_alone_without_changing_the_payloads(model):
    payloads = generate_payloads(400, seed=1)
    before = copy.deepcopy(payloads)
    assert model.predict_batch(payloads) == [model.predict(payload) for payload in payloads]
    assert payloads == before


def test_every_output_is_what_the_output_schema_says(model):
    validator = Draft202012Validator(BikeModel.output_schema)
    for payload, output in zip(
        generate_payloads(600, seed=2), model.predict_batch(generate_payloads(600, seed=2)), strict=True
    ):
        assert accepts(payload)
        validator.validate(output)
        assert type(output["cnt"]) is int
        assert output["interval"]["lower"] <= output["cnt"] <= output["interval"]["upper"]


def test_the_examples_are_accepted_by_the_schema_and_by_the_rules(model):
    Draft202012Validator.check_schema(BikeModel.input_schema)
    Draft202012Validator.check_schema(BikeModel.output_schema)
    for example in [*BikeModel.input_schema["examples"], *classic_payloads()]:
        Draft202012Validator(BikeModel.input_schema).validate(example)
        assert BikeModel.find_violations(example) == []
        Draft202012Validator(BikeModel.output_schema).validate(model.predict(example))


def test_the_required_fields_alone_are_enough_and_null_counts_as_absent(model):
    optional = set(BikeModel.input_schema["properties"]) - set(BARE)
    nulls = BARE | dict.fromkeys(optional)
    assert accepts(BARE)
    assert accepts(nulls)
    assert pointers(nulls) == []
    assert model.predict(nulls) == model.predict(BARE)


def test_a_full_record_is_answered_as_its_derived_twin_but_for_the_feeling_temperature(model):
    derived = {"instant": 502, "season": 2, "yr": 1, "mnth": 5, "holiday": 0, "weekday": 3, "workingday": 1}
    assert pointers(BARE | derived) == []
    assert model.predict(BARE | derived) == model.predict(BARE)


@pytest.mark.parametrize("field", ["dteday", "weathersit", "temp", "hum", "windspeed"])
def test_what_cannot_be_derived_is_required_and_not_null(field):
    assert not accepts({name: value for name, value in BARE.items() if name != field})
    assert not accepts(BARE | {field: None})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temp", -0.01),
        ("hum", 1.01),
        ("windspeed", "0.2"),
        ("weathersit", 0),
        ("weathersit", 5),
        ("atemp", 1.5),
        ("season", 5),
        ("yr", 3),
        ("mnth", 13),
        ("weekday", 7),
        ("holiday", 2),
        ("workingday", 2),
        ("instant", 0),
        ("casual", 331),
        ("registered", 654),
        ("cnt", 985),
    ],
)
def test_values_out_of_bounds_and_parts_of_the_target_are_refused(field, value):
    assert not accepts(BARE | {field: value})


@pytest.mark.parametrize(
    "text",
    [
        "2011-01-01",
        "2011-01-01T00:00:00",
        "2011-01-01T00:00:00Z",
        "2011-01-01T23:30:00-05:00",
        "2011-01-01 12:00",
        "2011-01-01T00:00:00.000000+0930",
    ],
)
def test_the_date_as_written_counts_in_every_iso_form(model, text):
    payload = BARE | {"dteday": text, "instant": 1}
    assert accepts(payload)
    assert pointers(payload) == []
    assert model.predict(payload) == model.predict(BARE | {"dteday": "2011-01-01"})


@pytest.mark.parametrize(
    "text",
    [
        "2010-12-31",
        "2014-01-01",
        "2011-13-01",
        "2011-1-1",
        "01/01/2011",
        "2011-01-01T",
        "2011-01-01T25:00:00",
        "20110101",
        "",
        "x2011-01-01",
        "2011-01-01Z",
        "\u0662\u0660\u0661\u0661-01-01",
    ],
)
def test_other_dates_and_forms_are_refused_by_the_pattern(text):
    assert not accepts(BARE | {"dteday": text})


@pytest.mark.parametrize("text", ["2011-02-30", "2011-02-29", "2013-06-31T00:00:00Z", "2011-01-01\n"])
def test_dates_that_only_look_like_one_are_violations(text):
    (violation,) = BikeModel.find_violations(BARE | {"dteday": text, "season": 4, "instant": 9})
    assert (violation.pointer, violation.rule) == ("/dteday", "format")
    assert "dteday" in violation.message


def test_the_leap_day_exists():
    assert read_date("2012-02-29") == date(2012, 2, 29)


def test_the_date_pattern_uses_nothing_that_a_browser_would_refuse():
    assert not re.search(r"\\d|\(\?|\[[^\]]*-\]|\[[^\]]*\+-", DATE_PATTERN)


@pytest.mark.parametrize(
    ("field", "value"), [("instant", 501), ("season", 3), ("yr", 0), ("mnth", 6), ("weekday", 4), ("instant", 501.0)]
)
def test_a_field_that_contradicts_the_date_is_a_violation_naming_both(field, value):
    (violation,) = BikeModel.find_violations(BARE | {field: value})
    assert violation.pointer == f"/{field}"
    assert field in violation.message
    assert "dteday" in violation.message
    assert "expected" in violation.message
    assert str(value) not in violation.message or field in ("season", "yr")  # those two list all seasons and 2011


@pytest.mark.parametrize(
    ("day", "fields"),
    [
        ("2012-05-16", {"workingday": 0}),  # a Wednesday
        ("2012-05-19", {"workingday": 1}),  # a Saturday
        ("2012-05-16", {"workingday": 1, "holiday": 1}),
        ("2012-07-04", {"workingday": 1}),  # a holiday by the calendar
        ("2012-07-04", {"workingday": 0, "holiday": 0}),
    ],
)
def test_a_working_day_that_contradicts_weekday_or_holiday_is_a_violation(day, fields):
    (violation,) = BikeModel.find_violations(BARE | {"dteday": day} | fields)
    assert violation.pointer == "/workingday"
    assert all(name in violation.message for name in ("workingday", "weekday", "holiday", "expected"))


@pytest.mark.parametrize("day", ["2012-05-16", "2012-07-04"])
def test_a_given_holiday_is_believed_and_decides_the_working_day(model, day):
    for holiday in (0, 1):
        payload = BARE | {"dteday": day, "holiday": holiday, "workingday": 1 - holiday}
        assert pointers(payload) == []
        assert model.predict(payload) == model.predict(BARE | {"dteday": day, "holiday": holiday})
    assert model.predict(BARE | {"dteday": day, "holiday": 0}) != model.predict(BARE | {"dteday": day, "holiday": 1})


def test_every_broken_rule_is_reported_at_once():
    wrong = {"instant": 1, "season": 1, "yr": 0, "mnth": 1, "weekday": 6, "workingday": 0}
    assert pointers(BARE | wrong) == [f"/{name}" for name in wrong]


def test_integers_written_as_floats_mean_the_same(model):
    whole = classic_payloads()[0]
    floats = {name: float(value) if isinstance(value, int) else value for name, value in whole.items()}
    assert accepts(floats)
    assert pointers(floats) == []
    assert model.predict(floats) == model.predict(whole)


@pytest.mark.parametrize(
    ("field", "value", "rule", "message"),
    [
        ("mnth", 13, "oneOf", "expected 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 or null"),
        ("mnth", "1", "type", "expected an integer or null, got a string"),
        ("weathersit", 0, "oneOf", "expected 1, 2, 3 or 4"),
        ("weathersit", None, "type", "expected an integer, got null"),
        ("holiday", True, "type", "expected an integer or null, got a boolean"),
        ("instant", 0, "minimum", "expected a number of at least 1"),
    ],
)
def test_one_mistake_is_one_violation(field, value, rule, message):
    (violation,) = SchemaValidator(BikeModel.input_schema).find_violations(BARE | {field: value})
    assert (violation.pointer, violation.rule, violation.message) == (f"/{field}", rule, message)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("weekday", lambda day: f"{day:%A}"),
        ("mnth", lambda day: f"{day:%B}"),
        ("yr", lambda day: f"{day:%Y}"),
    ],
)
def test_the_words_of_what_follows_from_a_date_are_those_of_the_calendar(field, words):
    titles = {choice["const"]: choice["title"] for choice in BikeModel.input_schema["properties"][field]["oneOf"]}
    values = {"weekday": weekday_of, "mnth": lambda day: day.month, "yr": lambda day: day.year - 2011}
    for number in range(1096):
        day = date(2011, 1, 1) + timedelta(days=number)
        assert titles[values[field](day)] == words(day)


def test_the_seasons_have_the_words_of_their_first_days():
    titles = {choice["const"]: choice["title"] for choice in BikeModel.input_schema["properties"]["season"]["oneOf"]}
    for day in ("2011-12-21", "2012-03-21", "2012-06-21", "2012-09-23"):
        first = date.fromisoformat(day)
        assert f"(from {first.day} {first:%B})" in titles[season_of(first)]


def test_the_holidays_are_those_the_district_observed():
    assert sorted(find_holidays(2011)) == [
        date.fromisoformat(f"2011-{day}")
        for day in ("01-17", "02-21", "04-15", "05-30", "07-04", "09-05", "10-10", "11-11", "11-24", "12-26")
    ]
    assert sorted(find_holidays(2012)) == [
        date.fromisoformat(f"2012-{day}")
        for day in ("01-02", "01-16", "02-20", "04-16", "05-28", "07-04", "09-03", "10-08", "11-12", "11-22", "12-25")
    ]
    # A New Year's Day on a Saturday is observed on the last day of the year before.
    assert is_holiday(date(2011, 1, 1)) == 0
    assert is_holiday(date(2010, 12, 31)) == 1


@pytest.mark.parametrize(("day", "season"), [("03-20", 1), ("03-21", 2), ("06-20", 2), ("06-21", 3), ("09-22", 3)])
def test_seasons_change_on_the_dates_of_the_data(day, season):
    assert season_of(date.fromisoformat(f"2012-{day}")) == season
    assert season_of(date(2011, 9, 23)) == 4
    assert season_of(date(2011, 12, 20)) == 4
    assert season_of(date(2011, 12, 21)) == 1


def test_heavy_rain_is_answered_as_light_rain(model):
    assert model.predict(BARE | {"weathersit": 4}) == model.predict(BARE | {"weathersit": 3})


def test_a_feeling_temperature_far_from_the_others_is_read_as_absent(model):
    fault = {"dteday": "2012-08-17", "weathersit": 1, "temp": 0.723333, "hum": 0.570833, "windspeed": 0.231354}
    assert model.predict(fault | {"atemp": 0.2424}) == model.predict(fault)


def test_a_humidity_of_zero_is_read_as_the_mean_of_such_weather(model):
    means = model._parameters.humidity
    for weather, mean in ((1, means[0]), (2, means[1]), (3, means[2]), (4, means[2])):
        payload = BARE | {"weathersit": weather}
        assert model.predict(payload | {"hum": 0}) == model.predict(payload | {"hum": mean})


def test_after_2012_the_trend_is_held(model):
    first, second = (
        build_features([BARE | {"dteday": day}], model._parameters)[0] for day in ("2012-12-31", "2013-12-31")
    )
    assert first[COLUMNS.index("trend")] == second[COLUMNS.index("trend")]


def test_the_artifacts_are_those_of_the_manifest():
    verify_artifacts(BikeModel)


def test_the_shipped_metrics_reach_the_quality_the_model_was_accepted_for():
    hold_out = read_metrics(BikeModel)["evaluations"][0]
    assert hold_out["r2"] >= 0.87
    assert hold_out["mae"] < 450
