"""What predictions ask of the service: flows for one row, many rows and files. It knows no connection."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from model_service_client.calls import JSON, Call, Flow, Retry, ask
from model_service_client.checking import Checker
from model_service_client.errors import (
    AnswerInvalid,
    ModelServiceError,
    PayloadInvalid,
    PayloadMalformed,
    PayloadTooLarge,
    PredictionTimeout,
)
from model_service_client.problems import read_error
from model_service_client.progress import Display
from model_service_client.records import Metadata, ModelSummary, Output
from model_service_client.values import to_json

MODELS = "/api/models"
#: So many rows are sent at once, where the service takes as many: progress is seen, and little is sent again.
_CHUNK_ROWS = 1000
#: And so many bytes.
_CHUNK_BYTES = 4 * 1024 * 1024

#: A payload whose fields are all keywords.
NO_FIELDS: Mapping[str, Any] = MappingProxyType({})

#: What became of one row, where rows succeed or fail alone.
Outcome = Output | ModelServiceError


def model_path(name: str, version: str | None) -> str:
    """Return the path of a model, or of one version of it."""
    path = f"{MODELS}/{quote(name, safe='')}"
    return path if version is None else f"{path}/versions/{quote(version, safe='')}"


def list_models(retry: Retry) -> Flow[list[ModelSummary]]:
    """Return every configured model."""
    answer = yield from ask(Call("GET", MODELS, _accept(JSON)), retry)
    document = answer.read_document()
    if not isinstance(document, dict) or "models" not in document:
        raise AnswerInvalid("the answer lists no models: is the address that of model_service?")
    return [ModelSummary.read(each) for each in document["models"]]


def read_metadata(path: str, retry: Retry) -> Flow[Metadata]:
    """Return everything about the model of a path."""
    answer = yield from ask(Call("GET", f"{path}/metadata", _accept(JSON)), retry)
    document = answer.read_document()
    if not isinstance(document, dict) or "limits" not in document:
        raise AnswerInvalid("the answer describes no model: is the address that of model_service?")
    return Metadata.read(document)


def merge(payload: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return one payload with what keywords say of it.

    Raises:
        PayloadMalformed: It is no dict of fields.
    """
    if not isinstance(payload, Mapping):
        several = "predict_frame takes a data frame" if hasattr(payload, "columns") else "predict_many takes several"
        raise PayloadMalformed(f"{_not_a_payload(payload)}; {several}")
    return {**payload, **fields}


def predict(path: str, payload: Any, checker: Checker | None, retry: Retry) -> Flow[Output]:
    """Return the output of one payload."""
    body = _encode(payload, checker)
    call = Call("POST", f"{path}/predict", {**_accept(JSON), "Content-Type": JSON}, body=body)
    output: Output = (yield from ask(call, retry)).read_document()
    return output


@dataclass(frozen=True, slots=True)
class ManyRows:
    """How many rows are predicted.

    Attributes:
        is_lenient: Whether rows succeed or fail alone.
        chunk_rows: Most rows of one request.
        chunk_bytes: Most bytes of one request, unless a single row has more.
    """

    path: str
    checker: Checker | None
    retry: Retry
    is_lenient: bool
    chunk_rows: int
    chunk_bytes: int

    @classmethod
    def within(cls, metadata: Metadata, checker: Checker | None, retry: Retry, *, is_lenient: bool) -> "ManyRows":
        """Return what the limits of a service allow; the version that answers now answers all rows."""
        path = model_path(metadata.qualified_name, metadata.version)
        rows, size = min(_CHUNK_ROWS, metadata.max_rows), min(_CHUNK_BYTES, metadata.max_body_bytes)
        return cls(path, checker, retry, is_lenient, rows, size)

    def predict(self, payloads: Iterable[Any], display: Display) -> Flow[list[Outcome]]:
        """Return what became of each row, in order."""
        outcomes: list[Outcome] = []
        try:
            for chunk in self._cut(payloads):
                outcomes += yield from self._predict_chunk(chunk, len(outcomes))
                display.show(len(outcomes))
        finally:
            display.close()
        return outcomes

    def _cut(self, payloads: Iterable[Any]) -> Iterator[list[bytes | ModelServiceError]]:
        """Yield rows as JSON, as many as go into one request; in place of one that cannot be sent, why."""
        chunk: list[bytes | ModelServiceError] = []
        size = 2
        for number, payload in enumerate(payloads):
            try:
                row: bytes | ModelServiceError = _encode(payload, self.checker)
            except (PayloadMalformed, PayloadInvalid) as error:
                if not self.is_lenient:
                    raise _locate(error, number) from None
                row = error
            added = len(row) + 1 if isinstance(row, bytes) else 0
            if chunk and (len(chunk) == self.chunk_rows or size + added > self.chunk_bytes):
                yield chunk
                chunk, size = [], 2
            chunk.append(row)
            size += added
        if chunk:
            yield chunk

    def _predict_chunk(self, chunk: list[bytes | ModelServiceError], start: int) -> Flow[list[Outcome]]:
        rows = [row for row in chunk if isinstance(row, bytes)]
        answers = iter((yield from self._send(rows, start)))
        return [next(answers) if isinstance(row, bytes) else row for row in chunk]

    def _send(self, rows: list[bytes], start: int) -> Flow[list[Outcome]]:
        """Return what became of rows, in halves where all together are too much for one request."""
        if not rows:
            return []
        headers = {**_accept(JSON), "Content-Type": JSON} | ({"Prefer": "handling=lenient"} if self.is_lenient else {})
        body = b"[" + b",".join(rows) + b"]"
        try:
            answer = yield from ask(Call("POST", f"{self.path}/predict", headers, body=body), self.retry)
        except (PayloadTooLarge, PredictionTimeout) as error:
            if len(rows) == 1:
                if self.is_lenient:
                    return [error]
                raise
        except PayloadInvalid as error:
            raise error.shift(start) from None
        else:
            return self._read(answer.read_document(), len(rows))
        middle = len(rows) // 2
        first = yield from self._send(rows[:middle], start)
        return first + (yield from self._send(rows[middle:], start + middle))

    def _read(self, document: Any, count: int) -> list[Outcome]:
        if not isinstance(document, list) or len(document) != count:
            raise AnswerInvalid(f"the answer to {count} rows is no list of as many outputs")
        if not self.is_lenient:
            return document
        return [each["output"] if "output" in each else read_error(each["error"]) for each in document]


def raise_first(outcomes: list[Outcome]) -> list[Output]:
    """Return outcomes that are outputs, all of them; an error among them is raised."""
    outputs: list[Output] = []
    for outcome in outcomes:
        if isinstance(outcome, ModelServiceError):
            raise outcome
        outputs.append(outcome)
    return outputs


def _accept(media_type: str) -> dict[str, str]:
    return {"Accept": media_type}


def _encode(payload: Any, checker: Checker | None) -> bytes:
    if not isinstance(payload, Mapping):
        raise PayloadMalformed(_not_a_payload(payload))
    document = to_json(payload)
    if checker is not None:
        checker.check(document)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _not_a_payload(value: Any) -> str:
    return f"a payload is a dict of fields, not a {type(value).__name__}"


def _locate(error: ModelServiceError, row: int) -> ModelServiceError:
    """Return the error of one row among several, as the service words it: pointers begin with the row's index."""
    violations = [type(each)(f"/{row}{each.pointer}", each.rule, each.message) for each in error.violations]
    return type(error)(f"row {row}: {error.message}", violations)
