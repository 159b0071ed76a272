"""The keys below ``jobs``: where jobs are kept, who works on them, and what they may cost."""

from dataclasses import dataclass
from pathlib import Path

from model_service.config_setting import MIB, setting

#: What secrets of webhooks begin with: https://www.standardwebhooks.com.
SECRET_PREFIX = "whsec_"  # noqa: S105 - and no secret itself


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsConfig:
    """Where jobs are kept, who works on them, and their bounds. They need the extra `jobs`."""

    folder: Path = setting(
        Path("model-service-data"),
        help="Folder for what jobs leave on this machine: uploads that arrive, and, unless the next two keys say "
        "otherwise, the database and all files. Made with the first job.",
    )
    database: str | None = setting(
        None,
        help="URL of the database, `postgresql://user@host/name` for workers on several machines. Null: SQLite, in "
        "`folder`.",
    )
    store: str | None = setting(
        None,
        help="Where inputs and outputs are kept: a path, or a URL that fsspec takes, such as `s3://bucket/jobs`. "
        "Null: in `folder`.",
    )
    upgrade_database: bool = setting(
        False,
        help="Whether older tables are upgraded at the start; else `model-service database upgrade` does it. New "
        "tables are made in any case.",
    )
    workers: int = setting(
        1,
        bounds=(0, 64),
        help="Processes of `serve` that work on jobs. 0: none, for a service whose jobs run in `model-service work`.",
    )
    niceness: int = setting(10, bounds=(0, 19), help="By how much workers give way to other processes: see `nice`.")
    chunk_rows: int = setting(
        2000, bounds=(1, 1_000_000), help="Rows that are recorded at once; what a worker's death costs at most."
    )
    lease_s: float = setting(
        15.0,
        bounds=(0.2, 3600),
        help="Seconds without a sign of life of a worker after which another one takes its job over.",
    )
    max_input_bytes: int = setting(
        4096 * MIB, bounds=(1, 2**50), help="Largest file in bytes, as it is sent and inflated."
    )
    max_waiting: int = setting(1000, bounds=(1, 1_000_000), help="Most jobs that wait or run; beyond them 429.")
    max_event_streams: int = setting(
        2000, bounds=(1, 1_000_000), help="Most callers of one worker that are told of progress as it comes."
    )
    callback_secret: str | None = setting(
        None,
        help="Secret that signs callbacks: `whsec_` and 24 to 64 bytes in Base64. Null: a job with a `callback_url` is "
        "refused.",
    )
    callback_networks: tuple[str, ...] = setting(
        (), help="Networks that callbacks may reach although they are not public, such as `10.1.0.0/16`."
    )
    keep_s: float = setting(
        7 * 86400.0, bounds=(0, 10**9), help="Seconds that a job is kept when it is over, with its files."
    )
    max_kept_bytes: int = setting(
        50 * 1024 * MIB,
        bounds=(0, 2**60),
        help="Most bytes of files of jobs that are over; beyond them the oldest are removed.",
    )
