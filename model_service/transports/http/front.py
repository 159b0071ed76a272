"""`Front`: what all connections of one worker share: the road, the log, bounds, and the bytes that they hold."""

from model_service.access.gate import Gate
from model_service.backends.loop import ServiceLoop
from model_service.config import ServiceConfig
from model_service.errors import ServerBusy, ServiceError
from model_service.jobs.places import JobAccess
from model_service.manager import ModelManager
from model_service.metrics.meters import Meters
from model_service.prediction import PredictionService
from model_service.registry.entry import ServedModel
from model_service.registry.generation import Generation
from model_service.request_log import RequestLog
from model_service.tracing.tracer import Tracer
from model_service.transports.http.cors import CrossOrigin
from model_service.transports.http.freed import FreedMemory
from model_service.transports.http.hosts import AllowedHosts
from model_service.transports.http.plain import Headers, PlainHead, find_header
from model_service.transports.http.proxies import TrustedProxies
from model_service.transports.http.refusals import Refusals

#: A larger body is counted, and decoded outside the loop. Smaller ones are bounded by the number of connections.
LARGE_BYTES = 32 * 1024
#: Large bodies that wait to be decoded, or are, in one worker; one model may have half of them. What waits longer
#: than that is better told at once.
MOST_PREPARING = 64


def service_ended() -> ServerBusy:
    """Return what is answered when the service ends, and has waited for a request for as long as it does."""
    return ServerBusy("the service ended before there was an answer; send the request again", retry_after_s=1)


class Front:
    """What the connections of one worker share; for the loop's thread.

    Attributes:
        config: Of the server.
        invocations: How the routes of hosting platforms answer.
        jobs: The way to the jobs; ``None`` for a service without.
        meters: Count; ``None`` where nothing is counted.
        tracer: Begins the traces of requests; ``None`` where nothing is traced.
        hosts: For which hosts requests are answered.
        cors: Which pages of other origins may call.
        proxies: Whose word counts for the path prefix.
        freed: Gives back what large bodies took.
        refusals: Who was sent away before there was a request.
        gate: Who may call; ``None`` where everybody may.
        keyring: Its keys, if there are any.
        rates: Its limits, if there are any.
        is_draining: Whether the worker is about to end: every answer closes its connection.
        is_ending: Whether it waits for no further request: connections without one are closed.
        max_connections: How many may be open.
        reserved_connections: How many more may ask for health.
    """

    def __init__(
        self,
        loop: ServiceLoop,
        manager: ModelManager,
        service: PredictionService,
        log: RequestLog,
        config: ServiceConfig,
        jobs: JobAccess | None = None,
        gate: Gate | None = None,
        meters: Meters | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.loop = loop
        self.manager = manager
        self.service = service
        self.log = log
        self.config = server = config.server
        self.invocations = config.invocations
        self.jobs = jobs
        self.meters = meters
        self.tracer = tracer
        self.hosts = AllowedHosts(server)
        self.proxies = TrustedProxies(server)
        self.cors = CrossOrigin(server, config.invocations)
        self.freed = FreedMemory(loop)
        self.refusals = Refusals()
        self.gate = gate
        self.keyring = gate.keyring if gate is not None else None
        self.rates = gate.rates if gate is not None else None
        self.is_draining = self.is_ending = False
        self.max_connections, self.reserved_connections = server.max_connections, 16
        self._most_each = max(server.max_pending_bytes // 2, server.max_body_bytes)
        self._preparing: dict[str, int] = {}
        self._held_bytes = 0
        self._held_by: dict[str, int] = {}

    def find_target(self, head: PlainHead, headers: Headers) -> tuple[ServedModel | None, Generation | None]:
        """Return what answers a plain request, if it can be told from its headers, and as long as what it stays so."""
        generation = self.manager.generation
        try:
            target = self.service.find_target(head.name, head.version, lambda name: find_header(headers, name))
        except ServiceError:
            return None, None
        if target.split is not None:
            return None, None
        return target, None if generation.is_split(head.name) else generation

    def may_prepare(self, owner: str) -> bool:
        """Count one more body that waits to be decoded; or return that there are too many, in all or for a model.

        Undone by `end_preparing`.
        """
        own = self._preparing.get(owner, 0)
        if own >= MOST_PREPARING // 2 or sum(self._preparing.values()) >= MOST_PREPARING:
            return False
        self._preparing[owner] = own + 1
        return True

    def end_preparing(self, owner: str) -> None:
        """Undo `may_prepare`."""
        self._preparing[owner] -= 1

    def hold(self, owner: str, size_bytes: int) -> None:
        """Count bytes of a large body.

        Args:
            owner: The model they are for, or an empty text.
            size_bytes: How many more there are.

        Raises:
            ServerBusy: There is no room for them.
        """
        own = self._held_by.get(owner, 0) + size_bytes
        if self._held_bytes + size_bytes > self.config.max_pending_bytes or own > self._most_each:
            raise ServerBusy("the server holds as many large requests as it may", retry_after_s=2)
        self._held_bytes += size_bytes
        self.freed.note(self._held_bytes)
        self._held_by[owner] = own

    def release(self, owner: str, size_bytes: int) -> None:
        """Undo `hold`."""
        self._held_bytes -= size_bytes
        self.freed.note(self._held_bytes)
        self._held_by[owner] -= size_bytes
        if not self._held_by[owner]:
            del self._held_by[owner]
