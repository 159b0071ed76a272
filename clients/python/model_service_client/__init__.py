"""A client of model_service, on httpx; it needs nothing of the server.

    from model_service_client import ModelServiceClient

    with ModelServiceClient("http://localhost:8000") as client:
        output = client.model("iris_model").predict(
            sepal_length=5.1, sepal_width=3.5, petal_length=1.4, petal_width=0.2
        )

client.py      ModelServiceClient, Model, Job: what a caller writes
aio.py         the same for event loops
predicting.py  what is asked of the service for rows: flows, which know no connection
files.py       likewise for files and jobs
calls.py       a call, when it is made again, what its answer means
drivers.py     carries calls over a connection, waiting or awaiting
transfers.py   files that are sent or received in pieces
frames.py      data frames to payloads, outputs to data frames
values.py      Python values as JSON
schemas.py     what the client itself reads of schemas
checking.py    payloads checked before they are sent
stubs.py       a model's types as Python source
progress.py    how far it is
records.py     what the service says of models and jobs
errors.py      everything that can go wrong
error_base.py  what all of it has
problems.py    problem documents as these errors
"""

from model_service_client.aio import AsyncJob, AsyncModel, AsyncModelServiceClient
from model_service_client.calls import Retry
from model_service_client.client import Job, Model, ModelServiceClient
from model_service_client.errors import (
    AnswerInvalid,
    CallerError,
    CapacityError,
    ConnectionFailed,
    JobNotSucceeded,
    ModelError,
    ModelNotFound,
    ModelServiceError,
    NoAnswerInTime,
    PayloadInvalid,
    Violation,
)
from model_service_client.records import JobStatus, Metadata, ModelSummary, Output, ScoredFile

__all__ = [
    "AnswerInvalid",
    "AsyncJob",
    "AsyncModel",
    "AsyncModelServiceClient",
    "CallerError",
    "CapacityError",
    "ConnectionFailed",
    "Job",
    "JobNotSucceeded",
    "JobStatus",
    "Metadata",
    "Model",
    "ModelError",
    "ModelNotFound",
    "ModelServiceClient",
    "ModelServiceError",
    "ModelSummary",
    "NoAnswerInTime",
    "Output",
    "PayloadInvalid",
    "Retry",
    "ScoredFile",
    "Violation",
]
