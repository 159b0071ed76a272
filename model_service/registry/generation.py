"""`Generation`: the models that are served together, and which of them is meant. Immutable."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from model_service.errors import ConfigInvalid, DuplicateModel, ModelNotFound, ModelNotReady
from model_service.naming import quote_name
from model_service.records import ModelState, ModelStatus, Traffic
from model_service.registry.entry import Entry, ServedModel, find_current
from model_service.registry.routing import ALIAS_SIGN, FindHeader, Split, split_alias

#: What a name that is not there is told of those that are; of a name in several states, the first counts.
_STATE_WORDS = {ModelState.READY: "loaded", ModelState.LOADING: "not loaded yet", ModelState.FAILED: "failed to load"}
#: A model of the generation: its status, and what answers for it.
_Member = tuple[ModelStatus, ServedModel | None]


class Generation:
    """The entries of a configuration at one moment, each name with its default.

    A request without a version goes to the entry marked ``default``, else to the one with the greatest weight, else
    to the highest version (PEP 440) that has not failed, so that a broken new version leaves the old one in its
    place. Where entries have weights, those that can answer share such requests.

    Args:
        entries: In the order of the configuration; what becomes of them later is another generation.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        taken = list(entries)
        chosen = {id(entry) for entry in _choose_defaults(taken)}
        shares = _find_shares(taken)
        self._members: list[_Member] = [
            (replace(entry.status, is_default=id(entry) in chosen, traffic=_tell_traffic(entry, shares)), entry.served)
            for entry in taken
        ]
        self._aliases = _find_aliases(taken)
        self._shadows: dict[str, list[tuple[ServedModel, float]]] = {}
        for entry in taken:
            if entry.served is not None and entry.config.traffic.shadow:
                named = self._shadows.setdefault(entry.status.qualified_name, [])
                named.append((entry.served, entry.config.traffic.shadow))
        self._splits = {name: _make_split(name, named) for name, named in shares.items()}
        self._answering = {
            status.qualified_name: served
            for status, served in self._members
            if status.is_default and served is not None and status.qualified_name not in self._splits
        }
        for name, split in self._splits.items():
            if split.field is not None:  # who answers shows when the rows are there
                self._answering[name] = replace(split.choose(None), split=split)

    def has_name(self, qualified_name: str) -> bool:
        """Whether there is a model of that name, whatever its state."""
        name, _ = split_alias(qualified_name)
        return any(status.qualified_name == name for status, _ in self._members)

    def is_split(self, qualified_name: str) -> bool:
        """Whether several versions answer to a name, so that each request has to ask anew."""
        return qualified_name in self._splits

    def find_shadows(self, qualified_name: str) -> Sequence[tuple[ServedModel, float]]:
        """Return the versions of a model that get copies of requests, each with its share of them."""
        return self._shadows.get(qualified_name, ())

    def serves(self, target: ServedModel) -> bool:
        """Whether a model is one of those that answer."""
        return any(served is not None and served.leases is target.leases for _, served in self._members)

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

    def get_served(
        self, qualified_name: str, version: str | None, find_header: FindHeader | None = None
    ) -> ServedModel:
        """Return the model that answers a request.

        Args:
            qualified_name: The name that the request uses, perhaps with an alias.
            version: The version that it names, in any spelling of PEP 440; the default one, or one of those that
                share the name's requests, when ``None``.
            find_header: Looks up a header of the request, for versions that keep their callers.

        Raises:
            ModelNotFound: Lists what is configured.
            ModelNotReady: It is loading or quarantined; the message says which.
        """
        if version is None:
            if (answering := self._answering.get(qualified_name)) is not None:
                return answering
            if (split := self._splits.get(qualified_name)) is not None:
                return split.choose(find_header)
        status, served = self._find(qualified_name, version)
        if served is not None:
            return served
        label = f"model '{status.qualified_name}'" + (f" {status.version}" if status.version else "")
        if status.state is ModelState.FAILED:
            raise ModelNotReady(f"{label} could not be loaded; GET /api/models says why", retry_after_s=None)
        raise ModelNotReady(f"{label} is still loading", retry_after_s=5)

    def _find(self, qualified_name: str, version: str | None) -> _Member:
        members = self._members
        if ALIAS_SIGN in qualified_name:
            qualified_name, version = self._resolve_alias(qualified_name, version)
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

    def _resolve_alias(self, name: str, version: str | None) -> tuple[str, str | None]:
        """Return the plain name and the version that an alias means.

        Raises:
            ModelNotFound: There is no such alias of a model that is there, or a version is named beside it.
        """
        qualified_name, alias = split_alias(name)
        if not self.has_name(qualified_name):
            return qualified_name, version
        known = self._aliases.get(qualified_name, {})
        if version is not None:
            raise ModelNotFound(f"{quote_name(name)} means a version already; leave out {quote_name(version)}")
        if alias not in known:
            there = f"aliases: {', '.join(sorted(known))}" if known else "it has none"
            raise ModelNotFound(f"no alias {quote_name(alias or '')} of model '{qualified_name}'; {there}")
        return qualified_name, known[alias]


def check_unambiguous(entries: Iterable[Entry]) -> None:
    """Make sure that it is clear which entry each name, version and alias means.

    Raises:
        DuplicateModel: Two entries have the same name and version.
        ConfigInvalid: Two entries of one name are marked ``default``, share an alias, or keep their callers by
            different things.
    """
    entries = list(entries)
    _check_traffic(entries)
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


def _rank(entry: Entry) -> tuple[bool, bool, bool, float, Version]:
    traffic = entry.config.traffic
    has_failed = entry.status.state is ModelState.FAILED
    version = Version(entry.status.version or "0")
    return entry.config.default, not has_failed, traffic.shadow is None, traffic.weight or 0.0, version


def _find_shares(entries: list[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of each name that share its requests, of those that can answer."""
    shares: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.served is not None and entry.config.traffic.weight:
            shares.setdefault(entry.status.qualified_name, []).append(entry)
    return shares


def _make_split(name: str, entries: list[Entry]) -> Split[ServedModel]:
    shares = [(entry.served, entry.config.traffic.weight) for entry in entries]
    header = next((each.config.traffic.sticky_header for each in entries if each.config.traffic.sticky_header), None)
    field = next((each.config.traffic.sticky_field for each in entries if each.config.traffic.sticky_field), None)
    return Split(name, [(served, weight) for served, weight in shares if served and weight], header, field)


def _tell_traffic(entry: Entry, shares: dict[str, list[Entry]]) -> Traffic:
    own = entry.config.traffic
    named = shares.get(entry.status.qualified_name)
    share = None
    if named is not None:
        total = sum(each.config.traffic.weight or 0.0 for each in named)
        share = (own.weight or 0.0) / total if entry in named else 0.0
    return Traffic(share, own.aliases, own.shadow, own.deprecated, own.sunset, own.deprecation_link)


def _find_aliases(entries: list[Entry]) -> dict[str, dict[str, str]]:
    """Return the version of each alias of each name."""
    aliases: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry.status.version is not None:
            for alias in entry.config.traffic.aliases:
                aliases.setdefault(entry.status.qualified_name, {})[alias] = entry.status.version
    return aliases


def _check_traffic(entries: list[Entry]) -> None:
    taken: dict[tuple[str, str], Entry] = {}
    kept: dict[str, tuple[str | None, str | None]] = {}
    for entry in entries:
        name, traffic = entry.status.qualified_name, entry.config.traffic
        for alias in traffic.aliases:
            if taken.setdefault((name, alias), entry) is not entry:
                raise ConfigInvalid(f"two entries of '{name}' have the alias '{alias}': keep one")
        sticky = traffic.sticky_header, traffic.sticky_field
        if any(sticky) and kept.setdefault(name, sticky) != sticky:
            raise ConfigInvalid(f"entries of '{name}' differ in 'sticky_header' or 'sticky_field': keep one of them")
