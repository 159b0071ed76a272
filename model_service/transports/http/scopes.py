"""What a request needs: nothing, any key, or a key with a scope. It knows no framework.

Whoever adds a route adds it here if it changes anything: what is not listed can be read with any key, and changed only
with the scope ``manage``. Which model a key may ask is decided by the road, once the name has become a model.
"""

import re
from enum import StrEnum

from model_service.access.gate import check_scope
from model_service.access.key import JOBS, MANAGE, METRICS, PREDICT, Key
from model_service.config import InvocationsConfig
from model_service.transports.http.health import LIVE, READY
from model_service.transports.http.ping import list_paths

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
#: Everybody may ask for these: probes, and what the page needs on which people sign in.
_OPEN = frozenset({LIVE, READY, "/v2/health/live", "/v2/health/ready"})
_OPEN_FILES = re.compile(r"(?:/bootstrap|/docs)?/static/.*", re.DOTALL)
#: Asked for by POST, and only read.
_INDEX = "/v2/repository/index"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PREDICTING = re.compile(
    r"/api/models/[^/]+(?:/versions/[^/]+)?/(?:predict|explain)"
    r"|/v2/models/[^/]+(?:/versions/[^/]+)?/infer"
    r"|/v1/models/[^/]+:predict"
    r"|/endpoints/[^/]+/invocations"
    r"|/models/[^/]+/invoke"
    r"|/api/predictions/.*"
)
#: Whoever sends a file has it predicted, so the road asks for the model's scope, too.
_JOBS = re.compile(r"/api/jobs(?:/.*)?|/jobs|/api/models/[^/]+(?:/versions/[^/]+)?/jobs")


class Need(StrEnum):
    """What a request needs beside a scope."""

    NOTHING = "nothing"
    ANY_KEY = "any key"


class Needs:
    """Says what requests need.

    Args:
        config: Names the routes of platforms.
    """

    def __init__(self, config: InvocationsConfig) -> None:
        pings, invocations = list_paths(config)
        self._open = _OPEN | {*pings}
        self._predicting = frozenset(invocations)

    def find(self, method: str, path: str) -> Need | str:
        """Return what a request needs: a `Need`, or a scope.

        Args:
            method: Of the request.
            path: Decoded, and without what a proxy has removed.
        """
        path = path.rstrip("/") or "/"  # the views take a slash at the end, too
        if method in _READING and (path in self._open or _OPEN_FILES.fullmatch(path)):
            return Need.NOTHING
        if path in (SIGN_IN, SIGN_OUT):
            return Need.NOTHING
        if path == "/metrics":
            return METRICS
        if path == "/api/manage" or path.startswith("/api/manage/"):
            return MANAGE
        if _JOBS.fullmatch(path):
            return JOBS
        if method == "POST" and (path in self._predicting or _PREDICTING.fullmatch(path)):
            return PREDICT
        return Need.ANY_KEY if method in _READING or path == _INDEX else MANAGE


def check_need(key: Key | None, need: Need | str) -> None:
    """Let a request go on whose key allows what it needs; without keys nothing is needed.

    Raises:
        Forbidden: It does not.
    """
    if not isinstance(need, Need):
        check_scope(key, need)
