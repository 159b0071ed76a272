"""The files in examples/files, as docs/files.md sends them, and what comes back."""

import csv
import io
import json

import pytest
from serving import TESTS

FOLDER = TESTS.parent / "examples/files"


@pytest.fixture
def send(make_client):
    def post(class_path, name, file, media_type, accept):
        client = make_client(class_path)
        headers = {"content-type": media_type, "accept": accept}
        response = client.post(f"/api/models/{name}/predict", data=(FOLDER / file).read_bytes(), headers=headers)
        assert response.status_code == 200, response.text
        return response

    return post


def read_table(response):
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def test_loan_requests_are_answered_with_their_loan_id(send):
    response = send("loan_model.LoanModel", "loan_model", "loans.json", "application/json", "application/x-ndjson")
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert [row["Loan_ID"] for row in rows] == ["LP001015", "no-credit-history", "LP001030"]
    assert [row["prediction.Loan_ID"] for row in rows] == [row["Loan_ID"] for row in rows]
    assert {row["Loan_Status"] for row in rows} <= {"Y", "N"}
    assert rows[0]["ApplicantIncome"] == 5720


def test_three_bike_days_keep_what_was_counted_beside_what_is_predicted(send):
    rows = read_table(send("bike_model.BikeModel", "bike_model", "bike_days.csv", "text/csv", "text/csv"))
    assert [row["dteday"] for row in rows] == ["2011-01-01", "2011-01-02", "2011-01-03"]
    assert [row["cnt"] for row in rows] == ["985", "801", "1349"]
    assert all(0 < int(row["prediction.cnt"]) < 5000 for row in rows)
    assert {row["error.code"] for row in rows} == {""}


def test_ten_dna_sequences_keep_their_names(send):
    rows = read_table(send("dna_lstm_model.DnaLstmModel", "dna_lstm_model", "sequences.csv", "text/csv", "text/csv"))
    assert [row["name"] for row in rows] == [f"s{i:02}" for i in range(1, 11)]
    assert rows[0]["dna_class"] == "1"
    assert {row["error.code"] for row in rows} == {""}


def test_transcripts_of_a_fasta_file_keep_their_ids_and_one_that_is_too_short_fails_alone(send):
    response = send("circrna_model.CircRnaModel", "circrna_model", "transcripts.fasta", "text/x-fasta", "*/*")
    rows = read_table(response)
    assert [row["id"] for row in rows] == ["HBB_exon_2", "HBB_exon_2_antisense", "too_short"]
    assert [row["error.code"] for row in rows] == ["", "", "payload_invalid"]
    assert rows[2]["error.column"] == "rna_sequence"
    assert {row["label"] for row in rows[:2]} - {""}
    assert response.headers["x-failed-rows"] == "1"
