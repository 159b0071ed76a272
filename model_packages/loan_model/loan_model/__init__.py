"""Approval of a home loan from facts about the applicant and the loan."""

from loan_model.model import LoanModel

__all__ = ["LoanModel"]
