import pytest
from samples import FLOWER, read, write

from model_service.errors import FileUnreadable, PayloadMalformed, PayloadTooLarge

DNA = {
    "type": "object",
    "properties": {"dna": {"type": "string", "pattern": "^[ACGT]+$"}, "depth": {"type": ["number", "null"]}},
    "required": ["dna"],
}
ANY_CASE = {"properties": {"dna": {"type": "string", "pattern": "^[ACGTacgt]+$", "x-alphabet": "ACGT"}}}


def test_records_are_rows_with_their_ids():
    rows = read(b">one first of all\r\nACGT\r\nAC GT\r\n\r\n>two\nTTTT", DNA, "fasta")
    assert [(row.record_id, row.document) for row in rows] == [("one", {"dna": "ACGTACGT"}), ("two", {"dna": "TTTT"})]
    assert rows[0].source == ["one", "ACGTACGT"]


@pytest.mark.parametrize(("schema", "letters"), [(DNA, "ACGT"), (ANY_CASE, "acGT")], ids=["capitals", "any-case"])
def test_small_letters_are_capitals_for_a_model_that_knows_no_others(schema, letters):
    [row] = read(b">soft-masked\nacGT\n", schema, "fasta")
    assert row.document == {"dna": letters}


def test_a_record_without_letters_is_a_fault_of_its_own():
    rows = read(b">one\n>two\nACGT\n>\n", DNA, "fasta")
    assert [type(row.fault) for row in rows] == [PayloadMalformed, type(None), PayloadMalformed]
    assert "row 1: the record has no sequence" in rows[0].fault.message


def test_an_id_stands_in_a_column_of_its_own():
    raw = write(b">one\nACGT\n>two\nTT\n", [{"species": "a"}, {"species": "b"}], source="fasta", schema=DNA)
    assert raw.splitlines()[0].startswith(b"id,dna,species,")
    assert [line.split(b",")[:3] for line in raw.splitlines()[1:]] == [[b"one", b"ACGT", b"a"], [b"two", b"TT", b"b"]]


@pytest.mark.parametrize(
    ("raw", "schema", "words"),
    [
        (b"", DNA, "the file is empty"),
        (b"ACGT\n", DNA, "does not begin with '>'"),
        (b">a\nACGT\n", FLOWER, "one sequence and need nothing else"),
        (b">a\nACGT\n", {**DNA, "required": ["dna", "depth"]}, "one sequence and need nothing else"),
        (b">a\n\xff\n", DNA, "not UTF-8"),
    ],
    ids=["empty", "no-fasta", "another-model", "needs-more", "encoding"],
)
def test_what_is_no_fasta_for_the_model_is_refused(raw, schema, words):
    with pytest.raises(FileUnreadable, match=words):
        read(raw, schema, "fasta")


def test_a_record_without_end_is_bounded():
    with pytest.raises(PayloadTooLarge, match="more than 1000 letters"):
        read(b">a\n" + b"ACGT\n" * 1000, DNA, "fasta", max_row_bytes=1000)


def test_chunks_are_bounded_by_rows():
    raw = b"".join(b">%d\nACGT\n" % i for i in range(2500))
    assert [row.number for row in read(raw, DNA, "fasta", chunk_rows=1000)] == list(range(1, 2501))
