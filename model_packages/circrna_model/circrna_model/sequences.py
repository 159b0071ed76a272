"""From pasted text to one clean nucleotide sequence, and what is wrong with it. Knows no network."""

import re
from itertools import islice

from circrna_model.features import MAX_LENGTH, MIN_LENGTH
from model_service.records import Violation

#: Wrong letters that a message shows; more would not help a person.
_MAX_SHOWN = 3
_LINE_END = re.compile(r"\r\n|\r|\n")
_WRONG_LETTER = re.compile(r"[^ACGTUNacgtun]")


def clean_sequence(text: str) -> str:
    """Return the letters of a sequence: without a FASTA header, line ends and blanks around lines."""
    if text.isalpha():  # the usual case needs no copy
        return text
    return _join_lines(_split_lines(text))


def find_sequence_violations(text: str, pointer: str) -> list[Violation]:
    """Find what makes a text no single sequence of nucleotides of an accepted length.

    Args:
        text: What the caller pasted.
        pointer: JSON Pointer to it.

    Returns:
        At most two violations. Positions count from 1 in the cleaned sequence.
    """
    lines = [line for line in _split_lines(text) if line]
    headers = [number for number, line in enumerate(lines) if line.startswith(">")]
    if len(headers) > 1:
        return [
            Violation(
                pointer,
                "records",
                f"expected one FASTA record, got {len(headers)}; send several sequences as a batch, one per row",
            )
        ]
    if headers and headers[0] > 0:
        return [Violation(pointer, "records", "expected the FASTA header (the line with '>') to come first")]
    sequence = _join_lines(lines)
    violations = []
    if not MIN_LENGTH <= len(sequence) <= MAX_LENGTH:
        message = (
            f"expected {MIN_LENGTH} to {MAX_LENGTH:,} nucleotides after the header and line ends are removed, "
            f"got {len(sequence):,}"
        )
        violations.append(Violation(pointer, "length", message))
    if message := _describe_wrong_letters(sequence):
        violations.append(Violation(pointer, "letters", message))
    return violations


def _join_lines(lines: list[str]) -> str:
    return "".join(line for line in lines if not line.startswith(">"))


def _split_lines(text: str) -> list[str]:
    return [line.strip(" \t") for line in _LINE_END.split(text)]


def _describe_wrong_letters(sequence: str) -> str:
    shown = [
        f"{_name_letter(match.group())} at position {match.start() + 1}"
        for match in islice(_WRONG_LETTER.finditer(sequence), _MAX_SHOWN)
    ]
    if not shown:
        return ""
    count = sum(1 for _ in _WRONG_LETTER.finditer(sequence))
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"expected only the letters A, C, G, T, U and N, got {', '.join(shown)}{more}; write N for an unknown letter"


def _name_letter(letter: str) -> str:
    return f"'{letter}'" if letter.isascii() and letter.isprintable() and letter != " " else f"U+{ord(letter):04X}"
