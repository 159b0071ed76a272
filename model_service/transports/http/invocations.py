"""The body and the answer of `/invocations`: rows in any format, and what became of them in the format that is wanted.

    body                                        answer as JSON                       as CSV, JSON lines
    one JSON object                             one object                           one line
    JSON array, JSON lines, CSV, other files    an array                             one line per row
    an envelope of MLflow or Vertex AI          {"predictions": [...]}               one line per row

One invalid row refuses all, as in an array at the native route, unless rows are to fail alone: then CSV has three more
columns, and JSON `{"output": ...}` or `{"error": ...}`, as lenient arrays there.
"""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask import Request, Response, g
from werkzeug.exceptions import NotAcceptable

from model_service.access.caller import name_caller
from model_service.backends.ticket import RowOutcome
from model_service.config import InvocationsConfig, ServerConfig, ServiceConfig
from model_service.errors import MediaTypeUnsupported, PayloadInvalid, PayloadMalformed, PayloadTooLarge, ServiceError
from model_service.files.csv_rows import DELIMITERS
from model_service.files.csv_writing import PredictionsWriter
from model_service.files.formats import FORMATS, Format, find_format
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds, Row
from model_service.observability import get_request_id, get_trace
from model_service.prediction import PredictionService
from model_service.records import RequestContext, Schema
from model_service.registry.entry import ServedModel
from model_service.schema.cells import PlaceFinder
from model_service.scoring import pin_rows, score_chunk
from model_service.strict_json import decode_json, encode_document, holds_more_values
from model_service.transports.http.accept import EXACT, rate
from model_service.transports.http.codec import JSON, list_media_types, read_body
from model_service.transports.http.envelopes import find_envelope, open_envelope
from model_service.transports.http.file_answers import make_row_error, prefers_lenient
from model_service.transports.http.forms import explain_form

#: The formats of an answer, in the order in which they are liked where `Accept` likes them as much.
ANSWERED = tuple(FORMATS[name] for name in ("json", "csv", "ndjson"))
#: A byte order mark, and blank lines.
_BEFORE_ROWS = b"\xef\xbb\xbf\r\n"


class _Form(StrEnum):
    """How rows were sent, which decides how an answer in JSON holds the outputs."""

    ONE = "one"
    MANY = "many"
    ENVELOPE = "envelope"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a body holds.

    Attributes:
        rows: Those that cannot be read have a fault.
        form: How they were sent.
        document: Of a JSON body without an envelope, to explain what is wrong with it.
        has_header: Whether the rows were CSV with a line of names.
    """

    rows: list[Row]
    form: _Form
    document: Any = None
    has_header: bool = False


def answer_invocation(
    request: Request, service: PredictionService, target: ServedModel, config: ServiceConfig
) -> Response:
    """Return the answer to a request.

    Raises:
        MediaTypeUnsupported, PayloadMalformed, PayloadTooLarge, FileUnreadable: The body cannot be read.
        PayloadInvalid: A row breaks the input schema or a rule of the model, and rows do not fail alone.
        NotAcceptable: `Accept` names no format that is written, and nothing else is wrong.
        PredictionFailed, OutputInvalid, CapacityError: As the native route.
    """
    context = RequestContext(
        get_request_id() or "", g.started, g.started + target.timeout_s, name_caller(), get_trace()
    )
    invocation = _read(request, target.info.input_schema, config.server)
    target = pin_rows(service, target, invocation.rows)
    info = target.info
    media_type = _choose_answer(request.headers.get("Accept", ""), config.invocations)
    is_lenient = invocation.form is not _Form.ONE and (config.invocations.lenient or prefers_lenient(request))
    try:
        if media_type is None:
            documents = [row.document for row in invocation.rows]
            service.check(target, documents[0] if invocation.form is _Form.ONE else documents)
            raise NotAcceptable(f"the answer is {', '.join(each.media_type for each in ANSWERED)}; accept one of them")
        if is_lenient:
            service.check_rows(invocation.rows)
            outcomes = score_chunk(service, target, invocation.rows, context)
        else:
            outcomes = _predict_all(service, target, invocation, context)
    except PayloadInvalid as error:
        raise explain_form(error, invocation.document, info.input_schema) from None
    raw = _write(invocation, outcomes, media_type, info.output_schema, is_lenient=is_lenient)
    response = Response(raw, content_type=f"{media_type}; charset=utf-8" if media_type[:5] == "text/" else media_type)
    response.headers["X-Model-Version"] = info.version
    if is_lenient:
        response.headers["X-Failed-Rows"] = str(sum(isinstance(each, ServiceError) for each in outcomes))
    return response


def _predict_all(
    service: PredictionService, target: ServedModel, invocation: Invocation, context: RequestContext
) -> list[RowOutcome]:
    for row in invocation.rows:
        if row.fault is not None:
            raise row.fault
    documents = [row.document for row in invocation.rows]
    if invocation.form is _Form.ONE:
        return [*service.predict(target, documents[0], context).outputs]
    return [*service.predict_many(target, documents, context).outputs]


# --- the body ---------------------------------------------------------------------------------------------------------


def _read(request: Request, schema: Schema, config: ServerConfig) -> Invocation:
    # Clients that say nothing of the body send JSON: so do boto3 and most examples of calls by it.
    source = find_format(media_type=request.mimetype or JSON)
    if source is not None and not source.is_installed:
        raise MediaTypeUnsupported(source.missing)
    if source is None:
        raise MediaTypeUnsupported(
            f"a body of another media type was sent; send the header 'content-type: {JSON}', "
            f"or that of rows: {list_media_types()}"
        )
    raw = read_body(request, max_bytes=config.max_body_bytes)
    bounds = Bounds(
        max_row_bytes=config.max_body_bytes, max_rows=config.max_request_rows, max_cells=config.max_body_values
    )
    if source.media_type == JSON:
        return _read_json(raw, schema, bounds)
    return _read_file(request, source, raw, bounds, schema)


def _read_json(raw: bytes, schema: Schema, bounds: Bounds) -> Invocation:
    assert bounds.max_cells is not None
    if holds_more_values(raw, bounds.max_cells):
        raise PayloadTooLarge(
            f"the body holds more than {bounds.max_cells} JSON values; send fewer rows in one request"
        )
    try:
        document = decode_json(raw)
    except PayloadMalformed as error:
        try:  # the literal NaN, which MLflow's client writes for what is missing
            document = decode_json(raw, takes_nan=True)
        except PayloadMalformed:
            raise error from None
        if find_envelope(document, schema) is None:
            raise
    envelope = find_envelope(document, schema)
    if envelope is not None:
        return Invocation(open_envelope(document, envelope, schema, bounds), _Form.ENVELOPE)
    if isinstance(document, list):
        return Invocation(
            [Row(number, each, None, {}) for number, each in enumerate(document, 1)], _Form.MANY, document
        )
    return Invocation([Row(1, document, None, {})], _Form.ONE, document)


def _read_file(request: Request, source: Format, raw: bytes, bounds: Bounds, schema: Schema) -> Invocation:
    has_header = source.name == "csv" and _has_header(raw, request.mimetype_params.get("header"), schema)
    if source.name == "csv" and not has_header:
        raw = _name_columns(raw, schema)
    reader = open_rows(source, io.BytesIO(raw), schema, bounds=bounds)
    return Invocation([row for rows in reader for row in rows], _Form.MANY, has_header=has_header)


def _has_header(raw: bytes, said: str | None, schema: Schema) -> bool:
    """Whether the first line of CSV names columns: as its media type says (RFC 4180), or where one is a field."""
    if said in ("present", "absent"):
        return said == "present"
    names = {*PlaceFinder(schema).list_columns(), *schema.get("properties", {})}
    cells = {cell.strip() for split in _split_first_line(raw).values() for cell in split}
    return not names or not cells or not names.isdisjoint(cells)


def _name_columns(raw: bytes, schema: Schema) -> bytes:
    """Return CSV with the line of names that it lacks: the fields in the schema's order.

    Raises:
        PayloadMalformed: The first row has more or fewer cells.
    """
    columns = PlaceFinder(schema).list_columns()
    split = _split_first_line(raw)
    fitting = [delimiter for delimiter, cells in split.items() if len(cells) == len(columns)]
    if len(columns) == 1:  # any other delimiter finds one cell, too
        fitting = [delimiter for delimiter in fitting if delimiter == DELIMITERS[0]]
    if not fitting:
        raise PayloadMalformed(
            "the rows have no header, and not as many cells as the model has fields; send a line of names before them, "
            f"or these {len(columns)}: " + ", ".join(columns[:20])
        )
    names = io.StringIO()
    csv.writer(names, delimiter=fitting[0], lineterminator="\n").writerow(columns)
    return names.getvalue().encode() + raw.lstrip(_BEFORE_ROWS)


def _split_first_line(raw: bytes) -> dict[str, list[str]]:
    """Return the cells of the first line by the delimiter that they are split at."""
    line = raw.lstrip(_BEFORE_ROWS).split(b"\n", 1)[0].decode("utf-8", "replace")
    csv.field_size_limit(sys.maxsize)  # as `CsvReader` has it: a genome is one cell
    try:
        # What has more cells than a file may have columns is no use, and long to split.
        fitting = [delimiter for delimiter in DELIMITERS if line.count(delimiter) <= Bounds().max_columns]
        return {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in fitting}
    except csv.Error:
        return {}


# --- the answer -------------------------------------------------------------------------------------------------------


def _choose_answer(accept: str, config: InvocationsConfig) -> str | None:
    """Return the media type of the answer; ``None`` where the caller can read none.

    Where nothing is named, such as by ``*/*``, it is the one of the configuration.
    """
    rated = {name: rate(accept, name) for each in ANSWERED for name in each.media_types}
    named = {name: found[0] for name, found in rated.items() if found[1] == EXACT and found[0] > 0}
    if named and max(named.values()) >= rated[config.default_accept][0]:
        return max(named, key=named.__getitem__)
    return next((name for name in (config.default_accept, *rated) if rated[name][0] > 0), None)


def _write(
    invocation: Invocation, outcomes: Sequence[RowOutcome], media_type: str, schema: Schema, *, is_lenient: bool
) -> bytes:
    wanted = find_format(media_type=media_type)
    if wanted is FORMATS["csv"]:
        writer = PredictionsWriter(schema, has_errors=is_lenient)
        return (writer.begin() if invocation.has_header else b"") + writer.write_outcomes(outcomes)
    documents: list[Any] = [_tell(each) for each in outcomes] if is_lenient else [*outcomes]
    if wanted is FORMATS["ndjson"]:
        return b"".join(encode_document(each) + b"\n" for each in documents)
    if invocation.form is _Form.ENVELOPE:
        return encode_document({"predictions": documents})
    return encode_document(documents[0] if invocation.form is _Form.ONE else documents)


def _tell(outcome: RowOutcome) -> dict[str, Any]:
    if isinstance(outcome, ServiceError):
        return {"error": make_row_error(outcome)}
    return {"output": outcome}
