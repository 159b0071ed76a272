"""The kit from outside: score card, command line, page, pytest plug-in, and a check that nothing can hold up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commanding import invoke, misuse
from conformance import museum

from model_service.conformance import Examination, Options, check_model
from model_service.conformance.catalogue import RULES
from model_service.conformance.html import write_page
from model_service.conformance.rule import State, Verdict
from model_service.conformance.score_card import ScoreCard

QUICK = ["--seconds", "30", "--cases", "10", "--calls", "100"]
SOUND, OPEN = "conformance.museum.Sound", "conformance.museum.Open"


def test_a_sound_model_is_fit_and_what_was_seen_is_told():
    card = check_model(museum.Sound, Options(seconds=30, cases=10, calls=100))
    assert card.is_fit
    assert [verdict.rule for verdict in card.verdicts] == [rule.id for rule in RULES]
    told = {verdict.rule: verdict for verdict in card.verdicts}
    assert told["generated"].evidence == "10 payloads, of which find_violations refused 0"
    assert told["wheel"].state is State.SKIPPED
    assert "ms" in told["speed"].evidence
    assert card.summary.endswith("27 of 27 rules hold, 3 not judged")


def test_the_command_prints_a_score_card_and_ends_with_1_for_a_broken_rule(tmp_path):
    result = invoke(tmp_path / "config.yaml", "check", SOUND, *QUICK, "--rule", "closed")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "pass  closed      2 objects" in result.stdout
    page = tmp_path / "card.html"
    result = invoke(tmp_path / "config.yaml", "check", OPEN, *QUICK, "--html", str(page), "--rule", "closed")
    assert result.exit_code == 1
    assert "FAIL  closed      these take any field: input_schema" in result.stdout
    assert 'remedy:  Say "additionalProperties": false' in result.stdout
    assert result.stdout.endswith(f"{OPEN}: 0 of 1 rules hold: closed\n")
    assert "<strong>Remedy:</strong> Say &quot;additionalProperties&quot;" in page.read_text()


def test_the_score_card_as_json(tmp_path):
    result = invoke(tmp_path / "config.yaml", "check", OPEN, "--json", "--rule", "closed", "--rule", "contract")
    document = json.loads(result.stdout)
    assert (document["fit"], document["failed"]) == (False, ["closed"])
    (closed, contract) = document["rules"]
    assert closed["remedy"].startswith("Say ")
    assert (contract["state"], "remedy" in contract) == ("passed", False)


def test_a_model_is_found_by_its_name_in_the_configuration_and_by_its_package(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"models:\n  - class: {OPEN}\n")
    result = invoke(path, "check", "sound_model", "--rule", "closed")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, OPEN)
    result = invoke(path, "check", "iris_model", "--rule", "closed")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "iris_model:IrisModel")
    result = invoke(path, "check", "iris_mode", "--rule", "closed")
    assert result.exit_code != 0
    result = invoke(path, "check", "conformance.museum.Nothing", "--rule", "closed", "--rule", "contract")
    assert (result.exit_code, "no MLModel subclass" in result.stdout) == (1, True)
    assert "did you mean closed?" in misuse(path, "check", OPEN, "--rule", "close")


def test_payloads_of_the_author_are_asked_about(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([museum.EXAMPLES[0] | {"x": 11}]))
    result = invoke(tmp_path / "config.yaml", "check", SOUND, "--payloads", str(rows), "--rule", "examples")
    assert (result.exit_code, "payload 0 is refused" in result.stdout) == (1, True)


def test_a_model_that_hangs_is_ended_with_what_it_started_and_the_next_rule_is_judged():
    with Examination("conformance.museum:HangsAtABound", Options(seconds=1.0, cases=40, deadline_s=4.0)) as examination:
        assert examination.judge("generated").evidence.startswith("it did not come back within 5 s, and was ended")
        assert examination.judge("batch").state is State.PASSED


def test_a_model_that_crashes_is_named_by_its_signal_and_cannot_speak_for_the_kit():
    with Examination("conformance.museum:Crashes") as examination:
        assert "was ended by SIGABRT" in examination.judge("answers").evidence
    with Examination("conformance.museum:Exits") as examination:
        verdict = examination.judge("offline")
        assert (verdict.state, "ended with exit code 0" in verdict.evidence) == (State.FAILED, True)
        assert examination.judge("builds").evidence == "not judged: it needs 'offline'"


def test_a_page_holds_no_markup_of_a_model():
    verdict = Verdict("closed", State.FAILED, "<script>hacked()</script>")
    page = write_page(ScoreCard("<b>x", (verdict,), Options()))
    assert ("<script>" in page, "&lt;b&gt;x" in page) == (False, True)


TESTS = """
from conformance.museum import {name}
from model_service.conformance.pytest_plugin import conformance

test_conformance = conformance({name}, seconds=30, cases=10, calls=100)
"""


@pytest.mark.parametrize(
    ("name", "counts"), [("Sound", "29 passed, 2 skipped"), ("Open", "1 failed, 28 passed, 2 skipped")]
)
def test_two_lines_are_a_test_per_rule(tmp_path, name, counts):
    (tmp_path / "test_package.py").write_text(TESTS.format(name=name))
    alone = ["-c", os.devnull, "--rootdir", tmp_path, "-p", "no:cacheprovider", "-W", "error"]
    command = [sys.executable, "-m", "pytest", *alone, tmp_path]
    path = os.pathsep.join([str(Path(museum.__file__).parents[1]), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert counts in done.stdout.splitlines()[-1], done.stdout
    if name == "Open":
        assert "objects refuse fields that the schema does not name: these take any field: input_schema" in done.stdout
        assert "test_conformance[closed]" in done.stdout
