"""From letters to the numbers the network reads, and why a text is refused. Needs no framework."""

import numpy as np
from numpy.typing import NDArray

from model_service.records import Violation

#: The order of the network's input channels; a letter's code is its place here.
LETTERS = "ACGT"
#: Nucleotides that the network reads at once, and the least that a sequence has.
LENGTH = 50
#: Nucleotides of the longest sequence: 128 rows for the network, less than a millisecond.
MAX_LENGTH = 5000
#: Wide enough that `find_sequence_violations` can say how long a sequence is that was pasted whole.
MAX_CHARACTERS = 2 * MAX_LENGTH
#: Nucleotides of the site: written down here. Training stops if it finds another length in the data.
SITE_LENGTH = 12
#: Places of a row at which a whole site can start.
STARTS = LENGTH - SITE_LENGTH + 1
#: Letters that the convolution sees at once, half a site, and how many it goes on at each step.
WORD, STRIDE = 6, 2
STEPS = (LENGTH - WORD) // STRIDE + 1
#: The answer is class 1, and there is a site, from this probability on.
THRESHOLD = 0.5
#: What is removed around a sequence: the white space of ASCII, and no other character.
WHITE_SPACE = " \t\n\r\f\v"
_EMPTY = "The DNA sequence is empty: give 50 nucleotides or more of one sequence, as letters A, C, G and T."
MISSING_MESSAGE = _EMPTY.replace("empty", "missing")
#: What callers read who break the schema.
MESSAGES = {
    "type": f"expected the sequence as one string of {LENGTH} letters A, C, G and T, or more",
    "minLength": _EMPTY,
    "maxLength": f"expected at most {MAX_LENGTH} nucleotides; this text has more than {MAX_CHARACTERS} characters",
}
#: Wrong letters that a message names; the others are counted.
_MAX_NAMED = 3

_ACCEPTED = LETTERS + LETTERS.lower()

Codes = NDArray[np.uint8]
Places = NDArray[np.int64]

_CODE_OF_BYTE = np.zeros(256, dtype=np.uint8)
_CODE_OF_BYTE[np.frombuffer(_ACCEPTED.encode("ascii"), dtype=np.uint8)] = np.tile(np.arange(len(LETTERS)), 2)
_ONE_HOT = np.eye(len(LETTERS), dtype=np.float32)


def encode_letters(letters: str) -> Codes:
    """Return the code of each letter; either case, no others."""
    return _CODE_OF_BYTE[np.frombuffer(letters.encode("ascii"), dtype=np.uint8)]


def number_words(codes: Codes) -> NDArray[np.int32]:
    """Return the number of the `WORD` letters that each step sees, of shape (rows, `STEPS`): their codes in base 4."""
    pairs = codes[:, ::2].astype(np.int32) * 4 + codes[:, 1::2]
    numbers: NDArray[np.int32] = (pairs[:, :-2] * 16 + pairs[:, 1:-1]) * 16 + pairs[:, 2:]
    return numbers


def read_words(numbers: NDArray[np.int32]) -> Codes:
    """Return the codes that `number_words` was given."""
    pairs = np.concatenate([numbers >> 8, numbers[:, -1:] >> 4 & 15, numbers[:, -1:] & 15], axis=1)
    return np.stack([pairs >> 2, pairs & 3], axis=2).reshape(len(pairs), LENGTH).astype(np.uint8)


def make_one_hot(codes: Codes) -> NDArray[np.float32]:
    """Return shape (rows, `LENGTH`, 4), the last axis in the order of `LETTERS`."""
    return _ONE_HOT[codes]


def find_sequence_violations(text: str, pointer: str) -> list[Violation]:
    """Return what keeps a text from being one sequence: empty, letters that are not DNA, too few of them, too many."""
    sequence = text.strip(WHITE_SPACE)
    length = len(sequence)
    if not sequence:
        return [Violation(pointer, "minLength", _EMPTY)]
    violations = []
    # Compared before upper(), which makes ASCII of some other letters. What is left without the accepted ones is wrong.
    if sequence.strip(_ACCEPTED):
        wrong = [(place, letter) for place, letter in enumerate(sequence, start=1) if letter not in _ACCEPTED]
        violations.append(Violation(pointer, "pattern", _describe_letters(wrong)))
    if length < LENGTH:
        message = f"expected {LENGTH} nucleotides or more; this sequence is {length} long, {LENGTH - length} too few"
        violations.append(Violation(pointer, "minLength", message))
    if length > MAX_LENGTH:
        found = f"this sequence is {length} long, {length - MAX_LENGTH} too many"
        violations.append(Violation(pointer, "maxLength", f"expected at most {MAX_LENGTH} nucleotides; {found}"))
    return violations


def _describe_letters(wrong: list[tuple[int, str]]) -> str:
    named = [f"{_name_letter(letter)} at position {place}" for place, letter in wrong[:_MAX_NAMED]]
    more = len(wrong) - len(named)
    if more:
        named.append(f"{more} more")
    listed = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return f"expected the letters A, C, G and T alone; found {listed} (counted from 1)"


def _name_letter(letter: str) -> str:
    """Return a letter in quotes; any other character is described, because messages repeat nothing else."""
    if letter.isascii() and letter.isalpha():
        return f"'{letter}'"
    if letter.isspace():
        return "white space"
    return "a digit" if letter.isdigit() else "a character that is no letter of the alphabet"
