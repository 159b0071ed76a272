"""The keys below ``metrics``: what is counted."""

from dataclasses import dataclass

from model_service.config_setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """What is counted, and shown at `/metrics`."""

    enabled: bool = setting(True, help="Whether requests are counted and `/metrics` answers.")
