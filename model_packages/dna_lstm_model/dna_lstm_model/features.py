"""From the text a caller sends to the numbers the network reads, and why a text is refused. Needs no framework.

Training and serving both call `encode_sequences` and `make_one_hot`, so both see the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

from model_service.records import Violation

#: The order of the network's input channels; a letter's code is its place here.
LETTERS = "ACGT"
#: Nucleotides of one sequence.
LENGTH = 50
#: Nucleotides of the site that training finds in the data; training stops if it finds another length.
SITE_LENGTH = 12
#: Places at which a whole site can start.
STARTS = LENGTH - SITE_LENGTH + 1
#: What is removed around a sequence: the white space of ASCII, and no other character.
WHITE_SPACE = " \t\n\r\f\v"
EMPTY_MESSAGE = "The DNA sequence is empty: give the 50 nucleotides of one sequence, as letters A, C, G and T."
#: Wrong letters that a message names; the others are counted.
_MAX_NAMED = 3

_ACCEPTED = LETTERS + LETTERS.lower()

Codes = NDArray[np.uint8]

_CODE_OF_BYTE = np.zeros(256, dtype=np.uint8)
_CODE_OF_BYTE[np.frombuffer(LETTERS.encode("ascii"), dtype=np.uint8)] = np.arange(len(LETTERS))
_ONE_HOT = np.eye(len(LETTERS), dtype=np.float32)


def encode_sequences(texts: list[str]) -> Codes:
    """Return the codes of texts that `find_sequence_violations` accepts, of shape (texts, `LENGTH`)."""
    letters = "".join(text.strip(WHITE_SPACE).upper() for text in texts).encode("ascii")
    return _CODE_OF_BYTE[np.frombuffer(letters, dtype=np.uint8)].reshape(-1, LENGTH)


def make_one_hot(codes: Codes) -> NDArray[np.float32]:
    """Return shape (rows, `LENGTH`, 4), the last axis in the order of `LETTERS`."""
    return _ONE_HOT[codes]


def find_sequence_violations(text: str, pointer: str) -> list[Violation]:
    """Return what keeps a text from being one sequence: empty, letters that are not DNA, not 50 nucleotides."""
    sequence = text.strip(WHITE_SPACE)
    if not sequence:
        return [Violation(pointer, "minLength", EMPTY_MESSAGE)]
    violations = []
    # Compared before upper(), which makes ASCII of some other letters. What is left without the accepted ones is wrong.
    if sequence.strip(_ACCEPTED):
        wrong = [(place, letter) for place, letter in enumerate(sequence, start=1) if letter not in _ACCEPTED]
        violations.append(Violation(pointer, "pattern", _describe_letters(wrong)))
    if len(sequence) != LENGTH:
        is_short = len(sequence) < LENGTH
        excess = f"{LENGTH - len(sequence)} too few" if is_short else f"{len(sequence) - LENGTH} too many"
        message = f"expected exactly {LENGTH} nucleotides; this sequence is {len(sequence)} long, {excess}"
        violations.append(Violation(pointer, "minLength" if is_short else "maxLength", message))
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
