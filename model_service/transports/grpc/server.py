"""`GrpcServer`: the listening gRPC server of one worker, with its bounds, the health service and reflection.

Each worker listens on the port by itself, and the kernel spreads connections over them (SO_REUSEPORT).
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from model_service.access.gate import Gate
from model_service.backends.loop import ServiceLoop
from model_service.config import ServerConfig
from model_service.errors import ConfigInvalid
from model_service.listening import join_address
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.request_log import RequestLog
from model_service.tracing.tracer import Tracer
from model_service.transports.grpc.guard import Guard
from model_service.transports.grpc.messages import POOL, SERVICE, find_classes
from model_service.transports.grpc.servicer import Servicer

logger = logging.getLogger(__name__)

#: Calls that gRPC itself holds before they are looked at: more than the servicer refuses with words.
_MOST_PENDING = 16_384
#: A connection is closed after so long, and its calls have the time below to end: that bounds whoever opens calls and
#: sends nothing. Clients connect anew by themselves.
_LONGEST_CONNECTION_S, _LAST_CALLS_S = 600, 60
#: How often the health service looks at the models.
_LOOK_S = 0.25
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def build_server(
    loop: ServiceLoop,
    manager: ModelManager,
    predictions: PredictionService,
    log: RequestLog,
    config: ServerConfig,
    gate: Gate | None = None,
    tracer: Tracer | None = None,
) -> "GrpcServer":
    """Return the server of a worker, which listens, and accepts once it is started.

    Raises:
        ConfigInvalid: From `GrpcServer`.
    """
    servicer = Servicer(loop, manager, predictions, log, config, gate, tracer)
    return GrpcServer(config, servicer, manager.is_ready, gate)


class GrpcServer:
    """For the loop's thread.

    Args:
        config: Address, TLS and bounds; its ``grpc_port`` is not ``None``.
        servicer: Answers the calls.
        is_ready: Whether the service is, for the health service.
        gate: Who may call; ``None`` where everybody may.

    Raises:
        ConfigInvalid: The port is taken, or the TLS files cannot be read.
    """

    def __init__(
        self, config: ServerConfig, servicer: Servicer, is_ready: Callable[[], bool], gate: Gate | None = None
    ) -> None:
        self._config = config
        self._is_ready = is_ready
        guards = [Guard(gate)] if gate is not None and gate.keyring is not None else []
        self._server = grpc.aio.server(options=_list_options(config), interceptors=guards)
        self._health = health.aio.HealthServicer()
        self._looking: asyncio.Task[None] | None = None
        handlers = {method.name: _make_handler(servicer, method) for method in SERVICE.methods}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server, pool=_add_health(POOL))
        self._bind()

    async def start(self) -> None:
        """Accept calls."""
        await self._look()
        await self._server.start()
        self._looking = asyncio.get_running_loop().create_task(self._keep_looking())

    async def stop(self, timeout_s: float | None = None) -> None:
        """Accept no more calls, and return when those under way have been answered, or their time is over.

        Args:
            timeout_s: How long that may take; by default as long as the end of the service.
        """
        if self._looking is not None:
            self._looking.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._config.shutdown_timeout_s if timeout_s is None else timeout_s)

    def _bind(self) -> None:
        config = self._config
        address = join_address(config.host, config.grpc_port)
        try:
            if config.tls_certificate is None or config.tls_key is None:
                self._server.add_insecure_port(address)
            else:
                pair = _Pair(config.tls_key, config.tls_certificate)
                credentials = grpc.dynamic_ssl_server_credentials(pair.read(), pair.find_new)
                self._server.add_secure_port(address, credentials)
        except (RuntimeError, OSError) as error:
            raise ConfigInvalid(f"gRPC cannot listen on {address}: {error}; set server.grpc_port") from error

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._look()

    async def _look(self) -> None:
        status = _SERVING if self._is_ready() else _NOT_SERVING
        for name in ("", SERVICE.full_name):
            await self._health.set(name, status)


class _Pair:
    """Key and certificate, read again when the files change. gRPC asks at each handshake, in threads of its own."""

    def __init__(self, key: Path, certificate: Path) -> None:
        self._paths = key, certificate
        self._raw: tuple[bytes, bytes] | None = None

    def read(self) -> Any:
        """Return the configuration of the files as they are."""
        self._raw = key, certificate = self._paths[0].read_bytes(), self._paths[1].read_bytes()
        return grpc.ssl_server_certificate_configuration([(key, certificate)])

    def find_new(self) -> Any:
        """Return a configuration to be used from now on; ``None`` where nothing has changed, or does not fit."""
        try:
            if self._raw == (self._paths[0].read_bytes(), self._paths[1].read_bytes()):
                return None
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._paths[1], self._paths[0])
            return self.read()
        except OSError:  # ssl.SSLError is one; the log has it from HTTP
            return None


def _make_handler(servicer: Servicer, method: Any) -> Any:
    classes = find_classes(method)

    async def answer(raw: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return await servicer.answer(method.name, classes, raw, context)

    # Without functions for messages: a large one must not be parsed in the loop.
    handler: Callable[..., Awaitable[bytes]] = answer
    return grpc.unary_unary_rpc_method_handler(handler)


def _add_health(pool: Any) -> Any:
    """Return a pool in which reflection finds the health service, too."""
    for descriptor in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        file = descriptor_pb2.FileDescriptorProto()
        descriptor.CopyToProto(file)
        pool.Add(file)
    return pool


def _list_options(config: ServerConfig) -> list[tuple[str, Any]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.server.max_pending_requests", _MOST_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
        ("grpc.max_receive_message_length", config.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_connection_idle_ms", int(config.keep_alive_timeout_s * 1000)),
        ("grpc.max_connection_age_ms", _LONGEST_CONNECTION_S * 1000),
        ("grpc.max_connection_age_grace_ms", _LAST_CALLS_S * 1000),
        ("grpc.server_handshake_timeout_ms", int(config.header_timeout_s * 1000)),
    ]
