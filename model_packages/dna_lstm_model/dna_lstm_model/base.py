"""What both model classes share: schemas, rules and letters. Loads nothing and runs no network."""

from dna_lstm_model.features import (
    LENGTH,
    LETTERS,
    MAX_CHARACTERS,
    MAX_LENGTH,
    MESSAGES,
    MISSING_MESSAGE,
    SITE_LENGTH,
    THRESHOLD,
    WHITE_SPACE,
    find_sequence_violations,
)
from dna_lstm_model.windows import describe_rows, number_rows
from model_service.arrays import ArrayModel, Arrays
from model_service.explain import explain_sequence
from model_service.fields import answer, choice, integer, number, optional, record, sequence
from model_service.model import Ask
from model_service.records import Explanation, Output, Payload, Violation

#: Letters that an explanation hides at a time: fewer often leave what the network takes for the site.
_HIDDEN = 4
_FIRST = f"Position of the first of its {SITE_LENGTH} nucleotides, counted from 1."
_POSITION = integer("Position", _FIRST, least=1, most=MAX_LENGTH - SITE_LENGTH + 1)
_LIKELY = number("Probability", "Probability of a site at this place.", least=THRESHOLD, most=1)
_NONE = f"{_FIRST} There is none where the sequence is not bound."


class DnaLstmBase(ArrayModel):
    """Everything about the DNA model but its weights."""

    qualified_name = "dna_lstm_model"
    display_name = "DNA binding site (LSTM)"
    description = (
        f"Tells whether a transcription factor binds a sequence of DNA of {LENGTH} nucleotides or more, and where its "
        "sites start. Trained on simulated data."
    )
    version = "1.1.0"
    chunk_rows = 256  # of up to 128 windows each
    input_schema = record(
        "DNA sequence",
        {
            "dna_sequence": sequence(
                "DNA sequence",
                LETTERS,
                f"{LENGTH} to {MAX_LENGTH} nucleotides of one strand, 5' to 3': the letters A, C, G and T in either "
                "case. Leave out the header of a FASTA record and the line ends inside the sequence.",
                least=1,
                most=MAX_CHARACTERS,
                messages=MESSAGES,
            )
        },
        messages={"required": MISSING_MESSAGE},
        examples=[
            {"dna_sequence": "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA"},
            {"dna_sequence": "ACTCGCTGTCCACGTCTATTCCTAGGGGTTTTATTTCGCAAGGTGATACT"},
            {"dna_sequence": " tgcaaaggggcgaccgaactcgctttaccgcggagttattcataattgaa\n"},
            {"dna_sequence": "CGACCGAACTCCGATTACAGTTCCTAGGGGTTTTATTTCGCAACGACCGAACTCCACTGTCCACG"},
        ],
    )
    output_schema = answer(
        "Binding",
        {
            "dna_class": choice(
                "Class", {0: "Not bound", 1: "Bound"}, "Bound where the probability is at least one half."
            ),
            "probability": number("Probability", "Probability that the sequence is bound.", least=0, most=1),
            "motif_position": optional(_POSITION | {"title": "Position of the first site", "description": _NONE}),
        },
    )
    # The answer to 50 nucleotides has none: it is as it was before longer sequences were read.
    output_schema["properties"]["sites"] = {
        "type": "array",
        "title": "Sites",
        "description": f"Every site, first to last, of a sequence of more than {LENGTH} nucleotides.",
        "items": answer("Site", {"position": _POSITION, "probability": _LIKELY}),
    }

    @classmethod
    def find_violations(cls, payload: Payload) -> list[Violation]:
        return find_sequence_violations(payload["dna_sequence"], "/dna_sequence")

    def explain(self, payload: Payload, output: Output, ask: Ask) -> Explanation:
        letters = payload["dna_sequence"].strip(WHITE_SPACE).upper()
        row = {"dna_sequence": letters}
        return explain_sequence(
            row, output, ask, field="dna_sequence", explained="/probability", window=_HIDDEN, fill=LETTERS
        )

    def encode(self, payloads: list[Payload]) -> Arrays:
        return {"words": number_rows([payload["dna_sequence"] for payload in payloads])}

    def decode(self, payloads: list[Payload], outputs: Arrays) -> list[Output]:
        return describe_rows([payload["dna_sequence"] for payload in payloads], outputs["probabilities"])
