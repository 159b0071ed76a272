"""Sequences of any length for a network that reads `LENGTH` letters at once, a row.

A longer sequence is cut into rows that overlap by a site less one letter, so that each place where a
site can start is in exactly one of them; the last row ends with the sequence and repeats some of the
places before it. It is all done for many sequences at once.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dna_lstm_model.features import (
    LENGTH,
    SITE_LENGTH,
    STARTS,
    THRESHOLD,
    WHITE_SPACE,
    Codes,
    Places,
    encode_letters,
    number_words,
)
from model_service.arrays import Arrays
from model_service.records import Output

#: Bounds the memory of one run; larger ones are no faster.
MAX_RUN_ROWS = 512

_LETTERS, _STARTS = np.arange(LENGTH), np.arange(STARTS)


class Rows(NamedTuple):
    """Where the rows of sequences lie.

    Attributes:
        counts: Rows of each sequence, those of one after those of the other.
        starts: For each row the place in its sequence, counted from 0, at which it starts.
        repeated: For each row how many of its first places the row before has, too.
    """

    counts: Places
    starts: Places
    repeated: Places


def number_rows(texts: Iterable[str]) -> NDArray[np.int32]:
    """Return what the graph reads of texts: `number_words` of `cut_rows`."""
    return number_words(cut_rows(texts))


def cut_rows(texts: Iterable[str]) -> Codes:
    """Return the rows of texts that `find_sequence_violations` accepts, as codes of shape (rows, `LENGTH`)."""
    sequences = [text.strip(WHITE_SPACE) for text in texts]
    codes = encode_letters("".join(sequences))
    if all(len(sequence) == LENGTH for sequence in sequences):
        return codes.reshape(-1, LENGTH)
    lengths = np.array([len(sequence) for sequence in sequences])
    rows = place_rows(lengths)
    begins = np.repeat(np.cumsum(lengths) - lengths, rows.counts) + rows.starts
    return np.take(codes, begins[:, None] + _LETTERS)


def place_rows(lengths: Places) -> Rows:
    """Return where the rows of sequences of these lengths lie."""
    counts = -(-(lengths - SITE_LENGTH + 1) // STARTS)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.minimum(STARTS * number, np.repeat(lengths - LENGTH, counts))
    return Rows(counts, starts, STARTS * number - starts)


def run_in_chunks(run: Callable[[Arrays], Arrays], inputs: Arrays) -> Arrays:
    """Return what ``run`` computes of all words, some rows at a time: one payload may be a hundred rows."""
    words = inputs["words"]
    if len(words) <= MAX_RUN_ROWS:
        return run(inputs)
    starts = range(0, len(words), MAX_RUN_ROWS)
    chunks = [run({"words": words[start : start + MAX_RUN_ROWS]})["probabilities"] for start in starts]
    return {"probabilities": np.concatenate(chunks)}


def describe_rows(texts: list[str], probabilities: NDArray[np.float32]) -> list[Output]:
    """Return the answers to sequences of which the network said, row by row, how likely a site is at each start."""
    # float32's sigmoid may leave [0, 1] in the last bit.
    probabilities = probabilities.clip(0, 1)
    if len(probabilities) > len(texts):
        lengths = np.array([len(text.strip(WHITE_SPACE)) for text in texts])
        return [_describe(*found) for found in _join_rows(lengths, probabilities)]
    largest = probabilities.max(axis=1).tolist()
    starts = (probabilities >= THRESHOLD).argmax(axis=1).tolist()
    return [
        {
            "dna_class": int(probability >= THRESHOLD),
            "probability": probability,
            "motif_position": start + 1 if probability >= THRESHOLD else None,
        }
        for probability, start in zip(largest, starts, strict=True)
    ]


def _join_rows(lengths: Places, probabilities: NDArray[np.float32]) -> Iterator[tuple[int, float, list[Output]]]:
    """Yield the length, the largest probability and the sites of each sequence."""
    rows = place_rows(lengths)
    once = np.where(rows.repeated[:, None] <= _STARTS, probabilities, 0)
    largest = np.maximum.reduceat(once.max(axis=1), np.cumsum(rows.counts) - rows.counts)
    found, columns = np.nonzero(once >= THRESHOLD)
    sites: list[list[Output]] = [[] for _ in lengths]
    owners = np.repeat(np.arange(len(lengths)), rows.counts)[found].tolist()
    positions = (rows.starts[found] + columns + 1).tolist()
    for owner, position, probability in zip(owners, positions, once[found, columns].tolist(), strict=True):
        sites[owner].append({"position": position, "probability": probability})
    yield from zip(lengths.tolist(), largest.tolist(), sites, strict=True)


def _describe(length: int, probability: float, sites: list[Output]) -> Output:
    described = {
        "dna_class": int(bool(sites)),
        "probability": probability,
        "motif_position": sites[0]["position"] if sites else None,
    }
    return described if length == LENGTH else described | {"sites": sites}
