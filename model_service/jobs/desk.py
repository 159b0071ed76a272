"""`JobDesk`: what the doors call: take a file, show jobs, give output, cancel and remove. It predicts nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from model_service.config_jobs import JobsConfig
from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows
from model_service.files.rows import Bounds
from model_service.jobs.callbacks import check_callback
from model_service.jobs.database import Database
from model_service.jobs.disks import make_folder, translated
from model_service.jobs.errors import JobStoreUnavailable
from model_service.jobs.objects import ObjectStore
from model_service.jobs.places import find_database_url, find_store_url, find_uploads
from model_service.jobs.reading import inflate
from model_service.jobs.records import Chunk, Job, JobRequest, JobState
from model_service.jobs.store import JobStore, make_id
from model_service.jobs.uploads import Upload
from model_service.records import Schema
from model_service.strict_json import encode_json

#: Output is read in parts of at most so many bytes.
PART_BYTES = 256 * 1024


class JobDesk:
    """Thread-safe. Its calls wait for disks and databases: not for a loop's thread.

    Args:
        config: Where jobs are kept.

    Raises:
        ConfigInvalid, MissingDependency: They cannot be kept there.
        DatabaseOutdated: The tables need an upgrade that nobody has allowed.
        JobStoreUnavailable, StorageFull: Not at the moment.
    """

    def __init__(self, config: JobsConfig) -> None:
        self._config = config
        self._database = open_database(config)
        self._store = JobStore(self._database)
        self._objects = ObjectStore(find_store_url(config))

    def begin_upload(self) -> Upload:
        """Return a file to write to; `Upload.discard` it in the end, whatever has become of it.

        Raises:
            StorageFull, JobStoreUnavailable: There is no room for it.
        """
        return Upload(find_uploads(self._config), self._config.max_input_bytes)

    def check(self, upload: Upload, request: JobRequest, schema: Schema) -> None:
        """Read the beginning of a file that has arrived: who sends the wrong one is told at once.

        Raises:
            FileUnreadable: It is not what the request says, or not for the model.
            MediaTypeUnsupported, MissingDependency: A format cannot be read, or not be written.
            JobInvalid: Its callback may not be sent.
            PayloadMalformed: It is no gzip file.
        """
        upload.finish()
        if request.callback_url is not None:
            check_callback(request.callback_url, self._config)
        FORMATS[request.output_format].find_writer()
        with translated(), upload.path.open("rb") as file:
            stream: BinaryIO = inflate(file, self._config.max_input_bytes) if request.encoding else file
            reader = open_rows(FORMATS[request.input_format], stream, schema, bounds=Bounds(chunk_rows=1))
            next(iter(reader), None)

    def submit(self, upload: Upload, request: JobRequest, *, wanted_version: str | None) -> Job:
        """Make a job of a file that has arrived.

        Args:
            upload: All of it.
            request: What is asked for, but for what the file itself says.
            wanted_version: The version that the caller named; what is the default one may change between two tries.

        Returns:
            The job; with an idempotency key that was used for the same request, the job of then.

        Raises:
            IdempotencyKeyReused, TooManyJobs: From the store.
            JobStoreUnavailable, StorageFull: It is not certain that there is a job; with an idempotency key the same
                request may be sent again.
        """
        digest = upload.finish()
        what = [
            *(request.qualified_name, wanted_version, request.input_format, request.output_format, request.encoding),
            *(request.max_failed_rows, digest, request.callback_url),
        ]
        fingerprint = hashlib.sha256(encode_json(what)).hexdigest()
        request = replace(request, input_bytes=upload.size, input_sha256=digest, fingerprint=fingerprint)
        known = self._store.find_by_key(request)
        if known is not None:
            return known
        job_id = make_id()
        self._objects.move_in(upload.path, f"{job_id}/input")
        try:
            job = self._store.create(job_id, request, max_waiting=self._config.max_waiting)
        except JobStoreUnavailable:
            raise  # whether there is a job is not known: its file stays until it is old
        except Exception:
            self._objects.remove(job_id)
            raise
        if job.id != job_id:
            self._objects.remove(job_id)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobNotFound: There is none.
        """
        return self._store.get(job_id)

    def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Return those of some jobs that there are."""
        return self._store.find(job_ids)

    def list_jobs(
        self, *, state: JobState | None, qualified_name: str | None, before: str | None, limit: int
    ) -> list[Job]:
        """Return jobs, the newest first; see `JobStore.list_jobs`."""
        return self._store.list_jobs(state=state, qualified_name=qualified_name, before=before, limit=limit)

    def count_by_state(self) -> dict[str, int]:
        """Return how many jobs are kept in each state; errors as `get`."""
        return self._store.count_by_state()

    def end(self, job_id: str) -> Job | None:
        """Cancel a job; or remove it, with its files, when it is over already.

        Returns:
            The job that is cancelled now; ``None`` for one that is gone.

        Raises:
            JobNotFound: There is none.
        """
        self._store.get(job_id)
        if self._store.cancel(job_id):
            return self._store.get(job_id)
        if self._store.remove(job_id):
            self._objects.remove(job_id)
        return None

    def read_output(self, job_id: str) -> tuple[Job, list[Chunk]]:
        """Return a job and the pieces of its output so far, both of one moment.

        Raises:
            JobNotFound: There is none.
        """
        return self._store.read_output(job_id)

    def read_part(self, job_id: str, chunk: Chunk, start: int, end: int) -> bytes:
        """Return bytes of an output, from ``start`` to ``end`` as they are counted in one of its pieces.

        Raises:
            JobNotFound, JobStoreUnavailable: They are gone, or cannot be read.
        """
        return self._objects.read(f"{job_id}/{chunk.name}", start, end)

    def close(self) -> None:
        """Close its connections."""
        self._database.close()


def open_database(config: JobsConfig) -> Database:
    """Return the database of a configuration, with tables that are the newest.

    Raises:
        ConfigInvalid, MissingDependency: It is none.
        DatabaseOutdated: The tables need an upgrade that nobody has allowed.
        JobStoreUnavailable, StorageFull: Not at the moment.
    """
    if config.database is None:
        make_folder(config.folder)
    database = Database(find_database_url(config))
    try:
        database.require_newest(may_upgrade=config.upgrade_database)
    except BaseException:
        database.close()
        raise
    return database
