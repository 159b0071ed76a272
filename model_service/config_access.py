"""The keys below ``access``: who may call, and how often."""

from dataclasses import dataclass
from pathlib import Path

from model_service.config_setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessConfig:
    """Who may call, and how often."""

    keys_file: Path | None = setting(
        None,
        help="File of the API keys that callers need, which `model-service keys add` writes. Null: none is needed.",
    )
    allow_anonymous: bool = setting(
        False,
        help="Whether a service without keys may listen on another address than a loopback one, where everybody who "
        "reaches it may do everything. Nothing changes with `keys_file`.",
    )
    limit_per_key: str | None = setting(
        None,
        help="Most requests of one key, such as `100/second` or `100/second; 5000/minute`; beyond them 429. Needs the "
        "extra `limits`. Null: no limit.",
    )
    limit_per_address: str | None = setting(
        None, help="Likewise, of one address; behind a proxy all requests have that of the proxy."
    )
    limit_store: str | None = setting(
        None,
        help="Where requests are counted for all workers: `redis://` or `valkey://`, host, port, database. Null: each "
        "worker counts for itself, and takes its share of the limits.",
    )
