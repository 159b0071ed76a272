"""Which jobs are not kept any longer: too old, or too much together; and files that no job knows."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from model_service.config_jobs import JobsConfig
from model_service.jobs.errors import JobNotFound
from model_service.jobs.objects import ObjectStore, translated
from model_service.jobs.store import JobStore

logger = logging.getLogger(__name__)

#: Files without a record are an upload that is under way, until they are so old.
_STRAY_S = 86400.0


class Retention:
    """Removes what is over and too old, and of the rest the oldest until it is little enough.

    Args:
        config: What is kept.
        store: The records.
        objects: The files.
        uploads: Folder of this machine that uploads arrive in.
        clock: Seconds since 1970. Set back, it lets jobs be kept longer.
    """

    def __init__(
        self,
        config: JobsConfig,
        store: JobStore,
        objects: ObjectStore,
        uploads: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._store = store
        self._objects = objects
        self._uploads = uploads
        self._clock = clock

    def sweep(self) -> int:
        """Remove what is not kept; return how many jobs that were.

        Raises:
            JobStoreUnavailable, StorageFull: From the store; the next sweep goes on.
        """
        oldest = self._clock() - self._config.keep_s
        over = self._store.list_over()
        kept_bytes = sum(job.request.input_bytes + job.output_bytes for job in over)
        removed = 0
        for job in over:  # the one that ended first in front
            if (job.ended_at or 0.0) > oldest and kept_bytes <= self._config.max_kept_bytes:
                break
            kept_bytes -= job.request.input_bytes + job.output_bytes
            if self._store.remove(job.id):
                logger.info("job %s is not kept any longer", job.id)
                self._objects.remove(job.id)
                removed += 1
        self._remove_strays()
        return removed

    def _remove_strays(self) -> None:
        newest = self._clock() - _STRAY_S
        for job_id, stored in self._objects.list_jobs():
            if stored < newest and not self._is_known(job_id):
                self._objects.remove(job_id)
        with translated():
            for path in self._uploads.glob("*"):
                if path.stat().st_mtime < newest:
                    path.unlink(missing_ok=True)

    def _is_known(self, job_id: str) -> bool:
        try:
            self._store.get(job_id)
        except JobNotFound:
            return False
        return True
