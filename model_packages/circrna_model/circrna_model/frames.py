"""Open reading frames of a sequence: what an answer shows as evidence, and what training asks of the network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circrna_model.features import KMER, VOCABULARY, Tokens

_STOPS = ("TAA", "TAG", "TGA")
IS_STOP = np.zeros(len(VOCABULARY), dtype=bool)
IS_STOP[[VOCABULARY[codon] for codon in _STOPS]] = True


@dataclass(frozen=True, slots=True)
class OpenFrame:
    """The longest run of codons without a stop in one reading frame.

    Attributes:
        frame: 0, 1 or 2: the letter at which the frame begins.
        start: Number of its first codon in the frame.
        codons: How many codons it holds.
    """

    frame: int
    start: int
    codons: int


def read_along(kmers: Tokens) -> Tokens:
    """Return the 3-mers of a sequence without those that go over the join."""
    return kmers[: len(kmers) - (KMER - 1)]


def find_open_frames(kmers: Tokens) -> list[OpenFrame]:
    """Return the longest open run of each of the three frames, in their order."""
    runs = []
    for frame in range(KMER):
        codons = kmers[frame::KMER]
        ends = find_stops(codons)
        lengths = ends[1:] - ends[:-1] - 1
        longest = int(lengths.argmax())
        runs.append(OpenFrame(frame, int(ends[longest]) + 1, int(lengths[longest])))
    return runs


def find_open_frame(kmers: Tokens) -> OpenFrame:
    """Return the longest open run of all frames."""
    return max(find_open_frames(kmers), key=lambda run: run.codons)


def find_stops(codons: Tokens) -> NDArray[np.int64]:
    """Return where the stop codons of one frame are, between -1 and the number of codons."""
    return np.concatenate(([-1], np.flatnonzero(IS_STOP[codons]), [len(codons)]))


def read_open_codons(kmers: Tokens) -> Tokens:
    """Return the codons of the longest open run of all frames."""
    run = find_open_frame(kmers)
    return kmers[run.frame :: KMER][run.start : run.start + run.codons]


def measure_frames(kmers: Tokens) -> NDArray[np.float32]:
    """Return share and log length of the longest open run, and log of what it lacks to the whole.

    Args:
        kmers: 3-mers of a sequence with those over its join.

    Returns:
        Array of shape (4, 3): the three frames from the first letter to the last, and the circle round and round.
    """
    total = len(kmers) / KMER
    around = max(run.codons for run in find_open_frames(np.concatenate((kmers, kmers))))
    codons = np.array([*(run.codons for run in find_open_frames(read_along(kmers))), min(around, total)])
    measured = (codons / total, np.log1p(codons), np.log1p(np.maximum(total - codons, 0.0)))
    return np.stack(measured, axis=1).astype(np.float32)
