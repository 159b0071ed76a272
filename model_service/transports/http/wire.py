"""Whole HTTP/1.1 answers as bytes, for those that the protocol writes itself. Flask knows none of it."""

from http import HTTPStatus

from model_service.errors import ServiceError
from model_service.records import Traffic
from model_service.strict_json import encode_json
from model_service.transports.http.codec import PROBLEM_JSON
from model_service.transports.http.problems import HTTP_PROBLEMS, STATUS, find_retry_after, make_document
from model_service.transports.notices import list_notices

_HAPPY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-model-version: %b\r\n"
    b"x-content-type-options: nosniff\r\nx-request-id: %b\r\ndate: %b\r\n%b\r\n%b"
)
#: The line that says that the connection ends with the answer.
CLOSE = b"connection: close\r\n"


def write_happy(body: bytes, version: str, request_id: str, date: bytes, lines: bytes) -> bytes:
    """Return the answer of a predict request, with more lines of headers."""
    return _HAPPY % (
        len(body),
        version.encode(),
        request_id.encode("latin-1"),
        date,
        lines,
        body,
    )


def write_notices(traffic: Traffic) -> bytes:
    """Return the lines of headers that go with the answers of a version."""
    return "".join(f"{name}: {value}\r\n" for name, value in list_notices(traffic)).encode("ascii")


def write_problem(error: ServiceError, request_id: str, date: bytes, lines: bytes) -> tuple[int, bytes]:
    """Return the status and the whole answer of an error, with more lines of headers."""
    status = STATUS[type(error)]
    body = encode_json(make_document(status, error.code, error.title, error.message, request_id, error.violations))
    retry_after = find_retry_after(error)
    if retry_after is not None:
        lines += f"retry-after: {retry_after}\r\n".encode()
    return status, _write(status, body, request_id, date, lines)


def write_rejection(status: int, detail: str, request_id: str, date: bytes) -> bytes:
    """Return the answer to what is no request; its connection ends with it."""
    body = encode_json(make_document(status, *HTTP_PROBLEMS[status], detail, request_id))
    return _write(status, body, request_id, date, CLOSE)


def _write(status: int, body: bytes, request_id: str, date: bytes, lines: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {PROBLEM_JSON}\r\n"
        f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nx-request-id: {request_id}\r\n"
    )
    return b"%bdate: %b\r\n%b\r\n%b" % (head.encode("latin-1"), date, lines, body)
