"""A score card as a page of its own: no script, nothing loaded from elsewhere."""

from html import escape

from model_service.conformance.catalogue import find_rule
from model_service.conformance.rule import State
from model_service.conformance.score_card import MARKS, ScoreCard

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2530;
  background: #fff }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem }
table { border-collapse: collapse; width: 100% } td { padding: .4rem .6rem; border-top: 1px solid #ccd3da;
  vertical-align: top; overflow-wrap: anywhere }
td:first-child { width: 3.5rem; font-weight: 600 } td:nth-child(2) { width: 8rem; font-family: ui-monospace, monospace }
.passed { color: #17632f } .failed { color: #a1180b } .told, .skipped { color: #52606d } .remedy { margin: .3rem 0 0 }
@media (prefers-color-scheme: dark) { body { color: #e4e9ee; background: #14191f } td { border-color: #39434d }
  .passed { color: #6fcf8c } .failed { color: #ff8f80 } .told, .skipped { color: #a6b1bc } }
"""


def write_page(card: ScoreCard) -> str:
    """Return the page."""
    name = escape(card.class_path)
    verdict = "fit to serve" if card.is_fit else f"breaks {len(card.failed)} of the rules"
    rows: list[str] = []
    family = ""
    for each in card.verdicts:
        rule = find_rule(each.rule)
        if rule.family != family:
            rows += ["</tbody></table>"] if family else []
            rows.append(f"<h2>{escape(rule.family.capitalize())}</h2><table><tbody>")
            family = rule.family
        told = f"{escape(rule.title)}<br><small>{escape(each.evidence)}</small>"
        if each.state is State.FAILED:
            told += f'<p class="remedy"><strong>Remedy:</strong> {escape(rule.remedy)}</p>'
        mark = f'<td class="{each.state}">{MARKS[each.state]}</td>'
        rows.append(f"<tr>{mark}<td>{escape(rule.id)}</td><td>{told}</td></tr>")
    rows += ["</tbody></table>"] if family else []
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Score card of {name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>{name}: {verdict}</h1>\n<p>{escape(card.summary)}</p>\n"
        + "\n".join(rows)
        + "\n</body></html>\n"
    )
