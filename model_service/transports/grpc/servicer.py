"""`Servicer`: what each call of the protocol does, in the loop; whatever takes long runs in the loop's pool."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AbortError, ServicerContext

import model_service
from model_service.access.caller import get_caller, name_caller
from model_service.access.gate import Gate
from model_service.backends.loop import ServiceLoop
from model_service.backends.ticket import TableTicket, Ticket
from model_service.config import ServerConfig
from model_service.errors import Forbidden, ModelNotReady, PayloadMalformed, RateLimited, ServerBusy, ServiceError
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.records import ModelState, Payload, RequestContext
from model_service.registry.entry import ServedModel
from model_service.request_log import RequestLog
from model_service.schema.tensor_columns import write_table
from model_service.schema.tensor_rows import read_payloads, write_outputs
from model_service.schema.tensor_specs import Signatures
from model_service.schema.tensors import Tensor
from model_service.tracing.context import Trace
from model_service.tracing.tracer import Tracer
from model_service.transports.grpc.call import Call
from model_service.transports.grpc.codec import describe, read_tensors, write_answer
from model_service.transports.grpc.errors import UNEXPECTED_CODE, find_status, make_metadata, word_error
from model_service.transports.grpc.guard import find_address
from model_service.transports.grpc.messages import message
from model_service.transports.inference import (
    EXTENSIONS,
    NOT_OFFERED,
    NOT_OFFERED_CODE,
    PLATFORM,
    check_call,
    list_model,
    read_table,
)

if TYPE_CHECKING:
    from model_service.tables import Table

    #: Of payloads, as objects or as columns.
    Rows = list[Payload] | Table

logger = logging.getLogger(__name__)
Found = TypeVar("Found")

#: A larger message is parsed, checked and answered outside the loop.
LARGE_BYTES = 32 * 1024
#: Calls under way in one worker.
MOST_CALLS = 2048
_Request = message("ModelInferRequest")


class Servicer:
    """Answers calls.

    Args:
        loop: In which it is called.
        manager: Knows the models.
        predictions: The road.
        log: Gets a line per call.
        config: Bounds.
        gate: Has the limits on how often somebody may call.
        tracer: Begins the traces of calls; ``None`` where nothing is traced.
    """

    def __init__(
        self,
        loop: ServiceLoop,
        manager: ModelManager,
        predictions: PredictionService,
        log: RequestLog,
        config: ServerConfig,
        gate: Gate | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._loop = loop
        self._manager = manager
        self._predictions = predictions
        self._log = log
        self._config = config
        self._gate = gate
        self._tracer = tracer
        self._signatures = Signatures()
        self._held_bytes = 0
        self._calls = 0
        self.methods: dict[str, Callable[[Any, Call], Any]] = {
            "ServerLive": lambda request, call: {"live": True},
            "ServerReady": lambda request, call: {"ready": manager.is_ready()},
            "ModelReady": self._tell_model,
            "ServerMetadata": self._tell_server,
            "ModelMetadata": self._describe_model,
            "RepositoryIndex": self._list_models,
            "RepositoryModelLoad": self._refuse,
            "RepositoryModelUnload": self._refuse,
        }

    async def answer(
        self, name: str, classes: tuple[Any, Any], raw: bytes, context: ServicerContext[Any, Any]
    ) -> bytes:
        """Return the answer to one call, or abort it with a status."""
        call = Call(name, context, self._tracer)
        self._calls += 1
        try:
            if self._calls > MOST_CALLS:
                raise ServerBusy("as many calls are under way as may be", retry_after_s=1)
            if self._gate is not None and self._gate.rates is not None:
                await self._gate.rates.wait(get_caller(), find_address(context))
            if name == "ModelInfer":
                return await self._infer(raw, call)
            found = self.methods[name](_parse(classes[0], raw), call)
            answer: bytes = (classes[1](**found) if isinstance(found, dict) else found).SerializeToString()
            return answer
        except ServiceError as error:
            call.status = find_status(error)
            if self._gate is not None and isinstance(error, Forbidden | RateLimited):
                self._gate.audit.tell_refusal(error.code, name_caller(), "GRPC", name, find_address(context))
            call.code = error.code
            text, metadata = word_error(error), make_metadata(error, call.request_id)
            await context.abort(call.status, text, metadata)
        except (AbortError, asyncio.CancelledError):
            call.status = StatusCode.DEADLINE_EXCEEDED if call.is_late() else StatusCode.CANCELLED
            raise
        except NotImplementedError as error:
            call.status, call.code = StatusCode.UNIMPLEMENTED, NOT_OFFERED_CODE
            metadata = (("error-code", NOT_OFFERED_CODE), ("x-request-id", call.request_id))
            await context.abort(call.status, str(error), metadata)
        except Exception:  # a fault of ours: its text is for the log alone
            logger.exception("call %s (request %s) failed", name, call.request_id)
            call.status, call.code = StatusCode.INTERNAL, UNEXPECTED_CODE
            metadata = (("error-code", UNEXPECTED_CODE), ("x-request-id", call.request_id))
            await context.abort(call.status, f"an unexpected error; the log has it under {call.request_id}", metadata)
        finally:
            self._calls -= 1
            call.write(self._log)

    async def _infer(self, raw: bytes, call: Call) -> bytes:
        if self._held_bytes + len(raw) > self._config.max_pending_bytes:
            raise ServerBusy("the server holds as many large requests as it may", retry_after_s=2)
        self._held_bytes += len(raw)
        try:
            is_large = len(raw) > LARGE_BYTES
            request = await self._run(lambda: _parse(_Request, raw), is_apart=is_large)
            name, version = request.model_name, request.model_version or None
            with self._predictions.lease(name, version, call.find_header) as target:
                call.model = target.info
                is_large = is_large or not target.is_fast
                context = call.make_context(target)
                tensors, table = await self._run(
                    lambda: self._read(target, request, context.deadline), is_apart=is_large
                )
                if table is not None:
                    answer = await self._predict(target, request, table, context, is_apart=is_large)
                    if answer is not None:
                        call.tell(target)
                        return answer
                read = await self._run(lambda: self._read_rows(target, tensors, context.trace), is_apart=is_large)
                chosen, payloads = read
                call.model = chosen.info
                answer = await self._predict(chosen, request, payloads, context, is_apart=is_large)
                call.tell(chosen)
                return answer or b""
        finally:
            self._held_bytes -= len(raw)

    def _read(self, target: ServedModel, request: Any, deadline: float) -> "tuple[list[Tensor], Table | None]":
        """Return the tensors of a request; and as columns, where they need not be read as rows."""
        if request.inputs and request.inputs[0].shape:  # before anything is made of it
            refusal = self._predictions.find_refusal(target, max(1, request.inputs[0].shape[0]), deadline)
            if refusal is not None:
                raise refusal
        signature = self._signatures.find(target.info)
        tensors = read_tensors(request, self._config.max_body_values)
        check_call(self._predictions, signature, tensors, [output.name for output in request.outputs])
        return tensors, read_table(self._predictions, target, signature, tensors)

    def _read_rows(
        self, target: ServedModel, tensors: list[Tensor], trace: Trace | None
    ) -> tuple[ServedModel, list[Any]]:
        """Return the version that tensors go to, and their rows, all of them valid."""
        signature = self._signatures.find(target.info)
        payloads = read_payloads(signature, tensors, max_values=self._config.max_body_values)
        target = self._predictions.pin(target, payloads)
        if not self._predictions.accepts(target, payloads, trace):
            self._predictions.check(target, payloads)
        return target, payloads

    async def _predict(
        self, target: ServedModel, request: Any, asked: "Rows", context: RequestContext, *, is_apart: bool
    ) -> bytes | None:
        """Return the answer to rows; ``None`` for columns that are to be predicted as rows."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: Ticket) -> None:
            if not over.done():
                over.set_result(None)

        is_table = not isinstance(asked, list)
        kind: Any = TableTicket if is_table else Ticket
        ticket = kind(asked, context, lambda ticket: self._loop.post(end, ticket))
        # Rows may have to be encoded for another process; a table never.
        await self._run(lambda: self._predictions.submit(target, ticket), is_apart=is_apart and not is_table)
        try:
            await over
        except asyncio.CancelledError:  # the caller has left, or its deadline has passed
            self._predictions.cancel(target, ticket)
            raise
        return await self._run(lambda: self._write(target, request, ticket), is_apart=is_apart)

    def _write(self, target: ServedModel, request: Any, ticket: Ticket) -> bytes | None:
        wanted = [output.name for output in request.outputs] or None
        signature = self._signatures.find(target.info)
        if isinstance(ticket, TableTicket):
            table = self._predictions.settle_table(target, ticket)
            if table is None:
                return None
            tensors = write_table(signature, table, wanted)
        else:
            tensors = write_outputs(signature, self._predictions.settle(target, ticket, is_many=True), wanted)
        answer: bytes = write_answer(request, target.info, tensors).SerializeToString()
        return answer

    async def _run(self, work: Callable[[], Found], *, is_apart: bool) -> Found:
        """Return what some work returns, done here or in the pool."""
        if not is_apart:
            return work()
        over: asyncio.Future[Found] = asyncio.get_running_loop().create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if over.done():  # the caller has left
                return
            if error is None:
                over.set_result(result)
            else:
                over.set_exception(error)

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                self._loop.post(settle, None, error.with_traceback(None) if isinstance(error, ServiceError) else error)
            else:
                self._loop.post(settle, result, None)

        self._loop.compute(run)
        return await over

    def _tell_server(self, request: Any, call: Call) -> dict[str, Any]:
        return {"name": model_service.__name__, "version": model_service.__version__, "extensions": EXTENSIONS}

    def _tell_model(self, request: Any, call: Call) -> dict[str, Any]:
        status = self._manager.get_model_metadata(request.name, request.version or None)
        return {"ready": status.state is ModelState.READY}

    def _describe_model(self, request: Any, call: Call) -> Any:
        status = self._manager.get_model_metadata(request.name, request.version or None)
        if status.info is None:
            raise ModelNotReady(
                f"model '{request.name}' could not be read; the index of the repository says why", retry_after_s=None
            )
        versions = [each.version for each in self._manager.get_versions(request.name) if each.version is not None]
        answer = message("ModelMetadataResponse")(name=status.qualified_name, versions=versions, platform=PLATFORM)
        signature = self._signatures.find(status.info)
        describe(answer.inputs, signature.inputs.values())
        describe(answer.outputs, signature.outputs.values())
        return answer

    def _list_models(self, request: Any, call: Call) -> Any:
        answer = message("RepositoryIndexResponse")()
        for status in self._manager.get_models():
            if status.state is ModelState.READY or not request.ready:
                answer.models.add(**list_model(status))
        return answer

    def _refuse(self, request: Any, call: Call) -> Any:
        raise NotImplementedError(NOT_OFFERED)


def _parse(kind: Any, raw: bytes) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise PayloadMalformed("the message cannot be read; it is not of the protocol's inference.proto") from None
