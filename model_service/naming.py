"""How messages repeat names that callers gave."""

#: A caller's name longer than this is described instead of repeated.
_MAX_QUOTED_CHARACTERS = 64


def is_presentable(name: str) -> bool:
    """Whether a name that a caller gave may be repeated as it is: short and printable."""
    return len(name) <= _MAX_QUOTED_CHARACTERS and name.isprintable()


def quote_name(name: str) -> str:
    """Return a name that a caller gave, fit for a message: quoted, or described when it is long or not printable."""
    return f"'{name}'" if is_presentable(name) else f"a name of {len(name)} characters"
