"""What both model classes share: schemas, rules, tokens and batches. Loads nothing and runs no network.

`model.CircRnaModel` (ONNX Runtime, the default) and `native.CircRnaTorchModel` (PyTorch) add
only how weights are loaded and how one chunk of rows is run.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circrna_model.evidence import EVIDENCE_SCHEMAS, describe_evidence
from circrna_model.examples import EXAMPLES
from circrna_model.features import (
    MIN_LENGTH,
    count_windows,
    encode_letters,
    join_ends,
    lay_patches,
    number_kmers,
    plan_chunks,
    stack_windows,
)
from circrna_model.sequences import clean_sequence, find_sequence_violations
from model_service import MLModel
from model_service.records import Violation

#: By the number of the class in the data set: `is_circrna`.
LABELS = ("lncRNA", "circRNA")
THRESHOLD = 0.5
#: Share of circular RNA in the training data, which the network's probabilities stand for.
TRAINING_PRIOR = 0.6184
#: Room for a header and line ends around the longest sequence.
MAX_CHARACTERS = 110_000


class CircRnaBase(MLModel):
    """Everything about the circular RNA model but its weights."""

    qualified_name = "circrna_model"
    display_name = "Circular RNA"
    description = (
        "Tells whether a human RNA transcript is a circular RNA or another long non-coding RNA, from its spliced "
        "sequence of 200 to 100,000 nucleotides. A research model: it mostly tells coding exons from non-coding RNA."
    )
    version = "2.0.0"
    input_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "RNA transcript",
        "type": "object",
        "properties": {
            "rna_sequence": {
                "type": "string",
                "title": "RNA sequence",
                "description": (
                    "Spliced sequence of one transcript, 5' to 3', 200 to 100,000 nucleotides: the letters A, C, G, T, "
                    "U and N in either case. One FASTA record may be pasted; its header and line ends are removed."
                ),
                "x-alphabet": "ACGTUN",
                "minLength": MIN_LENGTH,
                "maxLength": MAX_CHARACTERS,
                "x-error-messages": {
                    "type": "expected the sequence as one string of nucleotide letters",
                    "minLength": "expected at least 200 nucleotides",
                    "maxLength": "expected at most 100,000 nucleotides (110,000 characters with header and line ends)",
                },
            },
            "prior": {
                "type": ["number", "null"],
                "title": "Share of circular RNA",
                "description": (
                    "Share of circular RNA among the transcripts that are asked about, if it is known; "
                    "otherwise that of the training data is taken, 0.618, which is far above that of a cell."
                ),
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "default": None,
            },
        },
        "required": ["rna_sequence"],
        "additionalProperties": False,
        "examples": EXAMPLES,
    }
    output_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Kind of RNA",
        "type": "object",
        "properties": {
            "label": {
                "type": "string",
                "oneOf": [
                    {"const": LABELS[1], "title": "Circular RNA"},
                    {"const": LABELS[0], "title": "Other long non-coding RNA"},
                ],
                "title": "Label",
                "description": "Circular RNA where the probability is at least one half.",
            },
            "is_circrna": {
                "type": "integer",
                "oneOf": [{"const": 0, "title": "No"}, {"const": 1, "title": "Yes"}],
                "title": "Is circular RNA",
                "description": "The same answer as the label, as yes or no.",
            },
            "probability": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "title": "Probability",
                "description": "Probability that the transcript is a circular RNA, for the given prior.",
            },
            **EVIDENCE_SCHEMAS,
        },
        "required": ["label", "is_circrna", "probability", *EVIDENCE_SCHEMAS],
        "additionalProperties": False,
    }

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run rows of like length together, in chunks of bounded size, and answer in the order of ``payloads``."""
        codes = [encode_letters(clean_sequence(payload["rna_sequence"])) for payload in payloads]
        kmers = [number_kmers(row) for row in codes]
        tokens = [lay_patches(join_ends(letters), row) for letters, row in zip(codes, kmers, strict=True)]
        shapes = [count_windows(row) for row in tokens]
        probabilities = np.zeros(len(payloads))
        for chunk in plan_chunks(shapes):
            stacked = stack_windows([tokens[row] for row in chunk], [shapes[row] for row in chunk])
            probabilities[chunk] = self._run_network(stacked)
        # Both runtimes compute in float32, whose sigmoid may leave [0, 1] in the last bit.
        rows = zip(payloads, np.clip(probabilities, 0.0, 1.0).tolist(), codes, kmers, strict=True)
        return [
            {**_decide(probability, payload.get("prior")), **describe_evidence(letters, row)}
            for payload, probability, letters, row in rows
        ]

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return find_sequence_violations(payload["rna_sequence"], "/rna_sequence")

    @abstractmethod
    def _run_network(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the probability of a circular RNA for each row of tokens, as `stack_windows` lays them out."""


def _decide(probability: float, prior: float | None) -> dict[str, Any]:
    if prior is not None:
        # Bayes: the odds of the training data are replaced by the caller's.
        circular = probability * prior / TRAINING_PRIOR
        other = (1.0 - probability) * (1.0 - prior) / (1.0 - TRAINING_PRIOR)
        probability = circular / (circular + other)
    is_circrna = int(probability >= THRESHOLD)
    return {"label": LABELS[is_circrna], "is_circrna": is_circrna, "probability": probability}
