"""What the Open Inference Protocol says of a server and its models, alike over REST and gRPC."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from model_service.prediction import PredictionService
from model_service.records import ModelState, ModelStatus
from model_service.registry.entry import ServedModel
from model_service.schema.tensor_columns import list_columns
from model_service.schema.tensor_rows import check_wanted, count_rows
from model_service.schema.tensor_specs import Signature
from model_service.schema.tensors import Tensor

if TYPE_CHECKING:
    from model_service.tables import Table

#: What the server's metadata says beyond the protocol's core.
EXTENSIONS: Final = ("binary_tensor_data", "model_repository")
PLATFORM: Final = "model_service_mlmodel"
NOT_OFFERED_CODE: Final = "not_offered"
NOT_OFFERED: Final = "models are not loaded or unloaded by request here; whoever runs the service lists them"
_STATES: Final = {ModelState.LOADING: "LOADING", ModelState.READY: "READY", ModelState.FAILED: "UNAVAILABLE"}


def check_call(
    predictions: PredictionService, signature: Signature, tensors: Sequence[Tensor], wanted: Sequence[str]
) -> None:
    """Hold a request for predictions against the bounds before payloads are made of it.

    Args:
        predictions: Knows how many rows there may be.
        signature: Of the model.
        tensors: Each agrees with itself.
        wanted: Names of the outputs that the caller wants.

    Raises:
        PayloadMalformed, PayloadTooLarge, PayloadInvalid: From `count_rows`, `PredictionService.check_rows` and
            `check_wanted`, in that order.
    """
    predictions.check_rows(range(count_rows(tensors)))
    check_wanted(signature, wanted)


def read_table(
    predictions: PredictionService, target: ServedModel, signature: Signature, tensors: Sequence[Tensor]
) -> "Table | None":
    """Return the columns of a request that `check_call` let pass; ``None`` where it must be read as rows.

    Raises:
        PayloadInvalid: As `read_payloads`.
    """
    if not predictions.takes_table(target, tensors[0].shape[0]):
        return None
    columns = list_columns(signature, tensors)
    return predictions.read_table(target, columns) if columns is not None else None


def list_model(status: ModelStatus) -> dict[str, str]:
    """Return the entry of a model in the index of the repository."""
    return {
        "name": status.qualified_name,
        "version": status.version or "",
        "state": _STATES[status.state],
        "reason": f"{status.problem.problem}: {status.problem.remedy}" if status.problem else "",
    }
