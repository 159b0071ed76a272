"""Files and jobs through the client, at a served service."""

import asyncio
import gzip
import io
import json

import pytest

from model_service_client import AsyncModelServiceClient, JobNotSucceeded, ModelServiceClient, NoAnswerInTime
from model_service_client.errors import (
    FileUnreadable,
    JobNotFound,
    MediaTypeUnsupported,
    PayloadTooLarge,
    TooManyFailedRows,
)

HEADER = "sepal_length,sepal_width,petal_length,petal_width,mine\n"
ROWS = "5.1,3.5,1.4,0.2,a\n6.3,3.3,6.0,2.5,b\nlong,1,1,1,c\n"
CSV = (HEADER + ROWS).encode()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "rows.csv").write_bytes(CSV)
    return tmp_path / "rows.csv"


def test_a_file_comes_back_as_its_format_with_its_columns(client, path):
    scored = client.model("iris_model").score_file(path)
    lines = scored.content.decode().splitlines()
    assert lines[0].startswith("sepal_length,sepal_width,petal_length,petal_width,mine,species,")
    assert [line.split(",")[5] for line in lines[1:]] == ["setosa", "virginica", ""]
    assert (scored.media_type, scored.failed_rows, scored.version) == ("text/csv", 1, "1.0.0")


def test_a_file_is_taken_from_memory_an_open_file_or_gzip_and_goes_to_a_path(client, path, tmp_path):
    model = client.model("iris_model")
    expected = model.score_file(path).content
    assert model.score_file(CSV, content_type="text/csv").content == expected
    with path.open("rb") as file:
        assert model.score_file(file).content == expected
        assert not file.closed
    skipped = io.BytesIO(b"skipped" + CSV)
    skipped.seek(7)
    assert model.score_file(skipped, content_type="csv").content == expected
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(CSV))
    assert model.score_file(tmp_path / "rows.csv.gz").content == expected
    scored = model.score_file(path, output=tmp_path / "out.csv")
    assert (scored.content, scored.failed_rows) == (b"", 1)
    assert (tmp_path / "out.csv").read_bytes() == expected
    assert not (tmp_path / "out.csv.part").exists()


def test_the_answer_may_have_another_format(client, path):
    model = client.model("iris_model")
    lines = model.score_file(path, accept="ndjson").content.decode().splitlines()
    assert [json.loads(line).get("species") for line in lines] == ["setosa", "virginica", None]
    outcomes = json.loads(model.score_file(path, accept="application/json").content)
    assert ["output" in each for each in outcomes] == [True, True, False]
    flowers = json.dumps([{"sepal_length": 1}, model.metadata().examples[0]]).encode()
    outcomes = json.loads(model.score_file(flowers, content_type="json").content)
    assert ["output" in each for each in outcomes] == [False, True]


@pytest.mark.parametrize("name", ["out.ndjson", "OUT.JSONL"])
def test_the_name_of_the_output_tells_its_format(client, path, tmp_path, name):
    scored = client.model("iris_model").score_file(path, output=tmp_path / name)
    assert scored.media_type == "application/x-ndjson"
    rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
    assert [row.get("species") for row in rows] == ["setosa", "virginica", None]
    assert client.model("iris_model").score_file(path, output=tmp_path / name, accept="csv").media_type == "text/csv"
    assert (tmp_path / name).read_text().startswith("sepal_length,")


def test_an_output_whose_name_tells_no_format_is_refused_before_anything_is_sent(script, path, tmp_path):
    server = script()
    with ModelServiceClient(server.url) as client:
        for name in ("out", "out.xlsx", "out.fasta", "out.csv.gz"):
            with pytest.raises(MediaTypeUnsupported, match=r"\.ndjson.*give accept"):
                client.model("m").score_file(path, output=tmp_path / name)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_with_too_many_rows_is_for_a_job(script, path):
    problem = {"code": "payload_too_large", "detail": "more than 10000 rows"}
    server = script((413, {}, json.dumps(problem).encode()))
    with ModelServiceClient(server.url) as client, pytest.raises(PayloadTooLarge) as caught:
        client.model("m").score_file(path)
    assert "more than 10000 rows" in str(caught.value)
    assert "submit_job" in str(caught.value)


def test_fasta_comes_back_as_what_the_service_writes(client):
    fasta = b">one\n" + b"ACGU" * 100 + b"\n"
    scored = client.model("circrna_model").score_file(fasta, content_type="fasta")
    assert scored.failed_rows == 0
    assert b"one" in scored.content


def test_a_file_that_cannot_be_read_leaves_nothing_and_one_in_text_mode_is_told(client, path, tmp_path):
    with pytest.raises(FileUnreadable):
        client.model("iris_model").score_file(b"", content_type="csv", output=tmp_path / "out.csv")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv"]
    with path.open() as file, pytest.raises(TypeError, match="'rb'"):
        client.model("iris_model").score_file(file)
    with pytest.raises(TypeError, match="not a list"):
        client.model("iris_model").score_file([CSV])
    with pytest.raises(FileNotFoundError):
        client.model("iris_model").score_file(tmp_path / "none.csv")


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_is_sent_watched_fetched_found_again_and_removed(client, path, tmp_path):
    seen = []
    job = client.model("iris_model").submit_job(path, output="ndjson")
    status = job.wait(progress=lambda done, total: seen.append((done, total)), timeout_s=120)
    assert (status.state, status.rows_done, status.rows_failed, status.rows_total) == ("succeeded", 3, 1, 3)
    assert seen == [(3, 3)]
    assert job.state == "succeeded"
    job.download(tmp_path / "out.ndjson")
    rows = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text().splitlines()]
    assert [row.get("species") for row in rows] == ["setosa", "virginica", None]
    again = client.job(job.id)
    assert again.status() == status
    assert job.id in [each.id for each in client.jobs(model="iris_model", state="succeeded")]
    again.remove()
    again.remove()
    with pytest.raises(JobNotFound):
        client.job(job.id).status()


def test_the_same_key_is_the_same_job(client, path):
    model = client.model("iris_model")
    one, other = (model.submit_job(path, idempotency_key="march") for _ in range(2))
    assert one.id == other.id
    assert model.submit_job(path).id != one.id


def test_a_job_that_fails_raises_its_problem(client, path, tmp_path):
    job = client.model("iris_model").submit_job(path, max_failed_rows=0)
    with pytest.raises(TooManyFailedRows):
        job.wait(timeout_s=120)
    assert job.state == "failed"
    assert job.wait(check=False).state == "failed"
    with pytest.raises(TooManyFailedRows):
        job.download(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == [path]


def test_a_wait_that_is_too_long_ends_and_the_job_goes_on(client, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("rna_sequence\n" + ("ACGU" * 2000 + "\n") * 400)
    job = client.model("circrna_model").submit_job(path)
    with pytest.raises(NoAnswerInTime, match="goes on"):
        job.wait(timeout_s=0)
    assert job.cancel().state == "cancelled"
    assert job.wait(check=False).state == "cancelled"
    with pytest.raises(JobNotSucceeded, match="is cancelled"):
        job.wait()
    with pytest.raises(JobNotSucceeded, match="partial=True"):
        job.download(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == [path]
    job.download(tmp_path / "out.csv", partial=True)
    assert (tmp_path / "out.csv").exists()


def test_the_twin_does_all_of_it(shipped, path, tmp_path):
    async def ask() -> None:
        async with AsyncModelServiceClient(shipped.url) as client:
            model = client.model("iris_model")
            scored = await model.score_file(path, output=tmp_path / "scored.csv")
            assert scored.failed_rows == 1
            job = await model.submit_job(path)
            assert (await job.wait(timeout_s=120)).rows_done == 3
            assert await job.state == "succeeded"
            await job.download(tmp_path / "job.csv")
            assert (await client.jobs(limit=1))[0].id == job.id
            await client.job(job.id).remove()

    asyncio.run(ask())
    assert (tmp_path / "job.csv").read_bytes() == (tmp_path / "scored.csv").read_bytes()
