"""What a prediction costs the server by the form it comes in: JSON objects, tensors over REST, tensors over gRPC.

    python -m benchmarks.tensors

Iris with one row and with 10,000 rows per request, one request after another on one connection; the server has one
core, the client the other. What counts is the CPU time of the server's processes per request. MLServer, which speaks
the same protocol, is given the same requests: one matrix of numbers, of which it checks no field, and all outputs back.
Needs MLServer's environment, which ``python -m benchmarks.serving`` makes.
"""

import argparse
import contextlib
import json
import os
import random
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc

from benchmarks.serving import places
from benchmarks.serving.launching import connect, encode, launch_peer
from benchmarks.serving.peers import PEERS
from benchmarks.serving.processes import LOAD_CORE, adopt_orphans, count_cpu_seconds, find_descendants
from model_service.transports.grpc.messages import SERVICE, find_classes

FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
HEADER = "Inference-Header-Content-Length"
Ask = Callable[[], None]


def draw_rows(count: int) -> list[list[float]]:
    """Return measurements in centimetres."""
    draw = random.Random(0)
    bounds = ((4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5))
    return [[round(draw.uniform(*each), 1) for each in bounds] for _ in range(count)]


def make_columns(rows: list[list[float]]) -> list[tuple[str, list[int], list[float]]]:
    """Return a tensor per field: name, shape, values."""
    return [(name, [len(rows)], [row[place] for row in rows]) for place, name in enumerate(FIELDS)]


def make_matrix(rows: list[list[float]]) -> list[tuple[str, list[int], list[float]]]:
    """Return one tensor for all fields."""
    return [("predict", [len(rows), len(FIELDS)], [value for row in rows for value in row])]


def pack(values: list[float]) -> bytes:
    """Return values as the protocol has them in bytes."""
    return struct.pack(f"<{len(values)}d", *values)


def post(connection: Any, path: str, body: bytes, **headers: str) -> Ask:
    """Return what sends a request over REST and reads the answer."""
    names = {"Content-Type": "application/json", **headers}

    def ask() -> None:
        connection.request("POST", path, body, names)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:300]

    return ask


def list_rest(connection: Any, path: str, rows: list[list[float]], tensors: Any, outputs: Any) -> Iterator[Any]:
    """Yield the forms of V2 over REST."""
    entries = [{"name": name, "datatype": "FP64", "shape": shape, "data": data} for name, shape, data in tensors]
    yield "REST, JSON tensors", post(connection, path, encode({"inputs": entries, **outputs}))


def list_binary(connection: Any, path: str, tensors: Any) -> Iterator[Any]:
    """Yield V2 over REST with tensors as bytes, both ways."""
    parts = [pack(data) for _, _, data in tensors]
    entries = [
        {"name": name, "datatype": "FP64", "shape": shape, "parameters": {"binary_data_size": len(part)}}
        for (name, shape, _), part in zip(tensors, parts, strict=True)
    ]
    head = encode({"inputs": entries, "parameters": {"binary_data_output": True}})
    yield "REST, tensors as bytes", post(connection, path, head + b"".join(parts), **{HEADER: str(len(head))})


def list_grpc(channel: grpc.Channel, model: str, tensors: Any, outputs: tuple[str, ...]) -> Iterator[Any]:
    """Yield the forms of V2 over gRPC."""
    method = SERVICE.methods_by_name["ModelInfer"]
    taken, given = find_classes(method)
    infer = channel.unary_unary(f"/{SERVICE.full_name}/ModelInfer", taken.SerializeToString, given.FromString)
    for title, is_raw in (("gRPC, typed contents", False), ("gRPC, raw contents", True)):
        request = taken(model_name=model)
        for name, shape, data in tensors:
            entry = request.inputs.add(name=name, datatype="FP64", shape=shape)
            if is_raw:
                request.raw_input_contents.append(pack(data))
            else:
                entry.contents.fp64_contents.extend(data)
        for name in outputs:
            request.outputs.add(name=name)
        yield title, lambda request=request: infer(request, timeout=60)


def measure(ask: Ask, seconds: float) -> tuple[float, float]:
    """Return CPU milliseconds of the server and milliseconds of the clock per request: the best of some slices."""
    for _ in range(3):
        ask()
    found = []
    for _ in range(4):
        before, started, count = find_descendants(os.getpid()), time.perf_counter(), 0
        while time.perf_counter() - started < seconds / 4:
            ask()
            count += 1
        took = time.perf_counter() - started
        spent = count_cpu_seconds(before, find_descendants(os.getpid()))
        found.append((1000 * spent / count, 1000 * took / count))
    return min(found)


@contextlib.contextmanager
def serve(name: str) -> Iterator[tuple[Any, grpc.Channel]]:
    """Run a server; give a connection to each of its doors."""
    peer = next(peer for peer in PEERS if peer.name == name)
    ports: list[int] = []

    def prepare(start: Any) -> None:
        peer.prepare(start)
        ports.append(start.other_ports[0])  # MLServer's for gRPC
        if name == "ours":
            path = start.folder / "config.yaml"
            path.write_text(json.dumps({**json.loads(path.read_text()), "server": {"grpc_port": ports[0]}}))

    options = [("grpc.max_receive_message_length", -1)]
    flower = dict(zip(FIELDS, (5.1, 3.5, 1.4, 0.2), strict=True))
    with contextlib.ExitStack() as stack:
        up = stack.enter_context(launch_peer(replace(peer, prepare=prepare), "iris", flower))
        connection = stack.enter_context(connect(up.port))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{ports[0]}", options))
        grpc.channel_ready_future(channel).result(timeout=30)
        yield connection, channel


def list_ours(connection: Any, channel: grpc.Channel, rows: list[list[float]]) -> Iterator[Any]:
    """Yield the forms of this project's server."""
    objects = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    path = "/v2/models/iris_model/infer"
    yield "REST, JSON objects", post(connection, "/api/models/iris_model/predict", encode(objects))
    for shape, tensors in (("a tensor per field", make_columns(rows)), ("one matrix", make_matrix(rows))):
        forms = (
            *list_rest(connection, path, rows, tensors, {}),
            *list_binary(connection, path, tensors),
            *list_grpc(channel, "iris_model", tensors, ()),
        )
        for title, ask in forms:
            yield f"{title}, {shape}", ask


def list_mlserver(connection: Any, channel: grpc.Channel, rows: list[list[float]]) -> Iterator[Any]:
    """Yield the forms of MLServer: class and probabilities, as this project answers them."""
    wanted = ("predict", "predict_proba")
    tensors = make_matrix(rows)
    path = "/v2/models/classifier/infer"
    outputs = {"outputs": [{"name": name} for name in wanted]}
    for title, ask in (
        *list_rest(connection, path, rows, tensors, outputs),
        *list_grpc(channel, "classifier", tensors, wanted),
    ):
        yield f"{title}, one matrix", ask


def main() -> None:
    """Measure every form of both servers, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each form")
    seconds = parser.parse_args().seconds
    adopt_orphans()
    os.sched_setaffinity(0, {LOAD_CORE})
    places.LOGS.mkdir(parents=True, exist_ok=True)
    print("| server | form | 1 row, CPU ms | ms | 10,000 rows, CPU ms | ms |\n|---|---|--:|--:|--:|--:|")
    for name, title, list_forms in (("ours", "model_service", list_ours), ("mlserver", "MLServer", list_mlserver)):
        with serve(name) as (connection, channel):
            one, many = (list(list_forms(connection, channel, draw_rows(count))) for count in (1, 10_000))
            for (form, ask), (_, ask_many) in zip(one, many, strict=True):
                figures = (*measure(ask, seconds), *measure(ask_many, seconds))
                print(f"| {title} | {form} | {' | '.join(f'{each:.3g}' for each in figures)} |", flush=True)


if __name__ == "__main__":
    main()
