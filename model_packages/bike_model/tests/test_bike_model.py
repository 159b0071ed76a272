import re
from datetime import date, timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from bike_model import BikeModel
from bike_model.background import draw_days
from bike_model.days import DATE_PATTERN, find_holidays, is_holiday, read_date, season_of, weekday_of
from bike_model.features import COLUMNS, NATURAL, build_features
from model_service.conformance.pytest_plugin import conformance
from model_service.explain import explain_directly
from model_service.schema.validation import SchemaValidator

WEATHER = {"weathersit": 1, "temp": 0.6, "hum": 0.55, "windspeed": 0.2}
BARE = {"dteday": "2012-05-16", **WEATHER}

#: The order of the data's file, which is not that of the form.
CLASSIC_FIELDS = (
    *("instant", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed"),
)
#: The first three days of the data, with the rentals that were counted.
DAYS = [
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
    return [dict(zip(CLASSIC_FIELDS, values, strict=True)) for values, _ in DAYS]


def in_natural_units(payload):
    others = {name: value for name, value in payload.items() if name not in NATURAL}
    return others | {natural: whole * payload[name] for name, (natural, whole) in NATURAL.items()}


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
            payload["atemp"] = float(rng.random())
        if rng.random() < 0.5:
            payload["holiday"] = int(rng.integers(0, 2))
        if rng.random() < 0.5:
            payload["weekday"] = int(rng.integers(0, 7))
        payloads.append(in_natural_units(payload) if rng.random() < 0.5 else payload)
    return payloads


#: More than one chunk.
PAYLOADS = [BARE, *classic_payloads(), *generate_payloads(BikeModel.chunk_rows, seed=1)]
test_conformance = conformance(BikeModel, payloads=PAYLOADS, calls=200)


def test_the_estimate_lies_between_the_ends_of_its_interval(model):
    for output in model.predict_batch(PAYLOADS):
        assert output["interval"]["lower"] <= output["cnt"] <= output["interval"]["upper"]


def test_the_intervals_of_the_first_three_days_hold_the_true_counts(model):
    for payload, (_, count) in zip(classic_payloads(), DAYS, strict=True):
        output = model.predict(payload)
        assert output["interval"]["lower"] <= count <= output["interval"]["upper"]
        assert (output["interval"]["coverage"], output["extrapolated"], output["notes"]) == (0.9, False, [])


def test_the_classic_request_is_answered_though_its_weekday_contradicts_its_date(model):
    right = classic_payloads()[1]
    assert (right["dteday"], right["weekday"]) == ("2011-01-02", 0)
    classic = right | {"weekday": 3}
    assert accepts(classic)
    assert BikeModel.find_violations(classic) == []
    (note,) = model.predict(classic)["notes"]
    assert re.search(r"weekday contradicts dteday.* 0", note)
    assert model.predict(classic) == model.predict(right) | {"notes": [note]}


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [("instant", 17379, 502), ("season", 3, 2), ("yr", 0, 1), ("mnth", 6, 5), ("weekday", 4, 3), ("workingday", 0, 1)],
)
def test_a_field_that_follows_from_the_date_never_decides_and_is_noted_where_it_differs(model, field, wrong, right):
    assert accepts(BARE | {field: wrong})
    assert model.predict(BARE | {field: float(right)}) == model.predict(BARE)
    output = model.predict(BARE | {field: wrong})
    (note,) = output["notes"]
    assert note.startswith(f"{field} contradicts dteday")
    assert str(right) in note
    assert output | {"notes": []} == model.predict(BARE)


def test_a_given_holiday_is_believed_decides_the_working_day_and_is_noted_where_the_calendar_differs(model):
    for day, usual in (("2012-05-16", 0), ("2012-07-04", 1)):
        payload = BARE | {"dteday": day}
        assert model.predict(payload | {"holiday": usual, "workingday": 1 - usual}) == model.predict(payload)
        unusual = model.predict(payload | {"holiday": 1 - usual, "workingday": usual})
        assert unusual["cnt"] != model.predict(payload)["cnt"]
        assert [note.partition(" ")[0] for note in unusual["notes"]] == ["holiday"]


def test_natural_units_are_answered_as_the_normalised_ones(model):
    for payload in classic_payloads():
        natural = in_natural_units(payload)
        assert accepts(natural)
        assert model.predict(natural) == model.predict(payload)
    mixed = {"dteday": "2012-05-16", "weathersit": 1, "temp_c": 24.6, "temp": None, "hum": 0.55, "windspeed_kmh": 13.4}
    assert accepts(mixed)
    assert model.predict(mixed) == model.predict(BARE)


@pytest.mark.parametrize("name", NATURAL)
def test_one_field_of_each_pair_is_given_neither_none_nor_both(name):
    natural, whole = NATURAL[name]
    without = {field: value for field, value in BARE.items() if field != name}
    nothing, sentence = {name: None, natural: None}, f"give {natural}, or {name} instead"
    both = BARE | {natural: whole / 2}
    for payload, said in ((without, sentence), (without | nothing, sentence), (both, "not both")):
        (violation,) = SchemaValidator(BikeModel.input_schema).find_violations(payload)
        assert violation.pointer == f"/{natural}"
        assert said in violation.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(({"dteday": day}, "dteday") for day in ("2013-01-01", "2013-12-31")),
        *(({"weathersit": 4}, "heavy rain"), ({"temp": 0.95}, "temp is outside")),
        *(({"temp": None, "temp_c": -5}, "temp is outside"), ({"hum": 0.05}, "hum is outside")),
        ({"windspeed": 0.9}, "windspeed is outside"),
    ],
)
def test_outside_the_data_no_coverage_is_claimed_and_the_answer_says_why(model, change, words):
    assert accepts(BARE | change)
    output = model.predict(BARE | change)
    assert output["extrapolated"] is True
    assert output["interval"]["coverage"] is None
    assert any(words in note for note in output["notes"])


def test_the_interval_is_wider_the_farther_a_day_is_from_the_data(model):
    widths = []
    for payload in (BARE, BARE | {"temp": 0.06, "hum": 1.0}, BARE | {"dteday": "2013-12-31", "temp": 1.0, "hum": 0.1}):
        interval = model.predict(payload)["interval"]
        widths.append(interval["upper"] - interval["lower"])
    assert widths == sorted(set(widths))


def test_doubted_values_are_replaced_and_noted(model):
    means = BikeModel()._parameters.humidity
    for weather, mean in ((1, means[0]), (2, means[1]), (3, means[2]), (4, means[2])):
        dry = model.predict(BARE | {"weathersit": weather, "hum": 0})
        assert dry["cnt"] == model.predict(BARE | {"weathersit": weather, "hum": mean})["cnt"]
        assert any("humidity of 0" in note for note in dry["notes"])
    fault = {"dteday": "2012-08-17", "weathersit": 1, "temp": 0.723333, "hum": 0.570833, "windspeed": 0.231354}
    (note,) = model.predict(fault | {"atemp": 0.2424})["notes"]
    assert "atemp" in note
    assert model.predict(fault | {"atemp": 0.2424}) == model.predict(fault) | {"notes": [note]}


def test_heavy_rain_is_answered_as_light_and_after_2012_the_trend_is_held(model):
    assert model.predict(BARE | {"weathersit": 4})["cnt"] == model.predict(BARE | {"weathersit": 3})["cnt"]
    ends = build_features([BARE | {"dteday": day} for day in ("2012-12-31", "2013-12-31")], model._parameters)
    assert len(set(ends[:, COLUMNS.index("trend")])) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("temp", -0.01),
            ("hum", 1.01),
            ("windspeed", "0.2"),
            ("atemp", 1.5),
            ("weathersit", 0),
            ("weathersit", None),
        ),
        *(("dteday", None), ("season", 5), ("weekday", 7), ("holiday", True), ("instant", 0)),
        *(("casual", 331), ("registered", 654), ("cnt", 985)),
    ],
)
def test_values_out_of_bounds_and_parts_of_the_target_are_refused(field, value):
    assert not accepts(BARE | {field: value})


@pytest.mark.parametrize("time", ["T00:00:00", "T23:30:00-05:00", " 12:00", "T00:00:00.000000+0930"])
def test_the_date_as_written_counts_in_every_iso_form(model, time):
    payload = BARE | {"dteday": f"2011-01-01{time}", "instant": 1}
    assert accepts(payload)
    assert BikeModel.find_violations(payload) == []
    assert model.predict(payload) == model.predict(BARE | {"dteday": "2011-01-01"})


@pytest.mark.parametrize(
    "text",
    [
        *("2010-12-31", "2014-01-01", "2011-13-01", "2011-1-1", "01/01/2011", "2011-01-01T", "2011-01-01T25:00:00"),
        *("20110101", "", "x2011-01-01", "2011-01-01Z", "\u0662\u0660\u0661\u0661-01-01"),
    ],
)
def test_other_dates_and_forms_are_refused_by_the_pattern(text):
    assert not accepts(BARE | {"dteday": text})


@pytest.mark.parametrize("text", ["2011-02-30", "2011-02-29", "2013-06-31T00:00:00Z", "2011-01-01\n"])
def test_dates_that_only_look_like_one_are_violations(text):
    (violation,) = BikeModel.find_violations(BARE | {"dteday": text, "season": 4, "instant": 9})
    assert (violation.pointer, violation.rule) == ("/dteday", "format")
    assert "dteday" in violation.message
    assert read_date("2012-02-29") == date(2012, 2, 29)


def test_the_date_pattern_uses_nothing_that_a_browser_would_refuse():
    assert not re.search(r"\\d|\(\?|\[[^\]]*-\]|\[[^\]]*\+-", DATE_PATTERN)


def test_the_words_of_what_follows_from_a_date_are_those_of_the_calendar():
    titles = {
        field: {choice["const"]: choice["title"] for choice in BikeModel.input_schema["properties"][field]["oneOf"]}
        for field in ("weekday", "mnth", "yr", "season")
    }
    for number in range(1096):
        day = date(2011, 1, 1) + timedelta(days=number)
        words = [titles["weekday"][weekday_of(day)], titles["mnth"][day.month], titles["yr"][day.year - 2011]]
        assert words == [f"{day:%A}", f"{day:%B}", f"{day:%Y}"]
    for text in ("2011-12-21", "2012-03-21", "2012-06-21", "2012-09-23"):
        first = date.fromisoformat(text)
        assert f"(from {first.day} {first:%B})" in titles["season"][season_of(first)]
        assert season_of(first) == season_of(first - timedelta(days=1)) % 4 + 1


def test_the_holidays_are_those_the_district_observed():
    days = {
        2011: ("01-17", "02-21", "04-15", "05-30", "07-04", "09-05", "10-10", "11-11", "11-24", "12-26"),
        2012: ("01-02", "01-16", "02-20", "04-16", "05-28", "07-04", "09-03", "10-08", "11-12", "11-22", "12-25"),
    }
    for year, expected in days.items():
        assert sorted(find_holidays(year)) == [date.fromisoformat(f"{year}-{day}") for day in expected]
    # A New Year's Day on a Saturday is observed on the last day of the year before.
    assert is_holiday(date(2011, 1, 1)) == 0
    assert is_holiday(date(2010, 12, 31)) == 1


def test_the_days_that_an_explanation_compares_with_are_payloads(model):
    for day in draw_days(model.artifact_path("reference.json")):
        assert accepts({name: value for name, value in day.items() if name not in NATURAL})
        assert accepts({name: day[name] for name in in_natural_units(day)})


def test_an_explanation_names_what_matters_and_adds_up(model):
    # A cold January day with every field: those that follow from the date play no part.
    found = explain_directly(model, classic_payloads()[2])
    values = {each["name"]: each["contribution"] for each in found["contributions"]}
    assert found["base"] + sum(values.values()) == pytest.approx(found["explained"]["value"])
    assert values["dteday"] < -1000
    assert values["temp"] < -200
    assert values["instant"] == values["season"] == values["mnth"] == values["weekday"] == 0
    assert found == explain_directly(model, classic_payloads()[2])


def test_warmth_is_said_to_bring_rentals_and_rain_to_cost_them(model):
    def explain(**weather):
        found = explain_directly(model, {"dteday": "2012-05-16", "hum": 0.5, "windspeed": 0.2, **weather})
        return {each["name"]: each["contribution"] for each in found["contributions"]}

    assert explain(weathersit=1, temp=0.7)["temp"] > 300 > 0 > explain(weathersit=1, temp=0.1)["temp"]
    assert explain(weathersit=3, temp=0.5)["weathersit"] < -500
