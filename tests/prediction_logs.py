"""What the tests of the log share: logs in a folder, notes of a toy model, and what stands in the files."""

import sqlite3
import time
from contextlib import closing

from models import DoubleModel

from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.loading import describe_model
from model_service.prediction_log.parts import list_parts
from model_service.prediction_log.writer import PredictionLog
from model_service.records import RequestContext

INFO = describe_model(DoubleModel)
ALL = ModelLogConfig(sample=1.0)


def make_log(folder, **keys):
    """Return a log that writes at once."""
    return PredictionLog(PredictionLogConfig(folder=folder, **{"flush_s": 0.01, **keys}))


def note(log, *numbers, request_id="r", config=ALL, caller=None, size_bytes=None):
    """Note a request of the model that doubles numbers."""
    now = time.monotonic()
    payloads, outputs = [{"x": number} for number in numbers], [{"y": 2 * number} for number in numbers]
    log.note(INFO, config, RequestContext(request_id, now, now + 1, caller), payloads, outputs, size_bytes=size_bytes)


def read(folder, what="*", table="predictions"):
    """Return what stands in all files."""
    rows = []
    for part in list_parts(folder):
        with closing(sqlite3.connect(part.path)) as connection:
            rows += connection.execute(f"SELECT {what} FROM {table} ORDER BY 1").fetchall()
    return rows


def wait_for_rows(folder, count):
    """Return the inputs of the log once there are so many."""
    deadline = time.monotonic() + 30
    while True:
        try:
            rows = read(folder, "id, request_id, row, input, output")
        except sqlite3.OperationalError:  # the tables are just being made
            rows = []
        if len(rows) >= count:
            return rows
        assert time.monotonic() < deadline, f"{len(rows)} rows of {count}"
        time.sleep(0.02)
