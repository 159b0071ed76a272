"""`LocalBackend`: the model lives in this process. It neither batches nor limits time: `QueuedBackend` does."""

import threading

from model_service.backends.base import Backend, Host, collect_violations, predict_payloads
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady
from model_service.loading import build_model, describe_model, import_model_class
from model_service.model import MLModel
from model_service.records import ModelInfo, Output, Payload, RequestContext, Violation


class LocalBackend(Backend):
    """Runs one model in this process, one call at a time.

    The lock keeps the promise of `MLModel` that a model needs none, also to `stop`: what `close` takes away
    must not be in use. In service nobody waits for it: the queue in front lets one batch through at a time.
    """

    def __init__(self, config: ModelConfig, host: Host) -> None:
        super().__init__(config, host)
        self._lock = threading.Lock()
        self._model: MLModel | None = None
        self._has_rules = True

    def describe(self) -> ModelInfo:
        return describe_model(import_model_class(self._config.class_path))

    def start(self) -> None:
        model_class = import_model_class(self._config.class_path)
        self._has_rules = model_class.find_violations.__func__ is not MLModel.find_violations.__func__  # type: ignore[attr-defined]
        self._model = build_model(model_class)

    @property
    def has_rules(self) -> bool:
        return self._has_rules

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        model = self._running()
        return collect_violations(model, payloads) if self._has_rules else [[] for _ in payloads]

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        with self._lock:
            return predict_payloads(self._running(), payloads)

    def stop(self) -> None:
        with self._lock:
            model, self._model = self._model, None
            if model is not None:
                model.close()

    def _running(self) -> MLModel:
        if self._model is None:
            raise ModelNotReady("the model is not running")
        return self._model
