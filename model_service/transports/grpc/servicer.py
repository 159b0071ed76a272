"""`Servicer`: what each call of the protocol does, in the loop; whatever takes long runs in the loop's pool."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AbortError, ServicerContext

import model_service
from model_service.backends.loop import ServiceLoop
from model_service.backends.ticket import Ticket
from model_service.config import ServerConfig
from model_service.errors import ModelNotReady, PayloadMalformed, ServerBusy, ServiceError
from model_service.manager import ModelManager
from model_service.observability import choose_request_id
from model_service.prediction import PredictionService
from model_service.records import ModelState, Output, RequestContext
from model_service.registry.entry import ServedModel
from model_service.request_log import RequestLog
from model_service.schema.tensor_rows import write_outputs
from model_service.schema.tensor_specs import Signatures
from model_service.transports.grpc.codec import describe, read_tensors, write_answer
from model_service.transports.grpc.errors import UNEXPECTED_CODE, find_status, make_metadata, word_error
from model_service.transports.grpc.messages import SERVICE, message
from model_service.transports.inference import (
    EXTENSIONS,
    NOT_OFFERED,
    NOT_OFFERED_CODE,
    PLATFORM,
    list_model,
    read_rows,
)

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
    """

    def __init__(
        self,
        loop: ServiceLoop,
        manager: ModelManager,
        predictions: PredictionService,
        log: RequestLog,
        config: ServerConfig,
    ) -> None:
        self._loop = loop
        self._manager = manager
        self._predictions = predictions
        self._log = log
        self._config = config
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
        call = Call(name, context)
        self._calls += 1
        try:
            if self._calls > MOST_CALLS:
                raise ServerBusy("as many calls are under way as may be", retry_after_s=1)
            if name == "ModelInfer":
                return await self._infer(raw, call)
            found = self.methods[name](_parse(classes[0], raw), call)
            answer: bytes = (classes[1](**found) if isinstance(found, dict) else found).SerializeToString()
            return answer
        except ServiceError as error:
            call.status = find_status(error)
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

    async def _infer(self, raw: bytes, call: "Call") -> bytes:
        if self._held_bytes + len(raw) > self._config.max_pending_bytes:
            raise ServerBusy("the server holds as many large requests as it may", retry_after_s=2)
        self._held_bytes += len(raw)
        try:
            is_large = len(raw) > LARGE_BYTES
            request = await self._run(lambda: _parse(_Request, raw), is_apart=is_large)
            with self._predictions.lease(request.model_name, request.model_version or None) as target:
                call.model = target.info
                is_large = is_large or not target.is_fast
                context = call.make_context(target)
                payloads = await self._run(lambda: self._read(target, request, context.deadline), is_apart=is_large)
                outputs = await self._predict(target, payloads, context, is_apart=is_large)
                call.tell(target)
                return await self._run(lambda: self._write(target, request, outputs), is_apart=is_large)
        finally:
            self._held_bytes -= len(raw)

    def _read(self, target: ServedModel, request: Any, deadline: float) -> list[Any]:
        """Return the payloads of a request; all of them are the model's."""
        if request.inputs and request.inputs[0].shape:  # before anything is made of it
            refusal = self._predictions.find_refusal(target, max(1, request.inputs[0].shape[0]), deadline)
            if refusal is not None:
                raise refusal
        most = self._config.max_body_values
        signature = self._signatures.find(target.info)
        tensors = read_tensors(request, most)
        wanted = [output.name for output in request.outputs]
        payloads = read_rows(self._predictions, signature, tensors, wanted, max_values=most)
        if not self._predictions.accepts(target, payloads):
            self._predictions.check(target, payloads)
        return payloads

    async def _predict(
        self, target: ServedModel, payloads: list[Any], context: RequestContext, *, is_apart: bool
    ) -> list[Output]:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: Ticket) -> None:
            if not over.done():
                over.set_result(None)

        ticket = Ticket(payloads, context, lambda ticket: self._loop.post(end, ticket))
        await self._run(lambda: self._predictions.submit(target, ticket), is_apart=is_apart)
        try:
            await over
        except asyncio.CancelledError:  # the caller has left, or its deadline has passed
            self._predictions.cancel(target, ticket)
            raise
        return await self._run(lambda: self._predictions.settle(target, ticket, is_many=True), is_apart=is_apart)

    def _write(self, target: ServedModel, request: Any, outputs: list[Output]) -> bytes:
        wanted = [output.name for output in request.outputs] or None
        tensors = write_outputs(self._signatures.find(target.info), outputs, wanted)
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

    def _tell_server(self, request: Any, call: "Call") -> dict[str, Any]:
        return {"name": model_service.__name__, "version": model_service.__version__, "extensions": EXTENSIONS}

    def _tell_model(self, request: Any, call: "Call") -> dict[str, Any]:
        status = self._manager.get_model_metadata(request.name, request.version or None)
        return {"ready": status.state is ModelState.READY}

    def _describe_model(self, request: Any, call: "Call") -> Any:
        status = self._manager.get_model_metadata(request.name, request.version or None)
        if status.info is None:
            raise ModelNotReady(f"model '{request.name}' could not be read; the index of the repository says why")
        versions = [each.version for each in self._manager.get_versions(request.name) if each.version is not None]
        answer = message("ModelMetadataResponse")(name=status.qualified_name, versions=versions, platform=PLATFORM)
        signature = self._signatures.find(status.info)
        describe(answer.inputs, signature.inputs.values())
        describe(answer.outputs, signature.outputs.values())
        return answer

    def _list_models(self, request: Any, call: "Call") -> Any:
        answer = message("RepositoryIndexResponse")()
        for status in self._manager.get_models():
            if status.state is ModelState.READY or not request.ready:
                answer.models.add(**list_model(status))
        return answer

    def _refuse(self, request: Any, call: "Call") -> Any:
        raise NotImplementedError(NOT_OFFERED)


class Call:
    """One call, from its arrival to its line in the log.

    Args:
        name: Of the method.
        context: gRPC's own.

    Attributes:
        request_id: The caller's, or a new one.
        status: What it ended with.
        model: The model that it asked, once that is known.
        code: Of the error that it ended with.
    """

    def __init__(self, name: str, context: ServicerContext[Any, Any]) -> None:
        self._name = name
        self._context = context
        self._arrived = time.monotonic()
        offered = next((value for key, value in context.invocation_metadata() or () if key == "x-request-id"), None)
        self.request_id = choose_request_id(offered if isinstance(offered, str) else None)
        self.status = StatusCode.OK
        self.model: Any = None
        self.code: str | None = None

    def make_context(self, target: ServedModel) -> RequestContext:
        """Return the context of a prediction: the deadline is the earlier one of caller and model."""
        left = self._context.time_remaining()
        patience = target.timeout_s if left is None else min(target.timeout_s, left)
        return RequestContext(self.request_id, self._arrived, self._arrived + patience)

    def is_late(self) -> bool:
        """Whether the caller's deadline has passed."""
        left = self._context.time_remaining()
        return left is not None and left <= 0

    def tell(self, target: ServedModel) -> None:
        """Say in the trailing metadata which model has answered."""
        self._context.set_trailing_metadata(
            (("x-request-id", self.request_id), ("x-model-version", target.info.version))
        )

    def write(self, log: RequestLog) -> None:
        """Write its line."""
        model, path = self.model, f"/{SERVICE.full_name}/{self._name}"
        log.write(
            "GRPC",
            path,
            int(self.status.value[0]),
            model.qualified_name if model is not None else None,
            model.version if model is not None else None,
            time.monotonic() - self._arrived,
            self.request_id,
            route=path,
            code=self.code,
            outcome=self.status.name,
        )


def _parse(kind: Any, raw: bytes) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise PayloadMalformed("the message cannot be read; it is not of the protocol's inference.proto") from None
