"""From a payload to the columns of the graph, in training and in serving alike. Needs NumPy only.

Sensor faults are mended here, by the same two rules in both places: a humidity of exactly 0 is replaced by the
training days' mean for that weather, and a feeling temperature that is absent or far from what
temperature, humidity and wind give is replaced by what they give.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bike_model.days import find_thanksgiving, instant_of, is_holiday, is_working, read_date, weekday_of

Floats = NDArray[np.float64]

#: Columns of the graph's input, in order; each is scaled to the order of one, the kernel's starting length.
COLUMNS = (
    "trend",  # days since the data began / 100, held at the last day of training
    "recent",  # the same without holding: the process forgets what is only local
    "season_sin",
    "season_cos",
    "saturday",
    "sunday",
    "monday",
    "friday",
    "workingday",
    "holiday",
    "christmas",
    "thanksgiving",
    "weather",
    "temp",
    "hum",
    "windspeed",
    "atemp",
)

#: The worst of 657 sound training days is 0.073 from the regression, the faulty one 0.438.
ATEMP_TOLERANCE = 0.15

#: Normalised field -> the same in natural units, and the natural value that is 1.
NATURAL = {"temp": ("temp_c", 41), "hum": ("humidity_percent", 100), "windspeed": ("windspeed_kmh", 67)}

#: Heavy rain or snow (4) is not in the daily data: the model answers as for the worst it has seen.
WORST_WEATHER = 3


@dataclass(frozen=True, slots=True)
class Parameters:
    """What training learnt besides the graph.

    Attributes:
        trend_end: ``instant`` of the last day of training, after which the trend is held.
        atemp: Coefficients of the terms of `atemp_terms`.
        humidity: Mean humidity by weather 1 to 3, for days whose sensor gave 0.
        ranges: Smallest and largest value of each field of `NATURAL`, normalised.
        below: Deviations of the process from the prediction down to the interval's lower end, for clear days and for
            all others.
        above: The same up to the upper end.
    """

    trend_end: int
    atemp: tuple[float, ...]
    humidity: tuple[float, ...]
    ranges: dict[str, tuple[float, float]]
    below: tuple[float, float]
    above: tuple[float, float]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Parameters":
        """Return the parameters that `to_json` wrote."""
        return cls(
            trend_end=document["trend_end"],
            atemp=tuple(document["atemp"]),
            humidity=tuple(document["humidity"]),
            ranges={name: (low, high) for name, (low, high) in document["ranges"].items()},
            below=tuple(document["below"]),
            above=tuple(document["above"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as a JSON object."""
        return asdict(self)


def is_overcast(payload: dict[str, Any]) -> int:
    """Return 0 for a clear day, 1 for any other: the two groups the interval is calibrated for."""
    return int(payload["weathersit"] > 1)


def normalise(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload with temperature, humidity and wind speed normalised, in whichever unit they were given."""
    weather = {
        name: payload[natural] / whole for name, (natural, whole) in NATURAL.items() if payload.get(natural) is not None
    }
    return payload | weather


def atemp_terms(temp: float, hum: float, windspeed: float) -> list[float]:
    """Return the terms of the regression of the feeling temperature."""
    return [1.0, temp, hum, windspeed, temp * temp, hum * hum, temp * hum, temp * windspeed]


def derive_atemp(payload: dict[str, Any], parameters: Parameters) -> float:
    """Return the normalised feeling temperature that temperature, humidity and wind give, within 0 to 1."""
    terms = atemp_terms(payload["temp"], mend_humidity(payload, parameters.humidity), payload["windspeed"])
    value = sum(term * factor for term, factor in zip(terms, parameters.atemp, strict=True))
    return min(max(value, 0.0), 1.0)


def mend_humidity(payload: dict[str, Any], means: tuple[float, ...]) -> float:
    """Return the payload's humidity, or the mean for its weather where the sensor gave 0."""
    humidity: float = payload["hum"]
    return humidity or means[min(int(payload["weathersit"]), WORST_WEATHER) - 1]


def build_features(payloads: list[dict[str, Any]], parameters: Parameters) -> Floats:
    """Return shape (rows, columns) from normalised payloads.

    They are doubles that are exact in float32, so that trees compare them alike everywhere.
    """
    rows = [_build_row(payload, parameters) for payload in payloads]
    return np.array(rows, dtype=np.float32).reshape(-1, len(COLUMNS)).astype(np.float64)


def _build_row(payload: dict[str, Any], parameters: Parameters) -> list[float]:
    day = read_date(payload["dteday"])
    if day is None:
        raise ValueError("dteday must be a date from 2011-01-01 to 2013-12-31")
    given = payload.get("holiday")
    holiday = is_holiday(day) if given is None else int(given)
    weekday = weekday_of(day)
    instant = instant_of(day)
    angle = 2 * math.pi * day.timetuple().tm_yday / 365.25
    derived_atemp = derive_atemp(payload, parameters)
    atemp = payload.get("atemp")
    if atemp is None or abs(atemp - derived_atemp) > ATEMP_TOLERANCE:
        atemp = derived_atemp
    return [
        min(instant, parameters.trend_end) / 100,
        instant / 100,
        2 * math.sin(angle),
        2 * math.cos(angle),
        float(weekday == 6),
        float(weekday == 0),
        float(weekday == 1),
        float(weekday == 5),
        float(is_working(day, holiday=holiday)),
        float(holiday),
        float((day.month, day.day) >= (12, 23) or (day.month, day.day) == (1, 1)),
        float(0 <= (day - find_thanksgiving(day.year)).days <= 2),
        float(min(payload["weathersit"], WORST_WEATHER)),
        5 * payload["temp"],
        5 * mend_humidity(payload, parameters.humidity),
        10 * payload["windspeed"],
        5 * atemp,
    ]
