"""Payloads become columns: their types, shapes, and what stands for a missing value."""

import numpy as np
import pytest

from model_service import columns

ROWS = [{"n": 1, "s": "a"}, {"n": None, "s": None}, {}, {"n": 2.5, "s": "b"}]


def test_a_number_that_is_null_or_absent_is_nan_or_what_is_said():
    numbers = columns.read_numbers(ROWS, "n")
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, [1, np.nan, np.nan, 2.5])
    assert columns.read_numbers(ROWS, "n", missing=-1).tolist() == [1, -1, -1, 2.5]


def test_a_text_that_is_null_or_absent_is_empty_or_what_is_said():
    assert columns.read_texts(ROWS, "s").tolist() == ["a", "", "", "b"]
    assert columns.read_texts(ROWS, "s", missing="?").tolist() == ["a", "?", "?", "b"]


def test_a_code_is_the_place_of_a_value():
    codes = columns.read_codes(ROWS, "s", ("b", "a"))
    np.testing.assert_array_equal(codes, np.array([1, np.nan, np.nan, 0], np.float32))
    assert codes.dtype == np.float32
    assert columns.read_codes([{"n": 1.0}], "n", (0, 1)).tolist() == [1]
    with pytest.raises(KeyError):
        columns.read_codes(ROWS, "s", ("a",))


def test_a_matrix_has_the_columns_in_the_order_of_the_names():
    rows = [{"a": 1, "b": 2}, {"b": 4, "a": 3}]
    assert columns.read_matrix(rows, ("b", "a")).tolist() == [[2, 1], [4, 3]]
    assert columns.read_matrix(rows, ("a",)).tolist() == [[1], [3]]


def test_a_graph_with_one_input_per_column_gets_columns_of_one():
    read = columns.read_columns(ROWS, numbers=["n"], texts=["s"], missing={"n": 0, "s": "none"})
    assert {name: column.shape for name, column in read.items()} == {"n": (4, 1), "s": (4, 1)}
    assert read["n"].ravel().tolist() == [1, 0, 0, 2.5]
    assert read["s"].ravel().tolist() == ["a", "none", "none", "b"]
    np.testing.assert_array_equal(columns.read_columns(ROWS, numbers=["n"])["n"][1], [np.nan])
