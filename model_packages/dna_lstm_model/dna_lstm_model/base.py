"""What both model classes share: schemas, rules, features and answers. Loads nothing and runs no network.

`model.DnaLstmModel` (ONNX Runtime, the default) and `native.DnaLstmTensorFlowModel` add only
how weights are loaded and how a chunk of rows is run.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dna_lstm_model.features import (
    EMPTY_MESSAGE,
    LENGTH,
    LETTERS,
    SITE_LENGTH,
    STARTS,
    encode_sequences,
    find_sequence_violations,
    make_one_hot,
)
from model_service import MLModel
from model_service.records import Violation

#: The answer is class 1 from this probability on.
THRESHOLD = 0.5
#: Bounds the memory of one run; larger batches are no faster.
MAX_CHUNK_ROWS = 1024
#: Wide enough that `find_violations` can say how long a sequence is that was pasted whole.
MAX_CHARACTERS = 1000


class DnaLstmBase(MLModel):
    """Everything about the DNA model but its weights."""

    qualified_name = "dna_lstm_model"
    display_name = "DNA binding site (LSTM)"
    description = (
        f"Tells whether a transcription factor binds a sequence of {LENGTH} nucleotides of DNA, and where its site "
        "starts. Trained on simulated data."
    )
    version = "1.0.0"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "DNA sequence",
        "type": "object",
        "properties": {
            "dna_sequence": {
                "type": "string",
                "title": "DNA sequence",
                "description": (
                    f"Exactly {LENGTH} nucleotides of one strand, 5' to 3': the letters A, C, G and T in either case. "
                    "Leave out the header of a FASTA record and the line ends inside the sequence."
                ),
                "x-alphabet": LETTERS,
                "minLength": 1,
                "maxLength": MAX_CHARACTERS,
                "x-error-messages": {
                    "type": f"expected the sequence as one string of {LENGTH} letters A, C, G and T",
                    "minLength": EMPTY_MESSAGE,
                    "maxLength": (
                        f"expected exactly {LENGTH} nucleotides; this text has more than {MAX_CHARACTERS} characters"
                    ),
                },
            }
        },
        "required": ["dna_sequence"],
        "x-error-messages": {
            "required": (
                "The DNA sequence is missing: give the 50 nucleotides of one sequence, as letters A, C, G and T."
            )
        },
        "additionalProperties": False,
        "examples": [
            {"dna_sequence": "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA"},
            {"dna_sequence": "ACTCGCTGTCCACGTCTATTCCTAGGGGTTTTATTTCGCAAGGTGATACT"},
            {"dna_sequence": " tgcaaaggggcgaccgaactcgctttaccgcggagttattcataattgaa\n"},
        ],
    }
    output_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Binding",
        "type": "object",
        "properties": {
            "dna_class": {
                "type": "integer",
                "oneOf": [{"const": 0, "title": "Not bound"}, {"const": 1, "title": "Bound"}],
                "title": "Class",
                "description": "Bound where the probability is at least one half.",
            },
            "probability": {
                "type": "number",
                "title": "Probability",
                "description": "Probability that the sequence is bound.",
                "minimum": 0,
                "maximum": 1,
            },
            "motif_position": {
                "type": ["integer", "null"],
                "title": "Position of the site",
                "description": (
                    f"Position of the first of the site's {SITE_LENGTH} nucleotides, counted from 1. "
                    "There is none where the sequence is not bound."
                ),
                "minimum": 1,
                "maximum": STARTS,
            },
        },
        "required": ["dna_class", "probability", "motif_position"],
        "additionalProperties": False,
    }

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sequences = make_one_hot(encode_sequences([payload["dna_sequence"] for payload in payloads]))
        chunks = [sequences[row : row + MAX_CHUNK_ROWS] for row in range(0, len(sequences), MAX_CHUNK_ROWS)]
        return [output for chunk in chunks for output in _describe_rows(self._run_network(chunk))]

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return find_sequence_violations(payload["dna_sequence"], "/dna_sequence")

    @abstractmethod
    def _run_network(self, sequences: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network says, of shape (rows, `STARTS`): column i after it read a site that starts at i.

        Args:
            sequences: Array of shape (rows, `LENGTH`, 4), as `make_one_hot` lays it out.
        """


def find_starts(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the first place, counted from 0, at which each row reaches the threshold, or -1."""
    is_met = probabilities >= THRESHOLD
    starts: NDArray[np.int64] = np.where(is_met.any(axis=1), is_met.argmax(axis=1), -1)
    return starts


def _describe_rows(probabilities: NDArray[np.float32]) -> list[dict[str, Any]]:
    # float32's sigmoid may leave [0, 1] in the last bit.
    largest = np.clip(probabilities.max(axis=1), 0.0, 1.0).tolist()
    return [
        {"dna_class": int(start >= 0), "probability": probability, "motif_position": start + 1 if start >= 0 else None}
        for probability, start in zip(largest, find_starts(probabilities).tolist(), strict=True)
    ]
