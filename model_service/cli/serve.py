"""The command that serves. It imports neither Flask nor a model: its process only keeps others alive."""

from dataclasses import replace
from pathlib import Path

import click

from model_service import parent
from model_service.cli.source import ConfigSource, config_option
from model_service.config import ServiceConfig


@click.command()
@click.option("--host", help="Address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on, instead of server.port.")
@click.option(
    "--unix-socket", type=click.Path(path_type=Path), help="Unix socket to listen on, instead of host and port."
)
@config_option
@click.pass_obj
def serve(source: ConfigSource, host: str | None, port: int | None, unix_socket: Path | None) -> None:
    """Run the server until SIGTERM or Ctrl+C."""

    def read() -> ServiceConfig:
        config = source.load()
        server = config.server
        path = unix_socket or (None if host or port else server.unix_socket)
        server = replace(server, host=host or server.host, port=port or server.port, unix_socket=path)
        return replace(config, server=server)

    parent.serve(read, source.path)
