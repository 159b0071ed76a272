"""`JobModels`: the models that a worker of jobs has loaded: those of its latest job, when there is one.

Models in processes of their own are those of the service, where there is one: nothing is loaded twice for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from model_service.config import ModelConfig, ServiceConfig
from model_service.errors import ModelNotFound, ServiceError
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.prediction_log.writer import open_log
from model_service.registry.entry import ServedModel


class JobModels:
    """Loads a model when a job needs it. For one thread.

    Args:
        config: Of the service.
        home: The folder that the processes of one service share; ``None`` outside of `serve`.
    """

    def __init__(self, config: ServiceConfig, home: Path | None) -> None:
        self._config = config
        self._home = home
        self._manager = ModelManager()
        self.predictions = PredictionService(self._manager, max_rows=config.server.max_request_rows)
        self.predictions.log = open_log(config, for_jobs=True)
        self._known: list[tuple[str, str | None, ModelConfig]] | None = None

    @contextmanager
    def lease(self, qualified_name: str, version: str) -> Iterator[ServedModel]:
        """Keep a model for the length of a block, after loading it if it is not there.

        Raises:
            ModelNotFound: It is not configured in this version.
            ModelNotReady: It cannot be loaded.
            PackageError, ConfigInvalid: From the manager.
        """
        if not self._has(qualified_name, version):
            self._load(qualified_name, version)
        with self.predictions.lease(qualified_name, version) as target:
            yield target

    def close(self) -> None:
        """Forget what is loaded."""
        self._manager.close()
        if self.predictions.log is not None:
            self.predictions.log.flush()

    def _has(self, qualified_name: str, version: str) -> bool:
        try:
            return self.predictions.find_target(qualified_name, version) is not None
        except ServiceError:  # not there, or not any more: then it is loaded, which tells why
            return False

    def _load(self, qualified_name: str, version: str) -> None:
        if self._known is None:
            self._manager.load_models(self._config, describe_only=True)
            statuses = self._manager.get_models()
            self._known = [
                (status.qualified_name, status.version, entry)
                for status, entry in zip(statuses, self._config.models, strict=True)
            ]
            self._manager.close()
        entries = [entry for name, found, entry in self._known if (name, found) == (qualified_name, version)]
        if not entries:
            served = ", ".join(f"{name} {found}" for name, found, _ in self._known) or "none"
            raise ModelNotFound(
                f"the job is for '{qualified_name}' {version}, which this worker does not serve; it serves: {served}"
            )
        self._manager.load_models(replace(self._config, models=tuple(entries)), home=self._home)
