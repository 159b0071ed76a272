"""What the Open Inference Protocol says of a server and its models, alike over REST and gRPC."""

from collections.abc import Sequence
from typing import Final

from model_service.prediction import PredictionService
from model_service.records import ModelState, ModelStatus, Payload
from model_service.schema.tensor_rows import check_wanted, count_rows, read_payloads
from model_service.schema.tensor_specs import Signature
from model_service.schema.tensors import Tensor

#: What the server's metadata says beyond the protocol's core.
EXTENSIONS: Final = ("binary_tensor_data", "model_repository")
PLATFORM: Final = "model_service_mlmodel"
NOT_OFFERED_CODE: Final = "not_offered"
NOT_OFFERED: Final = "models are not loaded or unloaded by request here; whoever runs the service lists them"
_STATES: Final = {ModelState.LOADING: "LOADING", ModelState.READY: "READY", ModelState.FAILED: "UNAVAILABLE"}


def read_rows(
    predictions: PredictionService,
    signature: Signature,
    tensors: Sequence[Tensor],
    wanted: Sequence[str],
    *,
    max_values: int,
) -> list[Payload]:
    """Return the payloads of a request for predictions, held against the bounds before they are made.

    Args:
        predictions: Knows how many rows there may be.
        signature: Of the model.
        tensors: Each agrees with itself.
        wanted: Names of the outputs that the caller wants.
        max_values: Most JSON values that may hide in texts.

    Raises:
        PayloadMalformed, PayloadTooLarge, PayloadInvalid: From `count_rows`, `PredictionService.check_rows`,
            `check_wanted` and `read_payloads`, in that order.
    """
    predictions.check_rows(range(count_rows(tensors)))
    check_wanted(signature, wanted)
    return read_payloads(signature, tensors, max_values=max_values)


def list_model(status: ModelStatus) -> dict[str, str]:
    """Return the entry of a model in the index of the repository."""
    return {
        "name": status.qualified_name,
        "version": status.version or "",
        "state": _STATES[status.state],
        "reason": f"{status.problem.problem}: {status.problem.remedy}" if status.problem else "",
    }
