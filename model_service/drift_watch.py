"""Drift as figures: what the log of predictions has of each model is held against its training, again and again.

The comparison is `model-service drift` in a process of its own, at the lowest priority, so that no request waits for
it. Its findings are gauges of the parent, which workers show to whoever scrapes any of them.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from model_service.fleet import Fleet
from model_service.home import make_environment
from model_service.metrics import families
from model_service.metrics.figures import Key
from model_service.metrics.meters import Meters
from model_service.records import ModelState
from model_service.strict_json import decode_json

logger = logging.getLogger(__name__)

_FAMILIES = (families.DRIFTED, families.DRIFT_PSI, families.DRIFT_ROWS)
#: The first comparison does not wait for a whole interval, nor does one that has been switched on by a reload.
_SOON_S = 60.0
_TIMEOUT_S = 300.0
_LOOK_S = 0.1
_LOWEST_PRIORITY = 19
#: Enough for every figure, whatever a row weighs.
_MOST_ROWS = 10_000


class DriftWatch:
    """Compares, and tells its findings.

    Args:
        find_fleet: The generation that serves now.
        path: The configuration file.
        meters: Get the findings.
        ending: Set when the service ends.
    """

    def __init__(self, find_fleet: Callable[[], Fleet], path: Path, meters: Meters, ending: threading.Event) -> None:
        self._find_fleet = find_fleet
        self._path = path
        self._meters = meters
        self._ending = ending
        self._told: set[tuple[str, str, str]] = set()

    def run(self) -> None:
        """Compare until the service ends."""
        wait_s = _SOON_S
        while not self._ending.wait(min(wait_s, self._find_interval() or _SOON_S)):
            wait_s = self._find_interval()
            if wait_s:
                self._compare_all()

    def _find_interval(self) -> float:
        return self._find_fleet().config.prediction_log.drift_every_s

    def _compare_all(self) -> None:
        found: dict[Key, float] = {}
        for name, version in _list_logged(self._find_fleet()):
            report = self._compare(name, version)
            if report is None:
                continue
            found[families.DRIFT_ROWS.name, name, version] = report["rows"]
            if report["problem"]:
                continue
            drifted = [each for each in report["fields"] if each["drifted"]]
            found[families.DRIFTED.name, name, version] = len(drifted) + len(report["reasons"])
            for each in report["fields"]:
                if "psi" in each["figures"]:
                    key = (families.DRIFT_PSI.name, name, version, each["place"], each["field"])
                    found[key] = each["figures"]["psi"]
        self._meters.replace_gauges(_FAMILIES, found)

    def _compare(self, name: str, version: str) -> dict[str, Any] | None:
        """Return the report of a model; ``None`` if there is none, and the log says why, once."""
        config = self._find_fleet().config.prediction_log
        since = datetime.now(UTC) - timedelta(seconds=config.drift_window_s)
        command = [
            *(sys.executable, "-P", "-m", "model_service", "drift", name, "--version", version, "--json"),
            *("--config", str(self._path), "--since", since.isoformat(timespec="seconds")[:19]),
            *("--most-rows", str(_MOST_ROWS)),
        ]
        with subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=make_environment(),
        ) as process:
            os.setpriority(os.PRIO_PROCESS, process.pid, _LOWEST_PRIORITY)
            watcher = threading.Thread(target=self._end_in_time, args=[process], name="drift", daemon=True)
            watcher.start()
            output, fault = process.communicate()
        if output.startswith(b"{"):
            report: dict[str, Any] = decode_json(output)
            return report
        if not self._ending.is_set():
            self._say(name, version, fault.decode(errors="replace").strip().rpartition("\n")[2])
        return None

    def _end_in_time(self, process: "subprocess.Popen[bytes]") -> None:
        for _ in range(int(_TIMEOUT_S / _LOOK_S)):
            if process.poll() is not None:
                return
            if self._ending.wait(_LOOK_S):
                break
        process.kill()

    def _say(self, name: str, version: str, fault: str) -> None:
        if (name, version, fault) not in self._told:
            self._told.add((name, version, fault))
            logger.warning("%s %s could not be compared with its training: %s", name, version, fault or "it took long")


def _list_logged(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Yield name and version of each model that can predict and whose predictions are logged."""
    for report in fleet.read_reports()[:1]:
        for config, model in zip(fleet.config.models, report.models, strict=True):
            if config.prediction_log.sample and model.state is ModelState.READY and model.version is not None:
                yield model.qualified_name, model.version
