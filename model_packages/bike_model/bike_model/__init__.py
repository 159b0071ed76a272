"""Bikes rented in a day in Washington D.C. from the day's weather and its place in the calendar."""

from bike_model.model import BikeModel

__all__ = ["BikeModel"]
