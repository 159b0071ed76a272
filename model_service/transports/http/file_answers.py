"""Rows that succeed or fail alone: a JSON array whose caller prefers that, and files of rows in any pairing of formats.

`Prefer: handling=lenient` (RFC 7240) asks for the first; the media types of body and answer for the second.
"""

import io
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request, Response
from werkzeug.exceptions import NotAcceptable

from model_service.access.caller import name_caller
from model_service.backends.ticket import RowOutcome
from model_service.config import ServerConfig
from model_service.errors import MediaTypeUnsupported, ServiceError
from model_service.files.formats import FORMATS, WRITTEN, Format, find_format
from model_service.files.opening import open_rows, open_writer
from model_service.files.rows import Bounds
from model_service.observability import get_request_id, get_trace
from model_service.prediction import PredictionService
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel
from model_service.scoring import pin_rows, score_chunk, score_documents
from model_service.strict_json import encode_document
from model_service.transports.http.accept import EXACT, rate
from model_service.transports.http.codec import JSON, read_body
from model_service.transports.http.problems import make_violations

LENIENT = "handling=lenient"
_PREFERENCE = re.compile(r'\s*handling\s*=\s*"?lenient"?\s*(?:;.*)?', re.IGNORECASE)
#: Rows of a file that are predicted, and held, together.
_CHUNK = {"chunk_rows": 1000, "chunk_bytes": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class Pairing:
    """The format of a body and the format of its answer; at least one of the two is that of a file."""

    source: Format
    target: Format


def prefers_lenient(request: Request) -> bool:
    """Whether the caller wants each row's output or error, instead of all or nothing."""
    return any(map(_PREFERENCE.fullmatch, request.headers.get("Prefer", "").split(",")))


def find_pairing(request: Request) -> Pairing | None:
    """Return the formats of a request with a file of rows; ``None`` of one that is JSON in and out, or neither.

    Raises:
        MediaTypeUnsupported: The service lacks what the format of the body needs.
        NotAcceptable: The answer to a file may have no format that is written.
    """
    source = find_format(media_type=request.mimetype)
    if source is None:
        return None
    if not source.is_installed:
        raise MediaTypeUnsupported(source.missing)
    accept = request.headers.get("Accept", "")
    written = [each for each in WRITTEN if each.is_installed]
    rated = {each.name: rate(accept, each.media_type) for each in (*written, FORMATS["json"])}
    if source.media_type == JSON:
        # A file only for who names one, and likes it better than what JSON is answered with.
        named = {name: found for name, found in rated.items() if found[1] == EXACT and found[0] > rated["json"][0]}
        return Pairing(source, FORMATS[max(named, key=named.__getitem__)]) if named else None
    # Of formats that are liked as much: that of the body, then the others in their order.
    order = [source.name, *rated] if source.name in rated else [*rated]
    best = max(order, key=rated.__getitem__)
    if rated[best][0] <= 0:
        raise NotAcceptable(f"the answer is {', '.join(each.media_type for each in written)} or {JSON}; accept one")
    return Pairing(source, FORMATS[best])


def answer_rows(
    service: PredictionService, target: ServedModel, documents: list[Any], context: RequestContext | None
) -> Response:
    """Return the array of each row's output or error.

    Raises:
        PayloadMalformed, PayloadTooLarge: There are no rows, or too many.
        CapacityError: As `score_documents`.
    """
    service.check_rows(documents)
    target = service.pin(target, documents)
    outcomes = score_documents(service, target, documents, context)
    response = _write([_encode_outcomes(outcomes)], JSON, target, _count_failed(outcomes))
    response.headers["Preference-Applied"] = LENIENT
    return response


def answer_file(
    request: Request, pairing: Pairing, service: PredictionService, target: ServedModel, config: ServerConfig
) -> Response:
    """Return a file with the rows of a body, and what became of each; as JSON, the array of what became of them.

    Raises:
        FileUnreadable: The body cannot be read as its format.
        PayloadTooLarge: It has more bytes, rows or cells than one request may.
        MissingDependency: A format needs what is not installed.
        CapacityError: As `score_documents`.
    """
    arrived = time.monotonic()
    info = target.info
    context = RequestContext(get_request_id() or "", arrived, arrived + target.timeout_s, name_caller(), get_trace())
    bounds = Bounds(
        **_CHUNK,
        max_row_bytes=config.max_body_bytes,
        max_rows=config.max_request_rows,
        max_cells=config.max_body_values,
    )
    body = io.BytesIO(read_body(request, max_bytes=config.max_body_bytes))
    reader = open_rows(pairing.source, body, info.input_schema, bounds=bounds)
    chunks = iter(reader)
    first = next(chunks, [])
    target = pin_rows(service, target, first)
    scored = ((rows, score_chunk(service, target, rows, context)) for rows in itertools.chain([first], chunks) if rows)
    failed = 0
    if pairing.target.media_type == JSON:
        outcomes = [outcome for _, found in scored for outcome in found]
        return _write([_encode_outcomes(outcomes)], JSON, target, _count_failed(outcomes))
    writer = open_writer(pairing.target, reader.head, info.input_schema, info.output_schema)
    parts = [writer.begin()]
    for rows, found in scored:
        parts.append(writer.write(rows, found))
        failed += _count_failed(found)
    parts.append(writer.end())
    return _write(parts, pairing.target.media_type, target, failed)


def make_row_error(error: ServiceError) -> dict[str, Any]:
    """Return what a row's error says: what a problem document says, without what is the request's."""
    violations = make_violations(error.violations)
    return {"code": error.code, "title": error.title, "detail": error.message, "errors": violations}


def _encode_outcomes(outcomes: Sequence[RowOutcome]) -> bytes:
    return encode_document(
        [
            {"error": make_row_error(outcome)} if isinstance(outcome, ServiceError) else {"output": outcome}
            for outcome in outcomes
        ]
    )


def _count_failed(outcomes: Sequence[RowOutcome]) -> int:
    return sum(isinstance(outcome, ServiceError) for outcome in outcomes)


def _write(parts: list[bytes], media_type: str, target: ServedModel, failed: int) -> Response:
    """Return an answer of parts, which are sent as they are: joined they would be held twice."""
    text = "; charset=utf-8" if media_type.startswith("text/") else ""
    response = Response([part for part in parts if part], content_type=f"{media_type}{text}")
    response.content_length = sum(map(len, parts))
    response.headers["X-Model-Version"] = target.info.version
    response.headers["X-Failed-Rows"] = str(failed)
    return response
