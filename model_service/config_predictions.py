"""The keys below ``prediction_log``: of the service, where and how long; of a model, what of it."""

from dataclasses import dataclass
from pathlib import Path

from model_service.config_setting import MIB, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionLogConfig:
    """Where predictions are kept that models log, and how much they may take."""

    folder: Path = setting(
        Path("model-service-predictions"),
        help="Folder of the SQLite files, a new one each day; on a disk of this machine. Made with the first "
        "prediction that is logged.",
    )
    flush_s: float = setting(
        1.0,
        bounds=(0.01, 600),
        help="Seconds that predictions gather in memory before they are written: what a killed worker loses at most.",
    )
    max_queue_bytes: int = setting(
        16 * MIB,
        bounds=(1024, 2**40),
        help="About how many bytes of predictions may wait in one worker to be written; beyond them they are dropped "
        "and counted.",
    )
    keep_s: float = setting(30 * 86400.0, bounds=(0, 10**9), help="Seconds that a file is kept after its last day.")
    max_kept_bytes: int = setting(
        1024 * MIB, bounds=(MIB, 2**60), help="Most bytes of all files; beyond them the oldest are removed."
    )
    drift_every_s: float = setting(
        3600.0,
        bounds=(0, 10**7),
        help="Seconds between two comparisons of what was logged with what training saw, for `/metrics`; 0: none.",
    )
    drift_window_s: float = setting(86400.0, bounds=(1, 10**9), help="How far back these comparisons look, in seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLogConfig:
    """What of one model's predictions is logged."""

    sample: float = setting(
        0.0, bounds=(0, 1), help="Share of the requests whose predictions are logged; 0: none. See `prediction_log`."
    )
    redact: tuple[str, ...] = setting(
        (), help="Fields of the input that are left out of the log, such as `name` or `address.street`."
    )
    redact_outputs: tuple[str, ...] = setting(
        (), help="Fields of the output, and of feedback, that are left out of the log."
    )
    jobs: bool = setting(False, help="Whether rows of jobs are logged, too.")
