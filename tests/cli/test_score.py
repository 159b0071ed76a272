import csv
import gzip
import io
import json
import os
import secrets
import subprocess
import sys
import time

import fsspec
import pytest
from buckets import make_bucket, serve_buckets
from commanding import invoke, misuse
from serving import TESTS, Server

from model_service.cli.errors import ROWS_FAILED
from model_service.cli.score_files import save_reached
from model_service.errors import ConfigInvalid, FileUnreadable, ModelNotFound, ServerBusy

pytestmark = pytest.mark.usefixtures("manager")
DOUBLE = "models.DoubleModel"
TABLE = "id,x\n" + "".join(f"{i:03},{i}\n" for i in range(1, 2501))


@pytest.fixture
def work(tmp_path):
    (tmp_path / "rows.csv").write_text(TABLE)
    return tmp_path


def score(config, *arguments, stdin=None, code=0, model="double_model"):
    result = invoke(config, "score", model, *map(str, arguments), stdin=stdin)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refuse(kind, config, *arguments, stdin=None, model="double_model"):
    result = invoke(config, "score", model, *map(str, arguments), stdin=stdin)
    assert isinstance(result.exception, kind), result.exception
    return result.exception.message


def read_table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_written_with_its_prediction_in_order(configure, work):
    result = score(configure(DOUBLE), "--input", work / "rows.csv", "--output", work / "out.csv", code=ROWS_FAILED)
    rows = read_table(work / "out.csv")
    assert [row["id"] for row in rows] == [f"{i:03}" for i in range(1, 2501)]
    assert [row["y"] for row in rows[:1000]] == [str(2 * i) for i in range(1, 1001)]
    assert {row["error.code"] for row in rows[1000:]} == {"payload_invalid"}
    assert "2500 rows, 1500 failed" in result.stderr
    assert result.stdout == ""
    assert sorted(os.listdir(work)) == ["config.yaml", "out.csv", "rows.csv"]


def test_the_exit_code_is_0_when_no_row_has_failed(configure, work):
    (work / "rows.csv").write_text("x\n1\n2\n")
    score(configure(DOUBLE), "--input", work / "rows.csv", "--output", work / "out.csv")
    assert [row["y"] for row in read_table(work / "out.csv")] == ["2", "4"]


def test_standard_input_and_output_are_files_too(configure, work):
    arguments = ["--input", "-", "--output", "-", "--input-format", "csv"]
    assert (
        score(configure(DOUBLE), *arguments, stdin="x\n4\n").stdout
        == "x,y,error.code,error.column,error.message\n4,8,,,\n"
    )
    result = score(configure(DOUBLE), *arguments, "--output-format", "ndjson", stdin="x\n4\n")
    assert json.loads(result.stdout) == {"x": 4, "y": 8}


def test_names_tell_formats_and_a_compressed_file_is_inflated(configure, work):
    (work / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"x": 4}\n'))
    score(configure(DOUBLE), "--input", work / "rows.jsonl.gz", "--output", work / "out.csv")
    assert [dict(row)["y"] for row in read_table(work / "out.csv")] == ["8"]


def test_a_pattern_and_several_files_go_to_a_folder(configure, work):
    for name in ("a", "b", "c"):
        (work / f"part-{name}.csv").write_text(f"name,x\n{name},1\n")
    more = ["--input", work / "part-c.csv", "--output", work / "done", "--output-format", "ndjson"]
    score(configure(DOUBLE), "--input", work / "part-[ab].csv", *more)
    found = {path.name: json.loads(path.read_text()) for path in (work / "done").iterdir()}
    assert found == {f"part-{name}.ndjson": {"name": name, "x": 1, "y": 2} for name in "abc"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input", "rows.csv", "--output", "rows.csv"], "would be overwritten"),
        (["--input", "rows.csv", "--output", "./rows.csv"], "would be overwritten"),
        (["--input", "none.csv", "--output", "out.csv"], "there is no file 'none.csv'"),
        (["--input", "none*.csv", "--output", "out.csv"], "no file matches 'none*.csv'"),
        (["--input", "rows.csv", "--output", "out.xlsx"], "give --output-format: csv, ndjson"),
        (["--input", "rows.csv", "--output", "out.fasta"], "give --output-format: csv, ndjson"),
        (["--input", "-", "--output", "out.csv"], "standard input has no name that tells its format"),
        (["--input", "rows.csv", "--output", "out.csv.gz"], "not compressed"),
        (["--input", "rows.csv", "--input", "more.csv", "--output", "-"], "several files cannot go to standard output"),
        (["--input", "rows.csv", "--input", "rows.csv", "--output", "done"], "have the same name"),
        (["--input", "rows.csv", "--output", "-", "--resume"], "cannot be resumed"),
        (["--input", "rows.csv", "--output", "o.csv", "--local", "--url", "http://x"], "--local or --url, not both"),
        (["--input", "-", "--output", "-", "--input-format", "parquet"], "Parquet cannot be read from standard input"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(configure, work, monkeypatch, arguments, words):
    monkeypatch.chdir(work)
    (work / "more.csv").write_text("x\n1\n")
    assert words in misuse(configure(DOUBLE), "score", "double_model", *arguments)
    assert (work / "rows.csv").read_text() == TABLE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"x\n", "a header and no rows"),
        (b"x,x\n1,1\n", "twice"),
        (b"x\n1\n\0\n", "NUL"),
        (b"x,n\n1,\xff\n", "not UTF-8"),
        (b"1\n2\n", "no column is a field of the model"),
    ],
    ids=["empty", "header-only", "duplicate", "nul", "encoding", "no-header"],
)
def test_a_file_that_cannot_be_read_says_why(configure, work, content, words):
    (work / "bad.csv").write_bytes(content)
    assert words in refuse(FileUnreadable, configure(DOUBLE), "--input", work / "bad.csv", "--output", work / "out.csv")
    assert not (work / "out.csv").exists()


def test_gzip_that_is_cut_off_or_none_is_told(configure, work):
    raw = gzip.compress(os.urandom(1000) + TABLE.encode())
    for content in (raw[: len(raw) // 2], b"x\n1\n"):
        (work / "bad.csv.gz").write_bytes(content)
        message = refuse(
            FileUnreadable, configure(DOUBLE), "--input", work / "bad.csv.gz", "--output", work / "out.csv"
        )
        assert "cut off, or not gzip" in message or "not UTF-8" in message


def test_a_model_that_is_not_there_is_told(configure, work):
    files = ["--input", work / "rows.csv", "--output", work / "out.csv"]
    refuse(ModelNotFound, configure(DOUBLE), *files, model="nobody")
    result = score(configure("models.UnloadableModel"), *files, code=4, model="unloadable_model")
    assert "cannot be loaded" in result.stderr


def test_processes_write_the_same_file_as_one(configure, work, monkeypatch):
    monkeypatch.setattr("model_service.cli.scorers._ALONE_S", 0.0)
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}{os.pathsep}{TESTS.parent}")
    files = ["--input", work / "rows.csv", "--output"]
    score(configure(DOUBLE), *files, work / "one.csv", "--workers", "1", code=ROWS_FAILED)
    score(configure(DOUBLE), *files, work / "two.csv", "--workers", "2", code=ROWS_FAILED)
    assert (work / "two.csv").read_bytes() == (work / "one.csv").read_bytes()


# Elsewhere: what fsspec finds behind a URL


@pytest.fixture(scope="module")
def buckets():
    with serve_buckets() as environment:
        yield environment


@pytest.fixture(params=["s3", "memory", "file"])
def elsewhere(request, monkeypatch, work, tmp_path):
    """The URL of an empty folder in a bucket on a real server, in fsspec's own memory, on this disk."""
    monkeypatch.chdir(work)
    if request.param == "file":
        (tmp_path / "there").mkdir()
        return f"file://{tmp_path / 'there'}"
    if request.param == "memory":
        return f"memory://there-{secrets.token_hex(4)}"
    bucket = f"rows-{secrets.token_hex(4)}"
    make_bucket(request.getfixturevalue("buckets"), monkeypatch, bucket)
    return f"s3://{bucket}/there"


def put(url, content):
    with fsspec.open(url, "wb") as file:
        file.write(content)


def get(url):
    with fsspec.open(url, "rb") as file:
        return file.read()


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet"])
def test_files_elsewhere_are_read_and_written(configure, work, elsewhere, name):
    config = configure(DOUBLE)
    content = TABLE.encode()
    if name.endswith("parquet"):
        score(config, "--input", "rows.csv", "--output", "rows.parquet", code=ROWS_FAILED)
        content = (work / name).read_bytes()
        (work / name).unlink()
    put(f"{elsewhere}/{name}", gzip.compress(content) if name.endswith("gz") else content)
    score(config, "--input", f"{elsewhere}/{name}", "--output", f"{elsewhere}/done.csv", code=ROWS_FAILED)
    rows = list(csv.DictReader(io.StringIO(get(f"{elsewhere}/done.csv").decode())))
    assert [row["id"] for row in rows] == [f"{i:03}" for i in range(1, 2501)]
    assert rows[4]["prediction.y" if name.endswith("parquet") else "y"] in ("10", "10.0")
    score(config, "--input", f"{elsewhere}/{name}", "--output", f"{elsewhere}/done.parquet", code=ROWS_FAILED)
    assert get(f"{elsewhere}/done.parquet")[:4] == b"PAR1"
    left = {path.name for path in work.iterdir()} - {"there"}
    assert left == {"config.yaml", "rows.csv"}  # no part, no progress


def test_patterns_elsewhere_go_to_a_folder_there(configure, elsewhere):
    for name in ("a", "b", "c"):
        put(f"{elsewhere}/part-{name}.csv", f"name,x\n{name},1\n".encode())
    score(configure(DOUBLE), "--input", f"{elsewhere}/part-[ab].csv", "--output", f"{elsewhere}/done/")
    assert get(f"{elsewhere}/done/part-b.csv").splitlines()[1] == b"b,1,2,,,"
    with pytest.raises(FileNotFoundError):
        get(f"{elsewhere}/done/part-c.csv")


def test_what_is_not_there_or_would_be_overwritten_elsewhere_is_told(configure, elsewhere):
    config = configure(DOUBLE)
    put(f"{elsewhere}/rows.csv", b"x\n1\n")

    def refuse_usage(source, target):
        return misuse(config, "score", "double_model", "--input", source, "--output", target)

    assert "there is no file" in refuse_usage(f"{elsewhere}/none.csv", "out.csv")
    assert "no file matches" in refuse_usage(f"{elsewhere}/none*.csv", "out.csv")
    assert "would be overwritten" in refuse_usage(f"{elsewhere}/rows.csv", f"{elsewhere}/rows.csv")
    assert get(f"{elsewhere}/rows.csv") == b"x\n1\n"


def test_a_run_whose_target_is_elsewhere_is_resumed(configure, work, elsewhere, monkeypatch):
    config = configure(DOUBLE)
    files = ["--input", "rows.csv", "--output", f"{elsewhere}/out.csv"]
    stopped = []

    def stop(task, reached):
        save_reached(task, reached)
        stopped.append(reached.rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # the way to the bucket stays
        patch.setattr("model_service.cli.score.save_reached", stop)
        invoke(config, "score", "double_model", *files)
    assert stopped == [1000]
    result = score(config, *files, "--resume", code=ROWS_FAILED)
    assert "2500 rows, 1500 failed" in result.stderr
    score(config, "--input", "rows.csv", "--output", "whole.csv", code=ROWS_FAILED)
    assert get(f"{elsewhere}/out.csv") == (work / "whole.csv").read_bytes()
    assert "is there already" in score(config, *files, "--resume").stderr


def test_an_output_that_cannot_be_written_elsewhere_stays_here(configure, work, buckets, monkeypatch):
    monkeypatch.chdir(work)
    for name, value in buckets.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    target = f"s3://nobody-has-made-{secrets.token_hex(4)}/out.csv"
    message = refuse(ConfigInvalid, configure(DOUBLE), "--input", "rows.csv", "--output", target)
    kept = work / message.split("'")[3]
    assert len(read_table(kept)) == 2500


@pytest.mark.parametrize("url", ["nothing://x/rows.csv", "s4://bucket/rows.csv"])
def test_a_url_of_an_unknown_kind_is_refused(configure, work, url):
    message = refuse(ConfigInvalid, configure(DOUBLE), "--input", url, "--output", work / "out.csv")
    assert "cannot be used" in message


# Interrupted and resumed


def start(config, *arguments):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-m", "model_service", "--config", str(config), "score", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ["out.csv", "out.ndjson"])
def test_what_is_killed_is_resumed_and_ends_with_the_same_file(configure, work, name):
    (work / "rows.csv").write_text("x\n" + "0.0001\n" * 5000)  # seconds that the model sleeps
    config = configure("models.SleepingModel")
    files = ["sleeping_model", "--input", work / "rows.csv", "--output"]
    assert start(config, *files, work / f"whole-{name}").wait(60) == 0
    running = start(config, *files, work / name)
    record = work / f"{name}.progress"
    while not record.exists():
        assert running.poll() is None
        time.sleep(0.005)
    running.kill()
    running.wait()
    assert not (work / name).exists()
    done = json.loads(record.read_text())
    assert 0 < done["rows"] < 5000
    with open(work / f"{name}.part", "ab") as part:
        part.write(b"half a row")  # what was written and not written down
    assert start(config, *files, work / name, "--resume").wait(60) == 0
    assert (work / name).read_bytes() == (work / f"whole-{name}").read_bytes()
    assert sorted(path.name for path in work.iterdir() if name in path.name) == [name, f"whole-{name}"]


def test_a_file_that_has_changed_is_not_resumed(configure, work):
    config = configure(DOUBLE)
    (work / "out.csv.part").write_text("x")
    (work / "out.csv.progress").write_text(json.dumps({"of": ["another"], "rows": 1, "failed": 0, "size_bytes": 1}))
    files = ["--input", work / "rows.csv", "--output", work / "out.csv"]
    assert "has changed since" in refuse(FileUnreadable, config, *files, "--resume")
    score(config, *files, code=ROWS_FAILED)
    assert len(read_table(work / "out.csv")) == 2500


def test_a_broken_record_begins_again_and_a_whole_file_is_left_alone(configure, work):
    config = configure(DOUBLE)
    (work / "out.csv.progress").write_text("{")
    files = ["--input", work / "rows.csv", "--output", work / "out.csv", "--resume"]
    score(config, *files, code=ROWS_FAILED)
    before = (work / "out.csv").stat().st_mtime_ns
    assert "is there already" in score(config, *files).stderr
    assert (work / "out.csv").stat().st_mtime_ns == before


# Against a server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    toys = "server: {max_request_rows: 400}\nmodels: [{class: models.DoubleModel}, {class: models.RaisingModel}]\n"
    running = Server(toys, tmp_path_factory.mktemp("server")).wait_until_ready()
    yield running
    assert running.stop() == 0


def test_a_server_gives_the_same_file(configure, work, server):
    files = ["--input", work / "rows.csv", "--output"]
    score(configure(DOUBLE), *files, work / "local.csv", code=ROWS_FAILED)
    score(work / "no.yaml", *files, work / "remote.csv", "--url", server.url, code=ROWS_FAILED)
    assert (work / "remote.csv").read_bytes() == (work / "local.csv").read_bytes()


def test_a_row_that_a_server_cannot_answer_fails_alone(work, server):
    (work / "rows.csv").write_text("x\n1\n-1\n3\n")
    files = ["--input", work / "rows.csv", "--output", work / "out.csv", "--url", server.url]
    score(work / "no.yaml", *files, code=ROWS_FAILED, model="raising_model")
    rows = read_table(work / "out.csv")
    assert [(row["y"], row["error.code"]) for row in rows] == [("2", ""), ("", "prediction_failed"), ("6", "")]


def test_a_server_that_is_none_or_lacks_the_model_is_told(work, server):
    files = ["--input", work / "rows.csv", "--output", work / "out.csv", "--url"]
    assert "no model" in refuse(ModelNotFound, work / "no.yaml", *files, server.url, model="nobody").lower()
    assert "nobody answers" in refuse(ServerBusy, work / "no.yaml", *files, "http://127.0.0.1:1")
    assert "no server" in refuse(ConfigInvalid, work / "no.yaml", *files, "http://nowhere.invalid")
    assert "takes the address" in refuse(ConfigInvalid, work / "no.yaml", *files, "ftp://x")
    assert not (work / "out.csv").exists()


# Memory

PEAK = """
import resource, sys
from model_service.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_memory_stays_flat_however_many_rows_there_are(configure, work):
    config = configure(DOUBLE)
    peaks = []
    for count in (10_000, 200_000):
        (work / "rows.csv").write_text("id,x\n" + "some text to carry along,1\n" * count)
        files = ["--input", str(work / "rows.csv"), "--output", str(work / "out.csv"), "--workers", "1"]
        environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "--config", str(config), "score", "double_model", *files],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.splitlines()[-1]))
    size = (work / "rows.csv").stat().st_size / 1024
    assert size > 5_000
    assert peaks[1] - peaks[0] < 15_000, f"{peaks} kB"


def test_the_columns_of_a_table_are_read_again(configure, work):
    """What came out goes in again: the old columns are kept, and the new ones have names of their own."""
    config = configure(DOUBLE)
    score(config, "--input", work / "rows.csv", "--output", work / "out.csv", code=ROWS_FAILED)
    score(config, "--input", work / "out.csv", "--output", work / "again.csv", code=ROWS_FAILED)
    first = read_table(work / "again.csv")[0]
    assert (first["y"], first["prediction.y"]) == ("2", "2")
    assert io.StringIO((work / "again.csv").read_text()).readline().count("error.code") == 2
