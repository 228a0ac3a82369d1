"""A proxy for Spark Connect: it forwards every request byte for byte, refuses what serverless compute refuses, and counts.

It knows the service by the names of its methods and reads requests only to look at them, so it forwards what a newer client
or server says, too.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from pyspark.sql.connect.proto import base_pb2

from tools.rehearse import refusals

SERVICE = "spark.connect.SparkConnectService"
#: What the project calls round trips: statements that the engine runs, questions that it only plans for, and settings.
ROUND_TRIPS = ("ExecutePlan", "AnalyzePlan", "Config")
#: Methods whose answer is a stream, and whose request is one; all others are one request with one answer.
_ANSWER_STREAMS, _REQUEST_STREAMS = frozenset({"ExecutePlan", "ReattachExecute"}), frozenset({"AddArtifacts"})
_REQUESTS: dict[str, type[Message]] = {
    "ExecutePlan": base_pb2.ExecutePlanRequest,
    "AnalyzePlan": base_pb2.AnalyzePlanRequest,
    "Config": base_pb2.ConfigRequest,
    "AddArtifacts": base_pb2.AddArtifactsRequest,
}
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_THREADS = 64
#: Seconds that no deadline has.
_FAR = 1e8


@dataclass
class Counts:
    """What has passed since it was last taken.

    Attributes:
        calls: Requests, by method.
        sent: Bytes of requests.
        results: Bytes of rows that came to the client, by the statement that they answer.
        refused: What was refused, as the client was told.
    """

    calls: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    results: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        """Requests for which the client waits for the engine."""
        return sum(self.calls[method] for method in ROUND_TRIPS)


class Proxy:
    """Stands between clients and the server at `target`, an address HOST:PORT; `with Proxy(...) as proxy: proxy.address`.

    Args:
        target: The address of the server.
        volumes: The folder that stands for `/Volumes`.
        say: Called with a line about every request.
    """

    def __init__(self, target: str, volumes: str = "/Volumes", say: Callable[[str], None] | None = None) -> None:
        self._channel = grpc.insecure_channel(target, options=_ANY_SIZE)
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), handlers=[self], options=_ANY_SIZE)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._volumes, self._say = volumes, say
        self._lock, self._counts = threading.Lock(), Counts()

    def __enter__(self) -> Proxy:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=1).wait()
        self._channel.close()

    def take(self) -> Counts:
        """What has been counted, which begins anew."""
        with self._lock:
            counts, self._counts = self._counts, Counts()
        return counts

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """How a method is answered; None where it is not of Spark Connect."""
        path = handler_call_details.method
        service, _, method = path.lstrip("/").rpartition("/")
        if service != SERVICE:
            return None
        if method in _REQUEST_STREAMS:
            forward = self._channel.stream_unary(path)
            return grpc.stream_unary_rpc_method_handler(
                lambda requests, context: self._one(
                    forward, method, self._looked_at(method, requests, context), context
                )
            )
        if method in _ANSWER_STREAMS:
            stream = self._channel.unary_stream(path)
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: self._stream(stream, method, request, context)
            )
        unary = self._channel.unary_unary(path)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._one(unary, method, self._look(method, request, context), context)
        )

    def _one(self, forward: Any, method: str, request: Any, context: grpc.ServicerContext) -> bytes:
        try:
            answer, call = forward.with_call(request, metadata=_metadata(context), timeout=_timeout(context))
        except grpc.RpcError as error:
            _fail(error, context)
            raise
        context.set_trailing_metadata(call.trailing_metadata() or ())
        return bytes(answer)

    def _stream(self, forward: Any, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self._look(method, request, context)
        call = forward(request, metadata=_metadata(context), timeout=_timeout(context))
        context.add_callback(call.cancel)
        try:
            for answer in call:
                self._count_rows(answer)
                yield answer
        except grpc.RpcError as error:
            _fail(error, context)
        context.set_trailing_metadata(call.trailing_metadata() or ())

    def _looked_at(self, method: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        # looked at before any is forwarded: a generator that fails would leave the server waiting
        return iter([self._look(method, request, context) for request in requests])

    def _look(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Count a request; ends the call where it is refused."""
        refusal, summary = None, ""
        if kind := _REQUESTS.get(method):
            message = kind.FromString(request)
            refusal, summary = refusals.of(message, self._volumes), _in_short(message) if self._say else ""
        with self._lock:
            self._counts.calls[method] += 1
            self._counts.sent += len(request)
            if refusal:
                self._counts.refused.append(str(refusal))
        if self._say:
            self._say(f"{method} {len(request)} {summary}{f' REFUSED {refusal}' if refusal else ''}")
        if refusal:
            context.abort_with_status(rpc_status.to_status(_status(refusal)))
        return request

    def _count_rows(self, answer: bytes) -> None:
        try:
            message = base_pb2.ExecutePlanResponse.FromString(answer)
        except DecodeError:
            return
        if message.HasField("arrow_batch"):
            with self._lock:
                self._counts.results[message.operation_id] += len(message.arrow_batch.data)


def _metadata(context: grpc.ServicerContext) -> list[tuple[str, str | bytes]]:
    given = context.invocation_metadata()
    return [(key, value) for key, value in given if not key.startswith((":", "grpc-", "user-agent"))]


def _timeout(context: grpc.ServicerContext) -> float | None:
    """Seconds that are left of a call; None where it has no deadline, which reads as a time far away."""
    left = context.time_remaining()
    return left if left is not None and left < _FAR else None


def _fail(error: grpc.RpcError, context: grpc.ServicerContext) -> None:
    """End a call as the server has ended it."""
    call: Any = error
    context.set_trailing_metadata(call.trailing_metadata() or ())
    context.abort(call.code(), call.details() or "")


def _status(refusal: refusals.Refusal) -> Status:
    """An error as a server of Spark Connect tells it."""
    classes = ["org.apache.spark.sql.AnalysisException", "org.apache.spark.SparkThrowable"]
    info = ErrorInfo(reason=classes[0], domain="org.apache.spark")
    info.metadata.update({"classes": json.dumps(classes), "errorClass": refusal.error, "sqlState": refusal.state})
    detail = AnyMessage()
    detail.Pack(info)
    return Status(code=grpc.StatusCode.INTERNAL.value[0], message=str(refusal), details=[detail])


def _in_short(message: Message) -> str:
    """What a request wants, in a line."""
    return " ".join(str(message).split())[:600]
