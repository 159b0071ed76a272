"""The listed packages: whether they are there, and whether what they require is what is installed.

Read from the metadata of distributions; nothing of a package is imported.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from model_service.config import ModelConfig
from model_service.doctor.environment import find_version, is_met
from model_service.doctor.finding import Case, Finding, Level
from model_service.loading import find_code


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one distribution requires of another, and for which listed package it is there."""

    package: str
    asker: str
    requirement: Requirement


def name_package(model: ModelConfig) -> str:
    """Return the top package of a configured class."""
    return model.class_path.replace(":", ".").partition(".")[0]


def check_installed(case: Case) -> Iterator[Finding]:
    """Look whether each package is installed, or the interpreter is there that has it."""
    for place, model in enumerate(case.config.models if case.config else ()):
        package = name_package(model)
        if model.python is not None:
            if os.access(model.python, os.X_OK) and model.python.is_file():
                yield Finding("packages", Level.OK, f"{package} runs in the environment of {model.python}")
            else:
                remedy = f"correct models[{place}].python, or make the environment: python -m venv ..."
                yield Finding("packages", Level.ERROR, f"{model.python} is no interpreter that can be run", remedy)
        elif (code := find_code(package)) is None:
            remedy = f"pip install the package that has it, or correct models[{place}].class"
            yield Finding("packages", Level.ERROR, f"there is no package '{package}' here", remedy)
        else:
            yield Finding("packages", Level.OK, f"{package} is in {code}")


def check_versions(case: Case) -> Iterator[Finding]:
    """Look whether the requirements of all listed packages are met by what is installed, theirs included."""
    models = case.config.models if case.config else ()
    packages = list(dict.fromkeys(name_package(model) for model in models if model.python is None))
    owners = metadata.packages_distributions() if packages else {}
    wishes = [wish for package in packages for name in owners.get(package, ()) for wish in _list_wishes(package, name)]
    unmet = [wish for wish in wishes if not is_met(wish.requirement)]
    # Two ways to one distribution are one finding.
    for wish in {(wish.asker, str(wish.requirement)): wish for wish in unmet}.values():
        yield _word(wish, wishes, place=next(i for i, each in enumerate(models) if name_package(each) == wish.package))
    if packages and not unmet:
        count = len({canonicalize_name(wish.requirement.name) for wish in wishes})
        yield Finding("versions", Level.OK, f"{len(packages)} packages and the {count} that they require fit together")


def _list_wishes(package: str, root: str) -> Iterator[_Wish]:
    """Yield what a distribution requires, and what those require, once each."""
    seen: set[tuple[str, str]] = set()
    waiting = [(root, frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        for requirement in _read_requirements(name, extras):
            key = (canonicalize_name(requirement.name), ",".join(sorted(requirement.extras)))
            if key not in seen:
                seen.add(key)
                waiting.append((requirement.name, frozenset(requirement.extras)))
            yield _Wish(package, name, requirement)


def _read_requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        texts = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:  # told where it is asked for
        return
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # of an old package; pip reads it otherwise
            continue
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in (extras or {""})):
            yield requirement


def _word(wish: _Wish, wishes: list[_Wish], *, place: int) -> Finding:
    """Return the finding of a requirement that is not met, with who else has a say."""
    name, wanted = wish.requirement.name, f"{wish.requirement.name}{wish.requirement.specifier}"
    installed = find_version(name)
    asker = f"{wish.asker} {find_version(wish.asker) or ''}".strip()
    if installed is None:
        return Finding(
            "versions", Level.ERROR, f"{asker} needs {wanted}, which is not installed", f"pip install '{wanted}'"
        )
    others = sorted(
        {
            each.asker
            for each in wishes
            if canonicalize_name(each.requirement.name) == canonicalize_name(name)
            and each.asker != wish.asker
            and each.requirement.specifier
            and is_met(each.requirement)
        }
    )
    evidence = f"{asker} needs {wanted}, and {installed} is installed"
    if not others:
        return Finding("versions", Level.ERROR, evidence, f"pip install '{wanted}'")
    return Finding(
        "versions",
        Level.ERROR,
        f"{evidence}, as {', '.join(others)} may need it",
        f"give {wish.package} an environment of its own: python -m venv ENV, install it there with "
        f"'model-service[serve]', and set models[{place}].backend: process and models[{place}].python: ENV/bin/python",
    )
