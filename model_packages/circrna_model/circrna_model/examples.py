"""The payloads shown to people and used as the self-test. None is from the training data."""

from typing import Any

#: Second exon of human beta-globin (HBB), 223 nt: a coding exon that ends in AG, as a back-spliced circle would.
_CODING_EXON = (
    "GCTGCTGGTGGTCTACCCTTGGACCCAGAGGTTCTTTGAGTCCTTTGGGGATCTGTCCACTCCTGATGCTGTTATGGGCA"
    "ACCCTAAGGTGAAGGCTCATGGCAAGAAAGTGCTCGGTGCCTTTAGTGATGGCCTGGCTCACCTGGACAACCTCAAGGGC"
    "ACCTTTGCCACACTGAGTGAGCTGCACTGTGACAAGCTGCACGTGGATCCTGAGAACTTCAG"
)
#: Letters drawn at random, 480 of them: no frame is open for long.
_DRAWN = (
    "GGCCCCCCACGAUCAGCAGUUCGGCUUGUGAGGUCUUCGCCGGGUGGUCUCCCGCAUUUAUACCUUGCUGGCGCCUCAAGGCGCCACCAUAUGAAC"
    "GAUGGAUGAAGGCUUCCGAUCCGUCGUCGCGUCGUAGUUAAAAGCUUUGAGUCCAAGCCGGUGAGCAGUUUAGGCAGCCACCAUGAGGCACCUCUA"
    "AACGUGCGGAGAACAAGAGUCGAAAGUUUUGCCUGAAGGGCCGUCUUGCUUCUUCAAUCCAACGAUACUAACGCAUGCUAACGAUGCAUCAAGCUG"
    "CGCGAGCCCAACAUGUUUAUGGUACGUAUUGAUUUUAAGCACGGCUGACAACAUCGCACCAACUCUAUCAAGACAUGUGCGGUGGCAACAAGCCGA"
    "AUUAAUCUCUGGAAUAAGUAUCACCGCUUAGGGGCACCCUAUAUUCCUAUUGUUGACUCAUUAUCACACUAUGUAGCUUCUCUUAUUCCUCAAAUU"
)
_COMPLEMENT = str.maketrans("ACGT", "UGCA")


def _fold(sequence: str, *, width: int = 60) -> str:
    return "\n".join(sequence[start : start + width] for start in range(0, len(sequence), width))


EXAMPLES: list[dict[str, Any]] = [
    {"rna_sequence": _CODING_EXON},
    {"rna_sequence": _DRAWN, "prior": 0.05},
    # The other strand codes for nothing, but is as open by chance. As RNA, in lower case, and as a FASTA record.
    {"rna_sequence": ">antisense of HBB exon 2\n" + _fold(_CODING_EXON.translate(_COMPLEMENT)[::-1].lower())},
]
