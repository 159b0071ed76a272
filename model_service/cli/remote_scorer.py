"""`RemoteScorer`: rows of a file to a server, in lenient requests, several at a time."""

import http.client
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

from model_service import errors
from model_service.cli.scorers import Described, Scorer, in_order, insist
from model_service.errors import ConfigInvalid, ModelNotFound, PayloadTooLarge, PredictionTimeout, ServerBusy
from model_service.files.rows import Outcome, Row
from model_service.records import Violation
from model_service.strict_json import encode_document

_MAX_CHUNK_ROWS = 1000
_TIMEOUT_S = 120.0
_KINDS: dict[str, type[errors.ServiceError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ServiceError) and not issubclass(kind, errors.PackageError)
}


class RemoteScorer(Scorer):
    """Scores on a server. See `Scorer`.

    Args:
        url: Of the server, with the prefix under which it is reached.
        qualified_name: The model's name.
        version: The default version of the name when ``None``.
        concurrency: Requests that are under way at a time.
        api_key: For a server that asks for one.

    Raises:
        ConfigInvalid: The address is none, or what answers there is no such server.
        ServerBusy: Nobody answers there now.
        ModelNotFound: The server has no such model.
        Unauthenticated, Forbidden: The server asks for a key, or for another one.
    """

    def __init__(
        self, url: str, qualified_name: str, version: str | None, concurrency: int, *, api_key: str | None = None
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigInvalid("--url takes the address of a server, such as http://127.0.0.1:8000")
        self._parts = parts
        self._headers = {"X-API-Key": api_key} if api_key is not None else {}
        self._concurrency = concurrency
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        path = f"{parts.path.rstrip('/')}/api/models/{quote(qualified_name, safe='')}"
        try:
            metadata = self._describe(path if version is None else f"{path}/versions/{quote(version, safe='')}")
        except errors.ServiceError:
            self.close()
            raise
        name, found = metadata["qualified_name"], metadata["version"]
        self.model = Described(name, found, metadata["input_schema"], metadata["output_schema"])
        self.chunk_rows = min(_MAX_CHUNK_ROWS, metadata["limits"]["rows"])
        # The version that answers now answers to the end, whatever the server makes its default.
        self._path = f"{path}/versions/{quote(found, safe='')}/predict"

    def score(self, chunks: Iterable[list[Row]]) -> Iterator[tuple[list[Row], list[Outcome]]]:
        with ThreadPoolExecutor(self._concurrency) as pool:
            yield from in_order(pool, self._score, chunks, 2 * self._concurrency)

    def close(self) -> None:
        """Close the connections; of a scorer that scores no more."""
        for connection in self._connections:
            connection.close()

    def _describe(self, path: str) -> dict[str, Any]:
        status, metadata = self._ask("GET", path, None)
        if status == 404:
            raise ModelNotFound(metadata.get("detail", "the server has no such model"))
        if status in (401, 403) and "code" in metadata:
            raise _KINDS.get(metadata["code"], ConfigInvalid)(f"{metadata['detail']}; set MODEL_SERVICE_API_KEY")
        if status != 200 or not isinstance(metadata.get("input_schema"), dict):
            raise ConfigInvalid(f"the server answered {status} and does not describe the model: is it model_service?")
        return metadata  # type: ignore[no-any-return]

    def _score(self, documents: list[Any]) -> list[Outcome]:
        if not documents:
            return []
        try:
            return insist(lambda: self._predict(documents))
        except (PayloadTooLarge, PredictionTimeout) as error:
            if len(documents) == 1:
                return [error]
            middle = len(documents) // 2
            return self._score(documents[:middle]) + self._score(documents[middle:])

    def _predict(self, documents: list[Any]) -> list[Outcome]:
        status, answer = self._ask("POST", self._path, encode_document(documents))
        if status == 200 and isinstance(answer, list) and len(answer) == len(documents):
            return [_read_outcome(each) for each in answer]
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        kind = _KINDS.get(answer.get("code", "") if isinstance(answer, dict) else "", ServerBusy)
        raise kind(detail or f"the server answered {status}, and not as model_service does")

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Prefer": "handling=lenient", **self._headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = getattr(self._local, "connection", None) or self._connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # the next request opens it again
            # A server that starts anew refuses for a while; a name or a certificate that is wrong stays so.
            if method == "POST" or isinstance(error, ConnectionError | TimeoutError):
                message = f"nobody answers at {self._parts.netloc} ({type(error).__name__}); try again later"
                raise ServerBusy(message, retry_after_s=1) from None
            raise ConfigInvalid(f"no server can be asked at {self._parts.netloc}: {type(error).__name__}") from None
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, {}

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)
        self._local.connection = connection  # one for each thread
        self._connections.append(connection)
        return connection


def _read_outcome(answer: dict[str, Any]) -> Outcome:
    if "output" in answer:
        return answer["output"]  # type: ignore[no-any-return]
    error = answer["error"]
    violations = [Violation(each["pointer"], each["rule"], each["message"]) for each in error["errors"]]
    return _KINDS.get(error["code"], errors.PredictionFailed)(error["detail"], violations)
