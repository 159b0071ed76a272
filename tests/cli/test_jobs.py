import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a command in a folder with an empty configuration."""
    (tmp_path / "config.yaml").write_text("models: []\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "model_service", "--config", str(tmp_path / "config.yaml"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_database_is_upgraded_and_says_from_where_to_where(run, tmp_path):
    first, again = run("database", "upgrade"), run("database", "upgrade")
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "no tables -> 0002" in first.stdout
    assert "0002 -> 0002" in again.stdout
    assert (tmp_path / "model-service-data" / "jobs.sqlite").exists()


def test_a_database_that_cannot_be_meant_is_a_fault_of_the_configuration(run, tmp_path):
    (tmp_path / "config.yaml").write_text("jobs: {database: 'mysql://x'}\n")
    for command in (("database", "upgrade"), ("work",)):
        done = run(*command)
        assert done.returncode == 3
        assert "jobs.database" in done.stderr
        assert "Traceback" not in done.stderr
