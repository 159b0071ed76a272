"""From the class path in the configuration to a checked `MLModel` subclass and its `ModelInfo`.

Import, contract, artifacts, construction: each step raises its own `PackageError`
with cause and remedy, which the manager shows. It keeps no model.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.version import InvalidVersion, Version

from model_service.artifacts import (
    find_artifact_warnings,
    read_artifacts,
    read_metrics,
    read_reference,
    verify_artifacts,
)
from model_service.errors import ModelContractBroken, ModelImportFailed, ModelLoadFailed
from model_service.model import MLModel
from model_service.records import ModelInfo
from model_service.schema.contract import find_schema_faults, find_schema_warnings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TEXTS = ("qualified_name", "display_name", "description", "version")
_SCHEMAS = ("input_schema", "output_schema")
#: A model card of more characters is cut there; it travels with every description of the model.
MAX_CARD_CHARACTERS = 100_000
_METHODS = ("predict", "predict_batch", "predict_columns", "explain", "find_violations", "close")


def import_model_class(class_path: str) -> type[MLModel]:
    """Return the class at ``package.Class`` or ``package.module:Class``.

    Raises:
        ModelImportFailed: The module cannot be imported, or the name is no `MLModel` subclass.
    """
    module_path, _, class_name = class_path.replace(":", ".").rpartition(".")
    if not module_path or not class_name:
        raise ModelImportFailed(
            f"'{class_path}' is not the path of a class",
            cause="a module and a class are needed",
            remedy="write it as package.Class or package.module:Class",
        )
    try:
        module = importlib.import_module(module_path)
        found = getattr(module, class_name, None)  # a module may import lazily, in its __getattr__
    # A package's import runs its author's code, which may raise anything, or call sys.exit.
    except (Exception, SystemExit) as error:
        raise ModelImportFailed(
            f"the module '{module_path}' cannot be imported",
            cause=_cause(error),
            remedy=_import_remedy(error, module_path),
        ) from error
    if isinstance(found, type) and issubclass(found, MLModel) and found is not MLModel:
        return found
    models = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, MLModel) and value is not MLModel
    ]
    close = get_close_matches(class_name, models, n=1) or models[:1]
    raise ModelImportFailed(
        f"'{class_name}' in the module '{module_path}' is no MLModel subclass",
        cause="there is no such name" if found is None else _describe_stranger(found),
        remedy=f"use '{module_path}.{close[0]}'"
        if close
        else "define a class that inherits from model_service.MLModel",
    )


def find_only_model(package: str) -> str:
    """Return the path of the class that an installed package is about: the only `MLModel` that it names.

    Raises:
        ModelImportFailed: The package cannot be imported, or names none or several.
    """
    try:
        module = importlib.import_module(package)
    except (Exception, SystemExit) as error:
        raise ModelImportFailed(
            f"there is no model and no package '{package}'",
            cause=_cause(error),
            remedy="name a model of the configuration, an installed package, or a class as package.Class",
        ) from error
    named = _name_models(module)
    if len(named) != 1:
        raise ModelImportFailed(
            f"the package '{package}' is not about one model",
            cause=f"it names {', '.join(named) or 'none'}",
            remedy=f"name the class, as {package}.{named[0] if named else 'Class'}",
        )
    return f"{package}:{named[0]}"


def list_model_classes(package: str) -> list[str]:
    """Return the class paths of the models that a package, or its module ``model``, defines.

    Raises:
        ModelImportFailed: It cannot be imported, or has none.
    """
    for module_path in (package, f"{package}.model"):
        try:
            module = importlib.import_module(module_path)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == module_path != package:
                break
            raise ModelImportFailed(
                f"the module '{module_path}' cannot be imported",
                cause=_cause(error),
                remedy=_import_remedy(error, module_path),
            ) from error
        if named := _name_models(module):
            return [f"{module_path}:{name}" for name in named]
    raise ModelImportFailed(
        f"the package '{package}' shows no MLModel subclass",
        cause=f"neither '{package}' nor '{package}.model' has one",
        remedy=f"name the class, as in {package}.module:Class",
    )


def find_code(package: str) -> Path | None:
    """Return the folder of a package, or the file of a module; it is not imported."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(places[0]) if places else Path(spec.origin) if spec is not None and spec.origin else None


def _name_models(module: ModuleType) -> list[str]:
    """Return the names that a module has for models, those left out that it imports only to inherit from."""
    values = {name: getattr(module, name, None) for name in [*vars(module), *getattr(module, "__all__", ())]}
    models = {name: each for name, each in values.items() if isinstance(each, type) and issubclass(each, MLModel)}
    bases = {base for each in models.values() for base in each.__mro__[1:]} | {MLModel}
    return [name for name, each in models.items() if each not in bases and not inspect.isabstract(each)]


def describe_model(model_class: type[MLModel]) -> ModelInfo:
    """Return what a class says of itself, after the contract was checked; loads no weights.

    Raises:
        ModelContractBroken: Lists every fault.
    """
    try:
        faults = find_contract_faults(model_class)
    except Exception as error:  # a description may be any Python object, and break any code that looks at it
        faults = [f"its description cannot be read: {_cause(error)}"]
    if faults:
        raise ModelContractBroken(
            f"{model_class.__module__}.{model_class.__qualname__} breaks the MLModel contract in "
            f"{len(faults)} {'place' if len(faults) == 1 else 'places'}",
            cause="; ".join(faults),
            remedy="mend the class: the docstring of model_service.MLModel describes each attribute",
            qualified_name=_read_fit(model_class, "qualified_name", _NAME.fullmatch),
            version=_normalise(_read_fit(model_class, "version", _is_version)),
        )
    return ModelInfo(
        qualified_name=model_class.qualified_name,
        display_name=model_class.display_name,
        description=model_class.description,
        version=str(Version(model_class.version)),
        class_path=f"{model_class.__module__}:{model_class.__qualname__}",
        input_schema=model_class.input_schema,
        output_schema=model_class.output_schema,
        examples=tuple(model_class.input_schema.get("examples", ())),
        artifacts=read_artifacts(model_class),
        metrics=read_metrics(model_class),
        reference=read_reference(model_class),
        card=read_card(model_class),
        code_digest=digest_code(model_class),
        warnings=tuple(find_warnings(model_class)),
        has_explanations=model_class.explain is not MLModel.explain,
    )


def digest_code(model_class: type[MLModel]) -> str:
    """Return the SHA-256 over the Python files of a class's package, so that a changed installation shows."""
    top = sys.modules.get(model_class.__module__.partition(".")[0])
    path = Path(getattr(top, "__file__", None) or "")
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path] if path.is_file() else []
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(path.parent)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest() if files else ""


def read_card(model_class: type[MLModel]) -> str:
    """Return the README of a class's package, as Markdown, from what was installed under the package's name.

    Empty when the distribution is named otherwise, ships no README or another format: a
    model serves without a card.
    """
    try:
        fields = importlib.metadata.distribution(model_class.__module__.partition(".")[0]).metadata
        if "Description" not in fields or "Description-Content-Type" not in fields:
            return ""
        is_markdown = fields["Description-Content-Type"].partition(";")[0].strip().lower() == "text/markdown"
        return fields["Description"][:MAX_CARD_CHARACTERS] if is_markdown else ""
    # Not installed as a distribution, without metadata, or not readable.
    except (importlib.metadata.PackageNotFoundError, TypeError, AttributeError, ValueError, OSError):
        return ""


def find_contract_faults(model_class: type[MLModel]) -> list[str]:
    """Return every way in which a class breaks the `MLModel` contract, each a sentence."""
    faults = []
    for name in _TEXTS:
        value: Any = getattr(model_class, name, None)
        if value is None:
            faults.append(f"{name} is missing")
        elif not isinstance(value, str) or not value.strip():
            faults.append(f"{name} must be a non-empty string")
        elif name == "qualified_name" and not _NAME.fullmatch(value):
            faults.append(
                "qualified_name must be lower-case letters, digits and _, start with a letter, at most 64 long"
            )
        elif name == "version" and not _is_version(value):
            faults.append(f"version must be a PEP 440 version such as 1.0.0, not '{value}'")
    for name in _SCHEMAS:
        if getattr(model_class, name, None) is None:
            faults.append(f"{name} is missing")
        else:
            faults.extend(find_schema_faults(getattr(model_class, name), name))
    faults.extend(f"{name} must be a method" for name in _METHODS if not callable(getattr(model_class, name, None)))
    rules = inspect.getattr_static(model_class, "find_violations")
    if callable(model_class.find_violations) and not isinstance(rules, classmethod):
        faults.append("find_violations must be a class method, find_violations(cls, payload), below @classmethod")
    faults.extend(f"{name} is not implemented" for name in sorted(model_class.__abstractmethods__))
    return faults


def find_warnings(model_class: type[MLModel]) -> list[str]:
    """Return what in a class that keeps the contract is probably a mistake, each a sentence."""
    warnings = [warning for name in _SCHEMAS for warning in find_schema_warnings(getattr(model_class, name), name)]
    if not model_class.input_schema.get("examples"):
        warnings.append("input_schema has no examples: nothing is tested before the model takes requests")
    return warnings + find_artifact_warnings(model_class)


def build_model(model_class: type[MLModel]) -> MLModel:
    """Return a model with its weights, after its artifacts were compared with their digests.

    Raises:
        ModelContractBroken: An artifact is missing or is not what the manifest states.
        ModelLoadFailed: The constructor raised.
    """
    verify_artifacts(model_class)
    try:
        return model_class()
    except (Exception, SystemExit) as error:
        raise ModelLoadFailed(
            f"building {model_class.__module__}.{model_class.__qualname__} failed",
            cause=_cause(error),
            remedy="mend its __init__ (the log has the traceback), or install the package again if it was damaged",
        ) from error


def _describe_stranger(found: object) -> str:
    """Return what stands where a model was looked for: the kind of a value, or the bases of a class."""
    if found is MLModel:
        return "it is MLModel itself"
    if isinstance(found, type):
        bases = ", ".join(f"'{base.__name__}'" for base in found.__bases__)
        return f"it is a class, and it inherits from {bases}"
    return f"it is of the type '{type(found).__name__}'"


def _read_fit(model_class: type[MLModel], name: str, is_fit: Callable[[str], object]) -> str | None:
    """Return a text of a class that breaks the contract elsewhere; ``None`` where it is none or not fit."""
    with suppress(Exception):  # as in `describe_model`, it may be anything
        value = getattr(model_class, name)
        return value if isinstance(value, str) and is_fit(value) else None
    return None


def _normalise(version: str | None) -> str | None:
    return version and str(Version(version))


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _import_remedy(error: BaseException, module_path: str) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    package = module_path.partition(".")[0]
    if missing == package:
        return (
            f"install the package that provides '{package}' ({sys.executable} -m pip install ...), or correct the "
            "configuration"
        )
    if missing and f"{module_path}.".startswith(f"{missing}."):
        return f"correct the configuration: '{package}' has no module '{missing}'"
    if missing:
        return f"install '{missing}', which '{package}' needs, or reinstall '{package}' with its dependencies"
    return f"mend or reinstall '{package}' (the log has the traceback)"
