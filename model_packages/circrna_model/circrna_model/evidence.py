"""What an answer shows beside its probability: read from the letters, not from the network."""

from typing import Any

import numpy as np

from circrna_model.features import KMER, LETTERS, UNKNOWN, Codes, Tokens
from circrna_model.frames import find_open_frame, read_along
from model_service.fields import answer, flag, integer, number
from model_service.records import Schema

#: Below this length by chance few stop codons fit in, and most short rows of the data are circular.
SHORT_NT = 300
_A, _G = LETTERS.index("A"), LETTERS.index("G")

EVIDENCE_SCHEMAS: dict[str, Schema] = {
    "open_frame": answer(
        "Longest open frame",
        {
            "share": number("Share of the sequence", least=0, most=1),
            "length_nt": integer("Length", unit="nt", least=0),
            "start": integer("First letter", "Counted from 1.", least=1),
            "frame": integer("Reading frame", "Counted from 1.", least=1, most=3),
        },
        description="The longest run of codons without a stop, in any of the three reading frames.",
    ),
    "back_splice_ends": flag(
        "Ends like a back-splice",
        "The sequence ends in AG, as most exons do: 57 % of the circular RNAs of the data and 6 % of the others.",
    ),
    "low_evidence": flag("Little evidence", "Shorter than 300 nt or mostly N: the answer says little."),
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
