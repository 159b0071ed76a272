"""Compressed bodies are inflated within their bound, whatever they would become."""

import gzip
import io
import tracemalloc
import zlib

import pytest

from model_service.transports.http.inflating import inflate

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gigabyte of zeros."""
    file = io.BytesIO()
    with gzip.open(file, "wb", compresslevel=1) as stream:
        for _ in range(1024):
            stream.write(bytes(MIB))
    return file.getvalue()


def test_a_bomb_is_stopped_while_it_inflates(bomb):
    tracemalloc.start()
    try:
        inflated = inflate(bomb, "gzip", MIB)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(inflated) == MIB + 1
    assert most < len(bomb) + 4 * MIB


def test_a_bomb_of_deflate_is_stopped_too():
    assert len(inflate(zlib.compress(bytes(64 * MIB)), "deflate", MIB)) == MIB + 1


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_what_fits_the_bound_comes_back_whole(size):
    assert inflate(gzip.compress(b"x" * size), "gzip", 100) == b"x" * size
