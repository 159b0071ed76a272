"""What a process writes outlives it: whole, once, and for its successor to go on with."""

import os
import signal
import subprocess
import sys
import threading

from model_service.metrics.figures import Figures
from model_service.metrics.figures_file import FiguresFile, read_others

REQUESTS = ("model_service_rows_total", "m", "1")
GAUGE = ("model_service_queue_rows", "m", "1")


def figures(count: float, gauge: float = 0.0) -> Figures:
    return Figures(counters={REQUESTS: count}, gauges={GAUGE: gauge})


def read(own: FiguresFile) -> list[tuple[float, bool]]:
    return [(found.counters.get(REQUESTS, 0), is_alive) for found, is_alive in read_others(own.path)]


def test_others_read_what_was_written_last(tmp_path):
    one, other = FiguresFile(tmp_path), FiguresFile(tmp_path)
    for count in range(1, 5):
        one.write(figures(count))
        assert read(other) == [(count, True)]
    assert read(one) == [(0, True)]


def test_a_file_that_nobody_holds_is_taken_over_with_its_counts(tmp_path):
    first, _other = FiguresFile(tmp_path), FiguresFile(tmp_path)
    first.write(figures(7))
    path = first.path
    first.close()
    successor = FiguresFile(tmp_path)
    assert successor.path == path
    assert successor.inherited.counters == {REQUESTS: 7}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_process_leaves_its_counts_and_no_lock(tmp_path):
    own = FiguresFile(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from model_service.metrics.figures import Figures\n"
        "from model_service.metrics.figures_file import FiguresFile\n"
        f"FiguresFile(Path(sys.argv[1])).write(Figures(counters={{{REQUESTS!r}: 3}}))\n"
        "print('written', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"written\n"
    assert read(own) == [(3, True)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert read(own) == [(3, False)]


def test_half_a_writing_leaves_the_one_before(tmp_path):
    one, other = FiguresFile(tmp_path), FiguresFile(tmp_path)
    one.write(figures(1))
    one.write(figures(2))
    raw = bytearray(one.path.read_bytes())
    place = raw.rindex(b"[2") if b"[2" in raw else raw.rindex(b"2")
    with one.path.open("r+b") as file:  # as if the process had been killed in the middle of the third
        file.seek(place)
        file.write(b"9")
    assert read(other) in ([(1, True)], [(2, True)])
    one.close()
    assert FiguresFile(tmp_path).inherited.counters[REQUESTS] in (1, 2)


def test_a_reader_beside_a_writer_never_sees_less_than_before(tmp_path):
    one, other = FiguresFile(tmp_path), FiguresFile(tmp_path)
    is_over = threading.Event()

    def write() -> None:
        for count in range(1, 3000):
            one.write(Figures(counters={REQUESTS: count, **{(REQUESTS[0], str(n), ""): count for n in range(50)}}))
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0.0
    while not is_over.is_set():
        ((found, _),) = read(other)
        assert found >= seen
        seen = found
    writer.join()
    assert read(other) == [(2999, True)]


def test_a_family_that_another_release_has_written_is_left_out(tmp_path):
    one, other = FiguresFile(tmp_path), FiguresFile(tmp_path)
    one.write(Figures(counters={("another_total",): 1, REQUESTS: 2}))
    ((found, _),) = read_others(other.path)
    assert found.counters == {REQUESTS: 2}
