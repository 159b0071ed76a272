"""Everything that can go wrong with a call, by who must act: the server's own tree, and what only a caller meets.

    ModelServiceError
    |- OperatorError      fix the service's configuration or environment
    |- PackageError       fix the model package
    |- CallerError        fix the request
    |  `- JobNotSucceeded    the job was cancelled, or is not over
    |- ModelError         fix the model
    |- CapacityError      try again later
    |  |- ConnectionFailed   nobody answers, or the connection broke
    |  `- NoAnswerInTime     the client's own timeout
    `- AnswerInvalid      whoever answers there is not model_service

Each leaf that the server has is here under the same name and with the same ``code``; codes that are not known become
the class of their status.
"""

from collections.abc import Iterable

from model_service_client.error_base import ModelServiceError, Violation

__all__ = ["KINDS", "ModelServiceError", "Violation"]


class OperatorError(ModelServiceError):
    """The configuration or the environment of the service must be fixed."""

    code = "operator_error"


class ConfigInvalid(OperatorError):
    """The service is not configured correctly."""

    code = "config_invalid"


class MissingDependency(OperatorError):
    """The service lacks what the request needs."""

    code = "missing_dependency"


class ReloadFailed(OperatorError):
    """The service has not been reloaded."""

    code = "reload_failed"


class ServiceNotRunning(OperatorError):
    """There is no such running service."""

    code = "service_not_running"


class DatabaseOutdated(OperatorError):
    """The service's database of jobs needs an upgrade."""

    code = "database_outdated"


class PackageError(ModelServiceError):
    """The model package must be fixed."""

    code = "package_error"


class ModelImportFailed(PackageError):
    """The model package cannot be imported."""

    code = "model_import_failed"


class ModelContractBroken(PackageError):
    """The model breaks the contract of model packages."""

    code = "model_contract_broken"


class ModelLoadFailed(PackageError):
    """The model cannot be loaded."""

    code = "model_load_failed"


class ModelCrashed(PackageError):
    """The model's process crashed too often."""

    code = "model_crashed"


class ModelChanged(PackageError):
    """The installed package is another one than before."""

    code = "model_changed"


class DuplicateModel(PackageError):
    """Two models have the same name and version."""

    code = "duplicate_model"


class SelfTestFailed(PackageError):
    """The model failed its self-test."""

    code = "self_test_failed"


class CallerError(ModelServiceError):
    """The request must be fixed."""

    code = "caller_error"


class Unauthenticated(CallerError):
    """The service asks for an API key, and this is none, or not valid any more."""

    code = "unauthenticated"


class Forbidden(CallerError):
    """The API key does not allow this."""

    code = "forbidden"


class ModelNotFound(CallerError):
    """There is no such model."""

    code = "model_not_found"


class PayloadMalformed(CallerError):
    """The body cannot be read, or a value cannot be written as JSON."""

    code = "payload_malformed"


class PayloadInvalid(CallerError):
    """The payload breaks the model's input schema or its own rules; `violations` names each field."""

    code = "payload_invalid"


class PayloadTooLarge(CallerError):
    """The request has more bytes or rows than the service takes."""

    code = "payload_too_large"


class FileUnreadable(CallerError):
    """The file cannot be read."""

    code = "file_unreadable"


class MediaTypeUnsupported(CallerError):
    """The service does not read this format."""

    code = "media_type_unsupported"


class ExplanationNotOffered(CallerError):
    """The model offers no explanations."""

    code = "explanation_not_offered"


class JobNotFound(CallerError):
    """There is no such job, or no longer."""

    code = "job_not_found"


class JobInvalid(CallerError):
    """The job is asked for in a way that cannot be meant."""

    code = "job_invalid"


class JobNotSucceeded(CallerError):
    """The job was cancelled, or is not over, and its output is not whole."""

    code = "job_not_succeeded"


class PredictionNotFound(CallerError):
    """No prediction of that request is in the log."""

    code = "prediction_not_found"


class FeedbackInvalid(CallerError):
    """The feedback is not of the form that is expected, or breaks the model's output schema."""

    code = "feedback_invalid"


class IdempotencyKeyReused(CallerError):
    """The idempotency key belongs to another request."""

    code = "idempotency_key_reused"


class TooManyFailedRows(CallerError):
    """More rows of a job failed than it allows."""

    code = "too_many_failed_rows"


class ModelError(ModelServiceError):
    """The model must be fixed; the server's log tells more, by request id."""

    code = "model_error"


class PredictionFailed(ModelError):
    """The model failed to predict."""

    code = "prediction_failed"


class OutputInvalid(ModelError):
    """The model's answer does not match its output schema."""

    code = "output_invalid"


class JobStuck(ModelError):
    """The job does not get on."""

    code = "job_stuck"


class CapacityError(ModelServiceError):
    """The service cannot answer now; the same request may succeed later."""

    code = "capacity_error"


class ModelNotReady(CapacityError):
    """The model is loading, or could not be loaded."""

    code = "model_not_ready"


class QueueFull(CapacityError):
    """Too many requests are waiting."""

    code = "queue_full"


class ServerBusy(CapacityError):
    """The server is busy."""

    code = "server_busy"


class ReloadUnderWay(CapacityError):
    """The service is being reloaded already."""

    code = "reload_under_way"


class RateLimited(CapacityError):
    """The API key, or the address, has sent as many requests as it may for now."""

    code = "rate_limited"


class KeysUnavailable(CapacityError):
    """The service cannot check API keys at the moment."""

    code = "keys_unavailable"


class PredictionTimeout(CapacityError):
    """The prediction took too long for the service."""

    code = "prediction_timeout"


class TooManyJobs(CapacityError):
    """Too many jobs are waiting."""

    code = "too_many_jobs"


class JobStoreUnavailable(CapacityError):
    """The store of jobs cannot be reached."""

    code = "job_store_unavailable"


class PredictionLogUnavailable(CapacityError):
    """The files of the log cannot be read or written now."""

    code = "prediction_log_unavailable"


class StorageFull(CapacityError):
    """The storage of jobs is full."""

    code = "storage_full"


class ConnectionFailed(CapacityError):
    """Nobody answers at the address, or the connection broke before the answer was whole."""

    code = "connection_failed"


class NoAnswerInTime(CapacityError):
    """The client has waited as long as its own timeout says."""

    code = "no_answer_in_time"


class AnswerInvalid(ModelServiceError):
    """The answer is not one of model_service: another service, or a proxy before it, has answered."""

    code = "answer_invalid"


def _list_leaves(kind: type[ModelServiceError]) -> Iterable[type[ModelServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _list_leaves(child)


KINDS: dict[str, type[ModelServiceError]] = {kind.code: kind for kind in _list_leaves(ModelServiceError)}
