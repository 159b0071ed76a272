"""Calls without a connection: what is asked, when it is asked again, and what an answer means.

What a method of the client does is written once, as a generator (a `Flow`): it yields calls and pauses, and whoever
drives it sends back the answers. `drivers.py` has one driver that waits and one that awaits.
"""

import json
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from model_service_client.errors import (
    AnswerInvalid,
    ConnectionFailed,
    ModelServiceError,
    NoAnswerInTime,
)
from model_service_client.problems import read_error
from model_service_client.transfers import Sink, Source

JSON = "application/json"
#: Statuses of requests that have done nothing: the service, or a proxy before it, had no room.
_REFUSED = frozenset({429, 502, 503})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """When a call is made again.

    Only calls that may be made twice are: reading, predicting, and jobs, which carry an ``Idempotency-Key``. They are
    made again after 429, 502 and 503, and when the connection could not be made or broke; not after a timeout, which
    would only add to the load.

    Attributes:
        attempts: How often a call is made in all.
        first_wait_s: Before the second attempt; each further wait is twice as long, and some of it is left to chance.
        max_wait_s: The longest wait. When the server's ``Retry-After`` is longer, the call fails at once.
    """

    attempts: int = 5
    first_wait_s: float = 0.2
    max_wait_s: float = 20.0

    def choose_wait(self, made: int, retry_after_s: float | None) -> float | None:
        """Return how long to wait after so many attempts; ``None`` when there is to be no other one."""
        if made >= self.attempts or (retry_after_s or 0.0) > self.max_wait_s:
            return None
        wait_s: float = min(self.max_wait_s, self.first_wait_s * 2 ** (made - 1)) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        return max(wait_s, retry_after_s or 0.0)


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        path: Below the address of the service.
        body: What is sent; a file is read while it is sent.
        sink: Where the body of a good answer is written while it arrives.
        is_repeatable: Whether making it twice does no harm.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: bytes | Source | None = None
    sink: Sink | None = None
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """A while in which nothing is asked."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; its content is empty when it went to a sink."""

    status: int
    headers: httpx.Headers
    content: bytes

    def read_document(self) -> Any:
        """Return the JSON document.

        Raises:
            AnswerInvalid: It is none.
        """
        try:
            return json.loads(self.content)
        except ValueError:
            raise AnswerInvalid(
                f"the answer ({self.status}) is no JSON: is the address that of model_service, with its path prefix?"
            ) from None


Flow = Generator[Call | Pause, Answer | None, T]


def ask(call: Call, retry: Retry) -> Flow[Answer]:
    """Return the good answer to a call, made again where that is safe and promises something.

    Raises:
        ModelServiceError: The last attempt failed.
    """
    made = 0
    while True:
        try:
            answer = yield call
            assert answer is not None
            if answer.status < 300:
                return answer
            failure, may_repeat = _read_failure(answer), call.is_repeatable and answer.status in _REFUSED
        except httpx.TransportError as error:
            failure, may_repeat = _explain(error)
            # A connection that was never made has carried nothing.
            is_unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            may_repeat = may_repeat and (call.is_repeatable or is_unsent)
        made += 1
        wait_s = retry.choose_wait(made, failure.retry_after_s)
        if not may_repeat or wait_s is None or not _can_send_again(call):
            raise failure
        yield Pause(wait_s)


def _can_send_again(call: Call) -> bool:
    return not isinstance(call.body, Source) or call.body.can_repeat


def _explain(error: httpx.TransportError) -> tuple[ModelServiceError, bool]:
    """Return the error of a call without an answer, and whether another attempt promises something."""
    failure: ModelServiceError
    url = error.request.url
    address = f"{url.scheme}://{url.netloc.decode('ascii')}"  # without what a person is known by
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        failure, may_repeat = ConnectionFailed(f"nobody answers at {address}: {error}"), True
    elif isinstance(error, httpx.TimeoutException):
        message = "no answer came within the client's timeout; give it a longer 'timeout_s', or send a job"
        failure, may_repeat = NoAnswerInTime(message), False
    elif isinstance(error, httpx.UnsupportedProtocol):
        failure, may_repeat = (
            ConnectionFailed(f"the address must begin with http:// or https://, not {url.scheme}://"),
            False,
        )
    else:
        failure, may_repeat = (
            ConnectionFailed(f"the connection to {address} broke: {type(error).__name__}: {error}"),
            True,
        )
    failure.__cause__ = error
    return failure, may_repeat


def _read_failure(answer: Answer) -> ModelServiceError:
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = {}
    error: ModelServiceError
    if isinstance(document, dict) and isinstance(document.get("code"), str):
        error = read_error(document, answer.status)
    elif answer.status < 400:  # a POST that follows it may become a GET
        place = answer.headers.get("location", "elsewhere")
        error = AnswerInvalid(f"the address leads on to {place}; give the client the address that it leads to")
    elif answer.status in _REFUSED:
        error = ConnectionFailed(f"something before the service answered {answer.status}")
    else:
        error = AnswerInvalid(f"the answer is {answer.status}, and not one of model_service: is the address right?")
    error.status = answer.status
    error.request_id = error.request_id or answer.headers.get("x-request-id")
    after = answer.headers.get("retry-after", "")
    error.retry_after_s = float(after) if after.isdecimal() else None
    return error
