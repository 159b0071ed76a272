"""How a new package may be called."""

import importlib.util
import keyword
import re
import sys
from importlib import metadata
from pathlib import Path

from model_service.errors import ConfigInvalid

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
#: Folders that lie beside the module in every package, and would hide it or be hidden by it.
_RESERVED = frozenset({"artifacts", "conftest", "data", "models", "setup", "tests"})


def check_name(name: str, folder: Path) -> None:
    """Refuse a name that cannot be imported, is somebody else's, or is taken in a folder.

    Raises:
        ConfigInvalid: Says why, and what a name may be.
    """
    if not _NAME.fullmatch(name):
        raise ConfigInvalid(
            "the name of a package has lower-case letters, digits and '_', starts with a letter, and has at most 64 "
            "characters: such as churn_model"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ConfigInvalid(f"'{name}' is a word of Python; choose another name, such as {name}_model")
    if name in sys.stdlib_module_names or name in _RESERVED:
        raise ConfigInvalid(f"'{name}' is the name of a module of Python or of its tools; choose another name")
    if (folder / name).exists() or (folder / name).is_symlink():
        raise ConfigInvalid(f"'{folder / name}' exists, and nothing is overwritten; choose another name, or remove it")
    if _is_installed(name):
        raise ConfigInvalid(f"'{name}' is installed in this environment; choose another name, or uninstall it")


def name_class(name: str) -> str:
    """Return the name of a package's class: ``ChurnModel`` of ``churn_model``."""
    words = "".join(word.capitalize() for word in name.split("_"))
    return words if words.endswith("Model") else f"{words}Model"


def name_for_people(name: str) -> str:
    """Return a first name for people: ``Churn`` of ``churn_model``, ``Monthly charges`` of ``MonthlyCharges``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("_model"))
    words = " ".join(re.sub(r"[_\s]+", " ", parted).split())
    lowered = [word if word.isupper() else word.lower() for word in words.split(" ")]
    text = " ".join(lowered)
    return text[:1].upper() + text[1:]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return importlib.util.find_spec(name) is not None
    return True
