"""Rules about what a package says of itself: contract, metadata, model card."""

import re

from model_service.artifacts import read_metrics
from model_service.audit import find_distribution
from model_service.conformance.card_figures import find_unmeasured
from model_service.conformance.rule import Broken, NotJudged, rule
from model_service.conformance.subject import Subject
from model_service.errors import ModelImportFailed
from model_service.loading import find_contract_faults

_FAMILY = "description"
_SCHEMAS = ("input_schema", "output_schema")
#: Fewer characters say too little of what goes in and what comes out.
_LEAST_DESCRIPTION = 20
#: What a card tells, by what its heading may be called.
_SECTIONS = {
    "what goes in and out": r"\b(in|inputs?|outputs?|usage|use)\b",
    "the data": r"\bdata(set)?s?\b",
    "the quality": r"\b(quality|evaluation|performance|metrics|results)\b",
    "the limits": r"\b(limits?|limitations?|faults|caveats|risks)\b",
}


@rule(
    "contract",
    _FAMILY,
    "the class keeps the MLModel contract",
    remedy="Mend the class: the docstring of model_service.MLModel describes each attribute and method.",
)
def contract(subject: Subject) -> str:
    """The class can be imported, has every attribute in its form, and every method."""
    try:
        # While it is imported no network is there: see the rule 'offline'.
        with subject.network.closed():
            model_class = subject.model_class
    except ModelImportFailed as error:
        raise Broken(f"{error.message}: {error.cause} ({error.remedy})") from None
    if faults := [fault for fault in find_contract_faults(model_class) if not fault.startswith(_SCHEMAS)]:
        raise Broken("; ".join(faults))
    return f"{model_class.qualified_name} {model_class.version}"


@rule(
    "metadata",
    _FAMILY,
    "names, description, titles and licence are complete",
    remedy="Write what is named: people choose a model by it, and an auditor asks for the licence.",
    needs=("contract",),
)
def metadata(subject: Subject) -> str:
    """The description is a sentence, the display name is one for people, both schemas have a title, and the
    distribution states its licence.
    """
    model, faults = subject.model_class, []
    if len(model.description.strip()) < _LEAST_DESCRIPTION or model.description.strip()[-1] not in ".!?":
        faults.append(f"description is no sentence of {_LEAST_DESCRIPTION} characters or more")
    if model.display_name == model.qualified_name:
        faults.append("display_name is the qualified_name, not a name for people")
    for name in _SCHEMAS:
        schema = getattr(model, name)  # whether it is one at all, a rule of its own tells
        faults += [f"{name} has no title"] if isinstance(schema, dict) and not schema.get("title") else []
    distribution, licence = find_distribution(model.__module__.partition(".")[0])
    if distribution and not licence:
        faults.append(f"the distribution {distribution} states no licence")
    if faults:
        raise Broken("; ".join(faults))
    return ", ".join(part for part in (distribution or "not installed as a distribution", licence) if part)


@rule(
    "card",
    _FAMILY,
    "a model card tells inputs, data, quality and limits",
    remedy="Write a README.md beside the package with a heading for each, and name it as readme in pyproject.toml.",
    needs=("contract",),
)
def card(subject: Subject) -> str:
    """The package has a ``README.md`` with a heading for what goes in and out, the data, the quality, the limits."""
    if not subject.card:
        raise Broken("there is no model card")
    headings = re.findall(r"^#+ +(.+?)\s*$", subject.card, re.MULTILINE)
    missing = [
        what
        for what, words in _SECTIONS.items()
        if not any(re.search(words, heading, re.IGNORECASE) for heading in headings)
    ]
    if missing:
        raise Broken(f"the card has no heading for {', '.join(missing)}")
    return f"{len(headings)} headings"


@rule(
    "figures",
    _FAMILY,
    "each figure of quality in the card was measured",
    remedy="Copy the figures from artifacts/metrics.json, which the training script writes, or leave them out.",
    needs=("contract",),
)
def figures(subject: Subject) -> str:
    """Every figure with a decimal point, and every number in a table, below "Quality" is one of ``metrics.json``."""
    section = subject.options.section
    if not subject.card:
        raise NotJudged("there is no model card")
    found = find_unmeasured(subject.card, read_metrics(subject.model_class), section)
    if found:
        raise Broken(f"nobody measured these of the card's {section.lower()}: {', '.join(found)}")
    if not re.search(rf"^#+ {re.escape(section)}\s*$", subject.card, re.MULTILINE):
        raise NotJudged(f"the card has no heading '{section}'")
    return "every figure is in metrics.json"


RULES = (contract, metadata, card, figures)
