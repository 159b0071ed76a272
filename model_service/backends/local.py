"""`LocalBackend`: the model lives in this process. It neither batches nor limits time: `QueuedBackend` does."""

import threading
from typing import TYPE_CHECKING

from model_service.backends.base import Backend, Host, collect_violations, predict_payloads
from model_service.backends.questions import Questions, explain_payload
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PredictionFailed
from model_service.loading import build_model, describe_model, import_model_class
from model_service.model import MLModel
from model_service.records import Explanation, ModelInfo, Output, Payload, RequestContext, Violation

if TYPE_CHECKING:
    from model_service.tables import Table


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

    @property
    def has_columns(self) -> bool:
        # An override of `predict` alone, below a class that has columns, leaves them as they were: the self-test tells.
        return not self._has_rules and type(self._running()).predict_columns is not MLModel.predict_columns

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        model = self._running()
        return collect_violations(model, payloads) if self._has_rules else [[] for _ in payloads]

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        with self._lock:
            return predict_payloads(self._running(), payloads)

    def run_columns(self, table: "Table") -> "Table":
        with self._lock:
            model = self._running()
            try:
                return table.answer(model.predict_columns(table.columns))
            except (Exception, SystemExit) as error:
                raise PredictionFailed("the model's predict_columns failed") from error

    def explain(self, payload: Payload, output: Output, questions: Questions) -> Explanation:
        # Beside predictions, and without the lock: it would wait for the questions, and they for it.
        return explain_payload(self._running(), payload, output, questions)

    def stop(self) -> None:
        with self._lock:
            model, self._model = self._model, None
            if model is not None:
                model.close()

    def _running(self) -> MLModel:
        if self._model is None:
            raise ModelNotReady("the model is not running")
        return self._model
