"""`Reloader`: one generation of a service after another. A new one is brought up beside the one that serves.

    read config.yaml ─> stage: new workers, new model processes ─> all loaded, tested, fit? ─> they accept
                                              │                                                 │
                                              └─ else: ended, the one before serves on          the one before retires

New processes, because only they have new code: what a process has imported stays as it was. For a while both are in
memory. At most one generation retires beside the one that serves: a further reload ends it as the end of the service
would. What served before is kept in memory, for `rollback`.
"""

import logging
import logging.config
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_service.config import ServiceConfig
from model_service.config_file import write_config
from model_service.control import Say
from model_service.describing import describe_models
from model_service.errors import ReloadFailed, ReloadUnderWay, ServiceError
from model_service.fleet import CLOSE_S, Fleet, FleetState, Standing
from model_service.listening import check_listening
from model_service.observability import build_logging_settings
from model_service.records import ModelState
from model_service.reload_plan import SAME, Served, find_refusal, keep_fixed, make_plan
from model_service.reporting import ModelReport, WorkerReport
from model_service.tracing.tracer import check_tracing
from model_service.worker_place import name_end

logger = logging.getLogger(__name__)

_POLL_S = 0.02
#: Workers that have been let accept do so at once; whatever keeps them, this long is waited for them.
_ACCEPT_S = 10.0
#: A generation whose models still load may be what a reload is to mend: this long is waited to know how they do.
_SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A generation that served, for `Reloader.rollback`."""

    number: int
    config: ServiceConfig
    digests: dict[str, str]
    failed: frozenset[str]


class Reloader:
    """Brings up generations. Thread-safe; one order at a time.

    Args:
        standing: What all generations share.
        read: Reads the configuration as it is now.
        first: The generation that serves from the start.

    Attributes:
        serving: The generation that serves.
    """

    def __init__(self, standing: Standing, read: Callable[[], ServiceConfig], first: Fleet) -> None:
        self.serving = first
        self._number = first.number
        self._standing = standing
        self._read = read
        self._staged: Fleet | None = None
        self._before: _Kept | None = None
        self._leaving: list[tuple[Fleet, threading.Event, threading.Thread]] = []
        self._turn = threading.Lock()
        self._asked = threading.Event()

    def start(self) -> None:
        """Heed `ask` from now on."""
        threading.Thread(target=self._heed, name="reloading", daemon=True).start()

    def ask(self) -> None:
        """Have the service reloaded soon, after what is under way; for a signal's handler."""
        self._asked.set()

    def reload(self, say: Say, *, is_dry: bool = False) -> dict[str, Any]:
        """Read the configuration again and serve it; return the number of the generation that serves then.

        Args:
            say: Given the lines of the plan, and what comes of it.
            is_dry: Only print the plan.

        Raises:
            ConfigInvalid: The configuration is wrong.
            ReloadFailed: The new generation is not fit to serve.
            ReloadUnderWay: Another order is being carried out.
        """
        with self._one_at_a_time():
            wanted = self._read()
            server, notes = keep_fixed(self.serving.config.server, wanted.server)
            config = replace(wanted, server=server)
            check_listening(config.server)
            check_tracing(config.tracing)
            for note in notes:
                say(note)
            failed = _list_failed(self._read_serving())
            if is_dry:
                models = self._describe(config)
                self._print_plan(config, models, say)
                _refuse(find_refusal(failed, models), "A reload would change nothing")
            else:
                self._replace(
                    Fleet(self._standing, self._choose_number(), config, state=FleetState.STAGED), failed, say
                )
            return {"generation": self.serving.number}

    def rollback(self, say: Say) -> dict[str, Any]:
        """Serve again what was served before the latest reload; return and errors as `reload`."""
        with self._one_at_a_time():
            before = self._before
            if before is None:
                raise ReloadFailed("there is no generation to go back to: the service has not been reloaded yet")
            number = self._choose_number()
            say(f"generation {number} is what generation {before.number} was; the configuration file is left as it is")
            fleet = Fleet(self._standing, number, before.config, state=FleetState.STAGED, digests=before.digests)
            self._replace(fleet, before.failed, say)
            return {"generation": self.serving.number}

    def list_fleets(self) -> list[Fleet]:
        """Return all generations that there are: those that retire, the one that serves, the one that is staged."""
        staged = [self._staged] if self._staged is not None else []
        return [*(fleet for fleet, _, thread in self._leaving if thread.is_alive()), self.serving, *staged]

    @property
    def rollback_number(self) -> int | None:
        """The generation that `rollback` goes back to."""
        return self._before.number if self._before is not None else None

    def finish(self, timeout_s: float) -> None:
        """Return when no order is carried out any more, or after so long; `Standing.ending` has been set."""
        self._turn.acquire(timeout=timeout_s)

    def join(self) -> None:
        """Wait for the generations that retire."""
        for _, _, thread in self._leaving:
            thread.join()

    # One generation after another

    def _replace(self, fleet: Fleet, known: frozenset[str], say: Say) -> None:
        """Let a staged fleet serve in the place of the one that does, if it is fit to."""
        before, self._staged = self.serving, fleet
        try:
            self._hurry()
            fleet.start()
            reports = self._wait_until_loaded(fleet)
            self._print_plan(fleet.config, reports[0].models, say)
            refusal = find_refusal(known, [model for report in reports for model in report.models])
            _refuse(refusal, f"Generation {before.number} serves on")
            self._let_accept(fleet)
        except BaseException:
            # Workers that may accept have perhaps begun to.
            grace_s = 0.0 if fleet.state is FleetState.STAGED else fleet.config.server.shutdown_timeout_s + CLOSE_S
            fleet.end(time.monotonic() + grace_s, lambda: False)
            self._standing.listener.restore()
            raise
        finally:
            self._staged = None
        kept = _Kept(before.number, before.config, before.read_digests(), _list_failed(before.read_reports()))
        self.serving, self._before = fleet, kept
        before.retire()
        self._see_off(before)
        self._wait_until_aside(before)
        logging.config.dictConfig(build_logging_settings(fleet.config.logging))
        say(f"generation {fleet.number} serves")

    def _wait_until_aside(self, fleet: Fleet) -> None:
        """Return when whoever connects meets the next generation; a worker that is held up does not hold this up."""
        deadline = time.monotonic() + _ACCEPT_S
        while not fleet.has_stepped_aside() and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _wait_until_loaded(self, fleet: Fleet) -> list[WorkerReport]:
        longest_s = fleet.config.server.reload_timeout_s
        deadline = time.monotonic() + longest_s
        while time.monotonic() < deadline:
            reports = fleet.read_reports()
            faults = [report.fault for report in reports if report.fault is not None]
            losses = fleet.list_losses()
            if faults:
                raise ReloadFailed(f"{faults[0]}. Generation {self.serving.number} serves on")
            if losses:
                why = f"a new worker ended by itself, with {name_end(losses[0])}; the log says why"
                raise ReloadFailed(f"{why}. Generation {self.serving.number} serves on")
            if len(reports) == self._standing.workers and all(report.is_loaded for report in reports):
                return reports
            self._check_standing()
            time.sleep(_POLL_S)
        raise ReloadFailed(
            f"the new workers have not loaded their models within {longest_s:g} s (server.reload_timeout_s). "
            f"Generation {self.serving.number} serves on"
        )

    def _read_serving(self) -> list[WorkerReport]:
        """Return what the workers that serve say; for a while after their start, they have not said it yet."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            reports = self.serving.read_reports()
            if len(reports) == self._standing.workers and all(report.is_loaded for report in reports):
                break
            self._check_standing()
            time.sleep(_POLL_S)
        return self.serving.read_reports()

    def _let_accept(self, fleet: Fleet) -> None:
        if not fleet.promote():
            raise ReloadFailed(f"a new worker ended by itself. Generation {self.serving.number} serves on")
        deadline = time.monotonic() + _ACCEPT_S
        while not fleet.accepts():
            self._check_standing()
            if time.monotonic() > deadline:
                raise ReloadFailed(f"the new workers do not accept. Generation {self.serving.number} serves on")
            time.sleep(_POLL_S)

    def _check_standing(self) -> None:
        if self._standing.ending.is_set():
            raise ReloadFailed("the service ends")

    def _hurry(self) -> None:
        """End the generation that retires still: there shall not be three of them for long."""
        self._leaving = [each for each in self._leaving if each[2].is_alive()]
        for _, hurry, _ in self._leaving:
            hurry.set()

    def _see_off(self, fleet: Fleet) -> None:
        hurry = threading.Event()
        thread = threading.Thread(target=self._wait_for, args=[fleet, hurry], name="retiring", daemon=True)
        self._leaving.append((fleet, hurry, thread))
        thread.start()

    def _wait_for(self, fleet: Fleet, hurry: threading.Event) -> None:
        """End a generation that retires, when nobody is connected to it any more or its time is over."""
        server = fleet.config.server
        deadline = time.monotonic() + server.drain_timeout_s
        while not fleet.has_retired() and time.monotonic() < deadline and not self._standing.ending.is_set():
            if hurry.wait(_POLL_S):
                break
        fleet.end(time.monotonic() + server.shutdown_timeout_s + CLOSE_S, lambda: False)
        self._standing.listener.restore()
        logger.info("generation %d has ended", fleet.number)

    # What is said

    def _print_plan(self, config: ServiceConfig, models: tuple[ModelReport, ...] | list[ModelReport], say: Say) -> None:
        reports = self.serving.read_reports()
        running = Served(self.serving.config, reports[0].models if reports else ())
        for line in make_plan(running, Served(config, models)) or [SAME]:
            say(line)

    def _describe(self, config: ServiceConfig) -> list[ModelReport]:
        path = Path(f"{self._standing.home.path}/dry-{threading.get_ident()}.yaml")
        write_config(config, path)
        try:
            return describe_models(path)
        finally:
            path.unlink()

    def _choose_number(self) -> int:
        self._number += 1
        return self._number

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._check_standing()
        if not self._turn.acquire(blocking=False):
            raise ReloadUnderWay("another reload is under way; wait for its end", retry_after_s=2)
        try:
            yield
        finally:
            self._turn.release()

    def _heed(self) -> None:
        while True:
            self._asked.wait()
            with self._turn:  # after what is under way
                self._asked.clear()
            try:
                self.reload(lambda line: logger.info("reload: %s", line))
            except ReloadUnderWay:  # somebody was faster: once more after that
                self._asked.set()
            except ServiceError as error:
                logger.error("the service has not been reloaded: %s", error.message, extra={"code": error.code})
            except Exception:
                logger.exception("the service has not been reloaded")


def _refuse(reason: str | None, consequence: str) -> None:
    if reason is not None:
        raise ReloadFailed(f"{reason}. {consequence}")


def _list_failed(reports: list[WorkerReport]) -> frozenset[str]:
    """Return the classes of the models that any worker has failed with."""
    models = [model for report in reports for model in report.models]
    return frozenset(model.class_path for model in models if model.state is ModelState.FAILED)
