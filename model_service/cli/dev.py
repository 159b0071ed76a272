"""The command that serves one package while it is being written.

It is `serve` with a configuration of its own: one worker, on this machine, logs as text. A save is an order to reload,
as `model-service reload` gives it: the new generation loads beside the one that serves, and takes its place only if it
is fit to.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

import click

from model_service import parent
from model_service.config import LogFormat, LoggingConfig, ModelConfig, ServerConfig, ServiceConfig
from model_service.config_file import write_config
from model_service.config_jobs import JobsConfig
from model_service.config_metrics import MetricsConfig
from model_service.errors import ModelImportFailed
from model_service.loading import find_code, list_model_classes
from model_service.saves import SaveWatch

#: Nobody waits for the generation before: who writes a model asks the newest.
_DRAIN_S = 1.0
_SHUTDOWN_S = 3


@click.command()
@click.argument("package")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port on this machine.")
def dev(package: str, port: int) -> None:
    """Serve one model package, and reload it whenever a file of it is saved.

    PACKAGE is an installed package, its folder, or a class as package.Class; no config.yaml is needed. If what was
    saved is broken, the terminal says why, and what was served before is served on.
    """
    path = Path(package)
    if path.is_dir():
        name, folder = path.resolve().name, path.resolve()
        # `name` may be a project whose package of the same name lies inside.
        root = folder if (folder / name / "__init__.py").is_file() else folder.parent
    else:
        name, root = package, Path.cwd()
    sys.path.insert(0, str(root))
    _write_no_bytecode()
    code = _find_code(name.replace(":", ".").partition(".")[0])
    classes = [name] if "." in name or ":" in name else list_model_classes(name)
    with tempfile.TemporaryDirectory(prefix="model-service-dev-") as data:
        config = _make_config(classes, port, Path(data))
        file = Path(data) / "config.yaml"
        write_config(config, file)
        # Until the parent heeds it, a save must not end this process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        watch = SaveWatch(code, _order_reload)
        watch.start()
        click.echo(f"{', '.join(classes)}: http://127.0.0.1:{port}/ (Ctrl+C ends it; a save reloads it)", err=True)
        try:
            parent.serve(lambda: config, file)
        finally:
            watch.close()


def _write_no_bytecode() -> None:
    """Let Python keep no compiled modules: two saves of one length in one second look the same to it."""
    sys.dont_write_bytecode = True
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")


def _make_config(classes: list[str], port: int, data: Path) -> ServiceConfig:
    return ServiceConfig(
        server=ServerConfig(port=port, workers=1, drain_timeout_s=_DRAIN_S, shutdown_timeout_s=_SHUTDOWN_S),
        models=tuple(ModelConfig(class_path=each) for each in classes),
        jobs=JobsConfig(folder=data / "jobs"),
        logging=LoggingConfig(format=LogFormat.TEXT),
        metrics=MetricsConfig(enabled=False),
    )


def _find_code(top: str) -> Path:
    """Return what is watched: the folder of a package, or the file of a module.

    Raises:
        ModelImportFailed: There is no such package.
    """
    code = find_code(top)
    if code is None:
        raise ModelImportFailed(
            f"there is no package '{top}' here",
            cause="it is neither installed nor in this folder",
            remedy="install it (pip install --editable FOLDER), or name its folder",
        )
    return code


def _order_reload(changed: list[str]) -> None:
    click.echo(f"saved: {', '.join(changed)}", err=True)
    os.kill(os.getpid(), signal.SIGHUP)
