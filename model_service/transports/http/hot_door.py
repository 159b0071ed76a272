"""The hot door: the happy end of a JSON predict request, answered in front of Flask.

Flask's dispatch costs several times what validation and a small model do together, so the
one request that comes a thousand times a second takes a shorter way to the same
`PredictionService`: same reader, same encoder, same headers, same log line. It may never
explain, decide or know anything that Flask's side does not: whatever is not plainly the
happy end (another route, method or media type, an encoding, a version in the path, an
unknown model, a broken body, any error) goes to the application as it came, body
included. An error of the prediction itself goes along, so that nothing is predicted
twice, and the one place that words errors words this one too.
"""

import io
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from model_service.config import ServerConfig
from model_service.manager import ModelManager
from model_service.observability import bind_request_id, choose_request_id
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.strict_json import decode_json
from model_service.transports.http.codec import JSON, encode_outputs
from model_service.transports.http.headers import API_HEADERS
from model_service.transports.http.urls import MODELS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PREFIX, _SUFFIX = f"{MODELS}/", "/predict"
_ANY = frozenset({"*/*", JSON, f"{JSON}, */*"})
#: Keys of the WSGI environment under which a request is handed on.
ERROR, STARTED = "model_service.error", "model_service.started"


class HotDoor:
    """A WSGI application around the Flask one. Thread-safe.

    Args:
        application: Answers everything else.
        manager: Knows the models.
        service: Predicts.
        log: Gets one line a request.
        config: Its ``max_body_bytes``.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        manager: ModelManager,
        service: PredictionService,
        log: RequestLog,
        config: ServerConfig,
    ) -> None:
        self._application = application
        self._manager = manager
        self._service = service
        self._log = log
        self._max_body_bytes = config.max_body_bytes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a plain predict request; hand on every other."""
        path = environ["PATH_INFO"]
        if path.startswith(_PREFIX) and path.endswith(_SUFFIX) and self._is_plain(environ):
            return self._predict(path[len(_PREFIX) : -len(_SUFFIX)], environ, start_response)
        return self._application(environ, start_response)

    def _is_plain(self, environ: "WSGIEnvironment") -> bool:
        """Whether method, media types and length are those of nearly every predict request."""
        length = environ.get("CONTENT_LENGTH") or ""
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE") == JSON
            and environ.get("HTTP_ACCEPT", "*/*") in _ANY
            and "HTTP_CONTENT_ENCODING" not in environ
            and "HTTP_TRANSFER_ENCODING" not in environ
            and length.isdecimal()
            and int(length) <= self._max_body_bytes
        )

    def _predict(
        self, qualified_name: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        started = time.perf_counter()
        request_id = choose_request_id(environ.get("HTTP_X_REQUEST_ID"))
        bind_request_id(request_id)
        raw, length = None, int(environ["CONTENT_LENGTH"])
        try:
            self._manager.get_model(qualified_name)  # an unknown model is told before a large body is read
            raw = environ["wsgi.input"].read(length)
            if len(raw) < length:  # the caller has left
                return self._hand_on(environ, start_response, started, request_id, raw)
            document: Any = decode_json(raw)
            is_many = isinstance(document, list)
            predict = self._service.predict_many if is_many else self._service.predict
            prediction = predict(qualified_name, document)
            body = encode_outputs(prediction, is_many=is_many)
        except Exception as error:
            return self._hand_on(environ, start_response, started, request_id, raw, error)
        headers = [
            ("Content-Type", JSON),
            ("Content-Length", str(len(body))),
            ("X-Model-Version", prediction.version),
            *API_HEADERS,
            ("X-Request-ID", request_id),
        ]
        start_response("200 OK", headers)
        duration_s = time.perf_counter() - started
        self._log.write("POST", environ["PATH_INFO"], 200, qualified_name, prediction.version, duration_s)
        bind_request_id(None)
        return [body]

    def _hand_on(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        started: float,
        request_id: str,
        raw: bytes | None,
        error: Exception | None = None,
    ) -> Iterable[bytes]:
        """Let the application answer a request that is not the happy one, as it came."""
        environ[STARTED], environ["HTTP_X_REQUEST_ID"] = started, request_id
        if raw is not None:
            environ["wsgi.input"] = io.BytesIO(raw)
            if error is not None:
                environ[ERROR] = error
        return self._application(environ, start_response)


def raise_known_error(environ: "WSGIEnvironment") -> None:
    """Raise the error that the hot door met on this request, if it did."""
    error = environ.pop(ERROR, None)
    if error is not None:
        raise error
