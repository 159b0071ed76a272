"""`JobWorker`: one claim after the other, as long as the process lives; between them what is too old is removed."""

import logging
import time

from model_service.errors import CapacityError
from model_service.jobs.records import Claim
from model_service.jobs.retention import Retention
from model_service.jobs.run import JobRun, Tools
from model_service.observability import bind_request_id

logger = logging.getLogger(__name__)

#: How often an idle worker asks for work, at least and, after a while without, at most.
_POLL_S, _IDLE_POLL_S = 0.2, 1.0
#: After so long without work the models are let go.
_UNLOAD_S = 120.0
#: How often what is too old is looked for.
_SWEEP_S = 60.0
#: While database or files are away, this long between two tries.
_AWAY_S = 2.0
_LONGEST_REST_S = 60.0


class JobWorker:
    """Works until it is told to stop.

    Args:
        tools: What to work with.
        retention: What removes what is too old.
    """

    def __init__(self, tools: Tools, retention: Retention) -> None:
        self._tools = tools
        self._retention = retention
        # Jobs that did not get on, with when this worker may try again and how long it rested last.
        self._resting: dict[str, tuple[float, float]] = {}
        self._worked = time.monotonic()
        self._swept = time.monotonic()
        self._is_away = False

    def run(self) -> None:
        """Work; return when told to stop."""
        stopping = self._tools.stopping
        while not stopping.is_set():
            try:
                self._sweep()
                claim = self._claim()
                if claim is not None:
                    self._work(claim)
                else:
                    self._idle()
            except CapacityError as error:
                if not self._is_away:
                    logger.error("jobs wait: %s", error.message, extra={"code": error.code})
                self._is_away = True
                stopping.wait(_AWAY_S)
        self._tools.models.close()

    def _claim(self) -> Claim | None:
        now = time.monotonic()
        claim = self._tools.claims.claim(without=[job for job, (until, _) in self._resting.items() if until > now])
        if self._is_away:
            logger.info("jobs go on")
            self._is_away = False
        return claim

    def _work(self, claim: Claim) -> None:
        job_id = claim.job.id
        _, rest_s = self._resting.pop(job_id, (0.0, 1.0))
        bind_request_id(job_id)
        try:
            if JobRun(claim, self._tools).run():
                rest_s = min(2 * rest_s, _LONGEST_REST_S)
                self._resting[job_id] = (time.monotonic() + rest_s, rest_s)
        finally:
            bind_request_id(None)
        self._worked = time.monotonic()

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept > _SWEEP_S:
            self._swept = now
            self._retention.sweep()

    def _idle(self) -> None:
        now = time.monotonic()
        if now - self._worked > _UNLOAD_S:
            self._tools.models.close()
            self._worked = now
        self._tools.stopping.wait(_POLL_S if now - self._worked < 10 * _POLL_S else _IDLE_POLL_S)
