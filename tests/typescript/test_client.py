"""The OpenAPI document against those who write TypeScript: Redocly's lint, generated types, a client of all models.

Node.js and the packages that `make typescript` installs are needed. Without them these tests are skipped; where the
variable ``CI`` is set they fail instead.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from serving import TESTS, Server

FOLDER = TESTS / "typescript"
PACKAGES = FOLDER / "node_modules"
MISSING = "there are no TypeScript packages: install them (`make typescript`, which asks the npm registry)"


@pytest.fixture(scope="module")
def node() -> str:
    """Return the path of Node.js: the environment's own, or another one."""
    path = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if path and PACKAGES.is_dir():
        return path
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def run(node: str, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node, *command],
        cwd=folder,
        # Redocly would tell its makers, and ask them for a newer version.
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lint(node: str, document: Path) -> subprocess.CompletedProcess[str]:
    redocly = PACKAGES / "@redocly/cli/bin/cli.js"
    return run(node, str(redocly), "lint", "--config", str(FOLDER / "redocly.yaml"), str(document), folder=FOLDER)


@pytest.fixture(scope="module")
def project(node: str, shipped: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the programs and of the types of the document that is served."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("client.ts", "mistakes.ts", "package.json", "tsconfig.json"):
        shutil.copy(FOLDER / name, folder)
    (folder / "node_modules").symlink_to(PACKAGES)
    generator = "node_modules/openapi-typescript/bin/cli.js"
    done = run(node, generator, f"{shipped.url}/openapi.json", "--output", "api.ts", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def compile_project(node: str, folder: Path) -> str:
    """Return what the compiler has to say; with nothing to say it leaves programs that run."""
    return run(node, "node_modules/typescript/bin/tsc", folder=folder).stdout


def test_redocly_finds_no_fault_and_has_no_warning(node, tmp_path):
    document = TESTS.parent / "openapi.yaml"
    done = lint(node, document)
    assert done.returncode == 0, done.stderr
    assert "Your API description is valid" in done.stderr
    assert "warning" not in done.stderr.replace("Deprecation warning: Node.js", "")
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(document.read_text().replace("sepal_width: 3.5", "sepal_width: wide"))
    assert lint(node, faulty).returncode == 1


def test_a_typed_client_calls_every_shipped_model(node, project, shipped):
    assert compile_project(node, project) == ""
    done = run(node, "client.js", shipped.url, folder=project)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    served = httpx.get(f"{shipped.url}/api/models").json()["models"]
    assert told["names"] == list(told["calls"]) == [model["qualified_name"] for model in served]
    for name, (payload, output) in told["calls"].items():
        answer = httpx.post(f"{shipped.url}/api/models/{name}/predict", json=payload, timeout=60)
        assert answer.json() == output
    assert [row["species"] for row in told["rows"]] == ["virginica", "setosa"]
    assert told["version"] == served[0]["version"]
    assert (told["code"], told["pointers"]) == ("payload_invalid", ["/petal_length"])


def test_a_mistake_is_an_error_of_the_types(node, project):
    program = project / "mistakes.ts"
    text = program.read_text()
    program.write_text(text.replace("// @ts-expect-error", "// it is wrong"))
    try:
        told = compile_project(node, project)
        faults = [line for line in told.splitlines() if line.startswith("mistakes.ts")]
        assert len(faults) == text.count("// @ts-expect-error"), told
        assert "client.ts" not in told
        assert "'sepal_lenght' does not exist" in told
    finally:
        program.write_text(text)
