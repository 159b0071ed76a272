"""FastAPI as its documentation teaches it: pydantic models in and out, one call between them."""

import os
from typing import Annotated, Any, Literal

from engines import open_engine
from fastapi import FastAPI
from flowers import Flower, Species
from pydantic import BaseModel, Field

engine = open_engine()
app = FastAPI()


class Application(BaseModel):
    """Payload of the loan model."""

    Loan_ID: str | None = None
    Gender: Literal["Female", "Male"] | None = None
    Married: Literal["No", "Yes"] | None = None
    Dependents: Literal["0", "1", "2", "3+"] | None = None
    Education: Literal["Not Graduate", "Graduate"]
    Self_Employed: Literal["No", "Yes"] | None = None
    ApplicantIncome: Annotated[float, Field(ge=0)]
    CoapplicantIncome: Annotated[float, Field(ge=0)]
    LoanAmount: Annotated[float, Field(gt=0)] | None = None
    Loan_Amount_Term: Annotated[int, Field(ge=1, le=600)] | None = None
    Credit_History: Literal[0, 1] | None = None
    Property_Area: Literal["Rural", "Semiurban", "Urban"]


class Decision(BaseModel):
    """Output of the loan model."""

    Loan_ID: str | None
    Loan_Status: str
    probability: float
    reasons: dict[str, float]
    usual_probability: float
    filled_in: list[str]


class Sequence(BaseModel):
    """Payload of the DNA model."""

    dna_sequence: Annotated[str, Field(pattern="^[ACGT]{50}$")]


class Binding(BaseModel):
    """Output of the DNA model."""

    dna_class: int
    probability: float
    motif_position: int | None


KINDS: dict[str, tuple[Any, Any]] = {
    "iris": (Flower, Species),
    "forest": (Flower, Species),
    "loan": (Application, Decision),
    "dna": (Sequence, Binding),
}
Payload, Output = KINDS[os.environ["BENCH_MODEL"]]


# On the event loop: FastAPI's thread pool costs these models more than it gives.
@app.post("/predict")
async def predict(payload: Payload) -> Output:
    """Answer one payload."""
    return Output(**engine.predict_batch([payload.model_dump()])[0])


@app.post("/predict_batch")
def predict_batch(payloads: list[Payload]) -> list[Output]:
    """Answer an array of payloads."""
    return [Output(**output) for output in engine.predict_batch([payload.model_dump() for payload in payloads])]
