"""The commands around jobs: more workers, and the database."""

import logging.config

import click

from model_service.cli.source import ConfigSource, config_option
from model_service.jobs import places
from model_service.observability import build_logging_settings


@click.command()
@config_option
@click.pass_obj
def work(source: ConfigSource) -> None:
    """Work on jobs until SIGTERM or Ctrl+C; start it as often as there are cores to spare, on any machine.

    It needs the models of the configuration, and the same database and files as the servers.
    """
    config = source.load()
    logging.config.dictConfig(build_logging_settings(config.logging))
    places.load("process").work(config)


@click.group()
def database() -> None:
    """Look after the database of jobs."""


@database.command()
@config_option
@click.pass_obj
def upgrade(source: ConfigSource) -> None:
    """Bring the tables to the form that this version works with; stop older workers before."""
    config = source.load()
    if config.jobs.database is None:
        config.jobs.folder.mkdir(parents=True, exist_ok=True)
    found = places.load("database").Database(places.find_database_url(config.jobs))
    before = found.find_revision()
    found.upgrade()
    click.echo(f"{found.name}: {before or 'no tables'} -> {found.find_revision()}")
    found.close()
