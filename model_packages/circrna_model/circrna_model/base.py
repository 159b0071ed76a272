"""What both model classes share: schemas, rules, tokens and batches. Loads nothing and runs no network.

`model.CircRnaModel` (ONNX Runtime, the default) and `native.CircRnaTorchModel` (PyTorch) add
only how weights are loaded and how one chunk of rows is run.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circrna_model.decision import DECISION_SCHEMAS, PRIOR_SCHEMA, decide
from circrna_model.evidence import EVIDENCE_SCHEMAS, describe_evidence
from circrna_model.examples import EXAMPLES
from circrna_model.features import MIN_LENGTH, encode_letters, join_ends, lay_patches, number_kmers, stack_chunks
from circrna_model.sequences import clean_sequence, find_sequence_violations
from model_service import MLModel
from model_service.explain import Budget, explain_sequence
from model_service.fields import answer, record, sequence
from model_service.model import Ask
from model_service.records import Explanation, Violation

#: Room for a header and line ends around the longest sequence.
MAX_CHARACTERS = 110_000
#: Drawn letters hide a window: they break the frame that the network looks for, which N, no stop, leaves open.
_FILL = "ACGT"
_BUDGET = Budget(rows=96, seconds=5.0)


class CircRnaBase(MLModel):
    """Everything about the circular RNA model but its weights."""

    qualified_name = "circrna_model"
    display_name = "Circular RNA"
    description = (
        "Tells whether a human RNA transcript is a circular RNA or another long non-coding RNA, from its spliced "
        "sequence of 200 to 100,000 nucleotides. A research model: it mostly tells coding exons from non-coding RNA."
    )
    version = "2.0.0"
    input_schema = record(
        "RNA transcript",
        {
            "rna_sequence": sequence(
                "RNA sequence",
                "ACGTUN",
                "Spliced sequence of one transcript, 5' to 3', 200 to 100,000 nucleotides: the letters A, C, G, T, "
                "U and N in either case. One FASTA record may be pasted; its header and line ends are removed.",
                least=MIN_LENGTH,
                most=MAX_CHARACTERS,
                messages={
                    "type": "expected the sequence as one string of nucleotide letters",
                    "minLength": "expected at least 200 nucleotides",
                    "maxLength": "expected at most 100,000 nucleotides (110,000 characters with header and line ends)",
                },
            ),
            "prior": PRIOR_SCHEMA,
        },
        examples=EXAMPLES,
    )
    output_schema = answer("Kind of RNA", {**DECISION_SCHEMAS, **EVIDENCE_SCHEMAS})

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run rows of like length together, in chunks of bounded size, and answer in the order of ``payloads``."""
        codes = [encode_letters(clean_sequence(payload["rna_sequence"])) for payload in payloads]
        kmers = [number_kmers(row) for row in codes]
        tokens = [lay_patches(join_ends(letters), row) for letters, row in zip(codes, kmers, strict=True)]
        probabilities = np.zeros(len(payloads))
        for chunk, stacked in stack_chunks(tokens):
            probabilities[chunk] = self._run_network(stacked)
        # Both runtimes compute in float32, whose sigmoid may leave [0, 1] in the last bit.
        rows = zip(np.clip(probabilities, 0.0, 1.0).tolist(), payloads, codes, kmers, strict=True)
        return [
            {**decide(probability, payload.get("prior")), **describe_evidence(letters, row)}
            for probability, payload, letters, row in rows
        ]

    def explain(self, payload: dict[str, Any], output: dict[str, Any], ask: Ask) -> Explanation:
        letters = clean_sequence(payload["rna_sequence"]).upper().replace("U", "T")
        row = payload | {"rna_sequence": letters}
        return explain_sequence(
            row, output, ask, field="rna_sequence", explained="/probability", window=48, fill=_FILL, budget=_BUDGET
        )

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return find_sequence_violations(payload["rna_sequence"], "/rna_sequence")

    @abstractmethod
    def _run_network(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the probability of a circular RNA for each row of tokens, as `stack_windows` lays them out."""
