"""What a process that works on jobs runs: under `serve`, ``python -m model_service.jobs.process``; by hand,
``model-service work``.

SIGTERM, SIGINT and the end of the parent's pipe mean the same: give the job back at the next slice of rows, and go.
"""

import argparse
import logging
import logging.config
import os
import signal
import threading
from pathlib import Path

from model_service.config import ServiceConfig
from model_service.config_file import load_config
from model_service.errors import CapacityError, ServiceError
from model_service.home import CONFIG_FILE, Home, name_generation
from model_service.jobs.callbacks import CallbackSender
from model_service.jobs.claims import JobClaims
from model_service.jobs.database import Database
from model_service.jobs.desk import open_database
from model_service.jobs.models import JobModels
from model_service.jobs.objects import ObjectStore
from model_service.jobs.places import find_store_url, find_uploads
from model_service.jobs.retention import Retention
from model_service.jobs.run import Tools
from model_service.jobs.store import JobStore
from model_service.jobs.worker import JobWorker
from model_service.observability import build_logging_settings
from model_service.scoring import rare_collections
from model_service.threads import limit_threads

logger = logging.getLogger(__name__)

#: Time to give a job back; what hangs is ended.
_END_S = 20.0
#: While there is no database to begin with, this long between two tries.
_AWAY_S = 2.0


def work(config: ServiceConfig, *, home: Path | None = None, stopping: threading.Event | None = None) -> None:
    """Work on jobs until SIGTERM or SIGINT.

    Args:
        config: What is served.
        home: The folder that the processes of one generation share; ``None`` outside of `serve`.
        stopping: Set from outside to end; signals set it, too.

    Raises:
        ConfigInvalid, MissingDependency, DatabaseOutdated: There is nothing to work with.
    """
    stopping = stopping or threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    limit_threads(config.server.model_threads, os.environ)
    os.nice(config.jobs.niceness)
    database = _open_patiently(config, stopping)
    if database is None:
        return
    store, objects = JobStore(database), ObjectStore(find_store_url(config.jobs))
    tools = Tools(
        config=config.jobs,
        store=store,
        claims=JobClaims(database, lease_s=config.jobs.lease_s),
        objects=objects,
        models=JobModels(config, home),
        stopping=stopping,
    )
    logger.info("working on jobs in %s", database.name)
    callbacks = CallbackSender(config.jobs, store, stopping)
    callbacks.start()
    with rare_collections():
        JobWorker(tools, Retention(config.jobs, store, objects, find_uploads(config.jobs))).run()
    callbacks.stop()
    database.close()


def _open_patiently(config: ServiceConfig, stopping: threading.Event) -> Database | None:
    is_told = False
    while not stopping.is_set():
        try:
            return open_database(config.jobs)
        except CapacityError as error:
            if not is_told:
                logger.error("jobs wait: %s", error.message, extra={"code": error.code})
            is_told = True
            stopping.wait(_AWAY_S)
    return None


def _watch(pipe: int, stopping: threading.Event) -> None:
    os.read(pipe, 1)  # nothing is ever written: it returns when the parent has ended
    stopping.set()
    threading.Event().wait(_END_S)
    os._exit(1)


def main() -> None:
    """Run the process that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder that the service shares")
    parser.add_argument("--generation", type=int, required=True, help="which generation of the service it is of")
    parser.add_argument("--pipe", type=int, required=True, help="file descriptor that ends with the parent")
    arguments = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it may reach the whole group, and is for the parent
    folder = name_generation(arguments.home, arguments.generation)
    config = load_config(folder / CONFIG_FILE, {})
    logging.config.dictConfig(build_logging_settings(config.logging))
    home, stopping = Home(arguments.home), threading.Event()
    threading.Thread(target=_watch, args=[arguments.pipe, stopping], name="parent", daemon=True).start()
    code = 0
    try:
        work(config, home=folder, stopping=stopping)
    except ServiceError as error:
        logger.error("jobs cannot be worked on: %s", error.message, extra={"code": error.code})
        code = 3
    home.leave()
    logging.shutdown()
    os._exit(code)  # a thread of a model that hangs must not keep the process


if __name__ == "__main__":
    main()
