"""The figures of a card: which count, and which were measured."""

import pytest

from model_service.conformance.card_figures import find_unmeasured

METRICS = {"data": {"rows": 1492}, "results": [{"value": 0.81749, "spread": 0.0008}, {"value": 387.2, "spread": None}]}


@pytest.mark.parametrize(
    ("written", "unmeasured"),
    [
        ("accuracy 0.817, or 82 %, or 81.7 %, ± 0.0008", []),
        ("accuracy 0.818 and 81.8 %", ["0.818", "81.8 %"]),
        ("of 1,492 rows, an error of 387 or 387.2 bikes, seed 0, version 1.20.0", []),
        ("| model | 0.8175 | 387 |\n| model of 5 trees | 0.8175 ± 0.0008 | 386 |", ["386"]),
        ("`--rate 0.5` and [a link of 0.7](x.md)", []),
        ("a gain of **-0.0008** and \u22120.0009", ["\u22120.0009"]),
    ],
)
def test_figures_of_the_section_must_be_measured_to_the_digits_that_are_shown(written, unmeasured):
    card = f"# Card 9.9\n\n## Quality\n\n{written}\n\n## Limits\n\n0.123\n"
    assert find_unmeasured(card, METRICS) == unmeasured
