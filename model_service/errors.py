"""Every error the platform raises on purpose, grouped by who must act.

    ServiceError
    |- OperatorError      fix the configuration or the environment
    |  |- ConfigInvalid
    |  |- MissingDependency
    |  |- ReloadFailed
    |  `- ServiceNotRunning
    |- PackageError       fix the model package
    |  |- ModelImportFailed
    |  |- ModelContractBroken
    |  |- ModelLoadFailed
    |  |- ModelCrashed
    |  |- ModelChanged
    |  |- DuplicateModel
    |  `- SelfTestFailed
    |- CallerError        fix the request
    |  |- Unauthenticated
    |  |- Forbidden
    |  |- ModelNotFound
    |  |- PayloadMalformed
    |  |- PayloadInvalid
    |  |- PayloadTooLarge
    |  |- FileUnreadable
    |  `- MediaTypeUnsupported
    |- ModelError         fix the model
    |  |- PredictionFailed
    |  `- OutputInvalid
    `- CapacityError      try again later
       |- ModelNotReady
       |- QueueFull
       |- ServerBusy
       |- ReloadUnderWay
       |- RateLimited
       |- KeysUnavailable
       `- PredictionTimeout

Each leaf has a stable ``code`` that programs may rely on. This module knows no HTTP, no gRPC and no exit codes: each
transport translates with one table of its own. A message names the thing, what was expected and the way out, and
never repeats a caller's values, because messages leave the process.
"""

from collections.abc import Iterable
from typing import ClassVar

from model_service.records import Problem, Violation


class ServiceError(Exception):
    """Base of every error below.

    Attributes:
        code: Stable identifier of the kind of error, such as ``payload_invalid``.
        title: One short sentence, the same for every error of this kind.
        message: What happened here and the way out; safe to show to a caller.
        violations: Broken schema rules, in document order; often empty.
    """

    code: ClassVar[str] = "service_error"
    title: ClassVar[str] = "The service failed."

    def __init__(self, message: str, violations: Iterable[Violation] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)


class OperatorError(ServiceError):
    """The configuration or the environment must be fixed."""

    code = "operator_error"
    title = "The service is not configured correctly."


class ConfigInvalid(OperatorError):
    """A key, type or value in the configuration is wrong."""

    code = "config_invalid"
    title = "The configuration is not valid."


class MissingDependency(OperatorError):
    """Something that the configuration or a command needs is not installed."""

    code = "missing_dependency"
    title = "A dependency is not installed."


class ReloadFailed(OperatorError):
    """The new generation is not fit to serve; the one before serves on."""

    code = "reload_failed"
    title = "The service has not been reloaded."


class ServiceNotRunning(OperatorError):
    """No running service takes the order."""

    code = "service_not_running"
    title = "There is no such running service."


class PackageError(ServiceError):
    """A model package must be fixed; the platform quarantines it and serves the others.

    Attributes:
        cause: What was found, such as the text of the original exception.
        remedy: What the package's author or the operator can do about it.
        qualified_name: What the class calls itself, where it could be read and was not known before.
        version: Likewise.
    """

    code = "package_error"
    title = "A model package is broken."

    def __init__(
        self, message: str, *, cause: str, remedy: str, qualified_name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.remedy = remedy
        self.qualified_name = qualified_name
        self.version = version
        # For whoever sees a traceback alone, as in the tests of a package.
        self.add_note(f"cause: {cause}")
        self.add_note(f"remedy: {remedy}")

    def describe(self) -> Problem:
        """Return it as it is shown and carried between processes."""
        return Problem(self.code, self.message, self.cause, self.remedy, self.qualified_name, self.version)


class ModelImportFailed(PackageError):
    """The configured class cannot be imported or is no `MLModel`."""

    code = "model_import_failed"
    title = "The model package cannot be imported."


class ModelContractBroken(PackageError):
    """The class, its schemas or its artifacts break the `MLModel` contract."""

    code = "model_contract_broken"
    title = "The model breaks the MLModel contract."


class ModelLoadFailed(PackageError):
    """The class is sound, but building the model raised."""

    code = "model_load_failed"
    title = "The model cannot be loaded."


class ModelCrashed(PackageError):
    """The model's process ended again and again; it is stopped for a while."""

    code = "model_crashed"
    title = "The model's process crashed too often."


class ModelChanged(PackageError):
    """The package that is installed now is another one than the service has loaded before."""

    code = "model_changed"
    title = "The installed package has changed."


class DuplicateModel(PackageError):
    """Two configured classes claim the same name and version."""

    code = "duplicate_model"
    title = "Two models have the same name and version."


class SelfTestFailed(PackageError):
    """The model cannot answer the examples of its own schema."""

    code = "self_test_failed"
    title = "The model failed its self-test."


class CallerError(ServiceError):
    """The request must be fixed."""

    code = "caller_error"
    title = "The request is not valid."


class Unauthenticated(CallerError):
    """The request has no API key, or one that is not valid (any more).

    Attributes:
        has_key: Whether there was one.
    """

    code = "unauthenticated"
    title = "The request needs a valid API key."

    def __init__(self, message: str, *, has_key: bool = False) -> None:
        super().__init__(message)
        self.has_key = has_key


class Forbidden(CallerError):
    """The API key is valid, and not for this.

    Attributes:
        scope: What it would need; ``None`` where no other key would help.
    """

    code = "forbidden"
    title = "The API key does not allow this."

    def __init__(self, message: str, *, scope: str | None = None) -> None:
        super().__init__(message)
        self.scope = scope


class ModelNotFound(CallerError):
    """No model of that name and version is configured."""

    code = "model_not_found"
    title = "There is no such model."


class PayloadMalformed(CallerError):
    """The body is not a document of the expected form, such as broken JSON."""

    code = "payload_malformed"
    title = "The body cannot be read."


class PayloadInvalid(CallerError):
    """The payload breaks the model's input schema or the model's own rules.

    `violations` holds one entry per broken rule; pointers of a request with several
    rows start with the row's index.
    """

    code = "payload_invalid"
    title = "The payload does not match the model's input schema."


class PayloadTooLarge(CallerError):
    """The body has more bytes or more rows than the service accepts."""

    code = "payload_too_large"
    title = "The request is too large."


class FileUnreadable(CallerError):
    """A file of rows cannot be read any further, as without a header; a row alone has a `PayloadMalformed` instead."""

    code = "file_unreadable"
    title = "The file cannot be read."


class MediaTypeUnsupported(CallerError):
    """The body is in a format the service does not read."""

    code = "media_type_unsupported"
    title = "The media type of the body is not supported."


class ModelError(ServiceError):
    """The model must be fixed. The message holds no detail: the log does, by request id."""

    code = "model_error"
    title = "The model failed."


class PredictionFailed(ModelError):
    """The model's own code raised."""

    code = "prediction_failed"
    title = "The model failed to predict."


class OutputInvalid(ModelError):
    """The model answered something its output schema refuses."""

    code = "output_invalid"
    title = "The model's answer does not match its output schema."


class CapacityError(ServiceError):
    """The service cannot answer now; the same request may succeed later.

    Attributes:
        retry_after_s: Seconds after which another try makes sense; at least 1. ``None`` where that is not known,
            because somebody has to mend something first.
    """

    code = "capacity_error"
    title = "The service cannot answer now."

    def __init__(self, message: str, *, retry_after_s: int | None = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelNotReady(CapacityError):
    """The model is loading or quarantined."""

    code = "model_not_ready"
    title = "The model is not ready."


class QueueFull(CapacityError):
    """As many rows wait as the service allows."""

    code = "queue_full"
    title = "Too many requests are waiting."


class ServerBusy(CapacityError):
    """The server itself has no room: for the request's body, its connection, or a thread to write its answer."""

    code = "server_busy"
    title = "The server is busy."


class ReloadUnderWay(CapacityError):
    """The service is being reloaded already."""

    code = "reload_under_way"
    title = "The service is being reloaded already."


class RateLimited(CapacityError):
    """The API key, or the address, has sent as many requests as it may for now."""

    code = "rate_limited"
    title = "Too many requests were sent in a short time."


class KeysUnavailable(CapacityError):
    """The file of the API keys cannot be read, so nobody is let in."""

    code = "keys_unavailable"
    title = "The API keys cannot be checked."


class PredictionTimeout(CapacityError):
    """The deadline passed before the model answered."""

    code = "prediction_timeout"
    title = "The prediction took too long."
