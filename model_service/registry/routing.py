"""What a name means for one request: aliases, and the shares of versions. It knows neither models nor doors.

``loan_model`` is answered by the default version, or by versions in proportion to their weights;
``loan_model@stable`` by the version with that alias; a version that is named, by that version.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

_Target = TypeVar("_Target")

#: Between a name and an alias.
ALIAS_SIGN = "@"
#: Looks up a header of a request by its name, in any case.
FindHeader = Callable[[str], str | None]

#: What the fractional parts of its multiples have in common with no share: whoever calls in a pattern gets each
#: version as often as anyone else, and after n requests each has its share to within one or two.
_GOLDEN = 0.6180339887498949


class Split(Generic[_Target]):
    """Requests of one name among versions by weight. Thread-safe.

    Args:
        name: Of the model: the same caller is in another place with another model.
        shares: What answers, and its weight above 0; at least one.
        header: Requests with the same value of it go to the same version.
        field: Likewise, of their first row.
    """

    def __init__(
        self,
        name: str,
        shares: Sequence[tuple[_Target, float]],
        header: str | None = None,
        field: str | None = None,
    ) -> None:
        self.field = field
        self._header = header
        self._salt = name.encode()
        total = sum(weight for _, weight in shares)
        ends = itertools.accumulate(weight / total for _, weight in shares)
        self._ends = [(end, served) for end, (served, _) in zip(ends, shares, strict=True)]
        self._turns = itertools.count(1)

    def choose(self, find_header: FindHeader | None) -> _Target:
        """Return the version for a request, by its sticky header if it has one."""
        value = find_header(self._header) if self._header is not None and find_header is not None else None
        return self._take(next(self._turns) * _GOLDEN % 1 if value is None else self._place(value))

    def choose_for(self, payload: Any) -> _Target:
        """Return the version for a request with such a first row, by its sticky field if it has one."""
        value = payload.get(self.field) if isinstance(payload, dict) else None
        return self._take(next(self._turns) * _GOLDEN % 1 if value is None else self._place(repr(value)))

    def _place(self, value: str) -> float:
        """Return where a value stands from 0 to 1: the same in every process."""
        digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8, key=self._salt[:64]).digest()
        return int.from_bytes(digest, "big") / 2**64

    def _take(self, place: float) -> _Target:
        return next((served for end, served in self._ends if place < end), self._ends[-1][1])


def is_next(turn: int, share: float) -> bool:
    """Whether the request with a number belongs to a share of them, evenly spread."""
    return turn * _GOLDEN % 1 < share


def split_alias(name: str) -> tuple[str, str | None]:
    """Return the name of a model and the alias behind it, if there is one."""
    qualified_name, sign, alias = name.partition(ALIAS_SIGN)
    return qualified_name, alias if sign else None
