"""The bill of materials: valid, and everything that `make serve` installs is in it, with its version and licence."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest
from serving import TESTS

ROOT = TESTS.parent
TOOL = ROOT / ".clients/cyclonedx/bin"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""

pytestmark = pytest.mark.skipif(
    not TOOL.exists() and not os.environ.get("CI"), reason="its writer is not there; `make clients` installs it"
)


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    """The text of the bill of this environment, which holds more than the one of `make serve`, and nothing else."""
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    command = [TOOL / "cyclonedx-py", "environment", "--pyproject", ROOT / "pyproject.toml", "--output-reproducible"]
    subprocess.run([*command, "--output-file", path, sys.executable], check=True, timeout=240)
    return path.read_text()


def validate(text):
    done = subprocess.run(
        [TOOL / "python", "-c", VALIDATE], input=text, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_the_bill_is_valid_and_a_broken_one_is_not(bill):
    assert validate(bill) == "None"
    document = json.loads(bill)
    document["components"][0].pop("name")
    assert validate(json.dumps(document)) != "None"


def test_everything_that_is_served_is_in_it_with_its_version(bill):
    document = json.loads(bill)
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "model-service")
    listed = {each["name"].lower().replace("_", "-"): each for each in document["components"]}
    pins = dict(line.split("==") for line in (ROOT / "requirements/serve.txt").read_text().splitlines() if line)
    assert len(pins) > 40
    missing = [
        f"{name}=={version}"
        for name, version in pins.items()
        # A list that was resolved again need not be installed here yet.
        if listed[name.lower().replace("_", "-")]["version"] != metadata.version(name)
    ]
    assert missing == []
    for package in (ROOT / "model_packages").iterdir():
        ours = listed[package.name.replace("_", "-")]
        assert ours["licenses"][0]["license"]["id"] == "Apache-2.0"


def test_make_installs_what_serve_does_before_it_writes_the_bill():
    printed = subprocess.run(
        ["make", "--dry-run", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for part in ("--requirement requirements/serve.txt", "--editable model_packages/iris_model", "build/sbom.json"):
        assert part in printed
    assert "dev.txt" not in printed
