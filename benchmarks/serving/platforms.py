"""The model servers among the peers: MLServer, BentoML, LitServe, TorchServe, KServe, MLflow and Ray Serve.

Each is measured as shipped, arrays of numbers in and probabilities out, no field looked at. The last four
are also measured like for like: named fields in, each of them checked, the whole output out.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.serving.doors import MakeDoor, arrays, many_objects, one_object, tensors
from benchmarks.serving.entry import BATCHING, LARGEST_BATCH, LIKE_FOR_LIKE_TITLE, PLAIN, Kind, Peer, Start

_BENTOML = ("{bin}/bentoml", "serve", "bentoml_app:Classifier", "--host", "127.0.0.1", "--port", "{port}")
_BATCH_WAIT_MS = 5
#: Forms of the peers that have both: the end of the name, the end of the title, whether fields are checked.
_FORMS = (("", "", False), ("-checking", LIKE_FOR_LIKE_TITLE, True))
#: TorchServe would write several lines per request.
_LOG4J = """<Configuration>
  <Appenders><Console name="console"><PatternLayout pattern="%d %m%n"/></Console></Appenders>
  <Loggers><Root level="error"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"""


def _platform(name: str, title: str, door: MakeDoor, command: tuple[str, ...], **facts: Any) -> Peer:
    """Return a model server; its environment is named like it, and many rows go to the door of one unless told."""
    facts = {"many": door, **facts}
    environment = name.partition("-")[0]
    return Peer(name=name, title=title, kind=Kind.PEER, environment=environment, command=command, one=door, **facts)


def _mlserver(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    command = ("{bin}/mlserver", "start", "{folder}")
    door = tensors("/v2/models/classifier/infer")
    return _platform(name, title, door, command, loads=loads, prepare=_prepare_mlserver(batch))


def _prepare_mlserver(batch: int) -> Callable[[Start], None]:
    def prepare(start: Start) -> None:
        grpc_port, metrics_port, *_ = start.other_ports
        settings = {"host": "127.0.0.1", "http_port": start.port, "grpc_port": grpc_port, "metrics_port": metrics_port}
        # Its pool of processes costs a hop and gives one worker nothing.
        settings |= {"parallel_workers": 0, "debug": False}
        model: dict[str, Any] = {
            "name": "classifier",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(start.fitted / f"{start.model}.joblib")},
        }
        if batch > 1:
            model |= {"max_batch_size": batch, "max_batch_time": _BATCH_WAIT_MS / 1000}
        (start.folder / "settings.json").write_text(json.dumps(settings))
        (start.folder / "classifier").mkdir()
        (start.folder / "classifier" / "model-settings.json").write_text(json.dumps(model))

    return prepare


def _bentoml(name: str, title: str, path: str, loads: tuple[str, ...]) -> Peer:
    variables = {"BENTOML_HOME": "{folder}", "BENTOML_DO_NOT_TRACK": "True"}
    return _platform(name, title, arrays(path, lambda document: document), _BENTOML, loads=loads, variables=variables)


def _litserve(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    command = ("{bin}/python", "litserve_app.py", "{port}", str(batch))
    return _platform(name, title, arrays("/predict", lambda document: document["probabilities"]), command, loads=loads)


def _torchserve(name: str, title: str, batch: int, loads: tuple[str, ...], *, is_checking: bool) -> Peer:
    path = "/predictions/classifier"
    door = (
        many_objects(path, "rows", "outputs")
        if is_checking
        else arrays(path, lambda document: document["probabilities"])
    )
    command = ("{bin}/torchserve", "--start", "--foreground", "--ncs", "--disable-token-auth")
    command += ("--model-store", "{folder}/store", "--models", "classifier=classifier")
    command += ("--ts-config", "{folder}/config.properties", "--log-config", "{folder}/log4j2.xml")
    return _platform(
        name,
        title,
        door,
        command,
        loads=loads,
        is_checking=is_checking,
        # The virtual machine compiles what it runs often; until then it is several times slower.
        warm_up_s=12,
        variables={"TEMP": "{folder}", "LOG_LOCATION": "{folder}", "METRICS_LOCATION": "{folder}"},
        prepare=_prepare_torchserve(batch, is_checking=is_checking),
    )


def _prepare_torchserve(batch: int, *, is_checking: bool) -> Callable[[Start], None]:
    def prepare(start: Start) -> None:
        addresses = ("inference_address", "management_address", "metrics_address")
        ports = (start.port, *start.other_ports)
        lines = [f"{name}=http://127.0.0.1:{port}" for name, port in zip(addresses, ports, strict=False)]
        lines += [f"grpc_inference_port={ports[3]}", f"grpc_management_port={ports[4]}", "number_of_netty_threads=1"]
        (start.folder / "config.properties").write_text("\n".join([*lines, ""]))
        (start.folder / "log4j2.xml").write_text(_LOG4J)
        model = {"minWorkers": 1, "maxWorkers": 1, "batchSize": batch, "maxBatchDelay": _BATCH_WAIT_MS}
        settings = model | {"responseTimeout": 120, "handler": {"is_checking": is_checking}}
        manifest = {
            "createdOn": "",
            "runtime": "python",
            "model": {
                "modelName": "classifier",
                "modelVersion": "1.0",
                "handler": "torchserve_handler.py",
                "configFile": "model.yaml",
            },
            "archiverVersion": "0.12.0",
        }
        folder = start.folder / "store" / "classifier"
        (folder / "MAR-INF").mkdir(parents=True)
        (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
        (folder / "model.yaml").write_text(json.dumps(settings))
        (start.folder / "torchserve_handler.py").rename(folder / "torchserve_handler.py")

    return prepare


def _kserve(name: str, title: str, *, is_checking: bool) -> Peer:
    path, form = "/v1/models/classifier:predict", "objects" if is_checking else "arrays"
    door = (
        many_objects(path, "instances", "predictions")
        if is_checking
        else arrays(path, lambda document: document["predictions"], "instances")
    )
    command = ("{bin}/python", "kserve_app.py", "--form", form, "--http_port", "{port}", "--enable_grpc", "false")
    command += ("--enable_latency_logging", "false", "--log_config_file", "{folder}/logging.json")
    return _platform(
        name,
        title,
        door,
        command,
        is_checking=is_checking,
        # FastAPI would warn of KServe's own code once per request.
        variables={"PYTHONWARNINGS": "ignore"},
        prepare=_prepare_kserve,
    )


def _prepare_kserve(start: Start) -> None:
    levels = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
    (start.folder / "logging.json").write_text(json.dumps(levels))


def _mlflow(name: str, title: str, *, is_checking: bool) -> Peer:
    door = (
        many_objects("/invocations", "dataframe_records", "predictions")
        if is_checking
        else arrays("/invocations", lambda document: document["predictions"], "inputs")
    )
    command = ("{bin}/mlflow", "models", "serve", "--model-uri", "{folder}/classifier", "--env-manager", "local")
    return _platform(
        name,
        title,
        door,
        (*command, "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        is_checking=is_checking,
        variables={"UVICORN_ACCESS_LOG": "false", "UVICORN_LOG_LEVEL": "warning"},
        prepare=_prepare_mlflow(is_checking=is_checking),
    )


def _prepare_mlflow(*, is_checking: bool) -> Callable[[Start], None]:
    def prepare(start: Start) -> None:
        form = "objects" if is_checking else "arrays"
        fitted = start.fitted / f"{start.model}.joblib"
        command = [str(start.bin / "python"), "mlflow_model.py", form, str(fitted), "classifier"]
        subprocess.run(command, cwd=start.folder, check=True, capture_output=True)  # noqa: S603 - our own words

    return prepare


def _rayserve(name: str, title: str, batch: int, loads: tuple[str, ...], *, is_checking: bool) -> Peer:
    door: MakeDoor = arrays("/predict", lambda document: document["probabilities"])
    form, many = "arrays", door
    if is_checking:
        form, door, many = "objects", one_object("/predict"), many_objects("/predict_batch")
    return _platform(
        name,
        title,
        door,
        ("{bin}/python", "rayserve_app.py", "{port}", str(batch), form),
        many=many,
        loads=loads,
        is_checking=is_checking,
        variables={"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": "{folder}"},
    )


def _pair(
    make: Callable[..., Peer],
    name: str,
    title: str,
    batching: str = "batching",
    *,
    end: str = "",
    words: str = "",
    **facts: Any,
) -> Iterator[Peer]:
    """Yield a server as it is for few connections, and as it batches for many."""
    yield make(f"{name}{end}", f"{title}{words}", 1, PLAIN, **facts)
    yield make(f"{name}-batching{end}", f"{title}, {batching}{words}", LARGEST_BATCH, BATCHING, **facts)


def _both_forms() -> Iterator[Peer]:
    for end, words, is_checking in _FORMS:
        facts: dict[str, Any] = {"end": end, "words": words, "is_checking": is_checking}
        yield from _pair(_torchserve, "torchserve", "TorchServe", **facts)
        yield _kserve(f"kserve{end}", f"KServe{words}", is_checking=is_checking)
        yield _mlflow(f"mlflow{end}", f"MLflow{words}", is_checking=is_checking)
        yield from _pair(_rayserve, "rayserve", "Ray Serve", **facts)


PLATFORMS = (
    *_pair(_mlserver, "mlserver", "MLServer", "adaptive batching"),
    _bentoml("bentoml", "BentoML", "/predict", PLAIN),
    _bentoml("bentoml-batching", "BentoML, batching", "/predict_batched", BATCHING),
    *_pair(_litserve, "litserve", "LitServe"),
    *_both_forms(),
)
