"""What crosses layers: frozen dataclasses, and a tuple.

Payloads and outputs are JSON objects and stay plain dicts; everything else that
one layer hands to another is one of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from model_service.tracing.context import Trace

#: One input object of a model, and one output object: JSON types only.
Payload = dict[str, Any]
Output = dict[str, Any]
#: What of a payload led to its output, as `model_service.schema.explanation` says.
Explanation = dict[str, Any]
#: A JSON Schema 2020-12 document.
Schema = dict[str, Any]


class ModelState(StrEnum):
    """Where a configured model stands."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class Execution(StrEnum):
    """How a model runs."""

    IN_LOOP = "in_loop"
    DISPATCHED = "dispatched"
    PROCESS = "process"


class RequestContext(NamedTuple):
    """What is known of a request beside its data; doors make it. A tuple, because one is made in every request.

    Attributes:
        request_id: Finds the log lines of the request.
        arrived: When its headers had arrived, on the clock of `time.monotonic`.
        deadline: When its caller stops waiting, on the same clock, which all processes of a machine share.
        caller: Who asks, by the name that a door has found true; ``None`` where doors ask nobody.
        trace: Its place in a distributed trace, and where its stages are noted; ``None`` where it has none.
    """

    request_id: str
    arrived: float
    deadline: float
    caller: str | None = None
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a schema.

    Attributes:
        pointer: JSON Pointer (RFC 6901) to the value, or to where a missing one belongs;
            empty for the whole document.
        rule: The schema keyword that was broken, such as ``maximum`` or ``required``.
        message: A sentence that says what was expected; it never repeats the value.
    """

    pointer: str
    rule: str
    message: str

    @property
    def place(self) -> str:
        """The pointer for people, who would not see an empty one: a slash is the whole document."""
        return self.pointer or "/"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of parameters that a model package ships.

    Attributes:
        name: Path below the package's ``artifacts`` folder, with forward slashes.
        sha256: Hexadecimal digest that the package's manifest states.
        size_bytes: Size that the manifest states.
    """

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Everything that describes a model, known without loading its weights.

    Attributes:
        class_path: Where the class was found, as ``module:Class``.
        examples: Payloads from the input schema's ``examples``, in its order.
        artifacts: What the package's manifest lists, in its order.
        metrics: The package's ``artifacts/metrics.json``; empty when it ships none.
        reference: The package's ``artifacts/reference.json``: what its training saw; empty when it ships none.
        card: The package's README, Markdown; empty when it ships none.
        code_digest: SHA-256 over the package's Python files; empty where there are none.
        warnings: What in the package its author can hardly have meant; it serves none the less.
        has_explanations: Whether the model has an `MLModel.explain` of its own.
    """

    qualified_name: str
    display_name: str
    description: str
    version: str
    class_path: str
    input_schema: Schema
    output_schema: Schema
    examples: tuple[Payload, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    code_digest: str = ""
    warnings: tuple[str, ...] = ()
    has_explanations: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a model is quarantined, for the person who can mend it.

    Attributes:
        code: Code of the `PackageError` (or other `ServiceError`) that was raised.
        problem: What failed.
        cause: What was found.
        remedy: What to do.
        qualified_name: What the class calls itself, where nothing else of it is known.
        version: Likewise.
    """

    code: str
    problem: str
    cause: str
    remedy: str
    qualified_name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests come to one version of a model, and what is said of it.

    Attributes:
        share: Of the requests that name no version, from 0 to 1; ``None`` where the default version answers them all.
        aliases: Its names behind the at sign.
        shadow: Share of the requests to other versions of which it gets a copy.
        deprecated: Day from which it is not to be used any more.
        sunset: Day on which it goes away.
        link: Of a page that says what to use instead.
    """

    share: float | None = None
    aliases: tuple[str, ...] = ()
    shadow: float | None = None
    deprecated: date | None = None
    sunset: date | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Vital:
    """When a model answered and failed last in this process, in seconds since the epoch.

    Attributes:
        failure: The code of the error that it failed with.
    """

    succeeded: float | None = None
    failed: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One configured model and its state.

    Attributes:
        qualified_name: The model's name; for a class that cannot be read, the name of its package.
        version: ``None`` while it is not known.
        class_path: The class as the configuration spells it.
        is_default: Whether requests that name no version go here.
        is_required: Whether the service is ready only when this model is.
        info: ``None`` when the class could not be imported or breaks the contract.
        problem: Set if and only if the state is ``failed``.
        execution: How it runs; ``None`` while that is not decided.
        batching: Whether rows of different requests are predicted together; ``None`` while that is not decided.
        timeout_s: Seconds until a request is answered that the prediction took too long.
        max_queue_rows: Most rows that wait for it.
        traffic: How requests come to this version.
        queued_rows: Rows that wait for it in this process now.
        vital: When it answered and failed last.
    """

    qualified_name: str
    version: str | None
    class_path: str
    state: ModelState
    is_default: bool
    is_required: bool
    info: ModelInfo | None
    problem: Problem | None
    execution: Execution | None = None
    batching: bool | None = None
    timeout_s: float | None = None
    max_queue_rows: int | None = None
    traffic: Traffic = Traffic()
    queued_rows: int = 0
    vital: Vital = field(default_factory=Vital)

    def limit_rows(self, max_request_rows: int) -> int:
        """Return the most rows of one request to it, of which the service takes so many: they must fit its queue."""
        return min(max_request_rows, self.max_queue_rows or max_request_rows)


class Prediction(NamedTuple):
    """What the one road returns for one or many payloads. A tuple, because one is made in every request.

    Attributes:
        outputs: One output per payload, in the order of the payloads.
        duration_s: Seconds from the call to the last checked output.
    """

    qualified_name: str
    version: str
    outputs: list[Output]
    duration_s: float
