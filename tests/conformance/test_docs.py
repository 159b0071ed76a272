"""docs/conformance.md tells what the code does."""

import re

from conformance import museum

from model_service.cli.check import check
from model_service.conformance.catalogue import RULES

PAGE = (museum.EXHIBITS.parents[2] / "docs/conformance.md").read_text()


def test_the_table_of_rules_is_that_of_the_code():
    expected = [f"| `{rule.id}` | {rule.title} | {rule.explanation} |" for rule in RULES]
    assert [line for line in PAGE.splitlines() if re.match(r"\| `[a-z_]+` \|", line)] == expected


def test_every_option_is_told():
    options = {name for parameter in check.params for name in parameter.opts if name.startswith("--")}
    assert options - {"--config"} == set(re.findall(r"`(--[a-z]+)", PAGE))


def test_each_rule_says_what_it_looks_at_and_what_to_do():
    for rule in RULES:
        assert rule.explanation.endswith("."), rule.id
        assert rule.is_told or rule.remedy.endswith("."), rule.id


def test_a_rule_needs_only_rules_that_come_before_it():
    places = {rule.id: place for place, rule in enumerate(RULES)}
    assert len(places) == len(RULES)
    assert [rule.id for rule in RULES if any(places[need] >= places[rule.id] for need in rule.needs)] == []
