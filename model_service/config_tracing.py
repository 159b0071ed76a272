"""The keys below ``tracing``: which requests are traced, and where their spans are sent."""

from dataclasses import dataclass

from model_service.config_setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingConfig:
    """Which requests are traced, and where their spans are sent."""

    enabled: bool = setting(
        False, help="Whether requests are traced and spans sent, as OTLP over HTTP. Needs the extra `otel`."
    )
    endpoint: str | None = setting(
        None,
        help="Address of the collector, such as `http://localhost:4318`; without a path, `/v1/traces` is added. Null: "
        "what `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` says, or else this machine's.",
    )
    sample_ratio: float = setting(
        1.0,
        bounds=(0, 1),
        help="Share of the requests without a `traceparent` that are traced; for the others their callers decide.",
    )
    service_name: str | None = setting(
        None, help="What the spans say they are from. Null: what `OTEL_SERVICE_NAME` says, or else `model-service`."
    )
