"""From a file of days to a fitted model with its interval. Used by training only."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bike_model.days import instant_of, read_date
from bike_model.ensemble import Ensemble, fit_ensemble
from bike_model.features import (
    ATEMP_TOLERANCE,
    NATURAL,
    WORST_WEATHER,
    Floats,
    Parameters,
    atemp_terms,
    build_features,
    is_overcast,
    mend_humidity,
)
from bike_model.model import COVERAGE
from bike_model.notes import find_contradictions

#: The hurricane Sandy shut the service on these days: they are measured like any other, but teach nothing.
OUTAGES = frozenset({"2012-10-29", "2012-10-30"})
#: The fields of a file that are read; ``casual`` and ``registered`` add up to the target and are not among them.
INTEGERS = ("instant", "season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit")
FIELDS = ("dteday", *INTEGERS, "temp", "atemp", "hum", "windspeed")


@dataclass(frozen=True, slots=True)
class Days:
    """Payloads of days and the bikes rented on them, shape (days,)."""

    payloads: list[dict[str, Any]]
    counts: Floats

    def __len__(self) -> int:
        return len(self.payloads)

    def select(self, index: Any) -> "Days":
        """Return the days at some positions."""
        return Days([self.payloads[i] for i in index], self.counts[index])

    @property
    def instants(self) -> Any:
        """Number of each day, 1 for 2011-01-01."""
        return np.array([instant_of(day) for p in self.payloads if (day := read_date(p["dteday"]))])

    @property
    def overcast(self) -> Any:
        """Group of each day: 0 for a clear one, 1 for any other."""
        return np.array([is_overcast(payload) for payload in self.payloads])


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted ensemble with the parameters its features need."""

    ensemble: Ensemble
    parameters: Parameters

    def predict(self, payloads: list[dict[str, Any]]) -> tuple[Floats, Floats]:
        """Return counts, never below 0, and deviations, each of shape (payloads,)."""
        counts, deviations = self.ensemble.predict(build_features(payloads, self.parameters))
        return np.maximum(counts, 0.0), deviations


def read_days(path: Path) -> Days:
    """Return the days of a CSV file; an empty cell is an absent field.

    Raises:
        SystemExit: A row has no date of the years, or contradicts itself; the message names file, line and rule.
    """
    payloads, counts = [], []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            payload = {name: _read_cell(name, row[name]) for name in FIELDS}
            day = read_date(row["dteday"])
            faults = find_contradictions(payload, day) if day else ["dteday is no date of the years 2011 to 2013"]
            if faults:
                raise SystemExit(f"{path.name}, line {line}: {faults[0]}")
            payloads.append(payload)
            counts.append(float(row["cnt"]))
    return Days(payloads, np.array(counts))


def _read_cell(name: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if name == "dteday":
        return text
    return int(text) if name in INTEGERS else float(text)


def learn_parameters(days: Days) -> Parameters:
    """Learn what the features need; the interval is not learnt here and is empty."""
    humidities = {
        weather: [p["hum"] for p in days.payloads if p["hum"] and min(p["weathersit"], WORST_WEATHER) == weather]
        for weather in range(1, WORST_WEATHER + 1)
    }
    overall = float(np.mean([value for values in humidities.values() for value in values]))
    humidity = tuple(round(float(np.mean(values)) if values else overall, 6) for values in humidities.values())
    ranges = {}
    for name in NATURAL:
        # A humidity of 0 is a fault of the sensor, not a dry day.
        values = [p[name] for p in days.payloads if p[name] or name != "hum"]
        ranges[name] = (min(values), max(values))
    return Parameters(
        trend_end=int(days.instants.max()),
        atemp=_fit_atemp(days, humidity),
        humidity=humidity,
        ranges=ranges,
        below=(0.0, 0.0),
        above=(0.0, 0.0),
    )


def _fit_atemp(days: Days, humidity: tuple[float, ...]) -> tuple[float, ...]:
    known = [payload for payload in days.payloads if payload["atemp"] is not None]
    terms = np.array([atemp_terms(p["temp"], mend_humidity(p, humidity), p["windspeed"]) for p in known])
    values = np.array([payload["atemp"] for payload in known])
    # Twice: the first fit finds the faulty days, the second goes without them.
    factors = np.linalg.lstsq(terms, values, rcond=None)[0]
    sound = np.abs(values - terms @ factors) <= ATEMP_TOLERANCE
    factors = np.linalg.lstsq(terms[sound], values[sound], rcond=None)[0]
    return tuple(round(float(factor), 8) for factor in factors)


def train(days: Days, *, seed: int, kernel: Any = None) -> Trained:
    """Fit parameters and ensemble on days, leaving the outages out; ``kernel`` as in `fit_ensemble`."""
    days = leave_outages_out(days)
    parameters = learn_parameters(days)
    features = build_features(days.payloads, parameters)
    return Trained(fit_ensemble(features, days.counts, seed=seed, kernel=kernel), parameters)


def leave_outages_out(days: Days) -> Days:
    """Return the days on which the service ran."""
    return days.select([i for i, payload in enumerate(days.payloads) if payload["dteday"][:10] not in OUTAGES])


@dataclass(frozen=True, slots=True)
class Limits:
    """An interval around a prediction, in deviations of the process, for clear days and for all others."""

    below: tuple[float, float]
    above: tuple[float, float]

    def find_ends(self, predictions: Floats, deviations: Floats, overcast: Any) -> tuple[Floats, Floats]:
        """Return the lower end, not below 0, and the upper end of each day."""
        lower = predictions - np.array(self.below)[overcast] * deviations
        return np.maximum(lower, 0.0), predictions + np.array(self.above)[overcast] * deviations


def calibrate(counts: Floats, predictions: Floats, deviations: Floats, overcast: Any) -> Limits:
    """Return limits from the errors of days that were not seen, each tail apart and each group of weather apart.

    A conformal quantile: of n errors, the one of rank ``(n + 1) * (1 - tail)``, rounded up.
    """
    below, above = [], []
    for group in (0, 1):
        # A small table may lack a group; all errors are then the nearest thing to it.
        chosen = overcast == group if np.any(overcast == group) else np.ones(len(counts), dtype=bool)
        errors = np.sort((counts[chosen] - predictions[chosen]) / deviations[chosen])
        rank = min(math.ceil((len(errors) + 1) * (1 - (1 - COVERAGE) / 2)), len(errors)) - 1
        below.append(round(max(float(np.sort(-errors)[rank]), 0.0), 4))
        above.append(round(max(float(errors[rank]), 0.0), 4))
    return Limits((below[0], below[1]), (above[0], above[1]))
