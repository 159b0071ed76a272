"""The conformance kit: rules that a model package keeps if it is fit to serve, as a program.

    from model_service.conformance import check_model
    card = check_model(IrisModel)                       # a ScoreCard

    from model_service.conformance.pytest_plugin import conformance
    test_conformance = conformance(IrisModel)           # one test per rule

    model-service check iris_model

catalogue.py       every rule, in order
rule.py            what a rule is, and what comes of it
options.py         how thoroughly a model is checked
describing.py      rules: contract, metadata, model card
schema_rules.py    rules: the two schemas
artifact_rules.py  rules: the files of the package
loading_rules.py   rules: bringing a model up
answer_rules.py    rules: one row at a time
company_rules.py   rules: the same row in batches, threads and processes
input_rules.py     rules: which inputs reach the answer
resource_rules.py  rules: memory and speed
wheel_rules.py     the rule: what others install
subject.py         the model under the rules
sampler.py         payloads drawn from a schema
pattern_texts.py   texts drawn from a pattern, and what browsers make of it
card_figures.py    the figures of a model card
network.py         whether code asks for the network
examination.py     rules judged in a child process, each with a deadline
process.py         such a process, from outside
child.py           and from inside
score_card.py      what came of all rules
html.py            the same as a page
pytest_plugin.py   one test per rule

A new rule is a function with the decorator `rule` in the module of its family, one line in that module's ``RULES``, a
piece in tests/conformance/museum.py that breaks it and no other, and its line in docs/conformance.md.
"""

from model_service.conformance.examination import Examination, check_model
from model_service.conformance.options import Options
from model_service.conformance.score_card import ScoreCard

__all__ = ["Examination", "Options", "ScoreCard", "check_model"]
