import contextlib
import datetime
import io
import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import FLOWER, read, read_documents, write

from model_service.errors import FileUnreadable, PayloadInvalid
from model_service.files.converting import finish_part
from model_service.files.formats import FORMATS
from model_service.files.parquet_pages import measure_group
from model_service.records import Violation

BARE = {"species": "tulip", "shares": {"a": 0.5}}
INVALID = PayloadInvalid("a fault", [Violation("/length", "maximum", "too long")])
COLUMNS = {"id": [7, 8, 9], "length": [1.5, 200.0, 3.0], "kind": ["a", None, "b"]}


def make(columns, name="parquet", **options):
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    sink = io.BytesIO()
    if name == "parquet":
        pq.write_table(table, sink, **options)
    else:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.getvalue()


def open_table(raw, name):
    return pq.read_table(io.BytesIO(raw)) if name == "parquet" else pa.ipc.open_stream(raw).read_all()


NAMES = pytest.mark.parametrize("name", ["parquet", "arrow"])


@NAMES
def test_columns_are_rows_and_nulls_are_missing_where_they_are_not_allowed(name):
    rows = read(make(COLUMNS, name), name=name)
    assert [row.document for row in rows] == [
        {"length": 1.5, "kind": "a"},
        {"length": 200.0},
        {"length": 3.0, "kind": "b"},
    ]
    assert rows[0].source == {"id": 7, "length": 1.5, "kind": "a"}
    assert [row.number for row in rows] == [1, 2, 3]


@NAMES
def test_every_type_of_a_column_becomes_one_of_json(name):
    columns = {
        "length": pa.array([1], pa.decimal128(5, 2)),
        "width": pa.array([float("nan")]),
        "kind": pa.array(["a"]).dictionary_encode(),
        "is_wild": pa.array([True]),
        "day": pa.array([datetime.date(2024, 5, 1)]),
        "at": pa.array([datetime.datetime(2024, 5, 1, 10)]),
        "raw": pa.array([b"\xff"]),
        "span": pa.array([datetime.timedelta(seconds=1.5)]),
        "price": pa.array([Decimal("1.50")]),
        "view": pa.array(["b"], pa.string_view()),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
        "nothing": pa.nulls(1),
    }
    [row] = read(make(columns, name), name=name)
    assert row.document == {"length": 1, "width": None, "kind": "a", "is_wild": True}
    told = {key: row.source[key] for key in ("day", "at", "raw", "span", "price", "view", "json", "nothing")}
    assert told == {
        "day": "2024-05-01",
        "at": "2024-05-01T10:00:00",
        "raw": "/w==",
        "span": 1.5,
        "price": 1.5,
        "view": "b",
        "json": "{}",
        "nothing": None,
    }


@NAMES
def test_dotted_columns_are_fields_of_nested_objects(name):
    schema = {"properties": {"size": {"type": "object", "properties": {"x": {"type": "number"}}}}}
    assert read_documents(make({"size.x": [1.0]}, name), schema, name) == [{"size": {"x": 1.0}}]


@NAMES
@pytest.mark.parametrize("target", ["parquet", "arrow"])
def test_a_table_is_written_with_predictions_and_errors_in_types_of_their_own(name, target):
    raw = write(make(COLUMNS, name), [BARE, INVALID, BARE], source=name, target="arrow", chunk_rows=2)
    table = open_table(raw, "arrow")
    assert table.num_rows == 3
    assert table.column("id").to_pylist() == [7, 8, 9]
    assert table.schema.field("id").type == pa.int64()
    assert table.column("shares.a").to_pylist() == [0.5, None, 0.5]
    assert table.column("species").to_pylist() == ["tulip", None, "tulip"]
    assert table.column("error.code").to_pylist() == [None, "payload_invalid", None]
    assert table.column("error.column").to_pylist() == [None, "length", None]


def test_a_text_table_becomes_a_typed_one(tmp_path):
    raw = write(b"id,length,is_wild\n007,1,yes\n008,x,no\n", [BARE, INVALID], target="arrow")
    table = open_table(raw, "arrow")
    assert table.column("id").to_pylist() == ["007", "008"]
    assert table.column("length").to_pylist() == [1.0, None]
    assert table.column("is_wild").to_pylist() == [True, False]
    part = tmp_path / "out.part"
    part.write_bytes(raw)
    finish_part(part, tmp_path / "out.parquet", FORMATS["parquet"])
    assert pq.read_table(tmp_path / "out.parquet").equals(table)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_members_that_come_later_than_the_columns_are_kept_in_one_more():
    raw = b'{"length": 1}\n{"length": 2, "note": "x"}\n'
    table = open_table(write(raw, [BARE, BARE], source="ndjson", target="arrow", chunk_rows=1), "arrow")
    assert table.column("other").to_pylist() == [None, '{"note":"x"}']
    assert table.column("length").to_pylist() == [1.0, 2.0]


def test_parquet_is_written_by_one_writer_in_parts():
    from samples import Bounds, open_rows, open_writer

    reader = open_rows(FORMATS["csv"], io.BytesIO(b"length\n1\n2\n3\n"), FLOWER, bounds=Bounds(chunk_rows=2))
    writer = open_writer(FORMATS["parquet"], reader.head, FLOWER, {"properties": {"y": {"type": "integer"}}})
    raw = writer.begin() + b"".join(writer.write(rows, [{"y": 1}] * len(rows)) for rows in reader) + writer.end()
    assert open_table(raw, "parquet").column("y").to_pylist() == [1, 1, 1]


@NAMES
@pytest.mark.parametrize(
    "nested", [[{"x": 1}], [[1, 2]], pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))], ids=["s", "l", "m"]
)
def test_a_nested_column_is_refused_by_its_name(name, nested):
    with pytest.raises(FileUnreadable, match="the column 'deep' is nested; make each of its fields a column"):
        read(make({"length": [1.0], "deep": nested}, name), name=name)


@NAMES
def test_a_table_without_rows_or_with_wrong_columns_is_refused(name):
    with pytest.raises(FileUnreadable, match="columns and no rows"):
        read(make({"length": pa.array([], pa.float64())}, name), name=name)
    with pytest.raises(FileUnreadable, match="the column 'length' is missing"):
        read(make({"width": [1.0]}, name), name=name)
    twice = pa.Table.from_arrays([pa.array([1.0])] * 2, ["length", "length"])
    with pytest.raises(FileUnreadable, match="'length' twice"):
        read(make(twice, name), name=name)


@NAMES
@pytest.mark.parametrize("cut", [0, 1, 3, 7, 8, 20, -1, -4, -8, -30])
def test_a_file_that_is_cut_off_anywhere_is_told(name, cut):
    raw = make({"length": [float(i) for i in range(1000)]}, name)
    if name == "arrow" and cut in (-1, -4, -8):
        raw = raw[:-8]  # without the mark of the end, which readers do not ask for
    with pytest.raises(FileUnreadable, match="cannot be read"):
        read(raw[:cut], name=name)


def test_a_footer_that_lies_is_told():
    raw = make({"length": [float(i) for i in range(1000)]})
    (size,) = struct.unpack("<I", raw[-8:-4])
    for lie in (0, size - 1, size + 1, len(raw), 2**31, 2**32 - 1):
        with pytest.raises(FileUnreadable, match="cannot be read"):
            read(raw[:-8] + struct.pack("<I", lie) + raw[-4:], name="parquet")
    with pytest.raises(FileUnreadable, match="cannot be read"):
        read(b"PAR1" + b"\xff" * 1000 + raw[-8:], name="parquet")


def test_damaged_pages_are_told_or_read_and_never_crash():
    raw = make({"length": [float(i) for i in range(1000)], "kind": ["abc"] * 1000})
    for place in range(4, len(raw) - 8, 41):
        damaged = raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]
        with contextlib.suppress(FileUnreadable):
            assert len(read(damaged, name="parquet")) <= 1000


def test_a_small_file_of_many_rows_is_read_in_chunks():
    from samples import Bounds, open_rows

    raw = make({"length": pa.array([1.0]).take(pa.array([0] * 3_000_000, pa.int32()))}, use_dictionary=True)
    assert len(raw) < 1_000_000
    reader = open_rows(FORMATS["parquet"], io.BytesIO(raw), FLOWER, bounds=Bounds(chunk_rows=500))
    assert [len(rows) for rows, _ in zip(reader, range(3), strict=False)] == [500, 500, 500]


def test_row_groups_are_bounded_by_bytes_so_that_a_file_of_long_texts_is_written_and_read_in_parts(tmp_path):
    raw = write(b"length,note\n" + b"1," + b"a" * 1_000_000 + b"\n", [BARE], target="arrow")
    batch = pa.ipc.open_stream(raw).read_next_batch()
    part = tmp_path / "out.part"
    with part.open("wb") as sink, pa.ipc.new_stream(sink, batch.schema) as stream:
        for _ in range(100):
            stream.write_batch(batch)
    finish_part(part, tmp_path / "out.parquet", FORMATS["parquet"])
    metadata = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert metadata.num_rows == 100
    assert metadata.num_row_groups == 3


# Small files that become large: each is a bomb, made by hand where the library would not lie


def write_number(value, length=None):
    """Return an integer as a footer has it; of a length, so that it fits in another one's place."""
    value, raw = value << 1, bytearray()
    while value > 127 or len(raw) + 1 < (length or 0):
        raw.append(value & 127 | 128)
        value >>= 7
    return bytes([*raw, value])


def lie_about_sizes(raw):
    """Return a file whose footer says of its groups and columns that they inflate to nothing."""
    metadata = pq.ParquetFile(io.BytesIO(raw)).metadata
    group = metadata.row_group(0)
    sizes = {group.total_byte_size, *(group.column(i).total_uncompressed_size for i in range(group.num_columns))}
    start = len(raw) - 8 - metadata.serialized_size
    footer = raw[start:]
    for true in map(write_number, sizes):
        assert true in footer
        footer = footer.replace(true, write_number(0, len(true)))
    lying = raw[:start] + footer
    assert pq.ParquetFile(io.BytesIO(lying)).metadata.row_group(0).total_byte_size == 0
    return lying


@pytest.mark.parametrize(
    ("lie", "use_dictionary", "version"),
    [(bytes, False, "1.0"), (lie_about_sizes, False, "2.0"), (lie_about_sizes, True, "1.0")],
    ids=["honest", "lying", "lying-dictionary"],
)
def test_a_small_file_that_inflates_to_much_is_refused_whatever_its_footer_says(lie, use_dictionary, version):
    columns = {"length": [1.0] * 3, "kind": [letter * 100_000_000 for letter in "abc"]}
    options = {"use_dictionary": use_dictionary, "dictionary_pagesize_limit": 2**31 - 1, "data_page_version": version}
    raw = lie(make(columns, compression="zstd", **options))
    assert len(raw) < 100_000
    with pytest.raises(FileUnreadable, match="write smaller row groups"):
        read(raw, name="parquet")


@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
def test_texts_that_any_number_of_rows_may_share_are_counted_whatever_the_footer_says(encoding):
    options = {"use_dictionary": True} if encoding == "dictionary" else {"column_encoding": {"kind": encoding}}
    options.setdefault("use_dictionary", False)
    raw = lie_about_sizes(make({"kind": ["a" * 1_000_000] * 100, "length": [1.0] * 100}, **options))
    size = measure_group(io.BytesIO(raw), pq.ParquetFile(io.BytesIO(raw)).metadata.row_group(0))
    assert 1_000_000 <= size.shared < 1_100_000


def test_texts_that_stand_in_one_row_each_make_no_file_slow():
    raw = make({"kind": [f"text {i}" for i in range(100_000)]}, use_dictionary=False)
    size = measure_group(io.BytesIO(raw), pq.ParquetFile(io.BytesIO(raw)).metadata.row_group(0))
    assert size.shared == 0
    assert size.inflated >= 1_000_000


def compress(batches, **options):
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd", **options)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return sink.getvalue()


def test_a_small_batch_that_inflates_to_much_is_refused():
    raw = compress([pa.record_batch({"length": [1.0] * 3, "kind": ["a" * 100_000_000] * 3})])
    assert len(raw) < 100_000
    with pytest.raises(FileUnreadable, match="write smaller batches"):
        read(raw, name="arrow")


def test_a_dictionary_that_grows_with_each_batch_is_refused_when_it_is_too_large():
    texts = [letter * 100_000_000 for letter in "abc"]
    batches = [
        pa.record_batch(
            {"length": [1.0], "kind": pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(texts[: count + 1]))}
        )
        for count in range(3)
    ]
    raw = compress(batches, emit_dictionary_deltas=True)
    assert len(raw) < 100_000
    with pytest.raises(FileUnreadable, match="write smaller batches"):
        read(raw, name="arrow", max_row_bytes=2**30, chunk_bytes=2**30)


def test_a_compressed_stream_is_read():
    raw = compress([pa.record_batch({"length": [1.0, None], "kind": pa.array(["a", "b"]).dictionary_encode()})] * 2)
    assert [row.document for row in read(raw, name="arrow")] == [{"length": 1.0, "kind": "a"}, {"kind": "b"}] * 2


def test_a_message_that_is_damaged_anywhere_is_told_or_read_and_never_crashes():
    raw = compress([pa.record_batch({"length": [1.0] * 50, "kind": pa.array(["a"] * 50).dictionary_encode()})])
    for place in range(len(raw)):
        for value in (0x7F, 0xFF):
            with contextlib.suppress(FileUnreadable):
                assert len(read(raw[:place] + bytes([value]) + raw[place + 1 :], name="arrow")) <= 50


@pytest.mark.parametrize(("name", "kind"), [("parquet", "dictionary"), ("arrow", "dictionary"), ("arrow", "view")])
def test_a_small_file_whose_rows_share_a_long_text_is_read_a_few_rows_at_a_time(name, kind):
    from samples import Bounds, open_rows

    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["a" * 1_000_000]))
    if kind == "view":
        views = pa.py_buffer(struct.pack("<i4sii", 1_000_000, b"aaaa", 0, 0) * 100_000)
        buffers = [None, views, pa.py_buffer(b"a" * 1_000_000)]
        texts = pa.Array.from_buffers(pa.string_view(), 100_000, buffers)
    raw = make({"length": pa.array([1.0]).take(pa.array([0] * 100_000)), "kind": texts}, name)
    assert len(raw) < 4_000_000  # of a hundred gigabytes
    reader = open_rows(FORMATS[name], io.BytesIO(raw), FLOWER, bounds=Bounds(chunk_bytes=4_000_000))
    assert [len(rows) for rows, _ in zip(reader, range(20), strict=False)] <= [4] * 20


@NAMES
def test_a_row_that_is_too_long_is_refused(name):
    raw = make({"length": [1.0] * 3, "kind": ["a", "b" * 2000, "c"]}, name)
    assert len(read(raw, name=name, max_row_bytes=2000)) == 3
    with pytest.raises(FileUnreadable, match="more than 1999 bytes"):
        read(raw, name=name, max_row_bytes=1999)


@NAMES
def test_a_column_whose_name_is_no_text_is_told(name):
    raw = make({"length": [1.0], "kind": ["a"]}, name).replace(b"kind", b"\xff\xfend")
    with pytest.raises(FileUnreadable, match="cannot be read"):
        read(raw, name=name)
