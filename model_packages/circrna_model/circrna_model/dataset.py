"""The labelled sequences that training and evaluation read, featurised once. Not used when serving."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circrna_model.features import SUMMARY_PARTS, count_windows, encode_letters, locate_parts, summarize, tokenize
from circrna_model.sequences import clean_sequence

Rows = NDArray[np.int64]
ALL_PARTS = tuple(name for name, _ in SUMMARY_PARTS)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Featurised sequences with their classes and groups; one entry per row in every field.

    Attributes:
        tokens: Tokens of each sequence, whole patches.
        shapes: (windows, patches a window) of each.
        summaries: Array of shape (rows, `features.SUMMARY_SIZE`).
        lengths: Nucleotides of each sequence.
        classes: 1 for a circular RNA, 0 for another.
        groups: Sequences that share 31-mers have the same group and stay on one side of a split.
    """

    tokens: list[NDArray[np.uint8]]
    shapes: list[tuple[int, int]]
    summaries: NDArray[np.float32]
    lengths: NDArray[np.int64]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of the data file."""

    sequences: list[str]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]


def read_table(path: Path) -> Table:
    """Read a CSV file, gzipped or not, with the columns rna_sequence, is_circrna and group."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    rows = list(csv.DictReader(text.splitlines()))
    return Table(
        sequences=[clean_sequence(row["rna_sequence"]) for row in rows],
        classes=np.array([int(row["is_circrna"]) for row in rows]),
        groups=np.array([int(row["group"]) for row in rows]),
    )


def build_dataset(
    table: Table, *, cut: Callable[[str], str] | None = None, hidden_parts: tuple[str, ...] = ()
) -> Dataset:
    """Featurise a table.

    Args:
        table: What `read_table` returned.
        cut: Applied to every sequence first, to take information away.
        hidden_parts: Parts of the summary, of `SUMMARY_PARTS`, that are set to zero.
    """
    codes = [encode_letters(cut(sequence) if cut else sequence) for sequence in table.sequences]
    tokens = [tokenize(row) for row in codes]
    summaries = np.stack([summarize(row) for row in codes])
    summaries[:, locate_parts(*hidden_parts)] = 0.0
    return Dataset(
        tokens=tokens,
        shapes=[count_windows(row) for row in tokens],
        summaries=summaries,
        lengths=np.array([len(row) for row in codes]),
        classes=table.classes,
        groups=table.groups,
    )
