"""Open ONNX graphs the way the platform wants them run. For model packages; the platform never imports it."""

from pathlib import Path

import onnxruntime

#: One thread a session: requests already run side by side, and for one row of a small
#: graph a thread pool costs more than it saves.
THREADS = 1


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return a CPU session for the graph at ``path``; its ``run`` may be called from several threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = THREADS
    options.log_severity_level = 3  # errors only: warnings concern the exporter, not the operator
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
