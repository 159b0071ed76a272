"""The command line in this process."""

from click.testing import CliRunner

from model_service.cli.main import cli


def invoke(path, *arguments, stdin=None):
    return CliRunner().invoke(cli, ["--config", str(path), *arguments], input=stdin, prog_name="model-service")


def misuse(path, *arguments, stdin=None):
    """Return what a wrong command line prints."""
    result = invoke(path, *arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr
