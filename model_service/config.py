"""What can be configured: each key is one `setting` below. It reads nothing.

Name, type, default, bounds and sentence of a key serve the loader
(`model_service.config_file`), the error messages and ``docs/configuration.md``
(`model_service.config_keys`).
"""

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from model_service.config_access import AccessConfig
from model_service.config_jobs import JobsConfig
from model_service.config_metrics import MetricsConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.config_setting import MIB, setting
from model_service.config_tracing import TracingConfig
from model_service.config_traffic import TrafficConfig

#: It begins with one slash, has no dots to climb by, and ends without a slash.
PATH_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class BackendName(StrEnum):
    """Where a model's code runs."""

    LOCAL = "local"
    PROCESS = "process"


class Batching(StrEnum):
    """Whether rows of different requests are predicted together."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class ExecutionChoice(StrEnum):
    """Where a worker runs the batches of a `local` model."""

    AUTO = "auto"
    IN_LOOP = "in_loop"
    DISPATCHED = "dispatched"


class ReadyRule(StrEnum):
    """Which models must be ready for the service to be."""

    ANY = "any"
    ALL = "all"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How the HTTP server listens and what it refuses."""

    host: str = setting("127.0.0.1", help="Address to listen on; `0.0.0.0` for every interface.")
    port: int = setting(8000, bounds=(1, 65535), help="Port to listen on.")
    grpc_port: int | None = setting(
        None,
        bounds=(1, 65535),
        help="Port of the Open Inference Protocol over gRPC, at `host`; null: none. Needs the extra `grpc`.",
    )
    unix_socket: Path | None = setting(
        None, help="Path of a Unix socket to listen on instead of `host` and `port`, for a proxy on the same machine."
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        help="Host names for which requests are answered; others get 421. `*`: all. Empty: a service on a loopback "
        "address answers for `localhost`, loopback addresses and `host`; any other service answers for all.",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        help="Origins whose pages may call the API from a browser, such as `https://app.example`. `*`: all. Empty: "
        "none.",
    )
    cors_credentials: bool = setting(
        False,
        help="Whether those pages may send cookies and what else a proxy knows a person by; not with `*`.",
    )
    root_path: str | None = setting(
        None,
        help="Path prefix that a proxy removes before it passes a request on, such as `/ml`; links begin with it.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        help="Addresses and networks of proxies, such as `10.1.0.0/16`, whose header `X-Forwarded-Prefix` says the "
        "path prefix of a request; it counts more than `root_path`. `*`: every peer, as on a Unix socket. Empty: none.",
    )
    workers: int | None = setting(
        None,
        bounds=(1, 256),
        help="Worker processes; each loads every `local` model. Null: one per core that the service may use.",
    )
    threads: int = setting(
        16,
        bounds=(1, 512),
        help="Threads of one worker for pages, documents and explained errors. Predictions need none.",
    )
    model_threads: int | None = setting(
        None,
        bounds=(1, 1024),
        help="Threads that one call of a model may use, in any framework. Null: what the environment says "
        "(`OMP_NUM_THREADS` and others), or 1.",
    )
    max_body_bytes: int = setting(
        16 * MIB,
        bounds=(1, 4096 * MIB),
        help="Largest request body in bytes. A larger one is refused while it is read: 413.",
    )
    max_body_values: int = setting(
        500_000,
        bounds=(1, 10**9),
        help="Most JSON values in one request body: numbers, texts, arrays, objects. Each takes many times its bytes "
        "in memory.",
    )
    max_request_rows: int = setting(
        10_000, bounds=(1, 10_000_000), help="Most payloads in one request; more are refused: 413."
    )
    max_explain_rows: int = setting(
        8, bounds=(1, 1000), help="Most payloads in one request for explanations; each costs hundreds of rows. 413."
    )
    max_connections: int = setting(
        10_000,
        bounds=(1, 1_000_000),
        help="Most open connections per worker; beyond them only health is answered. The system's limit on open "
        "files may lower it.",
    )
    max_pending_bytes: int = setting(
        256 * MIB,
        bounds=(1, 2**50),
        help="Most bytes of large request bodies (over 32 KiB) that one worker holds; beyond them 503. One model may "
        "hold half of them. In memory, a body takes several times its bytes.",
    )
    header_timeout_s: float = setting(
        10.0, bounds=(0.1, 3600), help="Seconds for the headers of a request, or for a TLS handshake."
    )
    body_timeout_s: float = setting(
        60.0,
        bounds=(0.1, 86400),
        help="Seconds for the body of a request, and for an answer that waits for its reader.",
    )
    min_body_bytes_per_s: int = setting(
        1024,
        bounds=(0, 2**30),
        help="Slowest rate of a request body, after its first five seconds.",
    )
    keep_alive_timeout_s: float = setting(
        75.0, bounds=(0.1, 86400), help="Seconds that a connection may be idle between two requests."
    )
    loop_timeout_s: float = setting(
        30.0,
        bounds=(0.5, 3600),
        help="Seconds that a model may block the event loop of a worker. After that the worker is replaced.",
    )
    shutdown_timeout_s: int = setting(
        30, bounds=(1, 3600), help="Seconds for running requests to finish after SIGTERM."
    )
    reload_timeout_s: float = setting(
        300.0,
        bounds=(0.1, 86400),
        help="Seconds that a reload may take until its models are ready; after that the generation before serves on.",
    )
    drain_timeout_s: float = setting(
        600.0,
        bounds=(0.1, 86400),
        help="Seconds that workers which a reload has replaced may go on for requests and idle connections.",
    )
    allow_management: bool = setting(
        False, help="Whether `POST /api/manage/reload` reloads the service for whoever reaches it."
    )
    tls_certificate: Path | None = setting(
        None, help="PEM file with the certificate chain; with `tls_key`, serves HTTPS."
    )
    tls_key: Path | None = setting(None, help="PEM file with the private key of `tls_certificate`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model to serve."""

    class_path: str = setting(
        key="class",
        help="The `MLModel` subclass as `package.Class` or `package.module:Class`. Its package must be installed.",
    )
    default: bool = setting(
        False, help="Requests without a version go to this entry, not to the highest version of the model."
    )
    required: bool = setting(False, help="While this model is not ready, `/health/ready` answers 503.")
    backend: BackendName = setting(
        BackendName.LOCAL, help="`local`: inside each worker; `process`: in a process of its own."
    )
    batching: Batching = setting(
        Batching.AUTO,
        help="`on`: requests that wait together are predicted together; `off`: one after the other; `auto`: measured "
        "at the start, `on` if a batch saves more than it costs. With `process`, requests are always batched.",
    )
    execution: ExecutionChoice = setting(
        ExecutionChoice.AUTO,
        help="`in_loop`: in the event loop of each worker, for very fast models; `dispatched`: in a thread; "
        "`auto`: measured at the start. Not used with `process`.",
    )
    max_batch_rows: int = setting(
        64,
        bounds=(1, 1_000_000),
        help="Most rows of different requests in one batch. A larger request is cut while others wait.",
    )
    max_wait_s: float = setting(
        0.0, bounds=(0, 60), help="Seconds that a batch waits for more rows. 0: it takes the rows that are there."
    )
    max_queue_rows: int = setting(
        20_000,
        bounds=(1, 100_000_000),
        help="Most rows that wait for the model in one worker; beyond them 429. A single request with more: 413.",
    )
    timeout_s: float = setting(
        60.0,
        bounds=(0.01, 86400),
        help="Seconds until a request is answered 504. `process`: the prediction is ended, too; `local`: it is not "
        "begun any more, but a running one cannot be interrupted.",
    )
    replicas: int = setting(
        1, bounds=(1, 64), only=BackendName.PROCESS, help="number of processes, shared by all workers."
    )
    python: Path | None = setting(
        None,
        only=BackendName.PROCESS,
        help="interpreter of another environment, with `model-service[serve]` and the model package.",
    )
    start_timeout_s: float = setting(
        120.0, bounds=(0.1, 86400), only=BackendName.PROCESS, help="seconds that a process may take to load."
    )
    max_memory_bytes: int | None = setting(
        None,
        bounds=(MIB, 2**50),
        only=BackendName.PROCESS,
        help="resident memory above which a process is replaced.",
    )
    traffic: TrafficConfig = setting(factory=TrafficConfig, help="How requests come to this version of a model.")
    prediction_log: ModelLogConfig = setting(factory=ModelLogConfig, help="What of its predictions is logged.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """What is logged to standard error, and how."""

    level: LogLevel = setting(LogLevel.INFO, help="The least severe lines that are written.")
    format: LogFormat = setting(
        LogFormat.AUTO,
        help="`json`: one object per line; `text`: for people; `auto`: text on a terminal, JSON elsewhere.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthConfig:
    """When the service says that it is ready."""

    ready: ReadyRule = setting(
        ReadyRule.ANY,
        help="`/health/ready` is 200 when: `any`: nothing is loading, every `required` model is ready, and at least "
        "one is; `all`: every model is ready; `required`: every `required` model is ready, whatever the others are.",
    )
    self_test_interval_s: float = setting(
        60.0,
        bounds=(0, 86400),
        help="Seconds after which a model that has not answered anybody is asked its own example. 0: never.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationsConfig:
    """How `/invocations` answers, which SageMaker, Vertex AI and MLflow call."""

    default_model: str | None = setting(
        None, help="Name of the model that is meant where a request names none. Null: the only one that is listed."
    )
    default_accept: str = setting(
        "application/json", help="Media type of an answer where `Accept` says nothing: of JSON, CSV or JSON lines."
    )
    lenient: bool = setting(
        False, help="Whether rows of one request succeed or fail alone. `false`: one invalid row refuses all of them."
    )
    multi_model: bool = setting(
        False, help="Whether `/ping` asks for the process alone. `false`: it is 200 when the default model is ready."
    )
    predict_route: str | None = setting(None, help="Another path that answers as `/invocations`.")
    health_route: str | None = setting(None, help="Another path that answers as `/ping`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The whole configuration."""

    server: ServerConfig = setting(factory=ServerConfig, help="How the HTTP server listens and what it refuses.")
    models: tuple[ModelConfig, ...] = setting((), help="The models to serve, in the order they are listed.")
    access: AccessConfig = setting(factory=AccessConfig, help="Who may call, and how often.")
    jobs: JobsConfig = setting(factory=JobsConfig, help="Where jobs are kept, who works on them, and their bounds.")
    prediction_log: PredictionLogConfig = setting(
        factory=PredictionLogConfig, help="Where predictions are kept that models log, and how much they may take."
    )
    health: HealthConfig = setting(factory=HealthConfig, help="When the service says that it is ready.")
    invocations: InvocationsConfig = setting(
        factory=InvocationsConfig,
        help="How `/invocations` answers, which SageMaker, Vertex AI and MLflow call.",
    )
    logging: LoggingConfig = setting(factory=LoggingConfig, help="What is logged to standard error, and how.")
    metrics: MetricsConfig = setting(factory=MetricsConfig, help="What is counted, and shown at `/metrics`.")
    tracing: TracingConfig = setting(
        factory=TracingConfig, help="Which requests are traced, and where their spans are sent."
    )


#: What an empty configuration is told: it is valid, and hardly ever meant.
NO_MODELS = "no models are configured; list them under 'models:' in the configuration"


def name_entry(config: ModelConfig) -> str:
    """Return a name that two entries share only if they are the same in every key.

    Keys of its traffic and its log do not count: they change nothing in how it runs. Fit for a folder, and short: the
    path of a Unix socket may have some hundred bytes in all.
    """
    alone = replace(config, traffic=TrafficConfig(), prediction_log=ModelLogConfig())
    return base64.b32encode(hashlib.blake2b(repr(alone).encode(), digest_size=5).digest()).decode().lower()
