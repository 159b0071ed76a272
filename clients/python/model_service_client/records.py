"""What the service says of models and jobs, with the names of its documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

#: One output object.
Output = dict[str, Any]
Schema = dict[str, Any]
#: States that a job does not leave.
OVER = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One configured model.

    Attributes:
        state: Only a model that is ``ready`` answers.
        is_default: Whether calls that name no version go to this one.
        problem: Why it could not be loaded; ``None`` for a sound one.
    """

    qualified_name: str
    version: str | None
    state: str
    is_default: bool
    display_name: str | None
    description: str | None
    problem: dict[str, Any] | None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Return what a document of the service says."""
        names = ("display_name", "description", "problem")
        return cls(
            document["qualified_name"],
            document["version"],
            document["state"],
            document["is_default"],
            *(document.get(name) for name in names),
        )


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything about one model.

    Attributes:
        max_rows: Most payloads of one request.
        max_body_bytes: Most bytes of one request.
        document: All that the service says: card, measured quality, digests, versions, formats.
    """

    qualified_name: str
    version: str
    input_schema: Schema
    output_schema: Schema
    examples: list[dict[str, Any]]
    max_rows: int
    max_body_bytes: int
    document: dict[str, Any]

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Return what a document of the service says."""
        limits = document["limits"]
        return cls(
            document["qualified_name"],
            document["version"] or "",
            document["input_schema"] or {},
            document["output_schema"] or {},
            document["examples"],
            limits["rows"],
            limits["body_bytes"],
            document,
        )


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job has come.

    Attributes:
        state: ``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``.
        progress: Which part of the file has been read, from 0 to 1.
        rows_total: ``None`` until the file has been read to its end.
        problem: Why it failed, or what it waits for.
        document: All that the service says of it.
    """

    id: str
    state: str
    rows_done: int
    rows_failed: int
    rows_total: int | None
    progress: float
    output_format: str
    problem: dict[str, Any] | None
    document: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in OVER

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Return what a document of the service says."""
        names = ("id", "state", "rows_done", "rows_failed", "rows_total", "progress", "output_format", "problem")
        return cls(**{name: document[name] for name in names}, document=document)


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """The answer to a file.

    Attributes:
        content: The file; empty when it was written to a path.
        media_type: Its format.
        failed_rows: How many rows have an error in it.
        version: Of the model that answered.
    """

    content: bytes
    media_type: str
    failed_rows: int
    version: str
