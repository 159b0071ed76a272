"""Approval of a home loan from eleven facts of the application."""

from loan_model.model import LoanModel

__all__ = ["LoanModel"]
