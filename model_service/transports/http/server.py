"""`HttpServer`: uvicorn with our protocol, our bounds, and an end in which nothing accepted is lost."""

import asyncio
import resource
import socket
import threading
from itertools import chain
from pathlib import Path
from typing import Any

import uvicorn
from flask import Flask

from model_service.home import name_retirement
from model_service.listening import BACKLOG
from model_service.transports.http.accepting import Acceptor
from model_service.transports.http.application import Application
from model_service.transports.http.certificates import Certificates
from model_service.transports.http.connections import ConnectionWatch
from model_service.transports.http.front import Front
from model_service.transports.http.guard import stand_before
from model_service.transports.http.protocol import bind_front

#: Files that a worker may have open beside its connections.
_OTHER_FILES = 128
#: Before the listening sockets are closed, what waits in them is still taken; after that, who came last has so long to
#: send a request, with TLS after a handshake.
_LAST_CALL_S = 0.1
#: Whatever waits, a worker that is told to end accepts for so long at most.
_LONGEST_LAST_CALL_S = 1.0
#: How often a worker that retires looks whether it is needed.
_LOOK_S = 0.02
#: A worker beside others accepts when its models are ready, or after so long without them.
LATEST_START_S = 10.0


class HttpServer(uvicorn.Server):
    """The HTTP server of one worker.

    Args:
        front: What all connections share.
        app: The Flask application.
        may_accept: Set when connections may be accepted.
        home: The folder that the workers of the service share.
        number: Which of the workers this is.
        latest_start_s: Connections are accepted after so long also where that is not allowed yet.

    Attributes:
        is_retiring: Set, by anybody, when the workers of another generation accept.
        is_alone: Whether nothing else keeps a worker that retires.
    """

    def __init__(
        self,
        front: Front,
        app: Flask,
        may_accept: threading.Event,
        home: Path,
        *,
        number: int = 0,
        latest_start_s: float = LATEST_START_S,
    ) -> None:
        config = front.config
        super().__init__(
            uvicorn.Config(
                stand_before(Application(app, front), front),
                http=bind_front(front),
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                root_path=config.root_path or "",
                backlog=BACKLOG,
                # The watch ends idle connections; uvicorn's own timer must not come first.
                timeout_keep_alive=int(config.keep_alive_timeout_s) + 60,
                timeout_graceful_shutdown=config.shutdown_timeout_s,
                ssl_certfile=config.tls_certificate,
                ssl_keyfile=config.tls_key,
            )
        )
        self._front = front
        self._may_accept = may_accept
        self._home = home
        self._number = number
        self._latest_start_s = latest_start_s
        self.is_retiring = False
        self.is_alone = config.grpc_port is None
        self._retiring: asyncio.Task[None] | None = None
        self._acceptor: Acceptor | None = None
        self._watch = ConnectionWatch(front, self.server_state.connections)  # type: ignore[arg-type]  # all are ours
        front.max_connections, front.reserved_connections = bound_connections(config.max_connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections as soon as that is allowed."""
        await self.lifespan.startup()
        waited_s = 0.0
        while not self._may_accept.is_set() and not self.should_exit and waited_s < self._latest_start_s:
            await asyncio.sleep(0.02)
            waited_s += 0.02
        self._acceptor = Acceptor(sockets or [], self._number, self._home, self._serve_socket)
        await self._acceptor.start()
        self._front.loop.every_tick(self._acceptor.look)
        self._front.loop.every_tick(self._watch.look)
        self._front.loop.every_tick(self._front.freed.look)
        self._front.loop.every_tick(self._look_at_retirement)
        config = self._front.config
        if self.config.ssl is not None and config.tls_certificate is not None and config.tls_key is not None:
            certificates = Certificates(self.config.ssl, config.tls_certificate, config.tls_key)
            self._front.loop.every_tick(certificates.look)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has been accepted, each with the wish to close, and end."""
        self._front.is_draining = self._front.is_ending = True
        if self._retiring is not None:
            self._retiring.cancel()
        self.servers = []
        if self._acceptor is not None:
            self._front.loop.no_tick(self._acceptor.look)
            if not self.is_retiring:  # else others accept from the same sockets
                await self._call_last(self._acceptor)
            self._acceptor.close()
            self.servers = list(chain.from_iterable(self._acceptor.servers.values()))
            await asyncio.sleep(_LAST_CALL_S)
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.give_up()  # type: ignore[union-attr]  # all are ours
        await asyncio.sleep(0)  # TLS writes in the next turn

    async def _call_last(self, acceptor: Acceptor) -> None:
        """Accept who has come, and let nobody come any more."""
        await asyncio.sleep(_LAST_CALL_S)
        acceptor.call_last()
        waited_s = 0.0
        while waited_s < _LAST_CALL_S or (acceptor.has_queue() and waited_s < _LONGEST_LAST_CALL_S):
            await asyncio.sleep(0.02)
            waited_s += 0.02

    def _look_at_retirement(self) -> None:
        if self.is_retiring and self._retiring is None:
            self._retiring = asyncio.get_running_loop().create_task(self._retire())

    async def _retire(self) -> None:
        """Accept no more, and end when nobody is connected any more.

        An idle connection stays until its next request, whose answer closes it, or until it has been idle for as long
        as it may be at any time: its caller may be sending just now.
        """
        assert self._acceptor is not None
        await self._acceptor.step_aside()
        self._front.is_draining = True
        await asyncio.sleep(_LOOK_S)  # sockets are closed in the next turn
        name_retirement(self._home, self._number).touch()
        for connection in self.server_state.connections:  # for answers that have been begun before
            cycle = connection.cycle  # type: ignore[union-attr]  # all are ours
            if not getattr(cycle, "response_started", True):
                cycle.keep_alive = False
        # A connection is not known before its TLS handshake is over.
        await asyncio.sleep(self._front.config.header_timeout_s if self.config.ssl else _LAST_CALL_S)
        while self.server_state.connections or not self.is_alone:
            await asyncio.sleep(_LOOK_S)
        self.should_exit = True

    async def _serve_socket(self, listener: socket.socket) -> asyncio.Server:
        context = self.config.ssl
        if context is not None:
            self._front.refusals.notice_plain_http(context)
        handshake: dict[str, Any] = {"ssl_handshake_timeout": self._front.config.header_timeout_s} if context else {}
        return await asyncio.get_running_loop().create_server(
            self._make_protocol, sock=listener, ssl=context, backlog=BACKLOG, **handshake
        )

    def _make_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn calls it so
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def bound_connections(wanted: int) -> tuple[int, int]:
    """Return how many connections may be used, and how many more may ask for health.

    The system's bound on open files is raised as far as it may be; where it is lower, it counts.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + max(16, wanted // 20) + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted, max(16, wanted // 20)
    usable = max(2, soft - _OTHER_FILES)
    reserve = max(1, min(16, usable // 8))
    return usable - reserve, reserve
