"""Documentation is tested: what it lists exists, what exists is listed, and its programs print what it says."""

import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from serving import TESTS, Server

import model_service
from model_service import errors
from model_service.cli.main import COMMANDS
from model_service.config_file import load_config

ROOT = TESTS.parent
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BIN = Path(sys.executable).parent


def test_the_configuration_document_is_what_the_code_generates():
    done = subprocess.run([str(BIN / "model-service"), "settings"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/configuration.md").read_text() == done.stdout, "run `make docs`"


def test_every_error_is_documented_with_its_code():
    text = (ROOT / "docs/errors.md").read_text()
    for kind in _leaves(errors.ServiceError):
        assert f"- `{kind.code}` (" in text


def test_every_command_is_in_the_changelog():
    text = (ROOT / "CHANGELOG.md").read_text()
    listed = re.findall(r"`model-service`: ([\w, -]+)|`model-service ([\w-]+)", text)
    named = {name for names in listed for name in re.findall(r"[\w-]+", " ".join(names))}
    assert [name for name in COMMANDS if name not in named] == []


def test_every_path_that_a_document_names_exists():
    missing = []
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        named = set(re.findall(r"`((?:model_service|model_packages|tests|docs|examples|requirements)/[\w./-]*)`", text))
        linked = set(re.findall(r"\]\((?!https?:)([\w./-]+)\)", text))
        missing += [f"{document}: {path}" for path in sorted(named) if not (ROOT / path).exists()]
        missing += [
            f"{document}: {path}" for path in sorted(linked) if not (ROOT / document).parent.joinpath(path).exists()
        ]
    assert missing == []


def test_every_path_and_name_in_a_docstring_exists():
    missing = []
    for path in sorted((ROOT / "model_service").rglob("*.py")):
        text = path.read_text()
        for named in re.findall(r"(?<![\w/])(?:tests|docs|examples|backends|schema|transports)/[\w./-]+\b", text):
            folders = (ROOT, ROOT / "model_service", path.parent)
            if not any((folder / named).exists() for folder in folders):
                missing.append(f"{path.relative_to(ROOT)}: {named}")
        for name in re.findall(r"(?<!`)`(model_service\.[\w.]+)`(?!`)", text):
            try:
                pkgutil.resolve_name(name)
            except (ImportError, AttributeError):
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []


@pytest.mark.parametrize("package", ["cli", "scaffold", "schema", "transports/http"])
def test_the_docstring_of_a_package_lists_its_modules(package):
    folder = ROOT / "model_service" / package
    listed = re.findall(r"^(\w+\.py) ", (folder / "__init__.py").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in folder.glob("[!_]*.py"))


def test_every_name_of_the_map_is_defined_where_the_map_says():
    for document in ("README.md", "docs/architecture.md"):
        text = (ROOT / document).read_text()
        places = re.findall(r"`(model_service/[\w./]+\.py)`: `(\w+)(?:\.(\w+))?`", text)
        assert len(places) >= 3
        for path, kind, method in places:
            source = (ROOT / path).read_text()
            assert re.search(rf"^(class|def) {kind}\b", source, re.MULTILINE)
            assert not method or f"def {method}(" in source


def test_the_map_of_the_readme_is_the_map_of_the_architecture():
    rows = re.compile(r"^\| (?:where|how|what).*?`(model_service/[\w./]+)`", re.MULTILINE)
    readme = rows.findall((ROOT / "README.md").read_text())
    assert readme == rows.findall((ROOT / "docs/architecture.md").read_text())
    assert len(readme) >= 8


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs/decisions/README.md").read_text()
    pages = [path.name for path in (ROOT / "docs/decisions").glob("0*.md")]
    assert pages
    assert [page for page in pages if f"]({page})" not in index] == []


def test_the_newest_section_of_the_changelog_is_of_this_version_or_unreleased():
    newest = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest in ("Unreleased", model_service.__version__)


@pytest.mark.parametrize(("document", "fewest"), [("README.md", 3), ("docs/protocols.md", 5)])
def test_the_commands_of_a_document_print_what_it_says(shipped, document, fewest):
    examples = _console_examples(ROOT / document)
    assert len(examples) >= fewest
    for command, expected in examples:
        printed = _run(command.replace("localhost:8000", f"127.0.0.1:{shipped.port}"), ROOT)
        assert _document(printed.splitlines()) == _document(expected)


def test_the_tutorial_leads_from_an_empty_folder_to_a_served_model(tmp_path):
    document = ROOT / "docs/writing-a-model-package.md"
    files = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    names = ["pyproject.toml", "greeting_package/__init__.py", "config.yaml"]
    assert [name for name, _ in files][:3] == names
    for name, text in files[:3]:
        path = tmp_path / name if name == "config.yaml" else tmp_path / "greeting_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    install, *_ = re.findall(r"^pip install \./.*$", document.read_text(), re.MULTILINE)
    installed = tmp_path / "installed"
    # The packages that it depends on are here, and nothing is asked of an index. It goes into a folder, not among ours.
    options = f"--quiet --no-index --no-deps --no-build-isolation --target {installed}"
    _run(f"python -m {install} {options}", tmp_path)
    assert {path.name for path in installed.iterdir()} == {"greeting_package", "greeting_package-1.0.0.dist-info"}
    # The trained model of the next section has its own test, in test_guides.py.
    for command, expected in _console_examples(document)[:2]:
        assert _run(command, tmp_path, installed).splitlines() == expected
    server = Server((tmp_path / "config.yaml").read_text(), tmp_path, environment={"PYTHONPATH": str(installed)})
    try:
        server.wait_until_ready()
        call = f"curl -s {server.url}/api/models/greeting_model/predict -H 'content-type: application/json' -d "
        call += """'{"name": ""}'"""
        assert "Tell us whom to greet." in _run(call, tmp_path)
    finally:
        server.stop()


def test_the_ten_line_model_of_the_readme_is_served(tmp_path):
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "greeting_package.py").write_text(source)
    (config,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "config.yaml").write_text(config)
    assert _run("model-service predict greeting_model --set name=Ada", tmp_path) == '{"greeting":"Hello, Ada!"}\n'


def test_the_examples_run(shipped):
    printed = _run(f"python examples/client.py {shipped.url}", ROOT).splitlines()
    assert "iris_model 1.0.0 ready" in printed
    assert printed[-3:] == [
        "setosa",
        "['setosa', 'setosa']",
        "422 /petal_width expected a number, got a string",
    ]
    printed = _run(f"examples/curl.sh {shipped.url}", ROOT)
    assert '"species":"setosa"' in printed
    assert "x-model-version: 1.0.0" in printed.lower()


def test_the_shipped_configuration_lists_every_package():
    packages = {path.name for path in (ROOT / "model_packages").iterdir() if (path / "pyproject.toml").exists()}
    config = load_config(ROOT / "config.yaml")
    assert {entry.class_path.partition(".")[0] for entry in config.models} == packages
    for package in packages:
        assert f"model_packages/{package}/README.md" in (ROOT / "README.md").read_text()


def test_no_file_names_a_registry_or_a_foreign_index():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hosts = re.compile("(" + "py" + "pi|python" + "hosted|npm" + r"js)\.org|--index-url|--find-links")
    texts = [ROOT / name for name in listed.split("\0") if name.endswith((".md", ".txt", ".toml", ".in", ".sh", "run"))]
    assert [path.name for path in texts if hosts.search(path.read_text(encoding="utf-8"))] == []


def test_no_line_of_what_newcomers_read_is_over_120_characters():
    for document in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/writing-a-model-package.md",
        "docs/serving-a-pickled-pipeline.md",
        "docs/serving-a-torch-module.md",
        "docs/operations.md",
        "docs/errors.md",
        "docs/protocols.md",
    ):
        lines = (ROOT / document).read_text().splitlines()
        assert [line for line in lines if len(line) > 120] == [], document


def test_the_yaml_of_the_documents_is_yaml():
    for document in DOCUMENTS:
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(), re.DOTALL):
            assert yaml.safe_load(block)


def _leaves(kind: type) -> list[type]:
    return [leaf for child in kind.__subclasses__() for leaf in _leaves(child)] or [kind]


def _console_examples(document: Path) -> list[tuple[str, list[str]]]:
    """Return each command of the document's console blocks, whole again, with the lines it prints."""
    examples: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL):
        for line in re.sub(r" \\\n +", " ", block).splitlines():
            if examples and examples[-1][0].count("'") % 2:  # a text of several lines
                examples[-1] = (f"{examples[-1][0]} {line.strip()}", [])
            elif line.startswith("$ "):
                examples.append((line[2:], []))
            else:
                examples[-1][1].append(line)
    return examples


def _document(lines: list[str]) -> object:
    """Return JSON, which a document may wrap, with its floats rounded: their last bits differ between processors."""
    try:
        return json.loads(" ".join(map(str.strip, lines)), parse_float=lambda text: round(float(text), 5))
    except ValueError:
        return lines


def _run(command: str, folder: Path, packages: Path | None = None) -> str:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(packages or folder)}
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
