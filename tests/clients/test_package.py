"""The client as a package: what it needs, what it mirrors, its stubs, its page."""

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile
from email import message_from_string

import pytest
from serving import TESTS

import model_service_client
from model_service import errors
from model_service.transports.http.problems import STATUS
from model_service_client import errors as client_errors

CLIENT = TESTS.parent / "clients/python/model_service_client"
SOURCES = sorted(CLIENT.glob("*.py"))


def test_the_client_needs_no_server():
    code = (
        "import sys, model_service_client; print([name for name in sys.modules if name.startswith('model_service.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    allowed = set(sys.stdlib_module_names) | {"httpx", "anyio", "model_service_client"}
    imported = {
        name.partition(".")[0]
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + ([each.name for each in node.names] if isinstance(node, ast.Import) else [])
    }
    assert imported <= allowed


def test_its_wheel_holds_its_types_and_requires_httpx_and_what_that_brings(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(CLIENT.parent, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert {name.partition("/")[2] for name in names if name.startswith("model_service_client/")} == {
        path.name for path in [*SOURCES, CLIENT / "py.typed"]
    }
    required = message_from_string(metadata).get_all("Requires-Dist", [])
    assert [re.match(r"[\w-]+", each)[0] for each in required] == ["anyio", "httpx", "jsonschema"]
    assert "extra" in required[2]


def test_modules_keep_the_sizes_of_the_house_and_are_listed():
    assert [path.name for path in SOURCES if path.read_text().count("\n") > 350] == []
    listed = re.findall(r"^(\w+\.py) ", model_service_client.__doc__, re.MULTILINE)
    assert sorted(listed) == [path.name for path in SOURCES if path.name != "__init__.py"]
    assert model_service_client.__all__ == sorted(model_service_client.__all__)


def test_every_error_of_the_server_has_its_mirror_in_the_same_family():
    families = {"OperatorError", "PackageError", "CallerError", "ModelError", "CapacityError"}
    for kind in STATUS:
        mirror = client_errors.KINDS[kind.code]
        assert mirror.__name__ == kind.__name__
        (family,) = families & {each.__name__ for each in kind.__mro__}
        assert family in {each.__name__ for each in mirror.__mro__}
    known = {kind.code for kind in STATUS} | {getattr(errors, name).code for name in (*families, "ServiceError")}
    own = {"connection_failed", "no_answer_in_time", "answer_invalid", "job_not_succeeded"}
    assert client_errors.KINDS.keys() - known == own


SCHEMA = {
    "type": "object",
    "properties": {
        "class": {"type": "string", "title": "No name in Python", "unit": "m"},
        "kind": {"enum": ["a", 'b"', None, 3]},
        "part": {"$ref": "#/$defs/part"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "integer"}]},
        "many": {"type": "array", "items": {"$ref": "#/$defs/part"}},
        "any": {},
    },
    "required": ["class", "kind"],
    "$defs": {
        "part": {"type": "object", "properties": {"deeper": {"$ref": "#/$defs/part"}, "n": {"type": "number"}}},
    },
}


def test_stubs_are_types_that_a_checker_holds_callers_to(client, tmp_path):
    for model in client.models():
        (tmp_path / f"{model.qualified_name}_types.py").write_text(client.model(model.qualified_name).stub())
    metadata = model_service_client.Metadata("odd_model", "1", SCHEMA, SCHEMA, [], 1, 1, {})
    odd = model_service_client.stubs.write_stub(metadata)
    (tmp_path / "odd_types.py").write_text(odd)
    assert "# No name in Python [m]" in odd
    assert "'many': 'NotRequired[list[OddModelInputPart]]'" in odd
    assert odd.count("deeper: NotRequired[") == 1  # which input and output share
    (tmp_path / "good.py").write_text(
        textwrap.dedent("""
            from iris_model_types import IrisModelInput, predict
            from model_service_client import ModelServiceClient

            flower: IrisModelInput = {"sepal_length": 5.1, "sepal_width": 3, "petal_length": 1, "petal_width": 1}
            species: str = predict(ModelServiceClient("x").model("iris_model"), flower)["species"]
        """)
    )
    (tmp_path / "bad.py").write_text(
        textwrap.dedent("""
            from iris_model_types import IrisModelInput, IrisModelOutput

            flower: IrisModelInput = {"sepal_length": "long"}
            IrisModelOutput(species="rose", probabilities={"setosa": 1, "versicolor": 0, "virginica": 0})
        """)
    )
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", "."]
    environment = {
        **os.environ,
        "MYPYPATH": str(TESTS.parent / "clients/python"),
    }  # it does not follow editable installs
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    faults = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert {line.partition(":")[0] for line in faults} == {"bad.py"}, done.stdout
    assert len(faults) == 2


def test_the_blocks_of_the_page_run_in_order(client, shipped, tmp_path):
    text = (TESTS.parent / "docs/client.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    (tmp_path / "flowers.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n")
    program = "\n".join(blocks).replace("http://localhost:8000", shipped.url)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    told = re.findall(r"print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert told
    assert printed == told


@pytest.mark.parametrize("name", ["ModelServiceClient", "AsyncModelServiceClient", "ConnectionFailed"])
def test_the_page_names_what_there_is(name):
    assert name in model_service_client.__all__
    assert name in (TESTS.parent / "docs/client.md").read_text()
