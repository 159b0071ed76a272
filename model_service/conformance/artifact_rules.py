"""Rules about the files that a package ships: vouched for, and of no kind that runs code when it is opened."""

from pathlib import Path

from model_service.artifacts import MANIFEST_NAME, find_artifact_warnings, read_artifacts, verify_artifacts
from model_service.audit import find_package_pickles
from model_service.conformance.rule import Broken, rule
from model_service.conformance.subject import Subject

_FAMILY = "artifacts"


@rule(
    "digests",
    _FAMILY,
    "every artifact is the one that its manifest states",
    remedy="Run the training script again, which ends with write_manifest, or install the package again.",
    needs=("contract",),
)
def digests(subject: Subject) -> str:
    """Every file that ``artifacts/manifest.json`` lists is there and has its SHA-256."""
    verify_artifacts(subject.model_class)
    listed = read_artifacts(subject.model_class)
    return f"{len(listed)} files, {sum(each.size_bytes for each in listed) / 1e6:.1f} MB"


@rule(
    "listed",
    _FAMILY,
    "no artifact is missing from the manifest",
    remedy="End the training script with write_manifest, and list the folder under packages and package-data.",
    needs=("contract",),
)
def listed(subject: Subject) -> str:
    """Nothing lies in ``artifacts`` that the manifest does not list, and a package that reads artifacts has some."""
    found = [
        each for each in find_artifact_warnings(subject.model_class) if MANIFEST_NAME in each or "no folder" in each
    ]
    if found:
        raise Broken("; ".join(found))
    return "nothing else lies there"


@rule(
    "pickles",
    _FAMILY,
    "no file is a pickle, or of another kind that runs code",
    remedy="Export the model as ONNX, safetensors or .keras, and numbers as JSON or .npz without objects.",
    needs=("contract",),
)
def pickles(subject: Subject) -> str:
    """No file of the package is a pickle by name or by what it holds, nor a Keras model with code in it."""
    found = [f"{name} is {kind}" for name, kind in find_package_pickles(subject.model_class)]
    if found:
        raise Broken("; ".join(found))
    folder: Path = subject.model_class.artifact_path("")
    return "looked into every file" if folder.is_dir() else "there are no artifacts"


RULES = (digests, listed, pickles)
