"""What an answer shows beside its probability: read from the letters, not from the network."""

from typing import Any

import numpy as np

from circrna_model.features import KMER, LETTERS, UNKNOWN, Codes, Tokens
from circrna_model.frames import find_open_frame, read_along

#: Below this length by chance few stop codons fit in, and most short rows of the data are circular.
SHORT_NT = 300
_A, _G = LETTERS.index("A"), LETTERS.index("G")

EVIDENCE_SCHEMAS: dict[str, Any] = {
    "open_frame": {
        "type": "object",
        "title": "Longest open frame",
        "description": "The longest run of codons without a stop, in any of the three reading frames.",
        "properties": {
            "share": {"type": "number", "minimum": 0, "maximum": 1, "title": "Share of the sequence"},
            "length_nt": {"type": "integer", "minimum": 0, "title": "Length", "unit": "nt"},
            "start": {"type": "integer", "minimum": 1, "title": "First letter", "description": "Counted from 1."},
            "frame": {"type": "integer", "minimum": 1, "maximum": 3, "title": "Reading frame"},
        },
        "required": ["share", "length_nt", "start", "frame"],
        "additionalProperties": False,
    },
    "back_splice_ends": {
        "type": "boolean",
        "title": "Ends like a back-splice",
        "description": "The sequence ends in AG, as an exon does: 57 % of the circular RNAs of the data, 6 % of others.",
    },
    "low_evidence": {
        "type": "boolean",
        "title": "Little evidence",
        "description": "Shorter than 300 nt or mostly N: the answer says little.",
    },
}


def describe_evidence(codes: Codes, kmers: Tokens) -> dict[str, Any]:
    """Return the longest open frame, whether the ends look like a back-splice, and whether there is enough to judge.

    Args:
        codes: Letters of the sequence.
        kmers: Its 3-mers, as `features.number_kmers` returns them.
    """
    longest = find_open_frame(read_along(kmers))
    letters = longest.codons * KMER
    return {
        "open_frame": {
            "share": round(min(letters / len(codes), 1.0), 4),
            "length_nt": letters,
            "start": longest.frame + longest.start * KMER + 1,
            "frame": longest.frame + 1,
        },
        # The end of an exon is most often AG; what the next one begins with says less.
        "back_splice_ends": bool(codes[-2] == _A and codes[-1] == _G),
        "low_evidence": bool(len(codes) < SHORT_NT or np.count_nonzero(codes == UNKNOWN) * 2 > len(codes)),
    }
