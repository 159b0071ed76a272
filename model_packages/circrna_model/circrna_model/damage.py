"""Sequences with something taken away or changed: what an answer that comes from the letters must notice."""

import numpy as np

from circrna_model.features import KMER, LETTERS, Codes, number_kmers
from circrna_model.frames import find_open_frame, read_along

#: Long enough to say something, and at least 20 nt from either end of the shortest sequence.
MIDDLE_NT = 160
#: Letters of each end that are replaced, or stay when the rest is changed.
END_NT = 12
#: A stop codon in each of the three frames, whatever the frame it begins in.
_STOPS = np.array([LETTERS.index(letter) for letter in "TAATTAATTAA"], dtype=np.uint8)
_STOP_EVERY_NT = 100


def keep_middle(codes: Codes) -> Codes:
    """Return the middle of a sequence: no length and no ends."""
    start = (len(codes) - MIDDLE_NT) // 2
    return codes[start : start + MIDDLE_NT]


def take_ends(codes: Codes, other: Codes) -> Codes:
    """Return a sequence with the ends of another."""
    return np.concatenate((other[:END_NT], codes[END_NT:-END_NT], other[-END_NT:]))


def plant_stops(codes: Codes) -> Codes:
    """Return a sequence of the same length in which no frame is open for long; its ends stay."""
    planted = codes.copy()
    for start in range(_STOP_EVERY_NT // 2, len(codes) - len(_STOPS) - END_NT, _STOP_EVERY_NT):
        planted[start : start + len(_STOPS)] = _STOPS
    return planted


def shuffle_codons(codes: Codes, rng: np.random.Generator) -> Codes:
    """Return a sequence whose codons are in another order in the frame that is open longest; its ends stay."""
    begin = END_NT + find_open_frame(read_along(number_kmers(codes))).frame
    count = (len(codes) - END_NT - begin) // KMER
    shuffled = codes.copy()
    codons = codes[begin : begin + count * KMER].reshape(count, KMER)
    shuffled[begin : begin + count * KMER] = rng.permutation(codons).ravel()
    return shuffled


def shuffle_letters(codes: Codes, rng: np.random.Generator) -> Codes:
    """Return a sequence of the same letters in another order, but for its ends."""
    inner = rng.permutation(codes[END_NT:-END_NT])
    return np.concatenate((codes[:END_NT], inner, codes[-END_NT:]))


def rotate(codes: Codes, rng: np.random.Generator) -> Codes:
    """Return the same circle, begun elsewhere."""
    return np.roll(codes, -int(rng.integers(1, len(codes))))
