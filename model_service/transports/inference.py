"""What the Open Inference Protocol says of a server and its models, alike over REST and gRPC."""

from typing import Final

from model_service.records import ModelState, ModelStatus

#: What the server's metadata says beyond the protocol's core.
EXTENSIONS: Final = ("binary_tensor_data", "model_repository")
PLATFORM: Final = "model_service_mlmodel"
NOT_OFFERED: Final = "models are not loaded or unloaded by request here; whoever runs the service lists them"
_STATES: Final = {ModelState.LOADING: "LOADING", ModelState.READY: "READY", ModelState.FAILED: "UNAVAILABLE"}


def list_model(status: ModelStatus) -> dict[str, str]:
    """Return the entry of a model in the index of the repository."""
    return {
        "name": status.qualified_name,
        "version": status.version or "",
        "state": _STATES[status.state],
        "reason": f"{status.problem.problem}: {status.problem.remedy}" if status.problem else "",
    }
