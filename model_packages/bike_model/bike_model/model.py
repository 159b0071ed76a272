"""The model that is served: the ONNX graph and the parameters that ``bike_model.train`` writes."""

import json
import math
from calendar import month_name
from functools import cached_property
from typing import Any

from bike_model.background import draw_days
from bike_model.days import DATE_PATTERN, FIRST_DAY, LAST_DAY, read_date
from bike_model.features import NATURAL, Parameters, build_features, is_overcast, normalise
from bike_model.notes import find_contradictions, find_extrapolations, find_mended, require_day
from model_service.arrays import Arrays
from model_service.explain import explain_fields
from model_service.fields import answer, choice, either, flag, integer, number, optional, record, text
from model_service.model import Ask
from model_service.onnx import OnnxModel
from model_service.records import Explanation, Output, Payload, Schema, Violation

#: Share of days whose count lies inside the interval, by calibration.
COVERAGE = 0.9

_WEATHER = ("Clear or few clouds", "Mist", "Light snow or rain", "Heavy rain or snow")
_SEASONS = (
    "Winter (from 21 December)",
    "Spring (from 21 March)",
    "Summer (from 21 June)",
    "Autumn (from 23 September)",
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FOLLOWS = "It follows from the date; a value that contradicts it is not used, and the answer says so."
_SCALE = "Mean of the day, on the data set's scale: 41 x temp."
_DRY = "Relative humidity; 0 is a sensor fault, read as the mean of such weather."
_FEELING = "Degrees Celsius / 50. Left empty, or more than 0.15 off, it follows from the other weather."
_HOLIDAY = "What is given counts. Left empty, the calendar of the District of Columbia decides."
_NOTES = "Fields that contradict each other, values that were not used, and what is outside the data."
_DATE = "As 2011-01-01; of a date and time, the date counts. After 2012 the level stays that of the end of 2012."
_EXPECTED_DATE = f"must be a date from {FIRST_DAY} to {LAST_DAY}, such as 2011-01-01 or 2011-01-01T00:00:00Z"


def _derived(title: str, *words: str, first: int = 0, description: str = _FOLLOWS) -> Schema:
    """Return a field that may be left out, with the word of each number from ``first`` on."""
    return optional(choice(title, dict(enumerate(words, start=first)), description), title="From the date")


def _measured(title: str, unit: str, description: str, *, least: float = 0, most: float = 1) -> Schema:
    return optional(number(title, description, unit=unit, least=least, most=most))


class BikeModel(OnnxModel):
    """The mean of a Gaussian process and boosted trees; the process says how wide the interval is."""

    qualified_name = "bike_model"
    display_name = "Bike rentals of a day"
    description = (
        "Estimates how many bikes are rented in a day from Capital Bikeshare in Washington D.C. (its size of 2011 and "
        "2012) from the date and the day's weather, with an interval that holds the true number on nine days of ten "
        "of those two years."
    )
    version = "2.0.0"
    input_schema = record(
        "A day",
        {
            "dteday": text("Date", _DATE, pattern=DATE_PATTERN, messages={"pattern": _EXPECTED_DATE})
            | {"examples": ["2012-06-01"]},
            "weathersit": choice(
                "Weather", dict(enumerate(_WEATHER, start=1)), "Heavy rain or snow is answered as light: no day had it."
            ),
            "temp_c": _measured("Temperature", "°C", f"{_SCALE} Needed, unless temp is given.", least=-25, most=50),
            "humidity_percent": _measured("Humidity", "%", f"{_DRY} Needed, unless hum is given.", most=100),
            "windspeed_kmh": _measured("Wind speed", "km/h", "Needed, unless windspeed is given.", most=150),
            "holiday": _derived("Holiday", "No", "Yes", description=_HOLIDAY),
            "temp": _measured("Temperature, normalised", "of 41 °C", "Degrees Celsius / 41. Instead of temp_c."),
            "hum": _measured("Humidity, normalised", "of 100 %", "Per cent / 100. Instead of humidity_percent."),
            "windspeed": _measured("Wind speed, normalised", "of 67 km/h", "Km/h / 67. Instead of windspeed_kmh."),
            "atemp": _measured("Feeling temperature, normalised", "of 50 °C", _FEELING),
            "workingday": _derived("Working day", "No", "Yes"),
            "season": _derived("Season", *_SEASONS, first=1),
            "yr": _derived("Year", "2011", "2012", "2013"),
            "mnth": _derived("Month", *month_name[1:], first=1),
            "weekday": _derived("Weekday", *_WEEKDAYS),
            "instant": optional(integer("Day number", f"1 on 1 January 2011. {_FOLLOWS}", least=1)),
        },
        description="A date and its weather, in natural units or in those of the data set: of temp_c and temp, of "
        "humidity_percent and hum, and of windspeed_kmh and windspeed one each is given. All else may be left out.",
        examples=[
            {"dteday": "2012-07-04", "weathersit": 1, "temp_c": 32, "humidity_percent": 57, "windspeed_kmh": 10},
            {
                **{"instant": 1, "dteday": "2011-01-01", "season": 1, "yr": 0, "mnth": 1, "holiday": 0, "weekday": 6},
                **{"workingday": 0, "weathersit": 2, "temp": 0.344167, "atemp": 0.363625, "hum": 0.805833},
                "windspeed": 0.160446,
            },
            {"dteday": "2013-05-19T00:00:00Z", "weathersit": 2, "temp": 0.56, "hum": 0.73, "windspeed": 0.17},
        ],
    ) | {"allOf": [either(natural, normalised) for normalised, (natural, _) in NATURAL.items()]}
    output_schema = answer(
        "Bike rentals of a day",
        {
            "cnt": integer("Rentals", "Bikes rented that day, estimated.", unit="bikes", least=0),
            "interval": answer(
                "Prediction interval",
                {
                    "lower": integer("Lower end", "Never more than the estimate.", unit="bikes", least=0),
                    "upper": integer("Upper end", "Never fewer than the estimate.", unit="bikes", least=0),
                    "coverage": optional(number("Coverage", "Share of days between the two ends.", least=0, most=1)),
                },
                description="Outside the data its coverage is not known, so it is null.",
            ),
            "extrapolated": flag("Outside the data", "Whether the date or the weather lies outside those of the data."),
            "notes": {"type": "array", "items": {"type": "string"}, "title": "Notes", "description": _NOTES},
        },
        description="Counts of rentals, by casual and registered riders together.",
    )
    inputs = ("features",)
    outputs = ("cnt", "deviation")
    #: The process compares each row with every day of training: more rows at once take more memory and no less time.
    chunk_rows = 256

    def __init__(self) -> None:
        super().__init__()
        document = json.loads(self.artifact_path("parameters.json").read_text(encoding="utf-8"))
        self._parameters = Parameters.from_json(document)

    @cached_property
    def _usual_days(self) -> list[Payload]:
        # Not at the start: the training asks the model before there is a reference.
        return draw_days(self.artifact_path("reference.json"))

    def encode(self, payloads: list[Payload]) -> Arrays:
        return {"features": build_features([normalise(payload) for payload in payloads], self._parameters)}

    def decode(self, payloads: list[Payload], outputs: Arrays) -> list[Output]:
        counts, deviations = (outputs[name][:, 0].tolist() for name in self.outputs)
        return [self._describe(normalise(p), *values) for p, *values in zip(payloads, counts, deviations, strict=True)]

    def _describe(self, payload: dict[str, Any], count: float, deviation: float) -> Output:
        parameters, day, group = self._parameters, require_day(payload), is_overcast(payload)
        cnt = max(round(count), 0)
        outside = find_extrapolations(payload, day, parameters)
        return {
            "cnt": cnt,
            "interval": {
                "lower": max(min(math.floor(count - parameters.below[group] * deviation), cnt), 0),
                "upper": max(math.ceil(count + parameters.above[group] * deviation), cnt),
                "coverage": None if outside else COVERAGE,
            },
            "extrapolated": bool(outside),
            "notes": [*find_contradictions(payload, day), *find_mended(payload, day, parameters), *outside],
        }

    def explain(self, payload: Payload, output: Output, ask: Ask) -> Explanation:
        return explain_fields(payload, output, ask, explained="/cnt", background=self._usual_days)

    @classmethod
    def find_violations(cls, payload: Payload) -> list[Violation]:
        """Find a date that does not exist."""
        if read_date(payload["dteday"]):
            return []
        return [Violation("/dteday", "format", "dteday must be a day that the calendar has, with nothing after it")]
