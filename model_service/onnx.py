"""Open ONNX graphs the way the platform wants them run. For model packages; the platform never imports it."""

import os

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
