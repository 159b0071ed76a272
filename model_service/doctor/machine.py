"""The machine: cores, folders that are written, disks, open files."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from model_service.config import BackendName, ServiceConfig
from model_service.doctor.finding import Case, Finding, Level
from model_service.doctor.packages import name_package
from model_service.loading import find_code
from model_service.threads import count_cores, count_threads

#: Less room than this, and the next artifact or a day of logs may fill the disk.
_LEAST_FREE_BYTES = 1024**3
#: A disk of today reads hundreds of megabytes a second; below this, loading a model is mostly waiting.
_SLOW_BYTES_PER_S = 50 * 1024**2
#: A smaller sample says more about the first access than about the disk.
_LEAST_READ_BYTES = 4 * 1024**2
_MOST_READ_BYTES = 64 * 1024**2
_READ_S = 1.0
_BLOCK_BYTES = 1024**2
#: What a worker has open beside its connections, roughly.
_OTHER_FILES = 64


def check_folders(case: Case) -> Iterator[Finding]:
    """Look whether the folders can be written, or made, and whether their disks have room."""
    for key, folder in _list_folders(case.config) if case.config else ():
        there = _find_existing(folder)
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            yield Finding(
                "folders",
                Level.ERROR,
                f"{key}: {folder} cannot be written: {error.strerror or error}",
                f"let this user write {there}, or set {key} to another folder",
            )
            continue
        free = shutil.disk_usage(there).free
        if free < _LEAST_FREE_BYTES:
            remedy = f"free space, or set {key} to a folder on another disk"
            yield Finding("folders", Level.WARNING, f"{key}: {free >> 20} MiB are free on the disk of {there}", remedy)
        else:
            yield Finding("folders", Level.OK, f"{key}: {folder} can be written")


def _list_folders(config: ServiceConfig) -> Iterator[tuple[str, Path]]:
    yield "TMPDIR", Path(tempfile.gettempdir())
    yield "jobs.folder", config.jobs.folder
    if any(model.prediction_log.sample for model in config.models):
        yield "prediction_log.folder", config.prediction_log.folder


def _find_existing(folder: Path) -> Path:
    """Return the folder, or the one above it in which it would be made."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def check_threads(case: Case) -> Iterator[Finding]:
    """Look whether workers and models together want more cores than there are."""
    if case.config is None:
        return
    server, cores = case.config.server, count_cores()
    workers = server.workers or cores
    threads = server.model_threads or count_threads(case.environment)
    evidence = f"{workers} workers x {threads} threads of a model on {cores} cores"
    if workers * threads > cores and any(model.backend is BackendName.LOCAL for model in case.config.models):
        fit = max(1, cores // threads)
        remedy = f"set server.model_threads: {max(1, cores // workers)}, or server.workers: {fit}"
        if workers > cores:
            remedy = f"set server.workers: {fit}" + ("" if threads <= cores else " and server.model_threads: 1")
        yield Finding("threads", Level.WARNING, f"{evidence}: they wait for each other", remedy)
    else:
        yield Finding("threads", Level.OK, evidence)
    for place, model in enumerate(case.config.models):
        if model.backend is BackendName.PROCESS and model.replicas * threads > cores:
            seen = f"models[{place}]: {model.replicas} replicas x {threads} threads on {cores} cores"
            fit = max(1, cores // threads)
            yield Finding("threads", Level.WARNING, seen, f"set models[{place}].replicas: {fit}, or fewer threads")


def check_open_files(case: Case) -> Iterator[Finding]:
    """Look whether the system lets a worker open as many connections as are configured."""
    if case.config is None:
        return
    wanted = case.config.server.max_connections
    needed = wanted + max(16, wanted // 20) + _OTHER_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield Finding(
            "open files",
            Level.WARNING,
            f"a process may open {hard} files; server.max_connections: {wanted} needs some {needed}",
            f"raise the limit (ulimit -Hn, LimitNOFILE= in systemd), or set server.max_connections: {hard * 9 // 10}",
        )
    else:
        yield Finding("open files", Level.OK, f"enough for {wanted} connections per worker")


def check_artifacts(case: Case) -> Iterator[Finding]:
    """Look how fast the artifacts are read."""
    models = case.config.models if case.config else ()
    for package in dict.fromkeys(name_package(model) for model in models if model.python is None):
        folder = (find_code(package) or Path()) / "artifacts"
        if not folder.is_dir():
            continue
        size, seconds = _read(folder)
        if size < _LEAST_READ_BYTES:
            yield Finding("artifacts", Level.OK, f"{package}: {size >> 10} KiB read")
            continue
        rate = size / seconds
        evidence = f"{package}: {rate / 1024**2:.0f} MiB/s from {folder}"
        if rate < _SLOW_BYTES_PER_S:
            remedy = "install the package on a local disk: a start and a reload read all of its artifacts"
            yield Finding("artifacts", Level.WARNING, evidence, remedy)
        else:
            yield Finding("artifacts", Level.OK, evidence)


def _read(folder: Path) -> tuple[int, float]:
    """Return how many bytes were read of the files in a folder, and in how many seconds; it is cut short."""
    size, began = 0, time.monotonic()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        with path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # what is in memory says nothing of the disk
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(_BLOCK_BYTES):
                size += len(block)
                if size >= _MOST_READ_BYTES or time.monotonic() - began > _READ_S:
                    return size, max(time.monotonic() - began, 1e-9)
    return size, max(time.monotonic() - began, 1e-9)
