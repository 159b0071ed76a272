import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import manager_models
import models
import pytest

from model_service.backends.choice import CHOICE_FILE
from model_service.backends.loop import ServiceLoop
from model_service.config import BackendName, Batching, ExecutionChoice, ModelConfig, ServiceConfig, name_entry
from model_service.errors import ConfigInvalid, DuplicateModel, ModelNotFound, ModelNotReady, PayloadTooLarge
from model_service.manager import ModelManager
from model_service.records import Execution, ModelState, Violation


def configure(*entries):
    """Return a configuration of class paths, or of pairs of a class path and its settings."""
    pairs = [(entry, {}) if isinstance(entry, str) else entry for entry in entries]
    return ServiceConfig(models=tuple(ModelConfig(class_path=path, **settings) for path, settings in pairs))


def answer(manager, name, version=None):
    """Return what a model makes of 1: 2 for DoubleModel, 2.5 for its version 1.10.0."""
    return manager.get_model(name, version).backend.run([{"x": 1}])[0]["y"]


def problem_of(manager, class_path):
    """Load one class beside a sound one; return its problem, after making sure that the sound one serves."""
    manager.load_models(configure(class_path, "models.EchoModel"))
    broken, sound = manager.get_models()
    assert (broken.state, sound.state, sound.problem) == (ModelState.FAILED, ModelState.READY, None)
    assert manager.get_model("echo_model").backend.run([{"text": "a"}]) == [{"text": "a"}]
    with pytest.raises(ModelNotReady, match="could not be loaded") as caught:
        manager.get_model(broken.qualified_name)
    assert caught.value.retry_after_s is None
    assert broken.problem.problem
    assert broken.problem.remedy
    return broken.problem


def load_in_thread(manager, configuration):
    thread = threading.Thread(target=manager.load_models, args=[configuration])
    thread.start()
    return thread


def wait_until(is_reached):
    deadline = time.monotonic() + 30
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_that_finds_another_package_than_the_first_one_did_does_not_serve_it(manager, make_package, tmp_path):
    code = "from models import DoubleModel\n\nclass M(DoubleModel):\n    qualified_name = 'changing_model'\n"
    folder = make_package("changing_for_manager", {"__init__.py": code})
    configuration = configure("changing_for_manager.M")
    (tmp_path / name_entry(configuration.models[0])).mkdir()
    manager.load_models(configuration, home=tmp_path)
    assert answer(manager, "changing_model") == 2
    manager.close()
    (folder / "__init__.py").write_text(code + "# mended\n")
    manager.load_models(configuration, home=tmp_path)
    (status,) = manager.get_models()
    assert (status.state, status.problem.code) == (ModelState.FAILED, "model_changed")
    (folder / "__init__.py").write_text(code)
    manager.load_models(configuration, home=tmp_path)
    assert answer(manager, "changing_model") == 2


# The singleton


def test_the_manager_is_always_the_same_object(manager):
    assert ModelManager() is ModelManager() is manager


def test_constructing_the_manager_again_keeps_its_models(manager):
    manager.load_models(configure("models.DoubleModel"))
    assert [status.qualified_name for status in ModelManager().get_models()] == ["double_model"]


def test_threads_that_race_for_the_first_manager_get_the_same_object(tmp_path):
    # All threads are inside the constructor before any runs its first line, and each line gives way to the others:
    # without its lock it would build several objects.
    code = """
import threading, time
from model_service.manager import ModelManager

inside, found = set(), []

def give_way(frame, event, argument):
    if frame.f_code is not ModelManager.__new__.__code__:
        return None
    inside.add(threading.get_ident())
    while len(inside) < 32:
        time.sleep(0)
    for _ in range(20):
        time.sleep(0)
    return give_way

def construct():
    found.append(ModelManager())

threading.settrace(give_way)
threads = [threading.Thread(target=construct) for _ in range(32)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found), len(set(map(id, found))))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("32 1\n", "")


# States


def test_a_new_manager_has_no_models(manager):
    assert manager.get_models() == []
    with pytest.raises(ModelNotFound, match="^no model 'double_model'; loaded: none$"):
        manager.get_model("double_model")


def test_loaded_models_are_ready_in_the_order_of_the_configuration(manager):
    manager.load_models(configure("models.EchoModel", ("models:DoubleModel", {"required": True})))
    echo, double = manager.get_models()
    assert [echo.qualified_name, double.qualified_name] == ["echo_model", "double_model"]
    assert (echo.state, echo.problem, echo.is_required) == (ModelState.READY, None, False)
    assert (double.class_path, double.version, double.is_required) == ("models:DoubleModel", "1.0.0", True)
    assert double.info.display_name == "Double"
    assert manager.get_model_metadata("double_model") == double


def test_a_served_model_carries_its_validators(manager):
    manager.load_models(configure("models.DoubleModel"))
    served = manager.get_model("double_model")
    assert served.info is manager.get_model_metadata("double_model").info
    missing = "this field is missing"
    assert served.input_validator.find_violations({}) == [Violation("/x", "required", missing)]
    assert served.output_validator.find_violations({}) == [Violation("/y", "required", missing)]


def test_a_model_is_loading_while_it_is_built_and_the_others_serve(manager):
    models.SlowBuildingModel.entered.clear()
    models.SlowBuildingModel.release.clear()
    loading = load_in_thread(manager, configure("models.DoubleModel", "models.SlowBuildingModel", "models.EchoModel"))
    try:
        assert models.SlowBuildingModel.entered.wait(timeout=30)
        wait_until(lambda: [status.state for status in manager.get_models()].count(ModelState.READY) == 2)
        assert answer(manager, "double_model") == 2
        assert manager.get_model_metadata("slow_building_model").info is not None
        with pytest.raises(ModelNotReady, match="^model 'slow_building_model' 1.0.0 is still loading$"):
            manager.get_model("slow_building_model")
    finally:
        models.SlowBuildingModel.release.set()
        loading.join(timeout=30)
    assert {status.state for status in manager.get_models()} == {ModelState.READY}


def test_announced_models_are_listed_and_loading_until_they_are_loaded(manager):
    configuration = configure("models.DoubleModel", "models.EchoModel")
    manager.announce_models(configuration)
    assert [status.state for status in manager.get_models()] == [ModelState.LOADING] * 2
    with pytest.raises(ModelNotReady, match="^model 'models' is still loading$"):
        manager.get_model("models")
    manager.load_models(configuration)
    assert answer(manager, "double_model") == 2
    manager.announce_models(configuration)
    with pytest.raises(ModelNotFound):
        manager.get_model("double_model")


def test_describing_starts_no_process(manager):
    manager.load_models(configure(("models.DoubleModel", {"backend": BackendName.PROCESS})), describe_only=True)
    (status,) = manager.get_models()
    assert (status.state, status.qualified_name) == (ModelState.LOADING, "double_model")
    children = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "backends.process.worker"], capture_output=True, text=True
    )
    assert children.stdout == ""


def test_close_waits_until_loading_has_ended(manager):
    models.SlowBuildingModel.entered.clear()
    models.SlowBuildingModel.release.clear()
    models.ClosingModel.closed = 0
    loading = load_in_thread(manager, configure("models.SlowBuildingModel", "models.ClosingModel"))
    assert models.SlowBuildingModel.entered.wait(timeout=30)
    closing = threading.Thread(target=manager.close)
    closing.start()
    models.SlowBuildingModel.release.set()
    loading.join(timeout=30)
    closing.join(timeout=30)
    assert manager.get_models() == []
    assert models.ClosingModel.closed == 1


def test_describe_only_stops_before_any_weights_are_read(manager):
    manager.load_models(configure("models.UnloadableModel", "models.DoubleModel"), describe_only=True)
    for status in manager.get_models():
        assert (status.state, status.problem, status.is_default) == (ModelState.LOADING, None, True)
        assert status.info is not None
        with pytest.raises(ModelNotReady, match="still loading"):
            manager.get_model(status.qualified_name)


def test_describe_only_checks_no_artifacts_but_lists_them(manager, make_package):
    code = "from models import DoubleModel\n\nclass GoneModel(DoubleModel):\n    qualified_name = 'gone_model'\n"
    manifest = '{"artifacts": {"w.bin": {"sha256": "0", "size_bytes": 1}}}'
    make_package("gone_for_manager", {"__init__.py": code, "artifacts/manifest.json": manifest})
    manager.load_models(configure("gone_for_manager.GoneModel"), describe_only=True)
    assert [artifact.name for artifact in manager.get_models()[0].info.artifacts] == ["w.bin"]
    manager.load_models(configure("gone_for_manager.GoneModel"))
    assert manager.get_models()[0].problem.cause == "w.bin is missing"


# Quarantine


def test_a_class_that_cannot_be_imported_is_quarantined_under_the_name_of_its_package(manager):
    problem = problem_of(manager, "no_such_package.inner:SomeModel")
    assert problem.code == "model_import_failed"
    assert "install the package" in problem.remedy
    status = manager.get_model_metadata("no_such_package")
    assert (status.version, status.info) == (None, None)
    with pytest.raises(ModelNotReady, match="^model 'no_such_package' could not be loaded;"):
        manager.get_model("no_such_package")


@pytest.mark.parametrize("backend", list(BackendName))
@pytest.mark.parametrize("attribute", ["display_name", "version"])
def test_a_class_that_breaks_the_contract_keeps_of_its_names_what_can_be_read(
    manager, make_package, backend, attribute
):
    package = f"half_named_{attribute}_{backend}"
    code = "from models import DoubleModel\n\nclass M(DoubleModel):\n    qualified_name = 'half_named'\n"
    make_package(package, {"__init__.py": f"{code}    {attribute} = ''\n"})
    manager.load_models(configure((f"{package}.M", {"backend": backend})))
    status = manager.get_model_metadata("half_named")
    assert (status.state, status.problem.code) == (ModelState.FAILED, "model_contract_broken")
    assert status.version == (None if attribute == "version" else "1.0.0")
    with pytest.raises(ModelNotReady, match="^model 'half_named'.* could not be loaded"):
        manager.get_model("half_named")


def test_a_class_that_breaks_the_contract_does_not_take_the_name_of_a_sound_one(manager, make_package):
    code = "from models import DoubleModel\n\nclass M(DoubleModel):\n    display_name = ''\n"
    make_package("second_double", {"__init__.py": code})
    manager.load_models(configure("second_double.M", "models.DoubleModel"))
    assert [status.state for status in manager.get_models()] == [ModelState.FAILED, ModelState.READY]
    assert answer(manager, "double_model") == 2


def test_a_class_that_breaks_the_contract_is_quarantined(manager):
    problem = problem_of(manager, "models.ManyFaultsModel")
    assert problem.code == "model_contract_broken"
    assert "6 places" in problem.problem


@pytest.mark.parametrize(
    ("name", "cause"),
    [("UnloadableModel", "OSError: the weights are gone"), ("ExitingModel", "SystemExit: 3")],
)
def test_a_model_that_cannot_be_built_is_quarantined_with_its_description(manager, name, cause):
    problem = problem_of(manager, f"models.{name}")
    assert (problem.code, problem.cause) == ("model_load_failed", cause)
    assert manager.get_models()[0].info.version == "1.0.0"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("models.FailingSelfTestModel", "the model raised: RuntimeError('secret payload -1')"),
        ("manager_models.OddExampleModel", "example 0: '/x' expected an even number"),
        ("manager_models.WrongExampleOutputModel", "output 0: '/y' expected a number, got a string"),
        ("models.ForgetfulModel", "the model's find_violations answered something else than a list of violations"),
        (
            "table_models.DisagreeingColumnsModel",
            "predict_columns disagrees with predict_batch: 'sum' of row 0 is 2.1 in rows and 3.1 in columns",
        ),
    ],
)
def test_a_model_that_fails_its_self_test_is_quarantined(manager, name, cause):
    problem = problem_of(manager, name)
    assert (problem.code, problem.cause) == ("self_test_failed", cause)


def test_the_cause_of_a_failed_self_test_is_the_same_line_from_a_process_of_its_own(manager):
    manager.load_models(configure(("models.FailingSelfTestModel", {"backend": BackendName.PROCESS})))
    assert manager.get_models()[0].problem.cause == "the model raised: RuntimeError('secret payload -1')"


def test_a_model_that_quits_in_its_self_test_is_quarantined(manager, make_package):
    code = (
        "from models import NUMBER_IN, QuittingModel\n\n"
        "class QuitterModel(QuittingModel):\n"
        "    input_schema = {**NUMBER_IN, 'examples': [{'x': EXAMPLE}]}\n"
    )
    for folder, example in (("quits_to_predict", -1), ("quits_to_validate", -101)):
        make_package(folder, {"__init__.py": code.replace("EXAMPLE", str(example))})
        assert problem_of(manager, f"{folder}.QuitterModel").cause.endswith("raised: SystemExit(3)")


@pytest.mark.parametrize("name", ["manager_models.UnspeakableModel", "models.RaisingDescriptionModel"])
def test_a_model_that_raises_where_nobody_expects_it_is_quarantined(manager, name):
    assert problem_of(manager, name).code == "model_contract_broken"


def test_a_model_without_examples_needs_no_self_test(manager):
    manager.load_models(configure("models.EchoModel"))
    assert manager.get_model("echo_model").info.examples == ()


def test_a_model_that_failed_its_self_test_is_closed(manager):
    manager_models.ClosingAfterFailureModel.closed = 0
    problem_of(manager, "manager_models.ClosingAfterFailureModel")
    assert manager_models.ClosingAfterFailureModel.closed == 1


def test_what_a_model_raises_in_its_self_test_is_told_in_one_line_by_its_process_too(manager):
    manager.load_models(configure(("models.FailingSelfTestModel", {"backend": BackendName.PROCESS})))
    assert manager.get_models()[0].problem.cause == "the model raised: RuntimeError('secret payload -1')"


@pytest.mark.parametrize("backend", list(BackendName))
def test_a_scalar_of_numpy_fails_the_self_test_in_the_same_words_everywhere(manager, backend):
    manager.load_models(configure(("numpy_models.ScalarExampleModel", {"backend": backend})))
    (status,) = manager.get_models()
    assert status.problem.code == "self_test_failed"
    assert status.problem.cause == (
        "output 1: '/y' expected a value of a JSON type, got numpy.float32: convert it with .item()"
    )


def test_quarantine_is_logged_with_the_traceback_of_the_cause(manager, caplog):
    problem_of(manager, "models.UnloadableModel")
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.model == "unloadable_model"
    assert record.code == "model_load_failed"
    assert record.exc_info[0] is OSError
    assert "the weights are gone" in record.getMessage()


# Batching


def test_a_ready_model_says_how_it_runs_and_whether_its_rows_are_batched(manager):
    configuration = configure(
        ("models.DoubleModel", {"batching": Batching.ON, "execution": ExecutionChoice.IN_LOOP}),
        ("models.EchoModel", {"batching": Batching.OFF, "execution": ExecutionChoice.DISPATCHED}),
        "models.UnloadableModel",
    )
    manager.announce_models(configuration)
    assert [(status.execution, status.batching) for status in manager.get_models()] == [(None, None)] * 3
    manager.load_models(configuration)
    assert [(status.execution, status.batching) for status in manager.get_models()] == [
        (Execution.IN_LOOP, True),
        (Execution.DISPATCHED, False),
        (None, None),
    ]
    for name, payload in (("double_model", {"x": 1}), ("echo_model", {"text": "a"})):
        assert len(manager.get_model(name).backend.run([payload])) == 1


def test_a_model_that_gains_from_batches_is_batched_unless_told_otherwise(manager, make_package):
    code = """
import time
from models import DoubleModel

class WarmingModel(DoubleModel):
    qualified_name = "warming_model"

    def predict_batch(self, payloads):
        time.sleep(0.005)  # beside the rows, however many
        return super().predict_batch(payloads)
"""
    make_package("warming_for_manager", {"__init__.py": code})
    told = ("warming_for_manager.WarmingModel", {"batching": Batching.OFF})
    manager.load_models(configure("warming_for_manager.WarmingModel"))
    (status,) = manager.get_models()
    assert (status.execution, status.batching) == (Execution.DISPATCHED, True)
    manager.load_models(configure(told))
    (status,) = manager.get_models()
    assert (status.execution, status.batching) == (Execution.DISPATCHED, False)


def test_the_workers_of_a_service_run_a_model_as_the_first_of_them_chose(manager, tmp_path):
    configuration = configure("models.DoubleModel", "models.EchoModel")
    choices = [{"is_in_loop": True, "is_joining": False}, {"is_in_loop": False, "is_joining": True}]
    for entry, choice in zip(configuration.models, choices, strict=True):
        folder = tmp_path / name_entry(entry)
        folder.mkdir()
        (folder / CHOICE_FILE).write_text(json.dumps(choice))
    manager.load_models(configuration, home=tmp_path)
    assert [(status.execution, status.batching) for status in manager.get_models()] == [
        (Execution.IN_LOOP, False),
        (Execution.DISPATCHED, True),
    ]


def test_models_run_in_the_loop_that_the_manager_is_given(manager, make_package):
    code = """
import threading
from models import DoubleModel

class ThreadNamingModel(DoubleModel):
    qualified_name = "thread_naming_model"
    output_schema = {"type": "object"}

    def predict(self, payload):
        return {"thread": threading.current_thread().name}
"""
    running = ServiceLoop()
    running.start_thread()
    try:
        make_package("thread_naming", {"__init__.py": code})
        manager.load_models(
            configure(("thread_naming.ThreadNamingModel", {"execution": ExecutionChoice.IN_LOOP})), loop=running
        )
        assert manager.get_model("thread_naming_model").backend.run([{"x": 1}]) == [{"thread": "service-loop"}]
        manager.close()
        answered = threading.Event()
        running.post(answered.set)
        assert answered.wait(timeout=30)  # it belongs to whoever gave it
    finally:
        manager.close()
        running.close()


def test_the_loop_that_the_manager_runs_ends_with_it(manager):
    before = set(threading.enumerate())
    manager.load_models(configure("models.DoubleModel"))
    own = [thread for thread in threading.enumerate() if thread not in before]
    assert "service-loop" in {thread.name for thread in own}
    manager.close()
    assert not any(thread.is_alive() for thread in own if thread.name in ("service-loop", "dispatcher"))


def test_the_bounds_of_an_entry_hold_with_and_without_batching(manager):
    for batching, execution in itertools.product((Batching.ON, Batching.OFF), ExecutionChoice):
        bounds = {"max_queue_rows": 2, "batching": batching, "execution": execution}
        manager.load_models(configure(("models.DoubleModel", bounds)))
        backend = manager.get_model("double_model").backend
        assert backend.run([{"x": 1}] * 2) == [{"y": 2}] * 2
        with pytest.raises(PayloadTooLarge):
            backend.run([{"x": 1}] * 3)


# Versions


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_default_is_the_highest_version_by_pep_440(manager, order):
    paths = ["models.DoubleModel", "manager_models.DoubleModelNine", "models.DoubleModelTwo"]
    manager.load_models(configure(*(paths[i] for i in order)))
    assert manager.get_model_metadata("double_model").version == "1.10.0"
    assert answer(manager, "double_model") == 2.5
    assert {status.version: status.is_default for status in manager.get_models()} == {
        "1.0.0": False,
        "1.9.0": False,
        "1.10.0": True,
    }


def test_the_entry_marked_default_comes_before_the_highest_version(manager):
    manager.load_models(configure("models.DoubleModelTwo", ("models.DoubleModel", {"default": True})))
    assert answer(manager, "double_model") == 2
    assert [status.is_default for status in manager.get_models()] == [False, True]


def test_each_name_has_its_own_default(manager):
    manager.load_models(configure("models.DoubleModelTwo", "models.EchoModel", "models.DoubleModel"))
    assert [status.is_default for status in manager.get_models()] == [True, True, False]


def test_a_failed_highest_version_gives_way_to_the_older(manager):
    manager.load_models(
        configure("models.DoubleModel", "manager_models.DoubleModelBroken", "manager_models.DoubleModelNine")
    )
    assert manager.get_model("double_model").info.version == "1.9.0"
    assert [status.is_default for status in manager.get_models()] == [False, False, True]
    with pytest.raises(ModelNotReady, match=r"^model 'double_model' 2\.0\.0 could not be loaded"):
        manager.get_model("double_model", "2.0.0")


def test_a_failed_entry_that_is_marked_default_stays_it(manager):
    manager.load_models(configure("models.DoubleModel", ("manager_models.DoubleModelBroken", {"default": True})))
    with pytest.raises(ModelNotReady, match=r"2\.0\.0 could not be loaded"):
        manager.get_model("double_model")


def test_two_defaults_of_one_name_are_refused(manager):
    marked = {"default": True}
    with pytest.raises(ConfigInvalid, match="two entries of 'double_model' are marked default"):
        manager.load_models(configure(("models.DoubleModel", marked), ("models.DoubleModelTwo", marked)))
    assert manager.get_models() == []


def test_two_defaults_of_different_names_are_fine(manager):
    marked = {"default": True}
    manager.load_models(configure(("models.DoubleModel", marked), ("models.EchoModel", marked)))
    assert [status.is_default for status in manager.get_models()] == [True, True]


def test_two_defaults_of_a_package_that_is_not_installed_do_not_stop_the_others(manager):
    marked = {"default": True}
    manager.load_models(configure(("gone.One", marked), ("gone.Two", marked), "models.DoubleModel"))
    assert [status.state for status in manager.get_models()] == ["failed", "failed", "ready"]


@pytest.mark.parametrize("again", ["models.DoubleModelAgain", "models:DoubleModel", "models.DoubleModel"])
def test_the_same_name_and_version_twice_is_refused_and_both_origins_are_named(manager, again):
    with pytest.raises(DuplicateModel) as caught:
        manager.load_models(configure("models.DoubleModel", "models.EchoModel", again))
    assert "'double_model'" in caught.value.message
    assert caught.value.cause == f"both 'models.DoubleModel' and '{again}' provide it"
    assert manager.get_models() == []


def test_duplicates_are_refused_before_any_model_is_built(manager):
    models.SlowBuildingModel.entered.clear()
    models.SlowBuildingModel.release.set()
    with pytest.raises(DuplicateModel):
        manager.load_models(configure("models.SlowBuildingModel", "models.DoubleModel", "models.DoubleModel"))
    assert not models.SlowBuildingModel.entered.is_set()


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0", "v1.0", "1.0.0.0"])
def test_any_spelling_of_a_version_finds_it(manager, version):
    manager.load_models(configure("models.DoubleModel", "models.DoubleModelTwo"))
    assert answer(manager, "double_model", version) == 2
    assert manager.get_model_metadata("double_model", version).version == "1.0.0"


# Names that are not there


@pytest.mark.parametrize("ask", ["get_model", "get_model_metadata"])
def test_an_unknown_name_lists_what_is_loaded(manager, ask):
    manager.load_models(configure("models.EchoModel", "models.DoubleModel", "models.DoubleModelTwo"))
    with pytest.raises(ModelNotFound) as caught:
        getattr(manager, ask)("duoble_model")
    assert caught.value.message == "no model 'duoble_model'; loaded: double_model, echo_model"


@pytest.mark.parametrize("ask", ["get_model", "get_model_metadata"])
@pytest.mark.parametrize("version", ["3.0", "latest", "", "1.0.0rc1", "1.0.0+local"])
def test_an_unknown_version_lists_the_versions(manager, ask, version):
    manager.load_models(configure("models.DoubleModel", "models.DoubleModelTwo"))
    with pytest.raises(ModelNotFound) as caught:
        getattr(manager, ask)("double_model", version)
    assert caught.value.message == f"no version '{version}' of model 'double_model'; loaded: 1.0.0, 1.10.0"


def test_what_has_failed_is_not_listed_as_loaded(manager):
    manager.load_models(
        configure(
            "models.EchoModel", "models.UnloadableModel", "models.DoubleModel", "manager_models.DoubleModelBroken"
        )
    )
    with pytest.raises(ModelNotFound) as caught:
        manager.get_model("other_model")
    assert caught.value.message == (
        "no model 'other_model'; loaded: double_model, echo_model; failed to load: unloadable_model"
    )
    with pytest.raises(ModelNotFound) as caught:
        manager.get_model("double_model", "3")
    assert caught.value.message == "no version '3' of model 'double_model'; loaded: 1.0.0; failed to load: 2.0.0"


def test_a_model_whose_version_is_unknown_has_none(manager):
    manager.load_models(configure("no_such_package.SomeModel"))
    with pytest.raises(ModelNotFound, match="loaded: none$"):
        manager.get_model("no_such_package", "0")


@pytest.mark.parametrize("name", ["evil\n2026-01-01 error", "\x1b[31mred", "x" * 1000, "\u202etxt"])
def test_a_name_with_control_characters_is_not_repeated(manager, name):
    manager.load_models(configure("models.DoubleModel"))
    for ask in (lambda: manager.get_model(name), lambda: manager.get_model("double_model", name)):
        with pytest.raises(ModelNotFound) as caught:
            ask()
        assert name not in caught.value.message
        assert f"a name of {len(name)} characters" in caught.value.message
        assert caught.value.message.isprintable()


# Close, and load again


def test_close_closes_each_model_once_and_forgets_it(manager):
    models.ClosingModel.closed = 0
    manager.load_models(configure("models.ClosingModel"))
    assert models.ClosingModel.closed == 0
    manager.close()
    manager.close()
    assert models.ClosingModel.closed == 1
    assert manager.get_models() == []


@pytest.mark.parametrize("broken", [models.RaisingCloseModel, manager_models.ExitingCloseModel])
def test_a_close_that_raises_does_not_stop_the_others(manager, caplog, broken):
    class_path = f"{broken.__module__}.{broken.__name__}"
    broken.closed = models.ClosingModel.closed = 0
    manager.load_models(configure(class_path, "models.ClosingModel"))
    manager.close()
    assert (broken.closed, models.ClosingModel.closed) == (1, 1)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (record.getMessage(), record.model) == ("closing the model failed", class_path)


def test_a_model_that_was_found_before_close_is_not_ready_after_it(manager):
    manager.load_models(configure("models.DoubleModel"))
    served = manager.get_model("double_model")
    manager.close()
    with pytest.raises(ModelNotReady):
        served.backend.run([{"x": 1}])


def test_loading_again_replaces_what_was_loaded(manager):
    models.ClosingModel.closed = 0
    manager.load_models(configure("models.ClosingModel", "models.DoubleModel"))
    manager.load_models(configure("models.EchoModel", "models.DoubleModelTwo"))
    assert models.ClosingModel.closed == 1
    assert [status.qualified_name for status in manager.get_models()] == ["echo_model", "double_model"]
    assert answer(manager, "double_model") == 2.5
    with pytest.raises(ModelNotFound):
        manager.get_model("closing_model")


def test_a_package_that_was_mended_is_ready_after_loading_again(manager, make_package):
    folder = make_package("mended_for_manager", {"__init__.py": "1 / 0"})
    manager.load_models(configure("mended_for_manager.MendedModel"))
    assert manager.get_models()[0].state is ModelState.FAILED
    code = "from models import DoubleModel\n\nclass MendedModel(DoubleModel):\n    qualified_name = 'mended_model'\n"
    (folder / "__init__.py").write_text(code)
    manager.load_models(configure("mended_for_manager.MendedModel"))
    assert answer(manager, "mended_model") == 2


def test_threads_that_load_at_once_take_turns(manager):
    models.ClosingModel.closed = 0
    with ThreadPoolExecutor(8) as pool:
        for loaded in [pool.submit(manager.load_models, configure("models.ClosingModel")) for _ in range(8)]:
            loaded.result()
    assert [status.state for status in manager.get_models()] == [ModelState.READY]
    manager.close()
    assert models.ClosingModel.closed == 8


def test_nobody_notices_that_models_are_loaded_again_and_again(manager):
    configuration = configure("models.DoubleModel", "models.DoubleModelTwo")
    manager.load_models(configuration)
    is_over = threading.Event()

    def ask():
        asked = 0
        while not is_over.is_set() or not asked:
            asked += 1
            assert len(manager.get_models()) == 2
            with manager.lease("double_model") as target:
                assert target.backend.run([{"x": 1}]) == [{"y": 2.5}]
        return asked

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for _ in range(10):
                manager.load_models(configuration)
        finally:
            is_over.set()
        assert all(asked.result() for asked in asking)


def test_a_configuration_that_is_refused_leaves_what_answers(manager):
    manager.load_models(configure("models.DoubleModel"))
    with pytest.raises(DuplicateModel):
        manager.load_models(configure("models.EchoModel", ("models.EchoModel", {"max_batch_rows": 1})))
    assert [status.qualified_name for status in manager.get_models()] == ["double_model"]
    assert answer(manager, "double_model") == 2


def test_a_model_that_is_held_is_not_stopped_before_it_is_let_go(manager):
    models.ClosingModel.closed = 0
    manager.load_models(configure("models.ClosingModel"))
    with manager.lease("closing_model") as target:
        loading = load_in_thread(manager, configure("models.EchoModel"))
        wait_until(lambda: manager.get_models()[0].qualified_name == "echo_model")
        assert target.backend.run([{"x": 1}]) == [{"y": 2}]
        assert models.ClosingModel.closed == 0
    loading.join(timeout=30)
    assert models.ClosingModel.closed == 1


def test_draining_waits_for_those_who_hold_a_model(manager):
    manager.load_models(configure("models.DoubleModel"))
    assert manager.drain(time.monotonic() + 30)
    with manager.lease("double_model"):
        assert not manager.drain(time.monotonic() + 0.05)
