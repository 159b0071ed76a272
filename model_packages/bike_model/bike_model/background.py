"""Usual days, with which an explanation compares a day. Dates and weather are drawn apart, so January may be hot."""

from datetime import timedelta
from pathlib import Path

from bike_model.days import FIRST_DAY, instant_of, season_of, weekday_of
from bike_model.features import NATURAL
from model_service.explain import draw_background
from model_service.records import Payload

_DAYS = 36


def draw_days(reference: Path) -> list[Payload]:
    """Return days with every field that a payload may hold.

    Args:
        reference: What the training saw.
    """
    days = draw_background(reference, _DAYS)
    for day in days:
        # What follows from the date follows from it here, too: else it would only be contradicted.
        date = FIRST_DAY + timedelta(days=round(day["instant"]) - 1)
        day |= {"dteday": date.isoformat(), "instant": instant_of(date)}
        day |= {"weekday": weekday_of(date), "season": season_of(date)}
        day |= {"yr": date.year - FIRST_DAY.year, "mnth": date.month}
        day |= {natural: day[name] * whole for name, (natural, whole) in NATURAL.items()}
    return days
