"""``model-service`` and ``python -m model_service``: the command line, or one sentence that says what it lacks.

The light install, for authors of model packages, has this command but none of the libraries
behind it. So nothing but the standard library is imported here before they are known to be there.
"""

import importlib
import re
import sys
from importlib import metadata

import model_service
from model_service.cli.errors import find_exit_code, format_error
from model_service.errors import MissingDependency

#: A requirement of the extra in the distribution's metadata: its name, and a marker that asks for nothing else.
_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*; *extra == ["']serve["']""")
_MAX_NAMES = 3


def main() -> None:
    """Run the command line and exit; without the server's libraries, only ``--version`` is answered."""
    missing = find_missing_libraries()
    if not missing:
        importlib.import_module("model_service.cli.main").main()
    elif sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"model-service, version {model_service.__version__}\n")
    else:
        error = MissingDependency(
            "this command needs the server, which the light install leaves out: install model-service with its extra "
            f"'serve', as model-service[serve] (not installed: {_enumerate(missing)})"
        )
        sys.stderr.write(format_error(error) + "\n")
        sys.exit(find_exit_code(error))


def find_missing_libraries() -> list[str]:
    """Return the distributions of the extra ``serve`` that are not installed; versions are pip's business."""
    try:
        requirements = metadata.requires("model-service") or []
    except metadata.PackageNotFoundError:  # run from a checkout
        return []
    names = [found[1] for requirement in requirements if (found := _REQUIREMENT.fullmatch(requirement))]
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _enumerate(names: list[str]) -> str:
    listed = ", ".join(names[:_MAX_NAMES])
    return f"{listed} and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else listed


if __name__ == "__main__":
    main()
