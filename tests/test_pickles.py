"""No pickle: the code of the platform and of the packages names none, and serving a shipped model opens none."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from configurations import SHIPPED

ROOT = Path(__file__).parent.parent
#: What opens pickles. `model-service score` has processes of its own, whose messages `multiprocessing` pickles: they go
#: from process to process of one command, and none comes from a file or a caller.
OPENERS = re.compile(
    r"^\s*(?:import|from)\s+(?:c?[Pp]ickle|joblib|dill|cloudpickle|shelve|marshal)\b"
    r"|\b(?:c?[Pp]ickle|joblib|dill|cloudpickle)\.loads?\(|torch\.load\(|allow_pickle\s*=\s*True|safe_mode\s*=\s*False",
    re.MULTILINE,
)
#: Runs one model as `serve` does, in a process that nothing else has used, and tells each global that a pickle names,
#: and the libraries that live of pickles.
PROGRAM = """
import json, sys
found = []

def watch(event, arguments):
    if event == "pickle.find_class":
        found.append([event, *map(str, arguments)])

sys.addaudithook(watch)
from model_service.config import ModelConfig, ServiceConfig
from model_service.service import Service
with Service(ServiceConfig(models=(ModelConfig(class_path=sys.argv[1]),))).start() as service:
    (status,) = service.manager.get_models()
    assert status.problem is None, status.problem
    target = service.predictions.find_target(status.qualified_name)
    outputs = service.predictions.predict_many(target, list(status.info.examples)).outputs
    before = list(found)
    libraries = sorted({"joblib", "dill", "cloudpickle", "shelve", "torch", "sklearn"} & sys.modules.keys())
    import pickle
    pickle.loads(pickle.dumps(ValueError("the hook works")))
    print(json.dumps({"outputs": len(outputs), "before": before, "after": found, "libraries": libraries}))
"""


#: The program that `model-service new --trust-pickle` opens a pipeline with, to say what is in it.
ALLOWED = {"model_service/scaffold/pickled.py": ["import joblib", "joblib.load("]}


def list_sources():
    return [
        path
        for folder in ("model_service", "model_packages", "examples", "deploy")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.relative_to(ROOT).parts
    ]


def test_no_source_names_what_opens_pickles():
    sources = list_sources()
    assert len(sources) > 250
    accused = {str(path.relative_to(ROOT)): OPENERS.findall(path.read_text(encoding="utf-8")) for path in sources}
    found = {path: [each.strip() for each in listed] for path, listed in accused.items() if listed}
    assert found == ALLOWED


def test_nothing_imports_the_program_that_opens_one():
    naming = [
        path.name
        for path in list_sources()
        if "scaffold.pickled" in path.read_text(encoding="utf-8").partition('"""')[2]
    ]
    assert sorted(naming) == ["adopting.py", "pickled.py"]
    for name in naming:
        source = next(path for path in list_sources() if path.name == name).read_text(encoding="utf-8")
        assert not re.search(
            r"^\s*(?:import|from)\s+model_service\.scaffold(?:\.pickled|\s+import.*\bpickled)", source, re.M
        )


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "    import dill",
        "model = torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "pickle.loads(raw)",
        "keras.models.load_model(path, safe_mode=False)",
    ],
)
def test_a_source_that_opens_pickles_would_be_found(line):
    assert OPENERS.search(f"x = 1\n{line}\n")


@pytest.mark.parametrize("class_path", SHIPPED)
def test_a_shipped_model_is_served_without_opening_a_pickle(class_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, class_path], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["outputs"] >= 1
    assert told["before"] == told["libraries"] == []
    assert told["after"] == [["pickle.find_class", "builtins", "ValueError"]]  # what the hook would have told
