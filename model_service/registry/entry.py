"""`Entry`: one line of the configuration and what became of it; `ServedModel`: what answers when all went well."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from model_service.backends.base import AsyncBackend, Backend, Host
from model_service.config import ModelConfig
from model_service.config_predictions import ModelLogConfig
from model_service.metrics.model_meter import ModelMeter
from model_service.records import ModelInfo, ModelState, ModelStatus, Traffic
from model_service.registry.lease import Leases
from model_service.registry.measuring import Measuring
from model_service.registry.routing import Split
from model_service.schema.validation import SchemaValidator

if TYPE_CHECKING:
    from model_service.schema.table_validation import TableSchemas


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A model that can predict: its description, its validators, its backend.

    Attributes:
        is_fast: Whether both validators say yes in no time to what is valid.
        timeout_s: Seconds that a request may take when it says nothing else.
        leases: Of those who may be about to submit to it.
        notice: What is said with its answers, of a version that is not to be used any more.
        split: Where the first row of a request decides which version answers: who knows it. This model is one of them.
        log: What of its predictions is logged.
        tables: Validators of whole columns, where the model predicts them.
        meter: Where its requests are noted; ``None`` where nothing is counted.
    """

    info: ModelInfo
    input_validator: SchemaValidator
    output_validator: SchemaValidator
    backend: AsyncBackend
    is_fast: bool
    timeout_s: float
    leases: Leases = field(default_factory=Leases)
    notice: Traffic | None = None
    split: "Split[ServedModel] | None" = None
    log: ModelLogConfig = field(default_factory=ModelLogConfig)
    tables: "TableSchemas | None" = None
    meter: ModelMeter | None = None


@dataclass(slots=True)
class Entry:
    """One line of the configuration on its way; changed by `model_service.registry.bring_up` alone.

    Attributes:
        config: The line.
        status: What is known of it; whether it is the default of its name is the generation's business.
        host: Of this process, with the entry's own folder.
        backend: While there is one to be stopped.
        served: Once it answers.
        measuring: While it answers, where anything is counted.
    """

    config: ModelConfig
    status: ModelStatus
    host: Host
    backend: Backend | None = None
    served: ServedModel | None = None
    measuring: Measuring | None = None


def find_current(status: ModelStatus, served: ServedModel | None) -> ModelStatus:
    """Return a status as it is now: how the model runs, and that it has failed when its backend has given
    up, or it does not answer its own example any more."""
    if served is None:
        return status
    backend = served.backend
    problem = backend.find_problem() or backend.vitals.problem
    vital = backend.vitals.describe()
    if problem is not None:
        return replace(status, state=ModelState.FAILED, problem=problem, vital=vital)
    return replace(
        status,
        execution=backend.execution,
        batching=backend.is_batching,
        queued_rows=backend.queued_rows,
        vital=vital,
    )
