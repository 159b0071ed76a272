"""Texts that a regular expression accepts, drawn at random; and what in an expression a browser reads otherwise.

Expressions are read by Python's own parser. Nobody promises its form, so everything unknown is left out: a text that
is drawn is held against the schema before anyone sees it.
"""

import random
import re
from collections.abc import Iterator, Sequence
from re import _constants as codes  # type: ignore[attr-defined]  # its stub leaves it out
from re import _parser  # type: ignore[attr-defined]  # likewise
from string import ascii_letters, digits
from typing import Any

#: How often something is repeated that may be repeated without end.
_MOST_REPEATS = 8
_PRINTABLE = ascii_letters + digits + " .,-_"
_CATEGORIES = {
    codes.CATEGORY_DIGIT: digits,
    codes.CATEGORY_NOT_DIGIT: ascii_letters,
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: ascii_letters + digits,
    codes.CATEGORY_WORD: ascii_letters + digits + "_",
    codes.CATEGORY_NOT_WORD: " .,-",
}
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)

#: What Python's expressions have and JavaScript's have not, or read otherwise (with its flags u and v).
_FOREIGN = (
    (re.compile(r"\(\?P[<=>]"), "(?P...) names a group as Python does; write (?<name>...)"),
    (re.compile(r"\(\?[aiLmsux]+(?:-[imsx]+)?[:)]"), "(?i) and other flags inside; write both cases"),
    (re.compile(r"\(\?#"), "(?#...) is a comment of Python"),
    (re.compile(r"\(\?>|[*+?}]\+"), "an atomic group or a possessive repeat"),
    (re.compile(r"\(\?\("), "a condition on a group"),
    (re.compile(r"\\[AZ]"), r"\A or \Z; write ^ or $"),
    (re.compile(r"\\[dwsbDWSB]"), r"\d, \w, \s or \b mean other characters in Python; write [0-9], [A-Za-z0-9_], [ ]"),
    (re.compile(r"\\[^\^$\\.*+?()\[\]{}|/dDwWsSbBpPuxkfnrtv0-9cAZ-]"), "an escape that browsers refuse"),
)
_CLASS = re.compile(r"\[\^?(\]?(?:\\.|[^\]\\])*)\]")
#: Characters of a class that must be escaped with flag v, and pairs that mean something else there.
_BARE_IN_CLASS = re.compile(r"(?<!\\)[(\[{}/|]|(?<!\\)-$|^-|([&!#%,:;<=>@`~])\1")


def draw_text(pattern: str, chance: random.Random) -> str:
    """Return a text in which a pattern is probably found, from its beginning to its end."""
    return _draw(_parser.parse(pattern), chance, {})


def find_browser_faults(pattern: str) -> Iterator[str]:
    """Yield what keeps a pattern from meaning the same in a browser, or would let a browser wait for ever."""
    plain = pattern.replace("\\\\", "")
    yield from (words for expression, words in _FOREIGN if expression.search(plain))
    outside = _CLASS.sub("", plain)
    for inside in _CLASS.findall(plain):
        if found := _BARE_IN_CLASS.search(inside):
            yield f"'{found.group()}' in a class must be escaped"
    if r"\-" in outside:
        yield r"\-, an escape that browsers refuse outside a class"
    if re.search(r"(?<!\\)\]|(?<!\\)\{(?!\d+(?:,\d*)?\})|(?<![\\\d,])\}", outside):
        yield "a bracket that opens or closes nothing must be escaped"
    if _repeats_repeats(_parser.parse(pattern)):
        yield "a repeat of a repeat, which may take for ever on a text that nearly matches"


def _repeats_repeats(parsed: Any, *, is_inside: bool = False) -> bool:
    """Whether something that may be repeated without end is nothing but such a thing itself, as in ``(a+)+``."""
    tokens = list(parsed)
    for code, argument in tokens:
        if code in _REPEATS:
            is_endless = argument[1] is codes.MAXREPEAT
            if is_endless and is_inside and len(tokens) == 1:
                return True
            if _repeats_repeats(argument[2], is_inside=is_endless):
                return True
        elif code is codes.SUBPATTERN:
            if _repeats_repeats(argument[3], is_inside=is_inside and len(tokens) == 1):
                return True
        elif code is codes.BRANCH and any(
            _repeats_repeats(branch, is_inside=is_inside and len(tokens) == 1) for branch in argument[1]
        ):
            return True
    return False


def _draw(parsed: Any, chance: random.Random, groups: dict[int, str]) -> str:
    return "".join(_draw_token(code, argument, chance, groups) for code, argument in parsed)


def _draw_token(code: Any, argument: Any, chance: random.Random, groups: dict[int, str]) -> str:
    if code is codes.LITERAL:
        return chr(argument)
    if code is codes.ANY:
        return chance.choice(_PRINTABLE)
    if code is codes.NOT_LITERAL:
        return chance.choice(_PRINTABLE.replace(chr(argument), ""))
    if code is codes.IN:
        return _draw_member(argument, chance)
    if code is codes.BRANCH:
        return _draw(chance.choice(argument[1]), chance, groups)
    if code in _REPEATS or code is codes.POSSESSIVE_REPEAT:
        least, most, inner = argument
        most = least + _MOST_REPEATS if most is codes.MAXREPEAT else min(most, least + _MOST_REPEATS)
        return "".join(_draw(inner, chance, groups) for _ in range(chance.randint(least, most)))
    if code is codes.SUBPATTERN:
        groups[argument[0]] = _draw(argument[3], chance, groups)
        return groups[argument[0]]
    if code is codes.ATOMIC_GROUP:
        return _draw(argument, chance, groups)
    return groups.get(argument, "") if code is codes.GROUPREF else ""


def _draw_member(members: Sequence[tuple[Any, Any]], chance: random.Random) -> str:
    """Return a character of a class, such as ``[a-z_]`` or ``[^,]``."""
    if members[0][0] is codes.NEGATE:
        refused = set(_list_members(members[1:]))
        allowed = [character for character in _PRINTABLE if character not in refused]
        return chance.choice(allowed or ["~"])
    return chance.choice(list(_list_members(members)))


def _list_members(members: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    for code, argument in members:
        if code is codes.LITERAL:
            yield chr(argument)
        elif code is codes.RANGE:
            yield from map(chr, range(argument[0], min(argument[1], argument[0] + 255) + 1))
        elif code is codes.CATEGORY:
            yield from _CATEGORIES.get(argument, ascii_letters)
