"""The command that serves in a container of SageMaker: where it listens, and what it finds in the model's archive."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from model_service import parent
from model_service.cli.source import ConfigSource, config_option
from model_service.config import ServiceConfig
from model_service.config_file import DEFAULT_FILE

#: Where SageMaker unpacks the archive of a model, unless the variable says otherwise.
_MODEL_FOLDER, _MODEL_VARIABLE = Path("/opt/ml/model"), "SM_MODEL_DIR"
#: Where it calls unless it says otherwise.
_PORT_VARIABLE, _PORT = "SAGEMAKER_BIND_TO_PORT", "8080"


@click.command()
@click.argument("arguments", nargs=-1, type=click.Choice(["serve"]))
@config_option
@click.pass_obj
def sagemaker(source: ConfigSource, arguments: tuple[str, ...]) -> None:
    """Run the server as SageMaker calls it: on every interface, port 8080. The argument `serve` changes nothing.

    A configuration in the model's archive, /opt/ml/model/config.yaml, is used unless --config names another one, and
    the archive's folder `code` is where Python looks for model packages first.
    """
    folder = Path(source.environment.get(_MODEL_VARIABLE) or _MODEL_FOLDER)
    path = source.path
    if path == DEFAULT_FILE and (folder / DEFAULT_FILE).is_file():
        path = folder / DEFAULT_FILE
    if (folder / "code").is_dir():
        sys.path.insert(0, str(folder / "code"))  # workers and model processes inherit it
    chosen = ConfigSource(path, {_PORT_VARIABLE: _PORT, **source.environment})

    def read() -> ServiceConfig:
        config = chosen.load()
        server = replace(config.server, host="0.0.0.0", unix_socket=None)  # noqa: S104 - as the platform calls
        # Nobody but the platform reaches the container, and it has asked its callers who they are (IAM).
        return replace(config, server=server, access=replace(config.access, allow_anonymous=True))

    parent.serve(read, path)
