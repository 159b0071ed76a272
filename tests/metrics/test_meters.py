"""What one process counts, and the sum over several."""

import pytest
from scraping import Scrape

from model_service.metrics import families
from model_service.metrics.exposition import write_exposition
from model_service.metrics.meters import FLUSH_TICKS, Meters

ROUTE = "/api/models/{qualified_name}/predict"


def answer(meters: Meters, **changes: object) -> None:
    known = {"method": "POST", "route": ROUTE, "status": "200", "names": ("m", "1.0"), "duration_s": 0.1, "code": None}
    meters.note_answer(**{**known, **changes})


def read(meters: Meters) -> Scrape:
    return Scrape(write_exposition(meters.gather(), "")[0].decode())


@pytest.fixture
def meters() -> Meters:
    made = Meters()
    made.open_model("m", "1.0")
    return made


def test_an_answer_is_counted_with_its_route_status_and_seconds(meters):
    answer(meters)
    answer(meters, status="422", code="payload_invalid")
    found = read(meters)
    labels = {"route": ROUTE, "model": "m", "version": "1.0"}
    assert found.total("requests_total", method="POST", status="200", **labels) == 1
    assert found.total("requests_total", method="POST", status="422", **labels) == 1
    assert found.total("errors_total", code="payload_invalid", model="m", version="1.0") == 1
    assert found.total("request_seconds_count", **labels) == 2
    assert found.total("request_seconds_sum", **labels) == pytest.approx(0.2)


def test_a_note_of_the_hot_way_counts_as_an_answer(meters):
    model = meters.open_model("m", "1.0")
    model.answers[ROUTE].append(0.1)
    model.validations.append(0.01)
    model.batches.extend([3, 5])
    answer(meters)
    found = read(meters)
    assert found.total("requests_total", method="POST", status="200", route=ROUTE, model="m", version="1.0") == 2
    assert found.total("request_seconds_count", route=ROUTE) == 2
    assert found.total("stage_seconds_count", stage="validate", model="m") == 1
    assert (found.total("batch_rows_count"), found.total("rows_total", model="m")) == (2, 8)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"names": ("made-up", "1.0")}, {"model": "none", "version": "none"}),
        ({"names": ("m", "9.9")}, {"model": "m", "version": "none"}),
        ({"names": (None, None)}, {"model": "none", "version": "none"}),
        ({"method": "BREW"}, {"method": "other"}),
    ],
)
def test_what_a_caller_makes_up_is_no_label(meters, changes, expected):
    answer(meters, **changes)
    assert read(meters).total("requests_total", **expected) == 1


def test_nobody_measured_what_took_no_time(meters):
    answer(meters, duration_s=0.0)
    assert not read(meters).has("request_seconds_count")


def test_gauges_are_asked_for_when_they_are_wanted(meters):
    waiting = [4.0]

    def gauges() -> list[tuple[tuple[str, ...], float]]:
        return [((families.QUEUE_ROWS.name, "m", "1.0"), waiting[0])]

    meters.watch(gauges)
    assert read(meters).total("queue_rows") == 4
    waiting[0] = 6
    assert read(meters).total("queue_rows") == 6
    meters.unwatch(gauges)
    assert not read(meters).has("queue_rows")


def test_processes_are_added_up_and_the_dead_keep_their_counts(tmp_path):
    one, other = Meters(tmp_path), Meters(tmp_path)
    for meters in (one, other):
        meters.open_model("m", "1.0").answers[ROUTE].append(0.1)
        meters.set_gauge(families.WORKERS, value=1)
        meters.set_gauge(families.LOOP_LAG, value=2)
        meters.flush()
    found = read(one)
    assert (found.total("requests_total"), found.total("request_seconds_count")) == (2, 2)
    assert (found.total("workers"), found.total("loop_lag_seconds")) == (2, 2)
    other._file.close()  # as the end of a process does, in whatever way
    found = read(one)
    assert (found.total("requests_total"), found.total("request_seconds_count")) == (2, 2)
    assert found.total("workers") == 1
    successor = Meters(tmp_path)
    answer(successor)  # before it knows its models: they are those of before
    successor.open_model("m", "1.0").answers[ROUTE].append(0.1)
    successor.flush()
    found = read(one)
    assert found.total("requests_total", model="m") == 3
    assert found.total("requests_total") == 4


def test_what_one_process_has_told_another_tells_too(tmp_path):
    one, other = Meters(tmp_path), Meters(tmp_path)
    answer(one)
    assert read(one).total("requests_total") == 1  # asking has written it
    assert read(other).total("requests_total") == 1


def test_ticks_write_now_and_then(tmp_path):
    one, other = Meters(tmp_path), Meters(tmp_path)
    answer(one)
    for _ in range(FLUSH_TICKS - 1):
        one.tick()
    assert read(other).total("requests_total") == 0
    one.tick()
    assert read(other).total("requests_total") == 1


@pytest.mark.parametrize(
    ("accept", "media_type", "ends_with_eof"),
    [
        ("", "text/plain", False),
        ("*/*", "text/plain", False),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", "application/open", True),
    ],
)
def test_the_caller_chooses_the_format(meters, accept, media_type, ends_with_eof):
    answer(meters)
    body, found = write_exposition(meters.gather(), accept)
    assert found.startswith(media_type)
    assert body.endswith(b"# EOF\n") is ends_with_eof
    assert b'model_service_requests_total{method="POST",model="m"' in body


def test_every_family_has_its_type_and_help(meters):
    found = {family.name: family for family in read(meters).families}
    for family in families.FAMILIES:
        shown = found[family.name.removesuffix("_total")]
        assert (shown.type, shown.documentation) == (family.kind.value, family.help)
