"""Bytes to documents and back; media types and the size of a body. It knows no model."""

from typing import Any

from flask import Request, Response
from werkzeug.exceptions import NotAcceptable

from model_service.errors import MediaTypeUnsupported, PayloadTooLarge
from model_service.files.formats import FORMATS
from model_service.records import Output
from model_service.strict_json import decode_json, encode_document, encode_json, holds_more_values
from model_service.transports.http.accept import EXACT, rate
from model_service.transports.http.inflating import inflate

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
YAML = "application/yaml"
#: What is sent instead of JSON, mostly by mistake, in words; a caller's own words are not repeated.
_SENT_TYPES = {
    "": "no content-type was sent",
    "application/x-www-form-urlencoded": "'application/x-www-form-urlencoded' was sent, which is what curl -d says "
    "of a body unless it is told otherwise",
    "multipart/form-data": "'multipart/form-data' was sent",
    "application/octet-stream": "'application/octet-stream' was sent",
    "text/plain": "'text/plain' was sent",
}


def read_json(request: Request, *, max_bytes: int, max_values: int) -> Any:
    """Return the JSON document in a request's body, which is never read, inflated or decoded further than the bounds.

    Raises:
        MediaTypeUnsupported: It is not ``application/json`` in UTF-8, or compressed in a way that is not read.
        PayloadTooLarge: It has more than ``max_bytes``, as it was sent or when it is inflated, or more than
            ``max_values``.
        PayloadMalformed: It is not JSON.
    """
    if request.mimetype != JSON:
        sent = _SENT_TYPES.get(request.mimetype, "a body of another media type was sent")
        raise MediaTypeUnsupported(
            f"{sent}; send the header 'content-type: {JSON}', or of a file of rows its own: {list_media_types()}"
        )
    raw = read_body(request, max_bytes=max_bytes)
    if holds_more_values(raw, max_values):
        raise PayloadTooLarge(f"the body holds more than {max_values} JSON values; send fewer rows in one request")
    return decode_json(raw)


def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return a request's body of UTF-8 text, or of bytes, inflated, and neither read nor inflated beyond the bound.

    Raises:
        MediaTypeUnsupported: It says another charset, or is compressed in a way that is not read.
        PayloadTooLarge: It has more than ``max_bytes``, as it was sent or when it is inflated.
        PayloadMalformed: It cannot be inflated.
    """
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise MediaTypeUnsupported("the body must be UTF-8; leave the charset out")
    raw = inflate(_read_raw(request, max_bytes), request.headers.get("Content-Encoding", ""), max_bytes)
    if len(raw) > max_bytes:
        raise body_too_large(max_bytes)
    return raw


def list_media_types() -> str:
    """Return the media types of files of rows that are read here, for a message."""
    return ", ".join(each.media_type for each in FORMATS.values() if each.media_type != JSON and each.is_installed)


def _read_raw(request: Request, max_bytes: int) -> bytes:
    if (request.content_length or 0) > max_bytes:
        raise body_too_large(max_bytes)
    # Of a body without a stated length werkzeug returns what fits the bound, without a word
    # about the rest; a bound one byte higher tells a full body from a cut one.
    request.max_content_length = max_bytes + 1
    raw = request.get_data(cache=False)
    if len(raw) > max_bytes:
        raise body_too_large(max_bytes)
    return raw


def body_too_large(max_bytes: int) -> PayloadTooLarge:
    """Return the error of a body that is larger than may be."""
    return PayloadTooLarge(f"the body is larger than {max_bytes} bytes; send fewer rows in one request")


def write_json(document: Any, *, status: int = 200, media_type: str = JSON) -> Response:
    """Return a response that holds a document of JSON types."""
    return Response(encode_json(document), status=status, content_type=media_type)


def write_outputs(outputs: list[Output], version: str, *, is_many: bool) -> Response:
    """Return the output itself, or the array of outputs."""
    response = Response(encode_document(outputs if is_many else outputs[0]), content_type=JSON)
    response.headers["X-Model-Version"] = version
    return response


def is_acceptable(request: Request, media_type: str = JSON) -> bool:
    """Whether the caller can read the answer: its media type, or, if that is named, the one of problems."""
    accept = request.headers.get("Accept", "")
    problems, exactness = rate(accept, PROBLEM_JSON)
    return rate(accept, media_type)[0] > 0 or (problems > 0 and exactness == EXACT)


def require_acceptable(request: Request, media_type: str = JSON) -> None:
    """Refuse to work for an answer that the caller says it cannot read.

    Raises:
        NotAcceptable: The ``Accept`` header excludes the media type.
    """
    if not is_acceptable(request, media_type):
        raise NotAcceptable(f"the answer is {media_type}; accept it")
