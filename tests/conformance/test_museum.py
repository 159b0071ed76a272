"""Each piece of the museum breaks the rule that it stands for, and no other; every rule has a piece."""

import pytest
from conformance import museum

from model_service.conformance import Examination, Options, check_model
from model_service.conformance.catalogue import RULES
from model_service.conformance.examination import name_class
from model_service.conformance.rule import State
from model_service.conformance.subject import Subject

#: The counts bound them; seconds that end before would make a busy machine judge by less.
OPTIONS = Options(seconds=30.0, cases=40, calls=200)
#: Rules that report only, and the one whose pieces are folders: test_wheel.py.
WITHOUT_PIECE = {"load", "speed", "wheel"}


@pytest.mark.parametrize("piece", museum.PIECES, ids=lambda piece: piece.__name__)
def test_a_piece_breaks_its_rule_and_no_other(piece):
    if piece in museum.VIOLENT:
        options = Options(seconds=1.0, cases=40, calls=100, deadline_s=4.0)
        verdicts = check_model(piece, options).verdicts
    else:
        path = name_class(piece)
        with Examination(path, OPTIONS, subject=Subject(path, OPTIONS, model_class=piece)) as examination:
            verdicts = [*examination.judge_all()]
    failed = {verdict.rule: verdict.evidence for verdict in verdicts if verdict.state is State.FAILED}
    assert list(failed) == ([piece.breaks] if piece.breaks else []), failed


def test_every_rule_has_a_piece():
    assert {rule.id for rule in RULES} - WITHOUT_PIECE == {piece.breaks for piece in museum.PIECES} - {""}
