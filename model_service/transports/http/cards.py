"""Model cards: a package's README, from Markdown to HTML that is safe to show.

Whatever the README holds, the page gets tags of this list of rules only: raw HTML stays text,
links lead to web pages, mail addresses and places of the card itself, and images become
their descriptions. Headings are moved below the page's own, so that its outline has no hole.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

#: The page has one h1, and an h2 above the card.
_TOP_LEVEL = 3
_DEEPEST_LEVEL = 6
_FOREIGN_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_ALIGNMENTS = {"text-align:right": "text-end", "text-align:center": "text-center"}
#: Keeps the places of a card apart from those of the page.
_ID_PREFIX = "card-"


def render_card(card: str) -> Markup:
    """Return the HTML of a model card; empty for an empty one."""
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_CardRenderer).enable(["table", "strikethrough"])
    # Every address becomes a link here, and `_mend_inline` keeps those it knows; else its brackets would show.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    tokens = _drop_title(parser.parse(card))
    places = _mend_headings(tokens)
    _mend_tables(tokens)
    for token in tokens:
        if token.children:
            token.children = [*_mend_inline(token.children, places)]
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - the rules above made it safe


class _CardRenderer(RendererHTML):
    """Puts what may be wider than a telephone into boxes that scroll, also by keyboard."""

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="card-scroll" role="group" aria-label="Table" tabindex="0"><table class="table table-sm">\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f'<pre class="code" tabindex="0"><code>{escapeHtml(tokens[index].content)}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return self.fence(tokens, index, options, env)


def _drop_title(tokens: list[Token]) -> list[Token]:
    """Drop a heading that opens the card and titles all of it: the page has said it."""
    titles = [index for index, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h1"]
    return tokens[3:] if titles == [0] else tokens


def _mend_headings(tokens: list[Token]) -> dict[str, str]:
    """Give headings levels without a hole, and ids; return the id of each place that a link may name."""
    places: dict[str, str] = {}
    above: list[int] = []
    for index, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        level = int(token.tag[1])
        above = [*(other for other in above if other < level), level]
        tag = f"h{min(_TOP_LEVEL + len(above) - 1, _DEEPEST_LEVEL)}"
        token.tag = tokens[index + 2].tag = tag  # a heading is always three tokens: open, inline, close
        name = re.sub(r"[^\w\- ]", "", tokens[index + 1].content).strip().lower().replace(" ", "-")
        if name not in places:  # of several headings of one name, links lead to the first
            places[name] = _ID_PREFIX + name
            token.attrSet("id", places[name])
    return places


def _mend_tables(tokens: list[Token]) -> None:
    """Name columns for screen readers, align by class, and drop the head of a table that names no column."""
    for index, token in enumerate(tokens):
        if token.type not in ("th_open", "td_open"):
            continue
        alignment = _ALIGNMENTS.get(str(token.attrs.pop("style", "")))
        if alignment:
            token.attrSet("class", alignment)
        if token.type == "th_open" and tokens[index + 1].content:
            token.attrSet("scope", "col")
        elif token.type == "th_open":
            token.tag = tokens[index + 2].tag = "td"
    empty = [
        (start, end)
        for start, end in _find_heads(tokens)
        if not any(token.content for token in tokens[start:end] if token.type == "inline")
    ]
    for start, end in reversed(empty):
        del tokens[start:end]


def _find_heads(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    start = 0
    for index, token in enumerate(tokens):
        if token.type == "thead_open":
            start = index
        elif token.type == "thead_close":
            yield start, index + 1


def _mend_inline(tokens: list[Token], places: dict[str, str]) -> Iterator[Token]:
    """Yield tokens with links that are safe and lead somewhere, and the descriptions of images."""
    is_kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            address = _find_address(str(token.attrs["href"]), places)
            is_kept.append(address is not None)
            if address is None:
                continue
            token.attrs = {"href": address}
            if not address.startswith("#"):
                token.attrSet("rel", "noopener noreferrer")
        elif token.type == "link_close" and not is_kept.pop():
            continue
        elif token.type == "image":
            yield Token("text", "", 0, content=token.content)
            continue
        yield token


def _find_address(address: str, places: dict[str, str]) -> str | None:
    if address.startswith("#"):
        place = places.get(address[1:].lower())
        return f"#{place}" if place else None
    return address if _FOREIGN_LINK.match(address) else None
