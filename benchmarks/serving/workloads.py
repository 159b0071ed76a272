"""The four models, payloads drawn for them by a fixed seed, and what this process predicts for those."""

import importlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.places import PACKAGES
from model_service import MLModel

Payload = dict[str, Any]
Output = dict[str, Any]
#: Payloads whose answer hangs on the last bits are left out: another library may round the other way.
_CLOSE_CALL = 1e-3
_SEED = 20
_SPECIES = (
    ((5.0, 0.4), (3.4, 0.4), (1.5, 0.2), (0.3, 0.1)),
    ((5.9, 0.5), (2.8, 0.3), (4.3, 0.5), (1.3, 0.2)),
    ((6.6, 0.6), (3.0, 0.3), (5.6, 0.5), (2.0, 0.3)),
)
_MEASUREMENTS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and how to draw a payload for it."""

    name: str
    title: str
    class_path: str
    draw: Callable[[random.Random], Payload]

    def load(self) -> MLModel:
        """Build the model in this process."""
        if str(PACKAGES) not in sys.path:
            sys.path.insert(0, str(PACKAGES))
        module, _, name = self.class_path.rpartition(".")
        model: MLModel = getattr(importlib.import_module(module), name)()
        return model

    @property
    def predict_path(self) -> str:
        """Return where this project's server answers for the model."""
        return f"/api/models/{self.class_path.partition('.')[0]}/predict"


@dataclass(frozen=True, slots=True)
class Reference:
    """Payloads and the outputs of the model in this process, in the same order."""

    payloads: list[Payload]
    outputs: list[Output]


def draw_reference(workload: Workload, rows: int) -> Reference:
    """Return so many payloads with their outputs; a longer reference begins with a shorter one."""
    numbers = random.Random(_SEED)
    model = workload.load()
    reference = Reference([], [])
    while len(reference.payloads) < rows:
        payloads = [workload.draw(numbers) for _ in range(1000)]
        for payload, output in zip(payloads, model.predict_batch(payloads), strict=True):
            if not is_close_call(output):
                reference.payloads.append(payload)
                reference.outputs.append(output)
    return Reference(reference.payloads[:rows], reference.outputs[:rows])


def is_close_call(output: Output) -> bool:
    """Tell whether an output's label would change if its probabilities moved a little."""
    if "probabilities" in output:
        second, first = sorted(output["probabilities"].values())[-2:]
    else:
        first, second = output["probability"], 1 - output["probability"]
    return bool(abs(first - second) < _CLOSE_CALL)


def _draw_flower(numbers: random.Random) -> Payload:
    species = numbers.choice(_SPECIES)
    return {
        name: round(min(max(numbers.gauss(*spread), 0.1), 9.0), 2)
        for name, spread in zip(_MEASUREMENTS, species, strict=True)
    }


def _draw_application(numbers: random.Random) -> Payload:
    return {
        "Loan_ID": f"LP{numbers.randrange(10**6):06}",
        "Gender": numbers.choice(("Female", "Male", None)),
        "Married": numbers.choice(("No", "Yes")),
        "Dependents": numbers.choice(("0", "1", "2", "3+")),
        "Education": numbers.choice(("Not Graduate", "Graduate")),
        "Self_Employed": numbers.choice(("No", "Yes", None)),
        "ApplicantIncome": numbers.randrange(1_000, 20_000),
        "CoapplicantIncome": numbers.choice((0, numbers.randrange(500, 8_000))),
        "LoanAmount": numbers.choice((None, numbers.randrange(20, 600), numbers.randrange(20, 600))),
        "Loan_Amount_Term": numbers.choice((180, 360, 360, None)),
        "Credit_History": numbers.choice((0, 1, 1, None)),
        "Property_Area": numbers.choice(("Rural", "Semiurban", "Urban")),
    }


def _draw_sequence(numbers: random.Random) -> Payload:
    return {"dna_sequence": "".join(numbers.choices("ACGT", k=50))}


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("iris", "Iris, logistic regression", "iris_model.IrisModel", _draw_flower),
        Workload("forest", "Iris, random forest of 100 trees", "forest_model.ForestModel", _draw_flower),
        Workload("loan", "Loan, random forest behind eleven fields", "loan_model.LoanModel", _draw_application),
        Workload("dna", "DNA, LSTM over 50 nucleotides", "dna_lstm_model.DnaLstmModel", _draw_sequence),
    )
}
