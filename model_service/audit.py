"""What of the served packages an auditor asks: versions, licences, digests, and files of a pickling kind.

Opening a pickle runs whatever is written in it. So no package should ship one, under whatever name: `find_pickles`
looks at names and, where a name says nothing, into the files. Nothing is opened by the library that would run it.
"""

import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from model_service.artifacts import read_artifacts, verify_artifacts
from model_service.config import ModelConfig
from model_service.errors import ModelContractBroken, ServiceError
from model_service.loading import describe_model, import_model_class
from model_service.model import MLModel

#: Names of files that are pickles, or that libraries read as such.
_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt", ".mar"})
#: How a pickle begins from protocol 2 on, and how it ends.
_BEGIN, _END = b"\x80", b"."
#: How NumPy's files begin, and what their header says of arrays that hold Python objects, or have fields of them.
_NUMPY, _OBJECTS = b"\x93NUMPY", (b"'|O'", b"'O'")
_HEADER_BYTES = 4096
#: What in a Keras model is Python code, as Keras writes it.
_LAMBDA = b'"class_name": "Lambda"'
_KERAS = frozenset({".keras", ".h5", ".hdf5"})
#: Files of Python itself, which are code by their nature.
_CODE = frozenset({".py", ".pyc", ".pyi"})


@dataclass(frozen=True, slots=True)
class PackageAudit:
    """What was found of one configured model.

    Attributes:
        licence: As the distribution says it; empty where it says none.
        artifacts: Name and SHA-256 of each file that the manifest lists.
        faults: What is wrong, each a sentence.
    """

    class_path: str
    qualified_name: str
    version: str
    distribution: str
    licence: str
    artifacts: tuple[tuple[str, str], ...]
    code_digest: str
    faults: tuple[str, ...]


def audit_model(config: ModelConfig) -> PackageAudit:
    """Return what there is to say of one entry of the configuration; its model is not built."""
    top = config.class_path.replace(":", ".").partition(".")[0]
    distribution, licence = find_distribution(top)
    try:
        model_class = import_model_class(config.class_path)
        info = describe_model(model_class)
    except ServiceError as error:
        return PackageAudit(config.class_path, top, "", distribution, licence, (), "", (error.message,))
    faults = [*_find_faults(model_class), *([] if licence else ["the distribution states no licence"])]
    artifacts = tuple((artifact.name, artifact.sha256) for artifact in info.artifacts)
    return PackageAudit(
        info.class_path,
        info.qualified_name,
        info.version,
        distribution,
        licence,
        artifacts,
        info.code_digest,
        tuple(faults),
    )


def find_pickles(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below a folder that is of a pickling kind, with what it is."""
    for path in sorted(folder.rglob("*")):
        is_data = path.is_file() and "__pycache__" not in path.parts and path.suffix not in _CODE
        if is_data and (kind := _name_kind(path)):
            yield path.relative_to(folder).as_posix(), kind


def find_package_pickles(model_class: type[MLModel]) -> Iterator[tuple[str, str]]:
    """Yield what `find_pickles` finds in the package of a class."""
    top = Path(getattr(sys.modules.get(model_class.__module__.partition(".")[0]), "__file__", None) or "")
    # Around a module that is no package stand the files of others.
    return find_pickles(top.parent if top.name == "__init__.py" else model_class.artifact_path(""))


def _find_faults(model_class: type[MLModel]) -> Iterator[str]:
    try:
        verify_artifacts(model_class)
    except ModelContractBroken as error:
        yield f"{error.message}: {error.cause}"
    folder = model_class.artifact_path("")
    listed = {artifact.name for artifact in read_artifacts(model_class)}
    if folder.is_dir():
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for name in sorted(there - listed - {"manifest.json"}):
            yield f"artifacts/{name} is in no manifest, so that nothing vouches for it"
    for name, kind in find_package_pickles(model_class):
        yield f"{name} is {kind}, which can run any code when it is opened: use ONNX, safetensors or JSON"


def _name_kind(path: Path) -> str:
    """Return what a file is, if it is of a pickling kind."""
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        return f"a '{suffix}' file"
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        last = file.read(1)
    if head[:1] == _BEGIN and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and last == _END:
        return "a pickle"
    if _holds_objects(head):
        return "an array of Python objects, which NumPy pickles"
    if suffix in _KERAS and _LAMBDA in path.read_bytes():
        return "a Keras model with a Lambda layer, whose code is in it"
    return _look_into_zip(path) if head.startswith(b"PK") else ""


def _holds_objects(head: bytes) -> bool:
    """Whether a file begins as one of NumPy's whose values are Python objects; what follows its header is data."""
    width = 2 if head[6:7] == b"\x01" else 4
    header = head[8 + width :][: int.from_bytes(head[8 : 8 + width], "little")]
    return head.startswith(_NUMPY) and any(mark in header for mark in _OBJECTS)


def _look_into_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename
                with archive.open(entry) as file:
                    head = file.read(_HEADER_BYTES if name.endswith(".npy") else 2)
                    rest = file.read() if name == "config.json" else b""
                if Path(name).suffix.lower() in _SUFFIXES or (
                    head[:1] == _BEGIN and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
                ):
                    return f"an archive with the pickle {name}"
                if _holds_objects(head):
                    return f"an archive with {name}, an array of Python objects, which NumPy pickles"
                if name == "config.json" and _LAMBDA in head + rest:
                    return "a Keras model with a Lambda layer, whose code is in it"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return "an archive that cannot be read"
    return ""


@cache
def _list_distributions() -> Mapping[str, list[str]]:
    """Return the distributions by package; it reads what every distribution of the environment has installed."""
    return metadata.packages_distributions()


def find_distribution(package: str) -> tuple[str, str]:
    """Return name and version of the distribution that has a package, and its licence."""
    names = _list_distributions().get(package, [package])
    try:
        found = metadata.distribution(names[0])
    except metadata.PackageNotFoundError:
        return "", ""
    fields = found.metadata
    named = [fields[key] for key in ("License-Expression", "License") if key in fields]
    licence = named[0].strip() if named else ""
    if not licence:
        kinds = [each for each in fields.get_all("Classifier") or [] if each.startswith("License ::")]
        licence = ", ".join(each.rpartition(" :: ")[2] for each in kinds)
    return f"{fields['Name']} {found.version}", licence.splitlines()[0][:80] if licence else ""
