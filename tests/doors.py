"""Doors as the contract of transports sees them: each is one class. To put another door under it, write its class.

A `Door` is given payloads, sends them in its own protocol, and returns what the caller of that protocol would see:
outputs, or a mistake. Its tests are in ``tests/transports/test_transport_contract.py``; `DOORS` lists the classes.
"""

import io
import json
from abc import ABC, abstractmethod
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from serving import Server

from model_service import errors
from model_service.cli.errors import EXIT_CODES
from model_service.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        outputs: One for each payload; ``None`` of a mistake.
        kind: The group of a mistake: who must act.
        code: The code of a mistake, where the protocol tells it.
        text: All that the caller was told.
        version: Of the model that answered, where the protocol tells it.
    """

    outputs: list[Any] | None = None
    kind: type[errors.ServiceError] | None = None
    code: str | None = None
    text: str = ""
    version: str | None = None


class Door(ABC):
    """One protocol, with its client.

    Attributes:
        has_versions: Whether a caller can name a version.
        is_served: Whether the models are loaded when it is asked, so that one may be not ready.
        has_empty: Whether a request without any row can be written down.
        has_types: Whether texts are told from numbers, and empty ones from none.
        is_table: Whether rows are read as those of a file: a column that the model does not know is left aside, and
            what is no table at all is `file_unreadable`.
    """

    has_versions = True
    is_served = True
    has_empty = True
    has_types = True
    is_table = False

    def __init__(self, server: Server, config: Path) -> None:
        self.server = server
        self.config = config
        self.http = httpx.Client(base_url=server.url, timeout=30)

    @abstractmethod
    def predict(self, model: str, payloads: list[Any], version: str | None = None) -> Answer:
        """Send several payloads."""

    @abstractmethod
    def send_garbage(self, model: str) -> Answer:
        """Send what is no request of the protocol."""

    def close(self) -> None:
        self.http.close()


class RestDoor(Door):
    """The native route."""

    def predict(self, model, payloads, version=None):
        return self._ask(model, json.dumps(payloads).encode(), version)

    def send_garbage(self, model):
        return self._ask(model, b'[{"x": ')

    def _ask(self, model, body, version=None):
        path = f"/api/models/{model}" + (f"/versions/{version}" if version else "")
        response = self.http.post(f"{path}/predict", content=body, headers={"content-type": "application/json"})
        return read_answer(response, lambda document: document)


class V1Door(Door):
    """Version 1 of the inference protocol."""

    has_versions = False

    def predict(self, model, payloads, version=None):
        return self._ask(model, json.dumps({"instances": payloads}).encode())

    def send_garbage(self, model):
        return self._ask(model, b'{"instances": 5}')

    def _ask(self, model, body):
        response = self.http.post(f"/v1/models/{model}:predict", content=body)
        return read_answer(response, lambda document: document["predictions"], told_as="error")


class CommandDoor(Door):
    """``model-service predict``."""

    is_served = False

    def predict(self, model, payloads, version=None):
        return self._run(model, json.dumps(payloads), version)

    def send_garbage(self, model):
        return self._run(model, '[{"x": ')

    def _run(self, model, text, version=None):
        named = ["--version", version] if version else []
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(["--config", str(self.config), "predict", model, "--json", text, *named])
            except SystemExit as end:
                status = end.code
        if status:
            kinds = {code: kind for kind, code in EXIT_CODES.items()}
            return Answer(kind=kinds[status], text=err.getvalue())
        return Answer(outputs=json.loads(out.getvalue()))


def read_answer(response: httpx.Response, read: Any, *, told_as: str = "detail") -> Answer:
    """Return what an HTTP response says; a mistake tells its code, and its words under a name of the protocol."""
    version = response.headers.get("x-model-version")
    if response.status_code == 200:
        return Answer(outputs=read(response.json()), version=version)
    document = response.json()
    assert isinstance(document[told_as], str)
    return make_mistake(document["code"], response.text)


def make_mistake(code: str, text: str) -> Answer:
    """Return the answer that an error's code stands for."""
    return Answer(kind=_GROUPS[code], code=code, text=text)


#: Who must act, by the code of an error.
_GROUPS = {leaf.code: group for group in errors.ServiceError.__subclasses__() for leaf in group.__subclasses__()}
