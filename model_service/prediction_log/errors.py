"""The errors of feedback, as leaves of the tree in `model_service.errors`.

CallerError      PredictionNotFound, FeedbackInvalid
CapacityError    PredictionLogUnavailable
"""

from model_service.errors import CallerError, CapacityError


class PredictionNotFound(CallerError):
    """No prediction of that request is in the log."""

    code = "prediction_not_found"
    title = "There is no such prediction in the log."


class FeedbackInvalid(CallerError):
    """The feedback is not of the form that is expected, or breaks the model's output schema."""

    code = "feedback_invalid"
    title = "The feedback does not match the model's output schema."


class PredictionLogUnavailable(CapacityError):
    """The files of the log cannot be read or written now."""

    code = "prediction_log_unavailable"
    title = "The log of predictions cannot be used now."
