"""The model that is served: the ONNX graph and the parameters that ``bike_model.train`` writes."""

import json
import math
from datetime import date
from typing import Any

from bike_model.days import (
    DATE_PATTERN,
    FIRST_DAY,
    LAST_DAY,
    instant_of,
    is_holiday,
    is_working,
    read_date,
    season_of,
    weekday_of,
)
from bike_model.features import Parameters, build_features, is_overcast
from model_service import MLModel
from model_service.onnx import open_session
from model_service.records import Violation

#: Share of days whose count lies inside the interval, by calibration.
COVERAGE = 0.9
#: The process compares each row with every day of training: ten thousand rows at once would take 300 MB more.
CHUNK_ROWS = 512

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FOLLOWS = "Left empty, it follows from the date."
_EXPECTED_DATE = f"must be a date from {FIRST_DAY} to {LAST_DAY}, such as 2011-01-01 or 2011-01-01T00:00:00Z"


def _derived(title: str, *choices: str, first: int = 0, description: str = _FOLLOWS) -> dict[str, Any]:
    """Return a field that follows from the date, with the word of each number from ``first`` on."""
    return {
        "type": ["integer", "null"],
        "oneOf": [*_choices(*choices, first=first), {"const": None, "title": "From the date"}],
        "title": title,
        "description": description,
    }


def _choices(*titles: str, first: int) -> list[dict[str, Any]]:
    return [{"const": number, "title": title} for number, title in enumerate(titles, start=first)]


def _normalised(title: str, unit: str, description: str, *, is_required: bool = True) -> dict[str, Any]:
    return {
        "type": "number" if is_required else ["number", "null"],
        "title": title,
        "description": description,
        "unit": unit,
        "minimum": 0,
        "maximum": 1,
        "x-error-messages": {"maximum": f"expected a share of at most 1. {description}"},
    }


def _count(title: str, description: str) -> dict[str, Any]:
    return {"type": "integer", "title": title, "description": description, "unit": "bikes", "minimum": 0}


class BikeModel(MLModel):
    """The mean of a Gaussian process and boosted trees, with a prediction interval by cross-validation."""

    qualified_name = "bike_model"
    display_name = "Bike rentals of a day"
    description = (
        "Estimates how many bikes are rented in a day from Capital Bikeshare in Washington D.C. (its size of 2011 and "
        "2012) from the date and the day's weather, with an interval that holds the true number on nine days of ten."
    )
    version = "1.0.0"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A day",
        "description": "A date and its weather. Everything else follows from them and may be left out.",
        "type": "object",
        "properties": {
            "dteday": {
                "type": "string",
                "title": "Date",
                "description": "As 2011-01-01. Any day from 2011 to 2013; after 2012 the level stays that of "
                "the end of 2012. Of a date and time, the date as written counts.",
                "pattern": DATE_PATTERN,
                "examples": ["2012-06-01"],
                "x-error-messages": {"pattern": _EXPECTED_DATE},
            },
            "weathersit": {
                "type": "integer",
                "title": "Weather",
                "oneOf": _choices("Clear or few clouds", "Mist", "Light snow or rain", "Heavy rain or snow", first=1),
                "description": "Heavy rain or snow is answered as light, because no day of the data had it.",
            },
            "temp": _normalised(
                "Temperature",
                "of 41 °C",
                "Mean temperature in degrees Celsius, divided by 41: 21 degrees Celsius is 21 / 41 = 0.51.",
            ),
            "hum": _normalised(
                "Humidity",
                "of 100 %",
                "Relative humidity in per cent, divided by 100: 57 per cent is 57 / 100 = 0.57. Exactly 0 is a sensor "
                "fault and is read as the mean humidity of such weather.",
            ),
            "windspeed": _normalised(
                "Wind speed",
                "of 67",
                "Mean wind speed, divided by 67: a speed of 10 is 10 / 67 = 0.15. The data do not state its unit.",
            ),
            "atemp": _normalised(
                "Feeling temperature",
                "of 50 °C",
                "What it feels like in degrees Celsius, divided by 50: 25 degrees Celsius is 25 / 50 = 0.5. Left "
                "empty, or more than 0.15 off, it follows from temperature, humidity and wind speed.",
                is_required=False,
            ),
            "holiday": _derived(
                "Holiday",
                *("No", "Yes"),
                description="Whether it is a public holiday; what is given counts. Left empty, the calendar of the "
                "District of Columbia decides.",
            ),
            "workingday": _derived(
                "Working day",
                *("No", "Yes"),
                description="Monday to Friday without a holiday. Left empty, it follows from date and holiday.",
            ),
            "season": _derived(
                "Season",
                *("Winter (from 21 December)", "Spring (from 21 March)"),
                *("Summer (from 21 June)", "Autumn (from 23 September)"),
                first=1,
            ),
            "yr": _derived("Year", "2011", "2012", "2013"),
            "mnth": _derived("Month", *_MONTHS, first=1),
            "weekday": _derived("Weekday", *_WEEKDAYS),
            "instant": {
                "type": ["integer", "null"],
                "title": "Day number",
                "description": f"1 on 1 January 2011, 2 on the day after, and so on. {_FOLLOWS}",
                "minimum": 1,
                "maximum": instant_of(LAST_DAY),
            },
        },
        "required": ["dteday", "weathersit", "temp", "hum", "windspeed"],
        "additionalProperties": False,
        "examples": [
            {"dteday": "2012-07-04", "weathersit": 1, "temp": 0.79, "hum": 0.57, "windspeed": 0.15},
            {
                "instant": 1,
                "dteday": "2011-01-01",
                "season": 1,
                "yr": 0,
                "mnth": 1,
                "holiday": 0,
                "weekday": 6,
                "workingday": 0,
                "weathersit": 2,
                "temp": 0.344167,
                "atemp": 0.363625,
                "hum": 0.805833,
                "windspeed": 0.160446,
            },
            {"dteday": "2012-12-19T00:00:00Z", "weathersit": 2, "temp": 0.33, "hum": 0.73, "windspeed": 0.17},
        ],
    }
    output_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Bike rentals of a day",
        "description": "Counts of rentals, by casual and registered riders together.",
        "type": "object",
        "properties": {
            "cnt": _count("Rentals", "Bikes rented that day, estimated."),
            "interval": {
                "type": "object",
                "title": "Prediction interval",
                "description": "A range meant to hold the true number on nine days of ten.",
                "properties": {
                    "lower": _count("Lower end", "At least this many rentals; never more than the estimate."),
                    "upper": _count("Upper end", "At most this many rentals; never fewer than the estimate."),
                    "coverage": {
                        "type": "number",
                        "const": COVERAGE,
                        "title": "Coverage",
                        "description": "Share of days whose rentals are meant to lie between the two ends.",
                    },
                },
                "required": ["lower", "upper", "coverage"],
                "additionalProperties": False,
            },
        },
        "required": ["cnt", "interval"],
        "additionalProperties": False,
    }

    def __init__(self) -> None:
        self._session = open_session(self.artifact_path("model.onnx"))
        document = json.loads(self.artifact_path("parameters.json").read_text(encoding="utf-8"))
        self._parameters = Parameters.from_json(document)

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        features = build_features(payloads, self._parameters)
        counts: list[float] = []
        for start in range(0, len(features), CHUNK_ROWS):
            (chunk,) = self._session.run(["cnt"], {"features": features[start : start + CHUNK_ROWS]})
            counts.extend(chunk[:, 0].tolist())
        return [self._describe(count, is_overcast(payload)) for count, payload in zip(counts, payloads, strict=True)]

    def _describe(self, count: float, group: int) -> dict[str, Any]:
        cnt = max(round(count), 0)
        return {
            "cnt": cnt,
            "interval": {
                "lower": max(min(math.floor(count - self._parameters.below[group]), cnt), 0),
                "upper": max(math.ceil(count + self._parameters.above[group]), cnt),
                "coverage": COVERAGE,
            },
        }

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        """Find a date that does not exist, or else the fields that contradict it."""
        day = read_date(payload["dteday"])
        if day is None:
            return [Violation("/dteday", "format", "dteday must be a day that the calendar has, with nothing after it")]
        return [
            Violation(f"/{name}", "const", message)
            for name, expected, message in _find_expectations(payload, day)
            if payload.get(name) is not None and payload[name] != expected
        ]


def _find_expectations(payload: dict[str, Any], day: date) -> list[tuple[str, int, str]]:
    given = payload.get("holiday")
    holiday = is_holiday(day) if given is None else given
    whose = "the calendar of the District of Columbia for dteday" if given is None else "the given holiday"
    return [
        ("instant", instant_of(day), "instant contradicts dteday: expected the days from 2011-01-01 to dteday, plus 1"),
        (
            "season",
            season_of(day),
            "season contradicts dteday: expected the season of dteday "
            "(1 from 21 December, 2 from 21 March, 3 from 21 June, 4 from 23 September)",
        ),
        ("yr", day.year - FIRST_DAY.year, "yr contradicts dteday: expected the year of dteday minus 2011"),
        ("mnth", day.month, "mnth contradicts dteday: expected the month of dteday"),
        ("weekday", weekday_of(day), "weekday contradicts dteday: expected the weekday of dteday, 0 for Sunday"),
        (
            "workingday",
            is_working(day, holiday=holiday),
            "workingday contradicts weekday and holiday: expected 1 when the weekday of dteday is Monday to Friday "
            f"and holiday, by {whose}, is 0; otherwise 0",
        ),
    ]
