"""From a nucleotide sequence to the tokens that the network reads. NumPy only; knows no framework.

    text -> clean_sequence -> letters A C G T N -> codes 0..4 -> 3-mers, one a nucleotide -> patches -> windows

A row of tokens begins with one patch that reads over the join: the last letters of
the sequence, then its first ones, which is where a circle would be spliced. Then
comes the sequence itself. `PATCH` tokens become one position of the attention, and a
sequence of more than `WINDOW_PATCHES` patches is cut into windows of equal size, so
that all of it is read and memory grows with its length and not with the square.
`PATCH` is a multiple of three: a codon's frame is the same in every patch.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Tokens = NDArray[np.uint8]

MIN_LENGTH = 200
MAX_LENGTH = 100_000
LETTERS = "ACGT"
#: Code of a letter that is not known (N).
UNKNOWN = len(LETTERS)
KMER = 3
PAD_TOKEN = 0
UNKNOWN_TOKEN = 1
FIRST_TOKEN = 2
#: Nucleotides that the convolutions join into one position of the attention.
PATCH = 48
#: Letters of either end in the patch that reads over the join: as many as give a patch of 3-mers.
JOIN_LETTERS = (PATCH + KMER - 1) // 2
#: Most patches that attend to each other: 3,072 nt. Longer sequences are read as several windows.
WINDOW_PATCHES = 64
#: Nucleotides (with padding) that are run together: bounds the memory of a batch at some 400 MB.
#: A longer sequence is run alone; the longest allowed takes some 900 MB.
MAX_CHUNK_NT = 65_536


def build_vocabulary() -> dict[str, int]:
    """Return the token of every 3-mer; the tokens of padding and of a 3-mer with N come first."""
    words = ["<pad>", "<unknown>", *("".join(letters) for letters in product(LETTERS, repeat=KMER))]
    return {word: number for number, word in enumerate(words)}


VOCABULARY = build_vocabulary()
_CODE_OF_BYTE = np.full(256, UNKNOWN, dtype=np.uint8)
for _letters, _code in (("Aa", 0), ("Cc", 1), ("Gg", 2), ("TtUu", 3)):
    _CODE_OF_BYTE[list(_letters.encode())] = _code


def encode_letters(sequence: str) -> Codes:
    """Return 0 to 3 for A, C, G and T or U in either case, and `UNKNOWN` for anything else."""
    return _CODE_OF_BYTE[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]


def decode_letters(codes: Codes) -> str:
    """Return the letters A, C, G, T and N of codes."""
    return np.frombuffer(b"ACGTN", dtype=np.uint8)[codes].tobytes().decode()


def number_kmers(codes: Codes) -> Tokens:
    """Return the token of the 3-mer that starts at each letter; those of the last two go on over the join."""
    codes = np.concatenate((codes, codes[: KMER - 1]))
    first, second, third = codes[:-2], codes[1:-1], codes[2:]
    tokens = first * np.uint8(16) + second * np.uint8(4) + third + np.uint8(FIRST_TOKEN)
    if (codes == UNKNOWN).any():
        tokens[(first == UNKNOWN) | (second == UNKNOWN) | (third == UNKNOWN)] = UNKNOWN_TOKEN
    return tokens


def join_ends(codes: Codes) -> Tokens:
    """Return the patch that reads over the join: the last letters of a sequence, then its first."""
    return number_kmers(np.concatenate([codes[-JOIN_LETTERS:], codes[:JOIN_LETTERS]]))[:PATCH]


def lay_patches(join: Tokens, kmers: Tokens) -> Tokens:
    """Return a row of tokens: the patch over the join, then the 3-mers, padded to whole patches."""
    tokens = np.full((1 - (-len(kmers) // PATCH)) * PATCH, PAD_TOKEN, dtype=np.uint8)
    tokens[:PATCH] = join
    tokens[PATCH : PATCH + len(kmers)] = kmers
    return tokens


def count_windows(tokens: Tokens) -> tuple[int, int]:
    """Return how many windows a row of tokens is read as, and of how many patches each."""
    patches = len(tokens) // PATCH - 1
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
    rows: Sequence[Tokens], shapes: Sequence[tuple[int, int]], *, patches: int | None = None
) -> NDArray[np.int64]:
    """Lay rows with the same number of windows into one array of shape (rows, windows, nucleotides).

    A row is cut by its own shape and then padded, so that its windows do not depend on its neighbours.
    Every window begins with the patch over the join.

    Args:
        rows: Tokens of each sequence, as `lay_patches` returns them.
        shapes: (windows, patches a window) of each.
        patches: Patches a window of the array, without the join's; by default as many as the largest row needs.
    """
    width = (1 + (patches or max(size for _, size in shapes))) * PATCH
    stacked = np.full((len(rows), shapes[0][0], width), PAD_TOKEN, dtype=np.int64)
    for number, (tokens, (windows, size)) in enumerate(zip(rows, shapes, strict=True)):
        stacked[number, :, :PATCH] = tokens[:PATCH]
        for window in range(windows):
            part = tokens[PATCH:][window * size * PATCH : (window + 1) * size * PATCH]
            stacked[number, window, PATCH : PATCH + len(part)] = part
    return stacked


def stack_chunks(rows: Sequence[Tokens]) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Yield groups of rows of like shape: their indexes, and their tokens as `stack_windows` lays them."""
    shapes = [count_windows(row) for row in rows]
    for chunk in plan_chunks(shapes):
        yield chunk, stack_windows([rows[row] for row in chunk], [shapes[row] for row in chunk])
