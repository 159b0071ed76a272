"""The servers that are compared: this project's, thin ones, model servers (`platforms`) and floors.

A new one is one `Peer` here or there, its pins in ``benchmarks/requirements`` and, where it needs one, a file
in ``benchmarks/servers``. Each gets the form in which its own documentation would have it serve these
models, no access log, and the fastest loop and parser that it can use.
"""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.serving.doors import many_objects, one_object
from benchmarks.serving.entry import CONNECTIONS, Kind, Peer, Start
from benchmarks.serving.platforms import PLATFORMS
from benchmarks.serving.workloads import WORKLOADS

_UVICORN = ("{bin}/uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop", "--http", "httptools")
_QUIET_UVICORN = (*_UVICORN, "--no-access-log", "--log-level", "warning")
_FASTAPI = (*_QUIET_UVICORN, "fastapi_app:app")
_OURS = ("{bin}/python", "-m", "model_service", "--config", "{folder}/config.yaml", "serve", "--port", "{port}")
_GUNICORN = ("{bin}/gunicorn", "flask_app:app", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:{port}")
_FLASK = (*_GUNICORN, "--keep-alive", "75", "--log-level", "warning")
_GRANIAN = ("{bin}/granian", "constant:wsgi", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}")
_PREDICT, _PREDICT_BATCH = one_object("/predict"), many_objects("/predict_batch")


def _prepare_ours(start: Start) -> None:
    # JSON is YAML; the peers write no line per request either.
    configuration = {"models": [{"class": WORKLOADS[start.model].class_path}], "logging": {"level": "warning"}}
    (start.folder / "config.yaml").write_text(json.dumps(configuration))


def _thin(name: str, title: str, kind: Kind, environment: str, command: tuple[str, ...], **facts: Any) -> Peer:
    """Return a server that was written for the comparison: its doors are the same whatever it is made of."""
    doors = {"one": _PREDICT, "many": _PREDICT_BATCH}
    return Peer(name=name, title=title, kind=kind, environment=environment, command=command, **doors, **facts)


def _checking(
    environment: str, title: str, graph_title: str, command: tuple[str, ...], graph_models: tuple[str, ...]
) -> Iterator[Peer]:
    """Yield a server that checks what it is sent, with an engine of its own and with our graph."""
    yield _thin(environment, title, Kind.PEER, environment, command, is_checking=True)
    name, facts = f"{environment}-graph", {"models": graph_models, "uses_graph": True}
    yield _thin(name, f"{graph_title}, given our graph", Kind.GRAPH, environment, command, is_checking=True, **facts)


def _floor(name: str, title: str, command: tuple[str, ...]) -> Peer:
    return _thin(name, title, Kind.FLOOR, "floors", command, models=("iris",), loads=CONNECTIONS)


PEERS = (
    Peer(
        name="ours",
        title="**model_service**",
        kind=Kind.OURS,
        environment="",
        command=_OURS,
        models=tuple(WORKLOADS),
        one=lambda model: one_object(WORKLOADS[model].predict_path)(model),
        many=lambda model: many_objects(WORKLOADS[model].predict_path)(model),
        is_checking=True,
        prepare=_prepare_ours,
    ),
    *_checking("fastapi", "FastAPI + uvicorn", "FastAPI + uvicorn", _FASTAPI, tuple(WORKLOADS)),
    *_checking("flask", "Flask + gunicorn, `jsonschema.validate`", "Flask + gunicorn", _FLASK, ("loan", "dna")),
    *PLATFORMS,
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
