"""What a worker says of itself to its parent, in a file of its generation's folder: its models, and how they are.

The parent reads it to know whether a new generation is fit to serve, and `model-service status` shows it. It holds no
payload. Written by the worker alone, in one step, and only when something has changed.
"""

import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model_service.manager import ModelManager
from model_service.records import ModelInfo, ModelState, ModelStatus, Problem
from model_service.registry.bring_up import digest_info
from model_service.strict_json import decode_json, encode_json

#: How often a worker looks whether there is something new to say.
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model of one worker.

    Attributes:
        digest: Of all that describes it, its code and its artifacts; ``None`` where it could not be read.
        queued_rows: Rows that wait for it in this worker.
    """

    qualified_name: str
    version: str | None
    class_path: str
    state: ModelState
    is_required: bool
    is_default: bool
    digest: str | None = None
    execution: str | None = None
    problem: Problem | None = None
    queued_rows: int = 0

    @property
    def label(self) -> str:
        """Its name and its version, as far as they are known."""
        return f"{self.qualified_name} {self.version or '-'}"


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What one worker says.

    Attributes:
        pid: Its process.
        is_loaded: Whether none of its models is loading any more.
        fault: Why it cannot serve at all, in a sentence.
        models: In the order of the configuration.
    """

    pid: int
    is_loaded: bool = False
    fault: str | None = None
    models: tuple[ModelReport, ...] = field(default=())


class Reporter:
    """Keeps the report of one worker up to date.

    Args:
        manager: Its models.
        path: The file.
    """

    def __init__(self, manager: ModelManager, path: Path) -> None:
        self._manager = manager
        self._path = path
        self._written: WorkerReport | None = None
        self._digests: dict[int, tuple[ModelInfo, str]] = {}  # by the address of what they are of
        self._lock = threading.Lock()
        self._is_loaded = False

    def start(self) -> None:
        """Say what there is to say, from now on."""
        threading.Thread(target=self._keep_looking, name="reporting", daemon=True).start()

    def note_loaded(self) -> None:
        """Say that the models have been loaded."""
        self._is_loaded = True
        self._write(None)

    def note_fault(self, fault: str) -> None:
        """Say why the worker cannot serve."""
        self._write(fault)

    def _keep_looking(self) -> None:
        while True:
            self._write(None)
            threading.Event().wait(_LOOK_S)

    def _write(self, fault: str | None) -> None:
        with self._lock:
            models = tuple(_report(status, self._digest(status.info)) for status in self._manager.get_models())
            report = WorkerReport(os.getpid(), self._is_loaded, fault, models)
            if report != self._written and (self._written is None or self._written.fault is None):
                temporary = self._path.with_suffix(f".{os.getpid()}")
                try:
                    temporary.write_bytes(encode_json(asdict(report)))
                    temporary.replace(self._path)
                except OSError:  # no room on the disk, or the folder is gone: the worker serves all the same
                    return
                self._written = report

    def _digest(self, info: ModelInfo | None) -> str | None:
        if info is None:
            return None
        if id(info) not in self._digests:
            self._digests[id(info)] = info, digest_info(info)
        return self._digests[id(info)][1]


def read_report(path: Path) -> WorkerReport | None:
    """Return what a worker says, or ``None`` where it has not said anything yet."""
    try:
        fields = decode_json(path.read_bytes())
    except FileNotFoundError:
        return None
    return WorkerReport(
        fields["pid"], fields["is_loaded"], fields["fault"], tuple(map(restore_model, fields["models"]))
    )


def report_models(statuses: list[ModelStatus]) -> tuple[ModelReport, ...]:
    """Return what is reported of models."""
    return tuple(_report(each, digest_info(each.info) if each.info is not None else None) for each in statuses)


def _report(status: ModelStatus, digest: str | None) -> ModelReport:
    return ModelReport(
        qualified_name=status.qualified_name,
        version=status.version,
        class_path=status.class_path,
        state=status.state,
        is_required=status.is_required,
        is_default=status.is_default,
        digest=digest,
        execution=status.execution,
        problem=status.problem,
        queued_rows=status.queued_rows,
    )


def restore_model(fields: dict[str, Any]) -> ModelReport:
    """Return a model as it was written down."""
    problem = Problem(**fields["problem"]) if fields["problem"] else None
    return ModelReport(**{**fields, "state": ModelState(fields["state"]), "problem": problem})
