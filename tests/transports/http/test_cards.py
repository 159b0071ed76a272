import re

import pytest
from markupsafe import Markup

from model_service.transports.http.cards import render_card

#: Every tag that a card may become, whatever it says.
TAGS = {
    *("p", "a", "em", "strong", "s", "code", "pre", "br", "hr", "ul", "ol", "li", "blockquote", "div"),
    *("table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {"href", "rel", "id", "class", "scope", "role", "aria-label", "tabindex", "start"}


def test_markdown_becomes_html():
    assert render_card("A *model* of `x`.") == Markup("<p>A <em>model</em> of <code>x</code>.</p>\n")
    assert render_card("") == Markup("")


@pytest.mark.parametrize(
    "card",
    [
        "<script>hacked()</script>",
        "a <img src=x onerror=hacked()> b",
        "<!-- comment --> <svg onload=hacked()>",
        "[a](javascript:hacked())",
        "[a](JaVaScRiPt:hacked())",
        "[a](&#106;avascript:hacked())",
        "[a]( javascript:hacked())",
        "[a](<java\tscript:hacked()>)",
        "[a](data:text/html,hacked())",
        "[a](vbscript:hacked())",
        "[a](//evil.example)",
        "[a](file:///etc/passwd)",
        "[a][b]\n\n[b]: javascript:hacked()",
        "<javascript:hacked()>",
        '[a](https://x.example "\\" onclick=hacked()")',
        "[a](https://x.example/'onclick='hacked()')",
        '![" onerror="hacked()](https://x.example/a.png "t")',
        "![a](javascript:hacked())",
        '```" onclick="hacked()\n</code></pre><script>hacked()</script>\n```',
        "    </code></pre><script>hacked()</script>",
        '# <script>hacked()</script> " onclick="hacked()',
        '|a" onclick="hacked()|<script>|\n|:-:|--:|\n|<b>|</table>|',
        "{{ 7 * 7 }} {% raw %}",
        "&lt;script&gt;hacked()&lt;/script&gt;",
    ],
)
def test_a_hostile_card_becomes_harmless_tags(card):
    html = render_card(f"# Title\n\n## Place\n\n{card}\n\n[to the place](#place)")
    tags = re.findall(r"<(/?)([^\s>]+)((?:\s[^>]*)?)>", html)
    assert {name for _, name, _ in tags} <= TAGS
    for _, _, attributes in tags:
        pairs = re.findall(r'\s([\w-]+)="([^"]*)"', attributes)
        assert "".join(f' {name}="{value}"' for name, value in pairs) == attributes
        assert {name for name, _ in pairs} <= ATTRIBUTES
        assert all(re.match(r"https?://|mailto:|#card-", value) for name, value in pairs if name == "href")
        assert all(value.startswith("card-") for name, value in pairs if name == "id")
    assert "49" not in html


def test_links_to_the_web_say_nothing_of_where_they_were_clicked():
    assert render_card("[a](https://x.example/b?c=d)") == Markup(
        '<p><a href="https://x.example/b?c=d" rel="noopener noreferrer">a</a></p>\n'
    )
    assert 'href="mailto:ada@example.com"' in render_card("<ada@example.com>")


def test_a_link_that_would_lead_nowhere_is_its_text():
    assert render_card("[`a` b](docs/a.md) and [c](#nowhere)") == Markup("<p><code>a</code> b and c</p>\n")


def test_a_link_to_a_heading_leads_there_and_to_no_part_of_the_page():
    html = render_card("[see](#Known-faults)\n\n# One\n\n# Known faults!")
    assert '<a href="#card-known-faults">see</a>' in html
    assert '<h3 id="card-known-faults">' in html


def test_an_image_is_its_description():
    assert render_card("![two curves](https://x.example/a.png)") == Markup("<p>two curves</p>\n")
    assert render_card("[![badge](a.png)](https://x.example)") == Markup(
        '<p><a href="https://x.example" rel="noopener noreferrer">badge</a></p>\n'
    )


@pytest.mark.parametrize(
    ("card", "levels"),
    [
        ("# Title\n## A\n### B\n## C", [3, 4, 3]),
        ("## A\n#### B\n### C\n# D", [3, 4, 4, 3]),
        ("# A\n# B", [3, 3]),
        ("Text\n\n# A\n## B", [3, 4]),
        ("## A\n### B\n#### C\n##### D\n###### E", [3, 4, 5, 6, 6]),
        ("- # A\n> ## B", [3, 4]),
    ],
)
def test_headings_stand_below_the_pages_own_without_a_hole(card, levels):
    html = render_card(card)
    assert [int(level) for level in re.findall(r"<h(\d)", html)] == levels
    assert [int(level) for level in re.findall(r"</h(\d)", html)] == levels


def test_two_headings_of_one_name_do_not_share_an_id():
    assert render_card("## A\n## A").count('id="card-a"') == 1


def test_a_table_scrolls_by_keyboard_and_is_aligned_without_inline_style():
    html = render_card("|a|b||\n|---|--:|:-:|\n|1|2|3|")
    assert html.startswith('<div class="card-scroll" role="group" aria-label="Table" tabindex="0"><table class="table')
    assert '<th scope="col">a</th>' in html
    assert '<th class="text-end" scope="col">b</th>' in html
    assert '<td class="text-center"></td>' in html
    assert '<td class="text-end">2</td>' in html
    assert "style" not in html


def test_a_table_without_names_of_columns_has_no_head():
    html = render_card("| | |\n|---|---|\n|a|b|\n\nand\n\n|x|\n|-|\n|y|")
    assert html.count("<thead>") == 1
    assert html.index("<thead>") > html.index("<td>b</td>")


def test_code_keeps_its_lines_and_scrolls_by_keyboard():
    assert render_card("```python\na < b\n```\n\n    c") == Markup(
        '<pre class="code" tabindex="0"><code>a &lt; b\n</code></pre>\n'
        '<pre class="code" tabindex="0"><code>c\n</code></pre>\n'
    )
