"""From a nucleotide sequence to the two arrays that the network reads. NumPy only; knows no framework.

    text -> clean_sequence -> letters A C G T N -> codes 0..4 -> tokens   one 3-mer a nucleotide, in windows of patches
                                                              -> summary  numbers about the whole sequence

Every 3-mer is a token of a vocabulary that `build_vocabulary` builds. `PATCH` tokens
become one position of the attention, and a sequence of more than `WINDOW_PATCHES`
patches is cut into windows of equal size, so that all of it is read and memory grows
with its length and not with the square. `PATCH` is a multiple of three: a codon's
frame is the same in every patch.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]

MIN_LENGTH = 200
MAX_LENGTH = 100_000
LETTERS = "ACGT"
#: Code of a letter that is not known (N).
UNKNOWN = len(LETTERS)
KMER = 3
PAD_TOKEN = 0
UNKNOWN_TOKEN = 1
#: Nucleotides that the convolutions join into one position of the attention.
PATCH = 48
#: Most patches that attend to each other: 3,072 nt. Longer sequences are read as several windows.
WINDOW_PATCHES = 64
#: Nucleotides (with padding) that are run together: bounds the memory of a batch at some 450 MB,
#: and the longest sequence allowed fits.
MAX_CHUNK_NT = 131_072
#: Letters of each end that the summary holds: the back-splice joins exon ends.
END_LETTERS = 12
FREQUENCY_KS = (1, 2, 3, 4)

_STOPS = ("TAA", "TAG", "TGA")


def build_vocabulary() -> dict[str, int]:
    """Return the token of every 3-mer; the tokens of padding and of a 3-mer with N come first."""
    words = ["<pad>", "<unknown>", *("".join(letters) for letters in product(LETTERS, repeat=KMER))]
    return {word: number for number, word in enumerate(words)}


VOCABULARY = build_vocabulary()
_FIRST_TOKEN = UNKNOWN_TOKEN + 1
_IS_STOP = np.zeros(len(VOCABULARY), dtype=bool)
_IS_STOP[[VOCABULARY[codon] for codon in _STOPS]] = True
_START = VOCABULARY["ATG"]
_CODE_OF_BYTE = np.full(256, UNKNOWN, dtype=np.uint8)
for _letters, _code in (("Aa", 0), ("Cc", 1), ("Gg", 2), ("TtUu", 3)):
    _CODE_OF_BYTE[list(_letters.encode())] = _code


def encode_letters(sequence: str) -> Codes:
    """Return 0 to 3 for A, C, G and T or U in either case, and `UNKNOWN` for anything else."""
    return _CODE_OF_BYTE[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]


def number_kmers(codes: Codes, k: int) -> NDArray[np.int64]:
    """Return the number of the k-mer that starts at each letter, -1 where it holds an unknown letter."""
    count = max(len(codes) - k + 1, 0)
    numbers = np.zeros(count, dtype=np.int64)
    is_known = np.ones(count, dtype=bool)
    for offset in range(k):
        letters = codes[offset : offset + count]
        numbers = numbers * len(LETTERS) + letters
        is_known &= letters != UNKNOWN
    numbers[~is_known] = -1
    return numbers


def tokenize(codes: Codes) -> NDArray[np.uint8]:
    """Return one token a letter, padded to whole patches; the last two letters start no 3-mer and get the pad token."""
    numbers = number_kmers(codes, KMER)
    tokens = np.full(-(-len(codes) // PATCH) * PATCH, PAD_TOKEN, dtype=np.uint8)
    tokens[: len(numbers)] = np.where(numbers < 0, UNKNOWN_TOKEN, numbers + _FIRST_TOKEN)
    return tokens


def summarize(codes: Codes) -> NDArray[np.float32]:
    """Return `SUMMARY_SIZE` numbers about the whole sequence, in the order of `SUMMARY_PARTS`."""
    tokens = tokenize(codes)[: len(codes) - KMER + 1]
    frames, stretch = _measure_frames(tokens)
    return np.concatenate(
        [
            *(_count_frequencies(number_kmers(codes, k), len(LETTERS) ** k) for k in FREQUENCY_KS),
            _count_frequencies(stretch.astype(np.int64) - _FIRST_TOKEN, len(LETTERS) ** KMER),
            frames,
            [np.log(len(codes))],
            _mark_letters(codes[:END_LETTERS]),
            _mark_letters(codes[-END_LETTERS:]),
        ]
    ).astype(np.float32)


def _count_frequencies(numbers: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    counts = np.bincount(numbers[numbers >= 0], minlength=size)
    return counts / max(int(counts.sum()), 1)


def _mark_letters(codes: Codes) -> NDArray[np.float64]:
    """Return one-hot letters; an unknown letter is all zero."""
    return np.eye(UNKNOWN + 1, UNKNOWN)[codes].ravel()


def _measure_frames(tokens: NDArray[np.uint8]) -> tuple[list[float], NDArray[np.uint8]]:
    """Measure the three reading frames, and return the codons of the longest stretch without a stop."""
    stretches: list[NDArray[np.uint8]] = []
    longest_orf = 0
    for frame in range(KMER):
        codons = tokens[frame::KMER]
        ends = np.concatenate([[-1], np.flatnonzero(_IS_STOP[codons]), [len(codons)]])
        lengths = np.diff(ends) - 1
        longest = int(lengths.argmax())
        stretches.append(codons[ends[longest] + 1 : ends[longest + 1]])
        starts = np.flatnonzero(codons == _START)
        if len(starts):
            longest_orf = max(longest_orf, int((ends[np.searchsorted(ends, starts)] - starts).max()))
    stretches.sort(key=len)
    third, second, first = (len(stretch) for stretch in stretches)
    total = len(tokens) / KMER
    numbers = [
        *(length / total for length in (first, second, third, longest_orf)),
        (first - second) / total,
        *(np.log1p(length) for length in (first, longest_orf)),
        # Whether a frame is open from end to end is what tells most: stretch the scale near zero.
        *(np.log1p(max(total - length, 0.0)) for length in (first, longest_orf)),
    ]
    return numbers, stretches[-1]


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


def locate_parts(*names: str) -> list[int]:
    """Return the columns of the named parts of a summary."""
    columns: list[int] = []
    start = 0
    for name, size in SUMMARY_PARTS:
        if name in names:
            columns.extend(range(start, start + size))
        start += size
    return columns


def count_windows(tokens: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many windows a sequence is read as, and of how many patches each."""
    patches = len(tokens) // PATCH
    windows = -(-patches // WINDOW_PATCHES)
    return windows, -(-patches // windows)


def plan_chunks(shapes: Sequence[tuple[int, int]], *, max_nt: int = MAX_CHUNK_NT) -> Iterator[list[int]]:
    """Group rows of like shape, so that little is padded and no group is larger than ``max_nt``.

    Args:
        shapes: (windows, patches a window) of every row.
        max_nt: Most nucleotides of a group, counted with its padding.

    Returns:
        Indexes into ``shapes``; rows of a group have the same number of windows.
    """
    chunk: list[int] = []
    for index in sorted(range(len(shapes)), key=shapes.__getitem__):
        windows, patches = shapes[index]
        if chunk and (shapes[chunk[0]][0] != windows or (len(chunk) + 1) * windows * patches * PATCH > max_nt):
            yield chunk
            chunk = []
        chunk.append(index)
    if chunk:
        yield chunk


def stack_windows(
    rows: Sequence[NDArray[np.uint8]], shapes: Sequence[tuple[int, int]], *, patches: int | None = None
) -> NDArray[np.int64]:
    """Lay rows with the same number of windows into one array of shape (rows, windows, nucleotides).

    A row is cut by its own shape and then padded, so that its windows do not depend on its neighbours.

    Args:
        rows: Tokens of each sequence, whole patches.
        shapes: (windows, patches a window) of each.
        patches: Patches a window of the array; by default as many as the largest row needs.
    """
    width = (patches or max(size for _, size in shapes)) * PATCH
    stacked = np.full((len(rows), shapes[0][0], width), PAD_TOKEN, dtype=np.int64)
    for number, (tokens, (windows, size)) in enumerate(zip(rows, shapes, strict=True)):
        for window in range(windows):
            part = tokens[window * size * PATCH : (window + 1) * size * PATCH]
            stacked[number, window, : len(part)] = part
    return stacked
