"""What `reload --dry-run` runs: ``python -m model_service.describing CONFIG``: describes the models of a configuration.

In a process of its own, because what has been imported once stays as it was. No weights are read. What models print on
the way goes to standard error; standard output is one JSON document, the reports of the models.
"""

import logging
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from model_service.config_file import load_config
from model_service.errors import ConfigInvalid, ReloadFailed, ServiceError
from model_service.home import make_environment
from model_service.reporting import ModelReport, report_models, restore_model
from model_service.service import Service
from model_service.strict_json import decode_json, encode_json

#: Descriptions are classes being imported; frameworks take their time.
_TIMEOUT_S = 300


def describe_models(config: Path) -> list[ModelReport]:
    """Return what the models of a configuration say of themselves, as they are installed now.

    Raises:
        ConfigInvalid: It is not clear which of them answers.
        ReloadFailed: They cannot be described.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "model_service.describing", str(config)],
            env=make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise ReloadFailed(f"the models cannot be described: {error}") from error
    document = decode_json(done.stdout)
    if "fault" in document:
        raise ConfigInvalid(document["fault"])
    return [restore_model(fields) for fields in document["models"]]


def main() -> None:
    """Describe the models of the configuration that the argument names."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what models print must not be taken for the document
    logging.basicConfig(level=logging.CRITICAL)
    try:
        statuses = Service(load_config(Path(sys.argv[1]), {})).describe()
        document: object = {"models": [asdict(model) for model in report_models(statuses)]}
    except ServiceError as error:
        document = {"fault": error.message}
    out.write(encode_json(document))
    out.flush()
    os._exit(0)  # a thread of a model must not keep the process


if __name__ == "__main__":
    main()
