import contextvars
import io
import json
import logging
import logging.config
import os
import re
import sys
import threading
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.config import LogFormat, LoggingConfig, LogLevel
from model_service.observability import (
    JsonFormatter,
    TextFormatter,
    bind_request_id,
    build_logging_settings,
    choose_request_id,
    get_request_id,
)

# No test may depend on how fast the machine is.
generously = settings(deadline=None)

FIELDS = {
    "method": "POST",
    "path": "/api/models",
    "status": 200,
    "code": "payload_invalid",
    "model": "iris_model",
    "version": "1.0.0",
    "rows": 3,
    "duration_ms": 1.5,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _unbound():
    """End every test without a request id."""
    yield
    bind_request_id(None)


@pytest.fixture
def configure():
    """Return a function that configures logging onto a stream, undone after the test."""
    names = (None, "model_service", "uvicorn")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers[:]

    def configure(stream: io.StringIO, **config: object) -> io.StringIO:
        logging.config.dictConfig(build_logging_settings(LoggingConfig(**config), stream))
        return stream

    yield configure
    for logger, level in before:
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


def make_record(message: str = "hello", *args: object, exc_info=None, **extra: object) -> logging.LogRecord:
    return logging.getLogger("model_service.test").makeRecord(
        "model_service.test", logging.INFO, __file__, 1, message, args, exc_info, extra=extra
    )


def catch(error: BaseException):
    try:
        raise error
    except BaseException:
        return sys.exc_info()


# Request ids


@pytest.mark.parametrize(
    "offered",
    [
        pytest.param("a", id="one-character"),
        pytest.param("7b0c2b5e-3c0f-4f0e-9a51-1b1f0f7f2f11", id="uuid"),
        pytest.param("x" * 128, id="128-characters"),
        pytest.param("two words", id="inner-blank"),
        pytest.param("!~\"'<>{}%0a\\n", id="punctuation"),
    ],
)
def test_a_printable_id_is_kept(offered):
    assert choose_request_id(offered) == offered


@pytest.mark.parametrize(
    "offered",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param("x" * 129, id="129-characters"),
        pytest.param(" x", id="blank-before"),
        pytest.param("x ", id="blank-after"),
        pytest.param("a\nb", id="line-break"),
        pytest.param("a\n", id="line-break-after"),
        pytest.param("a\r\nSet-Cookie: b", id="header-injection"),
        pytest.param("a\tb", id="tab"),
        pytest.param("a\x00b", id="nul"),
        pytest.param("a\x1b[2Jb", id="escape-sequence"),
        pytest.param("\x7f", id="delete"),
        pytest.param("größe", id="non-ascii"),
        pytest.param("a\u2028b", id="line-separator"),
        pytest.param("\u0661", id="arabic-digit"),
    ],
)
def test_any_other_id_is_replaced_by_a_new_one(offered):
    first, second = choose_request_id(offered), choose_request_id(offered)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


@generously
@given(st.text(max_size=200))
def test_a_chosen_id_is_always_fit_for_a_header(offered):
    chosen = choose_request_id(offered)
    assert 1 <= len(chosen) <= 128
    assert chosen.isascii()
    assert chosen.isprintable()
    assert chosen == chosen.strip()


def test_an_id_is_bound_until_it_is_ended():
    assert get_request_id() is None
    bind_request_id("one")
    assert get_request_id() == "one"
    bind_request_id("two")
    assert get_request_id() == "two"
    bind_request_id(None)
    assert get_request_id() is None


def test_another_thread_has_no_id():
    bind_request_id("mine")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(get_request_id()))
    thread.start()
    thread.join()
    assert seen == [None]


def test_another_context_does_not_change_the_id():
    bind_request_id("mine")
    contextvars.copy_context().run(bind_request_id, "theirs")
    assert get_request_id() == "mine"


# JSON lines


def test_a_json_line_has_the_fields_in_order():
    bind_request_id("r-1")
    line = json.loads(JsonFormatter().format(make_record("served %s", "it", **FIELDS)))
    assert list(line) == ["time", "level", "logger", "message", "request_id", *FIELDS]
    assert {name: line[name] for name in FIELDS} == FIELDS
    assert (line["level"], line["logger"], line["message"]) == ("info", "model_service.test", "served it")
    assert line["request_id"] == "r-1"


def test_a_json_line_says_when_in_utc():
    record = make_record()
    time = datetime.fromisoformat(json.loads(JsonFormatter().format(record))["time"])
    assert time.utcoffset().total_seconds() == 0
    assert abs(time.timestamp() - record.created) < 0.001


def test_a_json_line_leaves_out_what_is_not_known():
    line = json.loads(JsonFormatter().format(make_record(status=0, rows=None, secret="payload")))
    assert list(line) == ["time", "level", "logger", "message", "status"]


def test_a_json_line_holds_the_traceback():
    error = ValueError("first\nsecond")
    text = JsonFormatter().format(make_record(exc_info=catch(error)))
    assert "\n" not in text
    traceback = json.loads(text)["traceback"]
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.endswith("ValueError: first\nsecond")


@generously
@given(st.text(), st.text())
def test_a_json_line_is_one_line_of_json_whatever_is_logged(message, path):
    text = JsonFormatter().format(make_record("%s", message, path=path))
    assert text.splitlines() == [text]
    line = json.loads(text)
    assert (line["message"], line["path"]) == (message, path)


def test_a_json_line_spells_out_a_value_that_is_not_json():
    assert json.loads(JsonFormatter().format(make_record(version={1})))["version"] == "{1}"


# Text lines


def test_a_text_line_is_for_people():
    bind_request_id("r-1")
    record = make_record("served %s", "it", method="GET", status=200)
    line = TextFormatter().format(record)
    time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
    assert line == f"{time} info    served it request_id=r-1 method=GET status=200"


FORGED = "12:00:00 error   forged"


@pytest.mark.parametrize(
    "end",
    ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"],
    ids=lambda end: "-".join(f"{ord(c):x}" for c in end),
)
def test_no_line_can_be_forged(end):
    text = f"hello{end}{FORGED}"
    record = make_record("%s", text, path=text, exc_info=catch(ValueError(text)))
    first, *others = TextFormatter().format(record).splitlines()
    assert first.count("forged") == 2
    assert others
    assert all(other.startswith("  ") for other in others)


@generously
@given(st.text(st.characters()), st.text(st.characters()))
def test_a_text_line_is_one_printable_line_whatever_is_logged(message, path):
    line = TextFormatter().format(make_record("%s", message, path=path))
    assert line.isprintable()


def test_an_escape_sequence_is_shown_not_obeyed():
    line = TextFormatter().format(make_record("red \x1b[31m ß", exc_info=catch(ValueError("\x1b[2J"))))
    assert "\x1b" not in line
    assert "red \\x1b[31m ß" in line
    assert line.endswith("\n  ValueError: \\x1b[2J")


# What a process is told


@pytest.mark.parametrize(
    ("choice", "stream", "formatter"),
    [
        pytest.param(LogFormat.AUTO, Terminal, TextFormatter, id="auto-on-a-terminal"),
        pytest.param(LogFormat.AUTO, io.StringIO, JsonFormatter, id="auto-elsewhere"),
        pytest.param(LogFormat.JSON, Terminal, JsonFormatter, id="json-on-a-terminal"),
        pytest.param(LogFormat.TEXT, io.StringIO, TextFormatter, id="text-elsewhere"),
    ],
)
def test_the_format_depends_on_the_terminal_only_when_it_is_auto(configure, choice, stream, formatter):
    output = configure(stream(), format=choice)
    logging.getLogger("model_service.test").info("hello")
    [line] = output.getvalue().splitlines()
    assert (formatter is JsonFormatter) == line.startswith("{")
    assert "hello" in line


def test_lines_go_to_standard_error_by_default():
    handler = build_logging_settings(LoggingConfig())["handlers"]["stream"]
    assert handler["stream"] is sys.stderr


@pytest.mark.parametrize("level", LogLevel)
def test_lines_below_the_level_are_not_written(configure, level):
    output = configure(io.StringIO(), level=level, format=LogFormat.JSON)
    for severity in LogLevel:
        logging.getLogger("model_service.test").log(getattr(logging, severity.upper()), "%s", severity)
    written = [json.loads(line)["level"] for line in output.getvalue().splitlines()]
    assert written == [*LogLevel][[*LogLevel].index(level) :]


def test_other_libraries_are_heard_from_warning_on(configure):
    output = configure(io.StringIO(), level=LogLevel.DEBUG, format=LogFormat.JSON)
    logging.getLogger("some_library").info("chatter")
    logging.getLogger("some_library").warning("trouble")
    assert [json.loads(line)["message"] for line in output.getvalue().splitlines()] == ["trouble"]


def test_the_server_is_heard_from_error_on(configure):
    output = configure(io.StringIO(), level=LogLevel.DEBUG, format=LogFormat.JSON)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).warning("what is said better by us")
        logging.getLogger(name).error("trouble")
    assert [json.loads(line)["message"] for line in output.getvalue().splitlines()] == ["trouble"] * 2


def test_a_logger_made_before_goes_on(configure):
    logger = logging.getLogger("model_service.made_before")
    output = configure(io.StringIO(), format=LogFormat.JSON)
    assert not logger.disabled
    logger.info("still here")
    assert json.loads(output.getvalue())["message"] == "still here"


def test_lines_are_dropped_while_nobody_reads_them_and_counted(configure, pipe):
    reading, output = pipe
    configure(output, format=LogFormat.JSON)
    logger = logging.getLogger("model_service.test")
    for _ in range(100):
        logger.info("x" * 10_000)  # a pipe takes a few of them, and a part of one
    *whole, _ = os.read(reading, 2**20).split(b"\n")
    logger.info("again")
    told, last = [json.loads(line) for line in os.read(reading, 2**20).splitlines() if line]
    assert (told["level"], last["message"]) == ("warning", "again")
    assert told["message"] == f"{100 - len(whole)} lines were dropped: the log is read too slowly"
    logger.info("and again")
    assert [json.loads(line)["message"] for line in os.read(reading, 2**20).splitlines()] == ["and again"]


def test_a_reader_that_left_is_no_reason_to_raise(configure):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output:
        configure(output)
        os.close(reading)
        logging.getLogger("model_service.test").info("hello")
