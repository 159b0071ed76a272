"""Headers that keep a browser safe and quick, and the size of what it is sent. It knows no page."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from flask import Flask, Response, request
from flask_compress import Compress

from model_service.transports.http.urls import JOBS, MODELS, PLATFORMS, V1, V2

#: Everything a page uses comes from this service; nothing runs or is styled inline.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
#: Swagger UI writes styles into its elements.
_DOCS_POLICY = {**_POLICY, "style-src": "'self' 'unsafe-inline'"}
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_POLICY_TEXT, _DOCS_POLICY_TEXT = (
    "; ".join(f"{name} {sources}" for name, sources in policy.items()) for policy in (_POLICY, _DOCS_POLICY)
)
#: What an answer to a program carries: no browser may take it for a page. The other headers speak of pages,
#: and would cost a predict request more than its validation.
API_HEADERS = (("X-Content-Type-Options", "nosniff"),)
#: What is compressed: pages and their files. Answers of the API are not: their callers are near, and
#: compressing would cost more time than it saves.
_COMPRESSED = ("text/html", "text/css", "text/javascript", "image/svg+xml", "application/json", "application/yaml")
_A_YEAR_S = 365 * 24 * 3600
#: Of these a caller may ask whether they have changed.
_DOCUMENTS = frozenset(
    {"rest.list_models", "rest.list_versions", "rest.metadata", "docs.openapi_json", "docs.openapi_yaml"}
)
_READING = ("GET", "HEAD")
_API = (MODELS, JOBS, V1, V2, *PLATFORMS)


def add_headers(app: Flask) -> None:
    """Give every answer of an application its headers, and compress what a browser is sent."""
    app.config["COMPRESS_MIMETYPES"] = list(_COMPRESSED)
    app.config["COMPRESS_REGISTER"] = False
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _A_YEAR_S
    compress = Compress(app)

    @app.after_request
    def finish(response: Response) -> Response:
        response = dress(response)
        response.headers.pop("Date", None)  # of conditional answers; the server writes its own
        return response

    def dress(response: Response) -> Response:
        if request.path.startswith(_API) or request.blueprint == "platforms":  # whose paths may be configured
            response.headers.update(API_HEADERS)
            return _describe(response) if request.method in _READING else response
        response.headers.update(_SAFETY)
        response.headers["Content-Security-Policy"] = (
            _DOCS_POLICY_TEXT if request.endpoint == "docs.swagger_ui" else _POLICY_TEXT
        )
        if request.endpoint and request.endpoint.endswith("static"):
            # The address holds a digest of the contents, so what lies there never changes.
            response.cache_control.immutable = True
        else:
            _describe(response)
        return compress.after_request(response)


def _describe(response: Response) -> Response:
    """Let who has an answer already ask whether there is another one, and keep answers to different callers apart."""
    response.cache_control.no_cache = True
    response.vary.add("Accept")
    if request.endpoint in _DOCUMENTS and response.status_code == 200:
        response.add_etag()
        # What is about to be compressed is another answer: that is then compared by flask_compress.
        response.make_conditional(request)
    return response


def digest_files(folder: Path, *libraries: str) -> str:
    """Return a short digest of the files below a folder and of the versions of libraries.

    It is part of every static address, so that browsers may keep a file for a year and
    still get the new one after an upgrade. Modules import each other by relative
    addresses, and so by addresses with the same digest.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    for library in libraries:
        digest.update(f"{library}={version(library)}".encode())
    return digest.hexdigest()[:16]
