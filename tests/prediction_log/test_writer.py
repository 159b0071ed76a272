"""The log itself: what stands in it, what it drops and counts, and what it removes."""

import json
import logging
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from prediction_logs import ALL, INFO, make_log, note, read, wait_for_rows

from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.errors import PredictionFailed
from model_service.prediction_log import parts
from model_service.prediction_log.reading import Window, read_rows
from model_service.records import RequestContext


def test_a_row_says_model_version_request_row_latency_input_and_output(tmp_path):
    log = make_log(tmp_path)
    note(log, 1, 2, request_id="abc", caller="ann")
    log.close()
    columns = 'model, version, request_id, "row", caller, input, output, redacted'
    assert read(tmp_path, columns) == [
        ("double_model", "1.0.0", "abc", 0, "ann", '{"x":1}', '{"y":2}', None),
        ("double_model", "1.0.0", "abc", 1, "ann", '{"x":2}', '{"y":4}', None),
    ]
    ((at, latency),) = set(read(tmp_path, "time, latency_ms"))
    assert abs(datetime.fromisoformat(at) - datetime.now(UTC)) < timedelta(minutes=1)
    assert 0 <= latency < 60_000
    assert (log.written, log.dropped) == (2, 0)


def test_the_thread_writes_without_being_asked(tmp_path):
    log = make_log(tmp_path)
    note(log, 1)
    assert len(wait_for_rows(tmp_path, 1)) == 1
    note(log, 2)
    assert len(wait_for_rows(tmp_path, 2)) == 2
    log.close()


def test_rows_that_failed_are_left_out_and_the_others_keep_their_places(tmp_path):
    log, now = make_log(tmp_path), time.monotonic()
    context = RequestContext("r", now, now + 1)
    log.note(INFO, ALL, context, [{"x": 1}, {"x": 2}, {"x": 3}], [{"y": 2}, PredictionFailed("it broke"), {"y": 6}])
    log.note(INFO, ALL, context, [{"x": 4}], [{"y": 8}], numbers=[17])
    log.close()
    assert read(tmp_path, '"row"') == [(0,), (2,), (17,)]


@pytest.mark.parametrize(("sample", "fewest", "most"), [(0.0, 0, 0), (0.3, 100, 500), (1.0, 1000, 1000)])
def test_the_share_that_is_asked_for_is_taken(tmp_path, sample, fewest, most):
    log = make_log(tmp_path)
    assert fewest <= sum(log.takes(ModelLogConfig(sample=sample)) for _ in range(1000)) <= most


def test_what_is_to_be_left_out_reaches_no_file(tmp_path):
    log, now = make_log(tmp_path), time.monotonic()
    config = ModelLogConfig(sample=1.0, redact=("name", "address.street"), redact_outputs=("why",))
    payload = {"name": "SECRET", "address": {"street": "SECRET", "town": "Ulm"}}
    log.note(INFO, config, RequestContext("r", now, now), [payload], [{"y": 1, "why": "SECRET"}])
    log.close()
    assert payload["name"] == "SECRET"  # the caller's own is as it was
    ((given, output, redacted),) = read(tmp_path, "input, output, redacted")
    assert (json.loads(given), json.loads(output)) == ({"address": {"town": "Ulm"}}, {"y": 1})
    assert json.loads(redacted) == ["name", "address.street", "output.why"]
    assert not any(b"SECRET" in path.read_bytes() for path in tmp_path.iterdir())


def test_the_files_are_for_their_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        log = make_log(tmp_path / "new")
        note(log, 1)
        wait_for_rows(tmp_path / "new", 1)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
        log.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert len(modes) == 3  # with the journal and its index
    assert set(modes.values()) == {0o600}


def test_what_is_more_than_may_wait_is_dropped_and_counted_and_nobody_waits(tmp_path, caplog):
    log = make_log(tmp_path, flush_s=600, max_queue_bytes=2000)
    for number in range(10):
        note(log, number, size_bytes=100)
    note(log, 10, size_bytes=10_000)
    assert log.dropped == 6
    with caplog.at_level(logging.WARNING):
        log.close()
    assert len(read(tmp_path)) == log.written == 5
    assert "6 predictions were not logged: more come than can be written" in caplog.text


def test_room_that_was_taken_is_given_back(tmp_path):
    log = make_log(tmp_path, flush_s=600, max_queue_bytes=1024)
    for number in range(20):
        note(log, number, size_bytes=700)
        log.flush()
    assert (log.written, log.dropped) == (20, 0)
    log.close()


def test_a_folder_that_cannot_be_made_drops_counts_and_says_so_once_a_minute(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    log = make_log(tmp_path / "file" / "folder", flush_s=600)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            note(log, number)
            log.flush()
    assert (log.written, log.dropped) == (0, 3)
    assert len([line for line in caplog.messages if "not logged" in line]) == 1
    assert "NotADirectoryError" in caplog.text
    log.close()


def test_a_full_disk_drops_counts_and_the_log_goes_on_when_there_is_room_again(tmp_path, monkeypatch):
    log = make_log(tmp_path, flush_s=600)
    note(log, 1)
    log.flush()
    create = parts.create

    def create_small(path):
        connection = create(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own word for a full disk
        return connection

    monkeypatch.setattr(parts, "create", create_small)
    log._disconnect()
    note(log, *range(2000))
    log.flush()
    assert log.dropped > 0
    before = log.written
    monkeypatch.setattr(parts, "create", create)
    note(log, 2)
    log.close()
    assert log.written == before + 1


def test_another_process_that_writes_for_long_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "BUSY_S", 0.05)
    log = make_log(tmp_path, flush_s=0.01)
    note(log, 1)
    wait_for_rows(tmp_path, 1)
    (part,) = parts.list_parts(tmp_path)
    with closing(sqlite3.connect(part.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        taken = threading.Thread(target=note, args=(log, 2), daemon=True)
        taken.start()
        taken.join(10)
        assert not taken.is_alive()
        other.execute("COMMIT")
    log.close()
    assert log.written + log.dropped == 2


def test_a_file_that_was_removed_is_made_again(tmp_path):
    log = make_log(tmp_path, flush_s=600)
    note(log, 1)
    log.flush()
    for path in tmp_path.iterdir():
        path.unlink()
    note(log, 2)
    log.close()
    assert read(tmp_path, "input") == [('{"x":2}',)]


def test_an_output_that_is_no_json_is_dropped_and_the_thread_goes_on(tmp_path):
    log, now = make_log(tmp_path), time.monotonic()
    log.note(INFO, ALL, RequestContext("r", now, now), [{"x": 1}], [{"y": object()}])
    note(log, 2)
    wait_for_rows(tmp_path, 1)
    log.close()
    assert (log.written, log.dropped) == (1, 1)


def test_old_files_are_removed_and_the_newest_never(tmp_path):
    config = PredictionLogConfig(folder=tmp_path, keep_s=2 * 86400.0)
    now = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    for name in ("2026-11-19.sqlite", "2026-11-19.1.sqlite", "2026-11-20.sqlite", "2026-11-22.sqlite", "mine.sqlite"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "2026-11-19.sqlite-wal").write_bytes(b"x")
    parts.remove_old(config, now)
    left = ["2026-11-20.sqlite", "2026-11-22.sqlite", "mine.sqlite"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    parts.remove_old(config, now + 30 * 86400)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-11-22.sqlite", "mine.sqlite"]


def test_the_oldest_files_go_when_all_are_too_large_and_a_large_day_has_several(tmp_path):
    config = PredictionLogConfig(folder=tmp_path, max_kept_bytes=1024 * 1024)
    now = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    names = []
    for _ in range(12):
        path = parts.find_current(config, now).path
        names.append(path.name)
        path.write_bytes(b"x" * (1024 * 128))
    assert names[:3] == ["2026-11-22.sqlite", "2026-11-22.1.sqlite", "2026-11-22.2.sqlite"]
    parts.remove_old(config, now)
    assert [part.path.name for part in parts.list_parts(tmp_path)] == names[4:]


def test_several_logs_write_into_one_file(tmp_path):
    logs = [make_log(tmp_path) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda log=log: [note(log, number) for number in range(50)], daemon=True)
        for log in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs:
        log.close()
    assert [log.dropped for log in logs] == [0] * 4
    assert len(read(tmp_path)) == 200


def test_the_rows_of_one_model_are_read_newest_first_by_version_and_time(tmp_path):
    log = make_log(tmp_path, flush_s=600)
    for number in range(3):
        note(log, number)
        log.flush()
        time.sleep(0.002)
    log.close()
    rows = list(read_rows(tmp_path, "double_model", Window()))
    assert [row.payload["x"] for row in rows] == [2, 1, 0]
    assert rows[0].output == {"y": 4}
    assert list(read_rows(tmp_path, "double_model", Window(most_rows=1))) == rows[:1]
    assert list(read_rows(tmp_path, "double_model", Window(until=rows[0].time))) == rows[1:]
    assert list(read_rows(tmp_path, "double_model", Window(since=rows[0].time))) == rows[:1]
    assert list(read_rows(tmp_path, "double_model", Window(version="2.0.0"))) == []
    assert list(read_rows(tmp_path, "other_model", Window())) == []
    assert list(read_rows(tmp_path / "none", "double_model", Window())) == []
