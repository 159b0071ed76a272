"""The model servers among the peers: MLServer, BentoML, LitServe, TorchServe, KServe, MLflow and Ray Serve.

Each is measured as shipped, arrays of numbers in and probabilities out, no field looked at. The last four
are also measured like for like: named fields in, each of them checked, the whole output out.
"""

import json
import subprocess
from collections.abc import Callable
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


def _mlserver(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    door = tensors("/v2/models/classifier/infer")
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="mlserver",
        command=("{bin}/mlserver", "start", "{folder}"),
        one=door,
        many=door,
        loads=loads,
        prepare=_prepare_mlserver(batch),
    )


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
    door = arrays(path, lambda document: document)
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="bentoml",
        command=_BENTOML,
        one=door,
        many=door,
        loads=loads,
        variables={"BENTOML_HOME": "{folder}", "BENTOML_DO_NOT_TRACK": "True"},
    )


def _litserve(name: str, title: str, batch: int, loads: tuple[str, ...]) -> Peer:
    door = arrays("/predict", lambda document: document["probabilities"])
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="litserve",
        command=("{bin}/python", "litserve_app.py", "{port}", str(batch)),
        one=door,
        many=door,
        loads=loads,
    )


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
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="torchserve",
        command=command,
        one=door,
        many=door,
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
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="kserve",
        command=command,
        one=door,
        many=door,
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
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="mlflow",
        command=(*command, "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        one=door,
        many=door,
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
    form = "objects" if is_checking else "arrays"
    return Peer(
        name=name,
        title=title,
        kind=Kind.PEER,
        environment="rayserve",
        command=("{bin}/python", "rayserve_app.py", "{port}", str(batch), form),
        one=one_object("/predict") if is_checking else door,
        many=many_objects("/predict_batch") if is_checking else door,
        loads=loads,
        is_checking=is_checking,
        variables={
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": "{folder}",
        },
    )


PLATFORMS = (
    _mlserver("mlserver", "MLServer", 1, PLAIN),
    _mlserver("mlserver-batching", "MLServer, adaptive batching", LARGEST_BATCH, BATCHING),
    _bentoml("bentoml", "BentoML", "/predict", PLAIN),
    _bentoml("bentoml-batching", "BentoML, batching", "/predict_batched", BATCHING),
    _litserve("litserve", "LitServe", 1, PLAIN),
    _litserve("litserve-batching", "LitServe, batching", LARGEST_BATCH, BATCHING),
    *(
        peer
        for end, words, is_checking in _FORMS
        for peer in (
            _torchserve(f"torchserve{end}", f"TorchServe{words}", 1, PLAIN, is_checking=is_checking),
            _torchserve(
                f"torchserve-batching{end}",
                f"TorchServe, batching{words}",
                LARGEST_BATCH,
                BATCHING,
                is_checking=is_checking,
            ),
            _kserve(f"kserve{end}", f"KServe{words}", is_checking=is_checking),
            _mlflow(f"mlflow{end}", f"MLflow{words}", is_checking=is_checking),
            _rayserve(f"rayserve{end}", f"Ray Serve{words}", 1, PLAIN, is_checking=is_checking),
            _rayserve(
                f"rayserve-batching{end}",
                f"Ray Serve, batching{words}",
                LARGEST_BATCH,
                BATCHING,
                is_checking=is_checking,
            ),
        )
    ),
)
