"""The same model run by PyTorch: an alternative to `model.CircRnaModel`. Needs the extra ``circrna-model[torch]``.

The weights are read from ``weights.safetensors``, which holds tensors and one JSON text and cannot run code.
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save

from circrna_model.base import CircRnaBase
from circrna_model.network import CircRnaNetwork, Ensemble, NetworkSize

WEIGHTS_NAME = "weights.safetensors"
_SHAPE_KEY = "networks"


def save_ensemble(ensemble: Ensemble, size: NetworkSize, path: Path) -> None:
    """Write the weights of an ensemble, and what rebuilds it, as safetensors."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in ensemble.state_dict().items()}
    # Not save_file: it makes a file that only its owner may read.
    shape = {"count": len(ensemble.networks), "size": size.as_dict()}
    path.write_bytes(save(tensors, metadata={_SHAPE_KEY: json.dumps(shape)}))


def load_ensemble(path: Path) -> Ensemble:
    """Return the ensemble that `save_ensemble` wrote, ready to predict."""
    with safe_open(path, framework="pt", device="cpu") as file:
        shape = json.loads(file.metadata()[_SHAPE_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    size = NetworkSize(**shape["size"])
    ensemble = Ensemble([CircRnaNetwork(size) for _ in range(shape["count"])])
    ensemble.load_state_dict(tensors)
    return ensemble.eval()


class CircRnaTorchModel(CircRnaBase):
    """The transformer, run by PyTorch from its own weights."""

    def __init__(self) -> None:
        # For the process, as `model_service.onnx` does for a session: on busy cores two threads that wait
        # for each other were ten times slower than one.
        torch.set_num_threads(1)
        self._ensemble = load_ensemble(self.artifact_path(WEIGHTS_NAME))

    def _run_network(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probabilities = self._ensemble(torch.from_numpy(tokens))
        return np.asarray(probabilities.numpy(), dtype=np.float32)
