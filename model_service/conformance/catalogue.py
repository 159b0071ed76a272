"""Every rule of the kit, in the order in which a score card shows them."""

from difflib import get_close_matches

from model_service.conformance import (
    answer_rules,
    artifact_rules,
    company_rules,
    describing,
    input_rules,
    loading_rules,
    resource_rules,
    schema_rules,
    wheel_rules,
)
from model_service.conformance.rule import Rule

RULES: tuple[Rule, ...] = (
    *describing.RULES,
    *schema_rules.RULES,
    *artifact_rules.RULES,
    *loading_rules.RULES,
    *answer_rules.RULES,
    *company_rules.RULES,
    *input_rules.RULES,
    *resource_rules.RULES,
    *wheel_rules.RULES,
)
#: Others ask about generated payloads only while this one holds.
GENERATED = answer_rules.generated.id
#: Judged only where it is asked for.
WHEEL = wheel_rules.wheel.id
_BY_ID = {rule.id: rule for rule in RULES}


def find_rule(rule_id: str) -> Rule:
    """Return the rule with an id.

    Raises:
        KeyError: There is none.
    """
    if rule_id not in _BY_ID:
        close = get_close_matches(rule_id, _BY_ID, n=1) or [*_BY_ID]
        raise KeyError(f"no rule '{rule_id}'; did you mean {', '.join(close)}?")
    return _BY_ID[rule_id]
