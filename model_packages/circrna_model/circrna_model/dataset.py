"""The labelled sequences that training and evaluation read, featurised once. Not used when serving."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circrna_model.features import Codes, decode_letters, encode_letters
from circrna_model.sequences import clean_sequence
from circrna_model.summary import summarize

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Sequences with their classes and groups; one entry per row in every field.

    Attributes:
        codes: Letters of each sequence.
        summaries: Array of shape (rows, `summary.SUMMARY_SIZE`), for the baselines.
        classes: 1 for a circular RNA, 0 for another.
        groups: Sequences that share 31-mers have the same group and stay on one side of a split.
    """

    codes: list[Codes]
    summaries: NDArray[np.float32]
    classes: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Nucleotides of each sequence."""
        return np.array([len(row) for row in self.codes])

    @property
    def payloads(self) -> list[dict[str, str]]:
        """The rows as a caller would send them."""
        return [{"rna_sequence": decode_letters(row)} for row in self.codes]

    def choose(self, rows: Rows) -> "Dataset":
        """Return some of the rows."""
        codes = [self.codes[row] for row in rows]
        return Dataset(codes, self.summaries[rows], self.classes[rows], self.groups[rows])


def read_dataset(path: Path) -> Dataset:
    """Read a CSV file, gzipped or not, with the columns rna_sequence, is_circrna and group."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    rows = list(csv.DictReader(text.splitlines()))
    codes = [encode_letters(clean_sequence(row["rna_sequence"])) for row in rows]
    return Dataset(
        codes=codes,
        summaries=np.stack([summarize(row) for row in codes]),
        classes=np.array([int(row["is_circrna"]) for row in rows]),
        groups=np.array([int(row["group"]) for row in rows]),
    )


def cut_sequences(dataset: Dataset, cut: Callable[[Codes], Codes]) -> Dataset:
    """Return the same rows with another sequence each, to measure what a sequence without something tells."""
    codes = [cut(row) for row in dataset.codes]
    return replace(dataset, codes=codes, summaries=np.stack([summarize(row) for row in codes]))
