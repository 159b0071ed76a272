"""The body of a request for a job, raw or as a form, written to disk while it arrives; and what the request asks for.

For threads of a pool: everything here may wait for a disk.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from model_service.errors import MediaTypeUnsupported, PayloadMalformed
from model_service.files.converting import format_of_part
from model_service.files.formats import FORMATS, WRITTEN, Format, find_format, list_names
from model_service.jobs.errors import JobInvalid
from model_service.jobs.records import Job, JobRequest, JobState
from model_service.jobs.uploads import Upload

#: Beside the file, a form has some short fields.
_MOST_FIELD_BYTES, _MOST_PARTS = 10_000, 20
#: What is held of a form before it is known what it belongs to; parts are fed in pieces smaller than half of it.
_MOST_HELD_BYTES = 1024 * 1024
_FORM = "multipart/form-data"
_OPTIONS = ("output", "max_failed_rows", "file_name", "callback_url")
_MOST_NAME_CHARACTERS = 200


class IncomingFile:
    """Takes a body in pieces, and writes the file in it to an upload.

    Args:
        upload: Where the file goes.
        content_type: The header of the request.
        query: Its query; options of a form count more.

    Attributes:
        options: What the request asks for, by name, checked by `read_request`.
        media_type: Of the file.
    """

    def __init__(self, upload: Upload, content_type: str, query: str) -> None:
        self._upload = upload
        self.options = dict(parse_qsl(query, keep_blank_values=True))
        self.media_type, parameters = parse_options_header(content_type)
        self._form: MultipartDecoder | None = None
        self._field: str | None = None
        self._has_file = self.media_type != _FORM
        if not self._has_file:
            boundary = parameters.get("boundary", "")
            if not boundary:
                raise PayloadMalformed("the form has no boundary; let the HTTP library write the header 'content-type'")
            self._form = MultipartDecoder(
                boundary.encode("latin-1", "replace"), _MOST_HELD_BYTES, max_parts=_MOST_PARTS
            )

    def feed(self, content: bytes) -> None:
        """Take the next piece.

        Raises:
            PayloadMalformed: It is no form.
            PayloadTooLarge, StorageFull, JobStoreUnavailable: From the upload.
        """
        if self._form is None:
            self._upload.write(content)
        else:
            self._feed_form(content)

    def finish(self) -> None:
        """Note that all has been taken.

        Raises:
            PayloadMalformed: A form ended before its end, or has no file.
        """
        if self._form is not None:
            self._feed_form(None)
        if not self._has_file:
            raise PayloadMalformed("the form has no file; send the file as the part 'file'")

    def _feed_form(self, content: bytes | None) -> None:
        assert self._form is not None
        try:
            self._form.receive_data(content)
            while not isinstance(event := self._form.next_event(), NeedData | Epilogue):
                self._take(event)
        except (ValueError, RequestEntityTooLarge, AttributeError):  # the last: a part without a line break
            raise PayloadMalformed("the form is not multipart/form-data as RFC 7578 has it, or is cut off") from None

    def _take(self, event: object) -> None:
        if isinstance(event, File):
            if self._has_file:
                raise PayloadMalformed("the form has more than one file; make one job of each")
            self._has_file, self._field = True, None
            # What a browser says of a file depends on what is installed beside it; its name tells more.
            self.options.setdefault("file_name", event.filename)
            self.media_type = parse_options_header(event.headers.get("content-type", ""))[0]
        elif isinstance(event, Field):
            self._field = str(event.name)
            self.options[self._field] = ""
        elif isinstance(event, Data):
            if self._field is None:
                self._upload.write(bytes(event.data))
                return
            self.options[self._field] += bytes(event.data).decode("utf-8", "replace")
            if len(self.options[self._field]) > _MOST_FIELD_BYTES:
                raise PayloadMalformed(f"a field of the form is longer than {_MOST_FIELD_BYTES} characters")


def read_request(
    incoming: IncomingFile, model: tuple[str, str], headers: Mapping[str, str], *, chunk_rows: int
) -> JobRequest:
    """Return what a request asks for; what the file itself says is added when it is submitted.

    Args:
        incoming: All of it.
        model: Name and version.
        headers: ``content-encoding`` and ``idempotency-key``, where they were sent.
        chunk_rows: From the configuration.

    Raises:
        MediaTypeUnsupported: The file's format is not known, or not written, or needs what is not installed.
        JobInvalid: An option is not known, or not as it must be.
    """
    options = incoming.options
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise JobInvalid(f"an option is not known; known options: {', '.join(_OPTIONS)}")
    file_name = _clean(options.get("file_name", ""))
    found = _find_format(incoming.media_type, file_name)
    key = headers.get("idempotency-key") or None
    if key is not None and (len(key) > _MOST_NAME_CHARACTERS or not key.isprintable()):
        raise JobInvalid(f"'Idempotency-Key' may have {_MOST_NAME_CHARACTERS} printable characters")
    return JobRequest(
        qualified_name=model[0],
        version=model[1],
        input_format=found.name,
        output_format=_find_output(options.get("output", ""), found),
        encoding=_find_encoding(headers.get("content-encoding", ""), file_name),
        file_name=file_name,
        chunk_rows=chunk_rows,
        max_failed_rows=_read_bound(options.get("max_failed_rows", "")),
        idempotency_key=key,
        callback_url=options.get("callback_url") or None,
    )


def _find_format(media_type: str, file_name: str) -> Format:
    found = find_format(media_type=media_type) or find_format(file_name=file_name)
    if found is None:
        raise MediaTypeUnsupported(
            "the format of the file is not known; send one of these as 'content-type', or a file whose name ends like "
            f"its format: {', '.join(each.media_type for each in FORMATS.values() if each.is_installed)}"
        )
    if not found.is_installed:
        raise MediaTypeUnsupported(found.missing)
    return found


def _find_output(name: str, found: Format) -> str:
    if not name:
        return found.name if found.writer else "ndjson" if found.name == "json" else "csv"
    written = {each.name: each for each in WRITTEN}
    if name not in written:
        installed = list_names(each for each in WRITTEN if each.is_installed)
        raise JobInvalid(f"'output' must be one of {installed}")
    if not written[name].is_installed:
        raise MediaTypeUnsupported(written[name].missing)
    return name


def _find_encoding(encoding: str, file_name: str) -> str:
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise MediaTypeUnsupported("the file is compressed in a way that is not read; compress it with gzip or not")
    return "gzip" if "gzip" in encoding or file_name.endswith(".gz") else ""


def _read_bound(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise JobInvalid("'max_failed_rows' must be an integer from 0")
    return int(text)


def _clean(name: str) -> str:
    """Return the last part of a path, as browsers of old send it, without what no name has."""
    name = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable())[-_MOST_NAME_CHARACTERS:]


def name_output(job: Job) -> str:
    """Return what the output should be called on the disk of who downloads it."""
    stem = job.request.file_name.removesuffix(".gz").rpartition(".")[0] or job.request.qualified_name
    is_whole = job.state is JobState.SUCCEEDED
    return f"{stem}.predictions{_find_present_format(job).suffixes[0]}{'' if is_whole else '.part'}"


def find_media_type(job: Job) -> str:
    """Return the media type of the output as it is now."""
    return _find_present_format(job).media_type


def _find_present_format(job: Job) -> Format:
    """Return the format of the output: before its end a job may write another one, which can grow."""
    found = FORMATS[job.request.output_format]
    return found if job.state is JobState.SUCCEEDED else format_of_part(found)


def describe_formats() -> dict[str, list[str]]:
    """Return for OpenAPI which media types are read, which formats are written, and their media types."""
    return {
        "read": [each.media_type for each in FORMATS.values() if each.is_installed],
        "written": [each.name for each in WRITTEN if each.is_installed],
        "answered": [each.media_type for each in WRITTEN if each.is_installed],
    }
