"""What the comparison must know of a server: how it is started, where it answers, what it is measured under."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from benchmarks.serving.doors import MakeDoor

NATIVE = ("iris", "forest")
#: Rows of the one large request.
MANY_ROWS = 10_000
MANY = "rows"
CONNECTIONS = ("1", "16", "64")
LARGEST_BATCH = 64
#: What the title of a peer ends with that also has a form that does less.
LIKE_FOR_LIKE_TITLE = ", like for like"
#: A peer that can batch is measured in the form that suits the load: batching under many connections, plain otherwise.
PLAIN, BATCHING = ("1", MANY), ("16", "64")


class Kind(StrEnum):
    """What a server is in the comparison."""

    OURS = "this project"
    PEER = "peer"
    GRAPH = "peer, given our graph"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Start:
    """What a start command is filled in with: ``{bin}``, ``{port}``, ``{folder}`` (a fresh one), ``{fitted}``."""

    bin: Path
    port: int
    other_ports: tuple[int, ...]
    folder: Path
    fitted: Path
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One server.

    Attributes:
        environment: Name of its list of requirements; empty for this project's own environment.
        command: Words of the start command.
        one: Where one row is sent.
        many: Where 10,000 rows are sent in one request.
        loads: The loads it is measured under: numbers of connections and `MANY`.
        uses_graph: Whether it predicts with the class of the model package.
        is_checking: Whether it does what this project does: named fields in, each checked, the whole output out.
        warm_up_s: Seconds of each load before it is timed.
        prepare: Writes what the server reads at its start.
    """

    name: str
    title: str
    kind: Kind
    environment: str
    command: tuple[str, ...]
    one: MakeDoor
    many: MakeDoor
    models: tuple[str, ...] = NATIVE
    loads: tuple[str, ...] = (*CONNECTIONS, MANY)
    uses_graph: bool = False
    is_checking: bool = False
    warm_up_s: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Start], None] = lambda start: None
