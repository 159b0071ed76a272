"""Files of jobs on a disk, and in a store that is none."""

import pytest

from model_service.errors import ConfigInvalid
from model_service.jobs.errors import JobNotFound, JobStoreUnavailable
from model_service.jobs.objects import ObjectStore


@pytest.fixture(params=["disk", "memory", "bucket"])
def store(request, tmp_path):
    """A store on a disk; one of fsspec's own that knows no folders; and a bucket on a real server."""
    if request.param == "disk":
        return ObjectStore(str(tmp_path / "files"))
    if request.param == "memory":
        return ObjectStore(f"memory://{tmp_path}")
    return ObjectStore(request.getfixturevalue("bucket_url"))


def test_what_is_written_is_read_whole_and_in_parts(store):
    store.write("a/output/1", b"0123456789")
    with store.open("a/output/1") as file:
        assert file.read() == b"0123456789"
    assert store.read("a/output/1", 3, 7) == b"3456"
    store.write("a/output/1", b"again")
    assert store.read("a/output/1", 0, 5) == b"again"


def test_a_file_is_moved_in(store, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"rows")
    store.move_in(path, "a/input")
    assert not path.exists()
    assert store.read("a/input", 0, 4) == b"rows"


def test_what_is_gone_or_too_short_is_told(store):
    with pytest.raises(JobNotFound):
        store.open("a/input").read()
    with pytest.raises(JobNotFound):
        store.read("a/input", 0, 4)
    store.write("a/input", b"abc")
    with pytest.raises(JobStoreUnavailable, match="shorter"):
        store.read("a/input", 0, 4)


def test_objects_of_a_job_are_removed_but_for_some(store):
    for name in ("input", "output/0-a", "output/0-b", "output/1-b"):
        store.write(f"a/{name}", b"x")
    store.write("b/input", b"x")
    assert sorted(name for name, _ in store.list_jobs()) == ["a", "b"]
    store.remove("a", but=frozenset({"input", "output/0-b", "output/1-b"}))
    assert store.read("a/output/1-b", 0, 1) == b"x"
    with pytest.raises(JobNotFound):
        store.read("a/output/0-a", 0, 1)
    store.remove("a")
    store.remove("a")
    assert [name for name, _ in store.list_jobs()] == ["b"]


def test_a_store_without_anything_has_no_jobs(store):
    assert store.list_jobs() == []


@pytest.mark.parametrize("url", ["nothing://x/y", "s4://bucket"])
def test_a_store_of_an_unknown_kind_is_refused(url):
    with pytest.raises(ConfigInvalid, match=r"jobs\.store"):
        ObjectStore(url)
