"""What is known of a job: frozen dataclasses that the store returns and the doors show."""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class CallbackState(StrEnum):
    """What has become of the callback of a job."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a caller asks for.

    Attributes:
        qualified_name: The model's name.
        version: The version that answers every row, whatever is served meanwhile.
        input_format: Name of a format of rows.
        output_format: Likewise.
        encoding: ``gzip`` where the file is compressed, else empty.
        file_name: What the file is called where it comes from; empty where that is not known.
        input_bytes: Size of the file as it was sent.
        input_sha256: Its digest.
        chunk_rows: How many rows are recorded at once; part of the job, so that every worker cuts alike.
        max_failed_rows: With more rows that fail, the job fails; ``None``: it never does for that.
        caller: Who asks, by the name that a door has found true.
        idempotency_key: What makes a second request with the same key the same job; ``None`` without one.
        fingerprint: Digest of everything that must be the same in such a second request.
        callback_url: Who is told when the job is over; ``None``: nobody.
    """

    qualified_name: str
    version: str
    input_format: str
    output_format: str
    encoding: str = ""
    file_name: str = ""
    input_bytes: int = 0
    input_sha256: str = ""
    chunk_rows: int = 1000
    max_failed_rows: int | None = None
    caller: str = ""
    idempotency_key: str | None = None
    fingerprint: str = ""
    callback_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file of rows and how far it has come.

    Attributes:
        request: What was asked for.
        revision: Another number whenever anything of it changes.
        rows_done: Rows whose outcome is in the output.
        rows_failed: How many of them have an error there.
        rows_total: How many there are; ``None`` until the file has been read to its end.
        input_position: How much of the file has been read, in bytes as it was sent.
        output_bytes: How much output there is.
        chunks: Of how many objects it consists.
        busy_s: Seconds of work that are recorded.
        attempts: How often it was claimed since the last chunk that was recorded.
        problem_code: Why it failed, or why it does not get on at the moment; empty when nothing is wrong.
        problem: Likewise, in words.
        created_at: Seconds since 1970; so are the others.
        callback_state: Of its callback; ``None`` where nobody wants one.
        callback_attempts: How often it was sent, or begun to be sent.
        callback_problem: What hindered the last attempt, in words.
    """

    id: str
    state: JobState
    request: JobRequest
    revision: int = 0
    rows_done: int = 0
    rows_failed: int = 0
    rows_total: int | None = None
    input_position: int = 0
    output_bytes: int = 0
    chunks: int = 0
    busy_s: float = 0.0
    attempts: int = 0
    problem_code: str = ""
    problem: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    callback_state: CallbackState | None = None
    callback_attempts: int = 0
    callback_problem: str = ""

    @property
    def rows_per_s(self) -> float | None:
        """Rows per second of work so far."""
        return self.rows_done / self.busy_s if self.busy_s > 0 and self.rows_done else None

    @property
    def progress(self) -> float:
        """Which part of the file has been read, from 0 to 1."""
        if self.state is JobState.SUCCEEDED:
            return 1.0
        return min(1.0, self.input_position / self.request.input_bytes) if self.request.input_bytes else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How much longer it takes at the rate so far; ``None`` while that cannot be said."""
        if self.state is not JobState.RUNNING or not 0 < self.progress < 1 or not self.busy_s:
            return None
        return self.busy_s * (1 - self.progress) / self.progress


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of output: one object.

    Attributes:
        name: Of the object, below the folder of its job.
        start: Where it begins in the output, in bytes.
        size: Its length in bytes.
    """

    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to work on a job; whoever holds another token has none.

    Attributes:
        job: As it was when it was claimed.
        token: Goes along with everything that is recorded.
    """

    job: Job
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one chunk adds to a job.

    Attributes:
        number: Which chunk it is, from 0.
        name: Of its object.
        size: Bytes of the object.
        rows: How many rows it holds.
        failed: How many of them failed.
        input_position: How much of the file has been read.
        busy_s: Seconds that it took.
    """

    number: int
    name: str
    size: int
    rows: int
    failed: int
    input_position: int
    busy_s: float
