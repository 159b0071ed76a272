"""Models that are ONNX graphs, opened the way the platform wants them run. For model packages alone.

    class IrisModel(OnnxModel):
        inputs = ("features",)
        outputs = ("label", "probabilities")

        def encode(self, payloads):
            return {"features": read_matrix(payloads, FEATURES)}

        def decode(self, payloads, outputs):
            return [{"species": SPECIES[label]} for label in outputs["label"].tolist()]

The graph is `graph` in the package's ``artifacts``. An ensemble is one graph that holds its members, or a
subclass whose `OnnxModel.run` asks several sessions. The platform never imports this module.
"""

import os
from collections.abc import Iterable, Iterator
from typing import ClassVar

# From 1.31 on, importing the library leaves a device id and a store of events under the user's
# home, to be sent to its makers. A server does not report on its callers; who wants it sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    import onnxruntime
except ModuleNotFoundError as error:
    if error.name != "onnxruntime":
        raise
    raise ModuleNotFoundError(
        "model_service.onnx needs onnxruntime: install model-service with its extra 'onnx', as model-service[onnx]",
        name=error.name,
    ) from None

from model_service.arrays import ArrayModel, Arrays
from model_service.threads import count_threads


def open_session(path: str | os.PathLike[str]) -> onnxruntime.InferenceSession:
    """Return a CPU session for the graph at ``path``; its ``run`` may be called from several threads.

    A run uses the thread that calls it and no other, unless ``server.model_threads`` or ``OMP_NUM_THREADS`` says more:
    requests already run side by side, and for one row of a small graph a thread pool costs more than it saves.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count_threads(os.environ)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings concern the exporter, not the operator
    return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])


class OnnxModel(ArrayModel):
    """A model that runs one graph; any number of threads may predict at once.

    Attributes:
        graph: Name of the graph in the package's ``artifacts``.
        inputs: Names of the arrays that `encode` returns: all inputs of the graph.
        outputs: Names of the arrays that `decode` reads; the graph may have more, which are not copied out.
    """

    thread_safe: ClassVar[bool] = True
    graph: ClassVar[str] = "model.onnx"
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        """Open the graph.

        Raises:
            ValueError: Its inputs or outputs are not those that the class names.
        """
        self._session = open_session(self.artifact_path(self.graph))
        self._outputs = list(self.outputs)
        faults = list(self._find_faults())
        if faults:
            raise ValueError(
                f"{self.graph} is not the graph that {type(self).__name__} reads: {'; '.join(faults)}. "
                "Train it again, or correct `inputs` and `outputs` of the class"
            )

    def run(self, inputs: Arrays) -> Arrays:
        # Measured, one row of iris: 4.6 us. Of the other public ways, OrtValues take 33 us and a binding 8 us; one
        # that is kept for the next call takes 4.0 us, but fails as soon as the number of rows changes.
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))

    def _find_faults(self) -> Iterator[str]:
        has = {entry.name for entry in self._session.get_inputs()}
        if has != set(self.inputs):
            yield f"its inputs are {_list(has)}, and the class gives {_list(self.inputs)}"
        has = {entry.name for entry in self._session.get_outputs()}
        if not self.outputs or not has.issuperset(self.outputs):
            yield f"its outputs are {_list(has)}, and the class reads {_list(self.outputs)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "none"
