"""`Generation`: the models that are served together, and which of them is meant. Immutable."""

from collections.abc import Iterable
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from model_service.errors import ConfigInvalid, DuplicateModel, ModelNotFound, ModelNotReady, quote_name
from model_service.records import ModelState, ModelStatus
from model_service.registry.entry import Entry, ServedModel, find_current

#: What a name that is not there is told of those that are; of a name in several states, the first counts.
_STATE_WORDS = {ModelState.READY: "loaded", ModelState.LOADING: "not loaded yet", ModelState.FAILED: "failed to load"}
#: A model of the generation: its status, and what answers for it.
_Member = tuple[ModelStatus, ServedModel | None]


class Generation:
    """The entries of a configuration at one moment, each name with its default.

    A request without a version goes to the entry marked ``default``, else to the highest version (PEP 440) that
    has not failed, so that a broken new version leaves the old one in its place.

    Args:
        entries: In the order of the configuration; what becomes of them later is another generation.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        taken = list(entries)
        chosen = {id(entry) for entry in _choose_defaults(taken)}
        self._members: list[_Member] = [
            (replace(entry.status, is_default=id(entry) in chosen), entry.served) for entry in taken
        ]
        self._answering = {
            status.qualified_name: served
            for status, served in self._members
            if status.is_default and served is not None
        }

    def has_name(self, qualified_name: str) -> bool:
        """Whether there is a model of that name, whatever its state."""
        return any(status.qualified_name == qualified_name for status, _ in self._members)

    def list_served(self) -> list[ServedModel]:
        """Return every model that answers."""
        return [served for _, served in self._members if served is not None]

    def get_statuses(self) -> list[ModelStatus]:
        """Return every model as it is now, in the order of the configuration."""
        return [find_current(*member) for member in self._members]

    def get_status(self, qualified_name: str, version: str | None) -> ModelStatus:
        """Return one model as it is now, whatever its state.

        Raises:
            ModelNotFound: Lists what is configured.
        """
        return find_current(*self._find(qualified_name, version))

    def get_served(self, qualified_name: str, version: str | None) -> ServedModel:
        """Return a model that can predict.

        Raises:
            ModelNotFound: Lists what is configured.
            ModelNotReady: It is loading or quarantined; the message says which.
        """
        if version is None and (answering := self._answering.get(qualified_name)) is not None:
            return answering
        status, served = self._find(qualified_name, version)
        if served is not None:
            return served
        label = f"model '{status.qualified_name}'" + (f" {status.version}" if status.version else "")
        if status.state is ModelState.FAILED:
            raise ModelNotReady(f"{label} could not be loaded; GET /api/models says why", retry_after_s=None)
        raise ModelNotReady(f"{label} is still loading", retry_after_s=5)

    def _find(self, qualified_name: str, version: str | None) -> _Member:
        members = self._members
        named = [member for member in members if member[0].qualified_name == qualified_name]
        if not named:
            known = _list_by_state(sorted((each[0].qualified_name, find_current(*each).state) for each in members))
            raise ModelNotFound(f"no model {quote_name(qualified_name)}; {known}")
        if version is None:
            return next((member for member in named if member[0].is_default), named[0])
        try:
            wanted = Version(version)
        except InvalidVersion:
            wanted = None
        for member in named:
            if member[0].version is not None and Version(member[0].version) == wanted:
                return member
        known = _list_by_state((each[0].version, find_current(*each).state) for each in named if each[0].version)
        raise ModelNotFound(f"no version {quote_name(version)} of model '{qualified_name}'; {known}")


def check_unambiguous(entries: Iterable[Entry]) -> None:
    """Make sure that it is clear which entry each name and version means.

    Raises:
        DuplicateModel: Two entries have the same name and version.
        ConfigInvalid: Two entries of one name are marked ``default``.
    """
    seen: dict[tuple[str, Version], Entry] = {}
    defaults: dict[str, Entry] = {}
    for entry in entries:
        name = entry.status.qualified_name
        if entry.status.info is None or entry.status.version is None:
            continue  # it is quarantined already, so nothing is unclear
        if entry.config.default:
            if name in defaults:
                raise ConfigInvalid(f"two entries of '{name}' are marked default: keep one")
            defaults[name] = entry
        first = seen.setdefault((name, Version(entry.status.version)), entry)
        if first is not entry:
            raise DuplicateModel(
                f"model '{name}' {entry.status.version} is configured twice",
                cause=f"both '{first.config.class_path}' and '{entry.config.class_path}' provide it",
                remedy="remove one of the entries, or give one of the models another version or name",
            )


def _list_by_state(names: Iterable[tuple[str, ModelState]]) -> str:
    """Return what there is, for whoever asked for something else: what is loaded, and apart from it what is not."""
    given = list(names)
    lists: dict[ModelState, list[str]] = {}
    listed: set[str] = set()
    for state in _STATE_WORDS:
        lists[state] = [
            name for name in dict.fromkeys(name for name, own in given if own is state) if name not in listed
        ]
        listed.update(lists[state])
    texts = [f"{word}: {', '.join(lists[state])}" for state, word in _STATE_WORDS.items() if lists[state]]
    return "; ".join(texts) or "loaded: none"


def _choose_defaults(entries: list[Entry]) -> list[Entry]:
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.status.qualified_name, []).append(entry)
    return [max(named, key=_rank) for named in by_name.values()]


def _rank(entry: Entry) -> tuple[bool, bool, Version]:
    return entry.config.default, entry.status.state is not ModelState.FAILED, Version(entry.status.version or "0")
