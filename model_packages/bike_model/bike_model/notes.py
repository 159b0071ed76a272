"""What an answer says of its input: fields that contradict the date, values that were mended, and what no day had."""

from datetime import date
from typing import Any

from bike_model.days import FIRST_DAY, instant_of, is_holiday, is_working, read_date, season_of, weekday_of
from bike_model.features import ATEMP_TOLERANCE, NATURAL, WORST_WEATHER, Parameters, derive_atemp


def find_contradictions(payload: dict[str, Any], day: date) -> list[str]:
    """Return a sentence for each given field that does not follow from the date; none of them is used."""
    given = payload.get("holiday")
    holiday = is_holiday(day) if given is None else int(given)
    expected = {
        "instant": instant_of(day),
        "season": season_of(day),
        "yr": day.year - FIRST_DAY.year,
        "mnth": day.month,
        "weekday": weekday_of(day),
        "workingday": is_working(day, holiday=holiday),
    }
    return [
        f"{name} contradicts dteday{' and holiday' * (name == 'workingday')}, by which it is {value}: it was not used"
        for name, value in expected.items()
        if payload.get(name) is not None and payload[name] != value
    ]


def find_mended(payload: dict[str, Any], day: date, parameters: Parameters) -> list[str]:
    """Return a sentence for each given value of a normalised payload that is doubted."""
    notes = []
    if payload.get("holiday") not in (None, is_holiday(day)):
        notes.append("holiday differs from the calendar of the District of Columbia: what was given was used")
    if not payload["hum"]:
        notes.append("a humidity of 0 is a sensor fault: the mean of such weather was used")
    atemp = payload.get("atemp")
    if atemp is not None and abs(atemp - derive_atemp(payload, parameters)) > ATEMP_TOLERANCE:
        notes.append(f"atemp is more than {ATEMP_TOLERANCE} from what the other weather gives: it was not used")
    return notes


def find_extrapolations(payload: dict[str, Any], day: date, parameters: Parameters) -> list[str]:
    """Return a sentence for each way in which a normalised payload lies outside the days of training."""
    notes = []
    if instant_of(day) > parameters.trend_end:
        notes.append("dteday is after the last day of the data: the level of that day is held")
    if payload["weathersit"] > WORST_WEATHER:
        notes.append("no day of the data had heavy rain or snow: it is answered as light")
    for name, (low, high) in parameters.ranges.items():
        if not low <= payload[name] <= high and (name != "hum" or payload[name]):
            natural, whole = NATURAL[name]
            words = f"{low:.3g} to {high:.3g} ({natural} {low * whole:.3g} to {high * whole:.3g})"
            notes.append(f"{name} is outside the data, which has {words}")
    return notes


def require_day(payload: dict[str, Any]) -> date:
    """Return the date of a payload that the rules accepted."""
    day = read_date(payload["dteday"])
    if day is None:
        raise ValueError("dteday must be a date from 2011-01-01 to 2013-12-31")
    return day
