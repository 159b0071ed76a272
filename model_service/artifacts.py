"""The files a model package ships beside its code, and the manifest that vouches for them.

    <package>/artifacts/manifest.json   digests, sizes, versions the artifacts were made with
    <package>/artifacts/metrics.json    measured quality, written by the training script
    <package>/artifacts/reference.json  what the training saw, likewise
    <package>/artifacts/...             the artifacts

A training script calls `write_manifest` last; the platform calls `verify_artifacts`
before it builds the model. It is not a store: packages carry their own files.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from types import CodeType
from typing import Any

from model_service.errors import ModelContractBroken
from model_service.model import MLModel
from model_service.records import Artifact

MANIFEST_NAME = "manifest.json"
METRICS_NAME = "metrics.json"
REFERENCE_NAME = "reference.json"
#: Files whose reading runs what is written in them.
_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".dill"})
#: Most files that a warning names.
_MAX_LISTED = 10


def write_manifest(folder: str | os.PathLike[str], *, made_with: Iterable[str]) -> None:
    """Write ``manifest.json`` over every other file in a folder.

    Args:
        folder: The package's ``artifacts`` folder; subfolders are included.
        made_with: Names of the distributions whose installed versions are recorded.
    """
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path != root / MANIFEST_NAME)
    manifest = {
        "artifacts": {
            path.relative_to(root).as_posix(): {"sha256": _sha256(path), "size_bytes": path.stat().st_size}
            for path in files
        },
        "made_with": {name: metadata.version(name) for name in made_with},
    }
    (root / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_artifacts(model_class: type[MLModel]) -> tuple[Artifact, ...]:
    """Return what the manifest of a class's package lists; empty when it ships none.

    Raises:
        ModelContractBroken: The manifest is not of the form `write_manifest` writes.
    """
    return list_artifacts(model_class.artifact_path(""), owner=model_class.__module__)


def list_artifacts(folder: Path, *, owner: str) -> tuple[Artifact, ...]:
    """Return what the manifest of a folder lists; empty when it has none. Messages name the folder by its owner.

    Raises:
        ModelContractBroken: As `read_artifacts`.
    """
    path = folder / MANIFEST_NAME
    if not path.exists():
        return ()
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["artifacts"]
        return tuple(Artifact(name, entry["sha256"], entry["size_bytes"]) for name, entry in listed.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelContractBroken(
            f"{MANIFEST_NAME} of {owner} cannot be read",
            cause=f"{type(error).__name__}: {error}",
            remedy="run the package's training script again, or reinstall the package",
        ) from error


def read_metrics(model_class: type[MLModel]) -> Mapping[str, Any]:
    """Return the measured quality that the package ships; empty when it ships none."""
    return _read_object(model_class, METRICS_NAME)


def read_reference(model_class: type[MLModel]) -> Mapping[str, Any]:
    """Return what the package says of the rows of its training; empty when it says nothing."""
    return _read_object(model_class, REFERENCE_NAME)


def _read_object(model_class: type[MLModel], name: str) -> Mapping[str, Any]:
    path = model_class.artifact_path("") / name
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise ModelContractBroken(
            f"{name} of {model_class.__module__} cannot be read",
            cause="it is not a JSON object",
            remedy="run the package's training script again, or reinstall the package",
        )
    return document


def verify_artifacts(model_class: type[MLModel]) -> None:
    """Compare every listed artifact with its digest.

    Raises:
        ModelContractBroken: Names each artifact that is missing, unreadable or not what the manifest states.
    """
    folder = model_class.artifact_path("")
    faults = []
    for artifact in read_artifacts(model_class):
        path = folder / artifact.name
        try:
            if not path.is_file():
                faults.append(f"{artifact.name} is missing")
            elif _sha256(path) != artifact.sha256:
                faults.append(f"{artifact.name} is not the file the manifest describes (sha256 differs)")
        except OSError as error:
            faults.append(f"{artifact.name} cannot be read: {error.strerror}")
    if faults:
        raise ModelContractBroken(
            f"the artifacts of {model_class.__module__} do not match their manifest",
            cause="; ".join(faults),
            remedy="reinstall the package, or run its training script again",
        )


def find_artifact_warnings(model_class: type[MLModel]) -> list[str]:
    """Return which files of a class's package nobody vouches for or are pickles, or that it reads some and has none."""
    folder = model_class.artifact_path("")
    if not folder.is_dir():
        if not _reads_artifacts(model_class):
            return []
        return [
            f"the code calls artifact_path, but there is no folder '{folder.name}' beside its module: was it left out "
            "of the wheel? List it under packages and package-data"
        ]
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = {path.relative_to(folder).as_posix() for path in paths} - {MANIFEST_NAME}
    has_manifest = (folder / MANIFEST_NAME).exists()
    listed = {artifact.name for artifact in read_artifacts(model_class)} if has_manifest else {METRICS_NAME}
    warnings = []
    if unlisted := ", ".join(sorted(files - listed)[:_MAX_LISTED]):
        state = "does not list" if has_manifest else "is missing, so that nothing checks"
        warnings.append(
            f"{folder.name}/{MANIFEST_NAME} {state} {unlisted}: end the training script with write_manifest"
        )
    if pickles := ", ".join(sorted(file for file in files if Path(file).suffix.lower() in _PICKLES)[:_MAX_LISTED]):
        warnings.append(
            f"{folder.name} holds {pickles}, the kind of file that can run any code when it is opened: export the "
            "model as ONNX, safetensors or .keras"
        )
    return warnings


def _reads_artifacts(model_class: type[MLModel]) -> bool:
    """Whether a method of the class or of its bases, but for the contract itself, calls `MLModel.artifact_path`."""
    members = [vars(base).values() for base in model_class.__mro__ if base is not MLModel]
    functions = (getattr(member, "__func__", member) for values in members for member in values)
    codes = (getattr(function, "__code__", None) for function in functions)
    return any(isinstance(code, CodeType) and _names_artifacts(code) for code in codes)


def _names_artifacts(code: CodeType) -> bool:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return MLModel.artifact_path.__name__ in code.co_names or any(map(_names_artifacts, inner))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
