"""Python, the platform, this installation and its extras."""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import model_service
from model_service.doctor.finding import Case, Finding, Level

DISTRIBUTION = "model-service"


def check_python(case: Case) -> Iterator[Finding]:
    """Look whether this Python and this platform are those that the service is made for."""
    name = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    folder = Path(model_service.__file__).parent
    yield Finding("python", Level.OK, f"{name}; model_service {model_service.__version__} in {folder}")
    wanted = _read_requires_python()
    if not wanted.contains(platform.python_version(), prereleases=True):
        yield Finding("python", Level.ERROR, f"{name}, and {wanted} is needed", "make an environment of such a Python")
    if sys.platform != "linux":
        yield Finding(
            "python",
            Level.WARNING,
            f"on {platform.system()} all workers share one listening socket, so some get more requests than others",
            "serve on Linux where the load matters",
        )


def check_extras(case: Case) -> Iterator[Finding]:
    """Look which extras are installed; one that is there in parts, or with unfit versions, is told."""
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        remedy = "install it with pip, so that its requirements are known"
        yield Finding("extras", Level.WARNING, "model-service is no installed distribution", remedy)
        return
    complete = []
    for extra in distribution.metadata.get_all("Provides-Extra") or []:
        wanted = _list_requirements(distribution, extra)
        unmet = [each for each in wanted if not is_met(each)]
        if not unmet:
            complete.append(extra)
        elif extra == "serve" or len(unmet) < len(wanted):
            named = ", ".join(f"{each.name}{each.specifier} ({_say_installed(each.name)})" for each in unmet)
            level = Level.ERROR if extra == "serve" else Level.WARNING
            yield Finding("extras", level, f"the extra {extra} lacks {named}", f"pip install 'model-service[{extra}]'")
    yield Finding("extras", Level.OK, f"complete: {', '.join(complete) or 'none'}")


def is_met(requirement: Requirement) -> bool:
    """Whether what is installed meets a requirement."""
    installed = find_version(requirement.name)
    return installed is not None and requirement.specifier.contains(installed, prereleases=True)


def find_version(name: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _say_installed(name: str) -> str:
    version = find_version(name)
    return f"{version} is installed" if version else "not installed"


def _list_requirements(distribution: metadata.Distribution, extra: str) -> list[Requirement]:
    """Return what an extra needs beyond the light install."""
    wanted = [Requirement(text) for text in distribution.requires or ()]
    return [each for each in wanted if each.marker and each.marker.evaluate({"extra": extra}) and _is_of_extra(each)]


def _is_of_extra(requirement: Requirement) -> bool:
    return requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})


def _read_requires_python() -> SpecifierSet:
    try:
        stated = metadata.metadata(DISTRIBUTION).get_all("Requires-Python") or []
    except metadata.PackageNotFoundError:
        stated = []
    return SpecifierSet(",".join(stated))
