"""The servers that are compared: how each is started, where it answers, and the form of its requests.

A new one is one `Peer` here, its pins in ``benchmarks/requirements`` and, where it needs one, a file in
``benchmarks/servers``. Each gets the form in which its own documentation would have it serve these
models, no access log, and the fastest loop and parser that it can use.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.serving.workloads import WORKLOADS, Output, Payload

SPECIES = ("setosa", "versicolor", "virginica")
MEASUREMENTS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
NATIVE = ("iris", "forest")
#: Rows of the one large request.
MANY_ROWS = 10_000
MANY = "rows"
CONNECTIONS = ("1", "16", "64")
LARGEST_BATCH = 64


class Kind(StrEnum):
    """What a server is in the comparison."""

    OURS = "this project"
    PEER = "peer"
    GRAPH = "peer, given our graph"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Door:
    """One address of a server: what to send for payloads, and how to read the outputs out of an answer."""

    path: str
    write: Callable[[list[Payload]], Any]
    read: Callable[[Any], list[Output]]


@dataclass(frozen=True, slots=True)
class Start:
    """What a start command is filled in with: ``{bin}``, ``{port}``, ``{folder}`` (a fresh one), ``{fitted}``."""

    bin: Path
    port: int
    other_ports: tuple[int, int]
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
        prepare: Writes what the server reads at its start.
    """

    name: str
    title: str
    kind: Kind
    environment: str
    command: tuple[str, ...]
    one: Callable[[str], Door]
    many: Callable[[str], Door]
    models: tuple[str, ...] = NATIVE
    loads: tuple[str, ...] = (*CONNECTIONS, MANY)
    uses_graph: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Start], None] = lambda start: None


def read_rows_of(probabilities: list[list[float]]) -> list[Output]:
    """Return the outputs that rows of three probabilities stand for."""
    return [
        {"species": SPECIES[row.index(max(row))], "probabilities": dict(zip(SPECIES, row, strict=True))}
        for row in probabilities
    ]


def _one(path: str) -> Callable[[str], Door]:
    return lambda model: Door(path, lambda payloads: payloads[0], lambda document: [document])


def _many(path: str) -> Callable[[str], Door]:
    return lambda model: Door(path, lambda payloads: payloads, lambda document: document)


def _matrix(payloads: list[Payload]) -> list[list[float]]:
    return [[payload[name] for name in MEASUREMENTS] for payload in payloads]


def _arrays(path: str, read: Callable[[Any], list[list[float]]]) -> Callable[[str], Door]:
    """Return the door of a server whose natural form is an array of rows."""
    return lambda model: Door(
        path, lambda payloads: {"rows": _matrix(payloads)}, lambda document: read_rows_of(read(document))
    )


def _read_tensor(document: Any) -> list[Output]:
    (output,) = document["outputs"]
    width = output["shape"][-1]
    values = output["data"]
    return read_rows_of([values[place : place + width] for place in range(0, len(values), width)])


def _write_tensor(payloads: list[Payload]) -> Any:
    rows = _matrix(payloads)
    tensor = {"name": "predict", "shape": [len(rows), len(MEASUREMENTS)], "datatype": "FP64", "data": rows}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def _mlserver_door(model: str) -> Door:
    return Door("/v2/models/classifier/infer", _write_tensor, _read_tensor)


def _prepare_ours(start: Start) -> None:
    # JSON is YAML; the peers write no line per request either.
    configuration = {"models": [{"class": WORKLOADS[start.model].class_path}], "logging": {"level": "warning"}}
    (start.folder / "config.yaml").write_text(json.dumps(configuration))


def _prepare_mlserver(batch: int) -> Callable[[Start], None]:
    def prepare(start: Start) -> None:
        grpc_port, metrics_port = start.other_ports
        settings = {"host": "127.0.0.1", "http_port": start.port, "grpc_port": grpc_port, "metrics_port": metrics_port}
        # Its pool of processes costs a hop and gives one worker nothing.
        settings |= {"parallel_workers": 0, "debug": False}
        model: dict[str, Any] = {
            "name": "classifier",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(start.fitted / f"{start.model}.joblib")},
        }
        if batch > 1:
            model |= {"max_batch_size": batch, "max_batch_time": 0.005}
        (start.folder / "settings.json").write_text(json.dumps(settings))
        (start.folder / "classifier").mkdir()
        (start.folder / "classifier" / "model-settings.json").write_text(json.dumps(model))

    return prepare


_UVICORN = ("{bin}/uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop", "--http", "httptools")
_QUIET_UVICORN = (*_UVICORN, "--no-access-log", "--log-level", "warning")
_OURS = ("{bin}/python", "-m", "model_service", "--config", "{folder}/config.yaml", "serve", "--port", "{port}")
_GUNICORN = ("{bin}/gunicorn", "flask_app:app", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:{port}")
_GRANIAN = ("{bin}/granian", "constant:wsgi", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}")
_BENTOML = ("{bin}/bentoml", "serve", "bentoml_app:Classifier", "--host", "127.0.0.1", "--port", "{port}")
_PREDICT, _PREDICT_BATCH = _one("/predict"), _many("/predict_batch")
#: A peer that can batch is measured in the form that suits the load: batching under many connections, plain otherwise.
_PLAIN, _BATCHING = ("1", MANY), ("16", "64")


def _ours(model: str) -> str:
    return WORKLOADS[model].predict_path


def _litserve(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    door = _arrays("/predict", lambda document: document["probabilities"])
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="litserve",
        command=("{bin}/python", "litserve_app.py", "{port}", str(batch)),
        one=door,
        many=door,
        loads=loads,
    )


def _bentoml(name: str, title: str, path: str, loads: tuple[str, ...]) -> Peer:
    door = _arrays(path, lambda document: document)
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="bentoml",
        command=_BENTOML,
        one=door,
        many=door,
        loads=loads,
        variables={"BENTOML_HOME": "{folder}", "BENTOML_DO_NOT_TRACK": "True"},
    )


def _mlserver(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="mlserver",
        command=("{bin}/mlserver", "start", "{folder}"),
        one=_mlserver_door,
        many=_mlserver_door,
        loads=loads,
        prepare=_prepare_mlserver(batch),
    )


def _floor(name: str, title: str, command: tuple[str, ...]) -> Peer:
    return Peer(
        name=name,
        title=title,
        kind=Kind.FLOOR,
        environment="floors",
        command=command,
        models=("iris",),
        loads=CONNECTIONS,
        one=_PREDICT,
        many=_PREDICT_BATCH,
    )


_FLASK = Peer(
    name="flask",
    title="Flask + gunicorn, `jsonschema.validate`",
    kind=Kind.PEER,
    environment="flask",
    command=(*_GUNICORN, "--keep-alive", "75", "--log-level", "warning"),
    one=_PREDICT,
    many=_PREDICT_BATCH,
)
_FLASK_GRAPH = Peer(
    name="flask-graph",
    title="Flask + gunicorn, given our graph",
    kind=Kind.GRAPH,
    environment="flask",
    command=_FLASK.command,
    models=("loan", "dna"),
    uses_graph=True,
    one=_PREDICT,
    many=_PREDICT_BATCH,
)
_FASTAPI = (*_QUIET_UVICORN, "fastapi_app:app")

PEERS = (
    Peer(
        name="ours",
        title="**model_service**",
        kind=Kind.OURS,
        environment="",
        command=_OURS,
        models=tuple(WORKLOADS),
        one=lambda model: _one(_ours(model))(model),
        many=lambda model: _many(_ours(model))(model),
        prepare=_prepare_ours,
    ),
    Peer(
        name="fastapi",
        title="FastAPI + uvicorn",
        kind=Kind.PEER,
        environment="fastapi",
        command=_FASTAPI,
        one=_PREDICT,
        many=_PREDICT_BATCH,
    ),
    Peer(
        name="fastapi-graph",
        title="FastAPI + uvicorn, given our graph",
        kind=Kind.GRAPH,
        environment="fastapi",
        command=_FASTAPI,
        models=tuple(WORKLOADS),
        uses_graph=True,
        one=_PREDICT,
        many=_PREDICT_BATCH,
    ),
    _FLASK,
    _FLASK_GRAPH,
    _mlserver("mlserver", "MLServer", 1, _PLAIN),
    _mlserver("mlserver-batching", "MLServer, adaptive batching", LARGEST_BATCH, _BATCHING),
    _bentoml("bentoml", "BentoML", "/predict", _PLAIN),
    _bentoml("bentoml-batching", "BentoML, batching", "/predict_batched", _BATCHING),
    _litserve("litserve", "LitServe", 1, _PLAIN),
    _litserve("litserve-batching", "LitServe, batching", LARGEST_BATCH, _BATCHING),
    _floor(
        "floor-granian",
        "constant answer on Granian (WSGI)",
        (*_GRANIAN, "--blocking-threads", "1", "--no-ws", "--log-level", "warning"),
    ),
    _floor(
        "floor-uvicorn",
        "constant answer on uvicorn (ASGI)",
        (*_QUIET_UVICORN, "constant:asgi", "--lifespan", "off"),
    ),
)
