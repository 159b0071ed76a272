"""A package appears whole or not at all."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from model_service.errors import ConfigInvalid
from model_service.scaffold.staging import stage

PROGRAM = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from model_service.scaffold.staging import stage
    with stage(Path(sys.argv[1]) / "churn_model") as made:
        (made / "half.py").write_text("")
        print("half", flush=True)
        time.sleep(600)
""")


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_with_all_that_was_written(tmp_path):
    with stage(tmp_path / "deep/churn_model") as made:
        (made / "file").write_text("x")
        assert not (tmp_path / "deep/churn_model").exists()
    assert (tmp_path / "deep/churn_model/file").read_text() == "x"
    assert list_names(tmp_path / "deep") == ["churn_model"]
    assert (tmp_path / "deep/churn_model").stat().st_mode & 0o700 == 0o700


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_fails_leaves_nothing(tmp_path, error):
    def fail():
        with stage(tmp_path / "churn_model") as made:
            (made / "file").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert list_names(tmp_path) == []


def test_what_has_come_into_being_meanwhile_is_left_as_it_is(tmp_path):
    with pytest.raises(ConfigInvalid, match="left as it is"), stage(tmp_path / "churn_model"):
        (tmp_path / "churn_model").mkdir()
    assert list_names(tmp_path) == ["churn_model"]


def test_what_a_killed_process_has_left_is_removed_by_the_next_and_a_living_one_is_left_alone(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "half\n"
            (left,) = list_names(tmp_path)
            with stage(tmp_path / "churn_model") as made:
                assert left in list_names(tmp_path)
                (made / "file").write_text("")
        finally:
            os.kill(process.pid, signal.SIGKILL)
    assert list_names(tmp_path) == [left, "churn_model"]
    with stage(tmp_path / "other_model"):
        pass
    assert left in list_names(tmp_path)  # another name's
    with pytest.raises(ConfigInvalid), stage(tmp_path / "churn_model"):
        pass
    assert list_names(tmp_path) == ["churn_model", "other_model"]


def test_a_folder_that_cannot_be_written_to_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match="cannot be written to"), stage(tmp_path / "file/churn_model"):
        pass
