"""The status file of a model process, and who reads it often."""

from concurrent.futures import ThreadPoolExecutor

from model_service.backends.process.status import ProcessStatus, StatusReader, read_status, write_status
from model_service.records import Artifact, ModelInfo, ModelState, Problem

INFO = ModelInfo(
    qualified_name="a_model",
    display_name="A",
    description="",
    version="1.0.0",
    class_path="m:M",
    input_schema={"type": "object"},
    output_schema={"type": "object"},
    examples=({"x": 1},),
    artifacts=(Artifact("w.bin", "0", 1),),
)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "0.json"
    problem = Problem("model_crashed", "it ended", "SIGSEGV", "mend it")
    for status in (
        ProcessStatus(ModelState.LOADING, 7, INFO, True),
        ProcessStatus(ModelState.FAILED, 0, None, False, problem),
    ):
        write_status(path, status)
        assert read_status(path) == StatusReader(path).read() == status
    assert [file.name for file in tmp_path.iterdir()] == ["0.json"]


def test_a_reader_finds_nothing_before_the_first_status_and_after_the_last(tmp_path):
    path = tmp_path / "0.json"
    reader = StatusReader(path)
    assert reader.read() is None
    write_status(path, ProcessStatus(ModelState.READY, 7))
    assert reader.read() == ProcessStatus(ModelState.READY, 7)
    path.unlink()
    assert reader.read() is None


def test_a_reader_parses_a_status_once_and_sees_every_change(tmp_path):
    path = tmp_path / "0.json"
    reader = StatusReader(path)
    for pid in range(1, 50):
        write_status(path, ProcessStatus(ModelState.READY, pid, INFO))
        status = reader.read()
        assert status.pid == pid
        assert reader.read() is status


def test_readers_in_several_threads_see_whole_statuses(tmp_path):
    path = tmp_path / "0.json"
    write_status(path, ProcessStatus(ModelState.READY, 0, INFO))
    reader = StatusReader(path)

    def read_until_last() -> list[int]:
        pids = [0]
        while pids[-1] < 200:
            pids.append(reader.read().pid)
        return pids

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read_until_last) for _ in range(3)]
        for pid in range(1, 201):
            write_status(path, ProcessStatus(ModelState.READY, pid, INFO))
        for future in reading:
            pids = future.result(timeout=60)
            assert pids[-1] == 200
            assert set(pids) <= set(range(201))
