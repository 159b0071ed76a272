"""`CallbackSender`: tells who asked for it that a job is over, signed, and again until it is taken, or too often.

An attempt is counted in the record before it is made, by an ``UPDATE`` that only one of several workers can win. When
the next one is due each worker finds by its own clock, from the moment at which it first saw the count: so a delivery
outlives any worker, and no clocks are compared. An attempt is over before the next is due; one whose answer is lost
is made again, so a receiver may be told twice, with the same ``webhook-id``.
"""

import base64
import hashlib
import hmac
import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from model_service.config_jobs import SECRET_PREFIX, JobsConfig
from model_service.errors import CapacityError
from model_service.jobs.documents import describe_job
from model_service.jobs.errors import JobInvalid
from model_service.jobs.outbound import Network, PostFailed, UrlRefused, check_url, post
from model_service.jobs.records import CallbackState, Job
from model_service.jobs.store import JobStore
from model_service.strict_json import encode_json

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
#: Between two attempts: at first, and at most, each four times the one before. Together some four hours.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 3600.0
#: An attempt takes no longer; less than the first pause.
_ATTEMPT_S = 15.0
_THREADS = 4
_POLL_S = 1.0
#: So many jobs are looked at in one turn.
_MOST_LOOKED_AT = 1000


class CallbackSender:
    """Looks for jobs that are over, in a thread of its own.

    Args:
        config: The secret, and networks that may be reached.
        store: The records.
        stopping: Set when it has to end.
        first_pause_s: Between the first two attempts.
        poll_s: How often jobs are looked for.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        config: JobsConfig,
        store: JobStore,
        stopping: threading.Event,
        *,
        first_pause_s: float = _FIRST_PAUSE_S,
        poll_s: float = _POLL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = _decode(config.callback_secret or "")
        self._networks = _list_networks(config)
        self._store = store
        self._stopping = stopping
        self._first_pause_s = first_pause_s
        self._poll_s = poll_s
        self._monotonic = monotonic
        # By job: how many attempts it showed, and since when.
        self._seen: dict[str, tuple[int, float]] = {}
        self._free = threading.BoundedSemaphore(_THREADS)
        self._pool = ThreadPoolExecutor(_THREADS, "callbacks")
        self._thread = threading.Thread(target=self._run, name="callbacks", daemon=True)

    def start(self) -> None:
        """Begin, where there is a secret to sign with."""
        if self._key:
            self._thread.start()

    def stop(self) -> None:
        """Begin no more attempts, once it is told to stop."""
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=False)

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                self._look()
            except CapacityError as error:  # the worker tells in the log, too
                logger.debug("callbacks wait: %s", error.message)

    def _look(self) -> None:
        now = self._monotonic()
        seen, self._seen = self._seen, {}
        for job in self._store.list_callbacks(_MOST_LOOKED_AT):
            attempts, since = seen.get(job.id, (-1, now))
            since = since if attempts == job.callback_attempts else now
            self._seen[job.id] = (job.callback_attempts, since)
            if now - since < self._find_pause(job.callback_attempts):
                continue
            if job.callback_attempts >= MOST_ATTEMPTS:
                self._give_up(job, job.callback_problem or "no attempt came to its end")
            elif self._free.acquire(blocking=False):
                self._pool.submit(self._attempt, job)

    def _find_pause(self, attempts: int) -> float:
        return min(_LONGEST_PAUSE_S, self._first_pause_s * 4.0 ** (attempts - 1)) if attempts else 0.0

    def _attempt(self, job: Job) -> None:
        try:
            if self._store.begin_callback(job):
                self._deliver(self._store.get(job.id))
        except CapacityError as error:
            logger.warning("callback of job %s: %s", job.id, error.message, extra={"code": error.code})
        except Exception:
            logger.exception("callback of job %s: an unexpected error", job.id)
        finally:
            self._free.release()

    def _deliver(self, job: Job) -> None:
        body = encode_json(describe_job(job))
        headers = {"content-type": "application/json", **sign(self._key, job.id, int(time.time()), body)}
        url = str(job.request.callback_url)
        try:
            post(url, body, headers, networks=self._networks, within_s=_ATTEMPT_S)
        except (PostFailed, UrlRefused) as error:
            # A host that is not found, or leads elsewhere, may be mended, too.
            problem = f"callback_url {error}" if isinstance(error, UrlRefused) else str(error)
            if job.callback_attempts >= MOST_ATTEMPTS:
                self._give_up(job, problem)
            else:
                logger.info("callback of job %s, attempt %d: %s", job.id, job.callback_attempts, problem)
                self._store.tell_callback(job, problem)
        else:
            logger.info("callback of job %s: delivered", job.id)
            self._store.tell_callback(job, "", state=CallbackState.DELIVERED)

    def _give_up(self, job: Job, problem: str) -> None:
        logger.warning("callback of job %s: given up after %d attempts: %s", job.id, job.callback_attempts, problem)
        self._store.tell_callback(job, problem, state=CallbackState.FAILED)


def check_callback(url: str, config: JobsConfig) -> None:
    """Make sure that a job may have a callback.

    Raises:
        JobInvalid: It may not, or not to this address.
    """
    if config.callback_secret is None:
        raise JobInvalid("this service sends no callbacks; its operator can set 'jobs.callback_secret'")
    try:
        check_url(url, _list_networks(config))
    except UrlRefused as error:
        raise JobInvalid(f"'callback_url' {error}") from None


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sends something, and when, as Standard Webhooks has them."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def _decode(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def _list_networks(config: JobsConfig) -> list[Network]:
    return [ipaddress.ip_network(network) for network in config.callback_networks]
