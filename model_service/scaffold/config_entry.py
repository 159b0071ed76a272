"""A new model in the configuration: its lines are added, and whatever else stands in the file stays as it is."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from model_service.config import ServiceConfig
from model_service.config_file import load_config
from model_service.errors import ConfigInvalid

_MODELS = re.compile(r"^models[ \t]*:[ \t]*(\[[ \t]*\]|~|null)?[ \t]*(#.*)?$")
_ENTRY = re.compile(r"^([ \t]*)-(?:[ \t]|$)")


def add_entry(path: Path, entry: str, class_path: str) -> bool:
    """Add the lines of a model to a configuration file, and make the file where there is none.

    Args:
        path: The file.
        entry: Lines of YAML, as an entry of a list that is indented by two.
        class_path: The class that they name.

    Returns:
        Whether the file has changed; not where it lists the class already.

    Raises:
        ConfigInvalid: The file is not valid, or its list is written in a way that is not added to; it is left as it is.
    """
    if not path.exists():
        _write(path, f"models:\n{entry}\n")
        return True
    path = path.resolve()  # a link stays a link
    before = load_config(path, {})
    if any(model.class_path.replace(":", ".") == class_path for model in before.models):
        return False
    text = path.read_text(encoding="utf-8")
    added = _insert(text, entry)
    if added is None or not _is_only_longer(path, added, before):
        raise ConfigInvalid(
            f"'{path}' lists its models in a way that is not added to; add these lines yourself:\n{entry}"
        )
    _write(path, added)
    return True


def _insert(text: str, entry: str) -> str | None:
    """Return the text with the entry behind the last one of ``models``; ``None`` where there is no such place."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith("models")]
    if not places:
        return end.join([*lines, "models:", *entry.splitlines(), ""])
    head = _MODELS.match(lines[places[0]])
    if head is None:
        return None
    comment = f"  {head[2]}" if head[2] else ""
    lines[places[0]] = f"models:{comment}"
    last, indent = places[0], "  "
    for place, line in enumerate(lines[last + 1 :], last + 1):
        match = _ENTRY.match(line)
        if match is not None and (last == places[0] or match[1] == indent):
            indent = match[1]
        elif line.strip() and not line.startswith((" ", "\t", "#")):
            break  # the next key
        if line.strip() and not (line.lstrip().startswith("#") and not line.startswith((indent + " ", "\t"))):
            last = place
    new = [indent + line[2:] for line in entry.splitlines()]
    return end.join([*lines[: last + 1], *new, *lines[last + 1 :], ""])


def _is_only_longer(path: Path, text: str, before: ServiceConfig) -> bool:
    """Whether a text means the same as the file, and one model more."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=path.suffix, encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        try:
            after = load_config(Path(file.name), {})
        except ConfigInvalid:
            return False
    has_more = after.models[:-1] == before.models and len(after.models) == len(before.models) + 1
    names = [name for name in before.__dataclass_fields__ if name != "models"]
    return has_more and all(getattr(after, name) == getattr(before, name) for name in names)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new-{os.getpid()}")
        new.write_text(text, encoding="utf-8", newline="")
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)
    except OSError as error:
        raise ConfigInvalid(f"'{path}' cannot be written: {error.strerror}") from None
