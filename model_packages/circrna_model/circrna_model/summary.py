"""Hand-made numbers about a whole sequence, for the baselines that the transformer is measured against.

Only evaluation reads them: nothing here is an input of the network or of the served graph.
"""

import numpy as np
from numpy.typing import NDArray

from circrna_model.features import FIRST_TOKEN, KMER, LETTERS, UNKNOWN, VOCABULARY, Codes, Tokens, number_kmers
from circrna_model.frames import find_open_frames, find_stops, read_along, read_open_codons

#: Letters of each end that the summary holds: the back-splice joins exon ends.
END_LETTERS = 12
FREQUENCY_KS = (1, 2, 3, 4)
#: What the columns of a summary are, in order: (name, number of columns).
SUMMARY_PARTS = (
    ("frequencies", sum(len(LETTERS) ** k for k in FREQUENCY_KS)),
    ("open_frame_codons", len(LETTERS) ** KMER),
    ("open_frame_shares", 5),
    ("open_frame_lengths", 4),
    ("log_length", 1),
    ("ends", 2 * END_LETTERS * len(LETTERS)),
)
SUMMARY_SIZE = sum(size for _, size in SUMMARY_PARTS)

_START = VOCABULARY["ATG"]


def summarize(codes: Codes) -> NDArray[np.float32]:
    """Return `SUMMARY_SIZE` numbers about the whole sequence, in the order of `SUMMARY_PARTS`."""
    kmers = read_along(number_kmers(codes))
    return np.concatenate(
        [
            *(_count_frequencies(_number_words(codes, k), len(LETTERS) ** k) for k in FREQUENCY_KS),
            count_codons(read_open_codons(kmers)),
            _measure_frames(kmers),
            [np.log(len(codes))],
            _mark_letters(codes[:END_LETTERS]),
            _mark_letters(codes[-END_LETTERS:]),
        ]
    ).astype(np.float32)


def count_codons(codons: Tokens) -> NDArray[np.float64]:
    """Return the frequencies of the 64 codons."""
    return _count_frequencies(codons.astype(np.int64) - FIRST_TOKEN, len(LETTERS) ** KMER)


def locate_parts(*names: str) -> list[int]:
    """Return the columns of the named parts of a summary."""
    columns: list[int] = []
    start = 0
    for name, size in SUMMARY_PARTS:
        if name in names:
            columns.extend(range(start, start + size))
        start += size
    return columns


def _number_words(codes: Codes, k: int) -> NDArray[np.int64]:
    """Return the number of the word of ``k`` letters that starts at each letter, -1 where a letter is unknown."""
    count = max(len(codes) - k + 1, 0)
    numbers = np.zeros(count, dtype=np.int64)
    is_known = np.ones(count, dtype=bool)
    for offset in range(k):
        letters = codes[offset : offset + count]
        numbers = numbers * len(LETTERS) + letters
        is_known &= letters != UNKNOWN
    numbers[~is_known] = -1
    return numbers


def _count_frequencies(numbers: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    counts = np.bincount(numbers[numbers >= 0], minlength=size)
    return np.asarray(counts / max(int(counts.sum()), 1))


def _mark_letters(codes: Codes) -> NDArray[np.float64]:
    """Return one-hot letters; an unknown letter is all zero."""
    return np.eye(UNKNOWN + 1, UNKNOWN)[codes].ravel()


def _measure_frames(kmers: Tokens) -> list[float]:
    """Measure the three reading frames, with and without the demand for a start codon."""
    first, second, third = sorted((run.codons for run in find_open_frames(kmers)), reverse=True)
    started = max(_measure_started(kmers[frame::KMER]) for frame in range(KMER))
    total = len(kmers) / KMER
    return [
        *(length / total for length in (first, second, third, started)),
        (first - second) / total,
        *(np.log1p(length) for length in (first, started)),
        # Whether a frame is open from end to end is what tells most: stretch the scale near zero.
        *(np.log1p(max(total - length, 0.0)) for length in (first, started)),
    ]


def _measure_started(codons: Tokens) -> int:
    """Return the codons from a start codon to the next stop, at most."""
    ends = find_stops(codons)
    starts = np.flatnonzero(codons == _START)
    return int((ends[np.searchsorted(ends, starts)] - starts).max()) if len(starts) else 0
