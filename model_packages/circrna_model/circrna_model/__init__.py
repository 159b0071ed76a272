"""Circular RNA against other long non-coding RNA, from the sequence."""

from circrna_model.model import CircRnaModel

__all__ = ["CircRnaModel"]
