import hashlib
import json
import os
from importlib import metadata

import models
import pytest

from model_service.artifacts import (
    find_artifact_warnings,
    read_artifacts,
    read_metrics,
    verify_artifacts,
    write_manifest,
)
from model_service.errors import ModelContractBroken
from model_service.loading import build_model, describe_model, import_model_class
from model_service.records import Artifact

CODE = """
from models import DoubleModel

class WeighedModel(DoubleModel):
    qualified_name = "weighed_model"

    def __init__(self):
        self.weight = float(self.artifact_path("weight.txt").read_text())
"""


@pytest.fixture
def folder(make_package):
    """The artifacts of a package with two of them and metrics, its manifest written."""
    package = make_package(
        "weighed_by_artifacts",
        {
            "__init__.py": CODE,
            "artifacts/weight.txt": "2.5",
            "artifacts/layers/first.bin": "abc",
            "artifacts/metrics.json": '{"accuracy": 0.9}',
        },
    )
    write_manifest(package / "artifacts", made_with=("packaging",))
    return package / "artifacts"


@pytest.fixture
def weighed(folder):
    return import_model_class("weighed_by_artifacts.WeighedModel")


def test_what_a_training_script_writes_is_what_the_platform_reads(folder, weighed):
    assert read_artifacts(weighed) == tuple(
        Artifact(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in (
            ("layers/first.bin", b"abc"),
            ("metrics.json", b'{"accuracy": 0.9}'),
            ("weight.txt", b"2.5"),
        )
    )
    verify_artifacts(weighed)
    assert build_model(weighed).weight == 2.5


def test_the_manifest_records_the_versions_it_was_made_with(folder):
    assert json.loads((folder / "manifest.json").read_text())["made_with"] == {
        "packaging": metadata.version("packaging")
    }


def test_writing_the_manifest_again_changes_nothing(folder):
    before = (folder / "manifest.json").read_bytes()
    write_manifest(folder, made_with=("packaging",))
    assert (folder / "manifest.json").read_bytes() == before


def test_a_manifest_in_a_subfolder_is_an_artifact_like_any_other(folder, weighed):
    (folder / "layers" / "manifest.json").write_text("{}")
    write_manifest(folder, made_with=())
    assert [artifact.name for artifact in read_artifacts(weighed)] == [
        "layers/first.bin",
        "layers/manifest.json",
        "metrics.json",
        "weight.txt",
    ]


def test_the_description_of_a_model_carries_artifacts_and_metrics(weighed):
    info = describe_model(weighed)
    assert info.artifacts == read_artifacts(weighed)
    assert info.metrics == {"accuracy": 0.9}


def test_a_package_may_ship_no_artifacts_at_all():
    assert read_artifacts(models.DoubleModel) == ()
    assert read_metrics(models.DoubleModel) == {}
    verify_artifacts(models.DoubleModel)


def test_one_changed_byte_names_the_artifact(folder, weighed):
    (folder / "weight.txt").write_text("2.6")
    with pytest.raises(ModelContractBroken) as caught:
        build_model(weighed)
    assert caught.value.cause == "weight.txt is not the file the manifest describes (sha256 differs)"
    assert "weighed_by_artifacts" in caught.value.message


def test_every_fault_is_listed_at_once(folder, weighed):
    (folder / "weight.txt").unlink()
    (folder / "layers" / "first.bin").write_text("abd")
    with pytest.raises(ModelContractBroken) as caught:
        verify_artifacts(weighed)
    assert caught.value.cause.split("; ") == [
        "layers/first.bin is not the file the manifest describes (sha256 differs)",
        "weight.txt is missing",
    ]


def test_a_folder_in_the_place_of_an_artifact_is_a_missing_artifact(folder, weighed):
    (folder / "weight.txt").unlink()
    (folder / "weight.txt").mkdir()
    with pytest.raises(ModelContractBroken) as caught:
        verify_artifacts(weighed)
    assert caught.value.cause == "weight.txt is missing"


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that exists and cannot be read")
def test_an_artifact_that_cannot_be_read_says_so(folder, weighed):
    (folder / "weight.txt").unlink()
    (folder / "weight.txt").symlink_to("/proc/self/mem")
    with pytest.raises(ModelContractBroken) as caught:
        verify_artifacts(weighed)
    assert caught.value.cause.startswith("weight.txt cannot be read: ")


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"artifacts": []}',
        '{"artifacts": {"weight.txt": {"sha256": "0"}}}',
        '{"artifacts": {"weight.txt": "0"}}',
        b"\xff\xfe",
        None,
    ],
)
def test_a_manifest_of_another_form_says_so_and_names_the_way_out(folder, weighed, manifest):
    path = folder / "manifest.json"
    path.unlink()
    if manifest is None:
        path.mkdir()
    else:
        path.write_bytes(manifest if isinstance(manifest, bytes) else manifest.encode())
    for read in (read_artifacts, verify_artifacts, describe_model):
        with pytest.raises(ModelContractBroken) as caught:
            read(weighed)
        assert caught.value.message == "manifest.json of weighed_by_artifacts cannot be read"
        assert caught.value.cause
        assert "training script" in caught.value.remedy


@pytest.mark.parametrize("metrics", ["", "{", "[]", "0.9", "null", b"\xff", None])
def test_metrics_that_are_no_json_object_say_so(folder, weighed, metrics):
    path = folder / "metrics.json"
    path.unlink()
    if metrics is None:
        path.mkdir()
    else:
        path.write_bytes(metrics if isinstance(metrics, bytes) else metrics.encode())
    with pytest.raises(ModelContractBroken) as caught:
        describe_model(weighed)
    assert caught.value.message == "metrics.json of weighed_by_artifacts cannot be read"
    assert caught.value.cause == "it is not a JSON object"


def test_the_folder_of_a_manifest_may_be_a_text(folder, weighed):
    (folder / "weight.txt").write_text("3.5")
    write_manifest(str(folder), made_with=["packaging"])
    assert build_model(weighed).weight == 3.5


def test_a_complete_manifest_is_nothing_to_warn_of(folder, weighed):
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("")
    assert find_artifact_warnings(weighed) == []


def test_a_file_that_the_manifest_does_not_list_is_named(folder, weighed):
    (folder / "layers" / "second.bin").write_text("b")
    (folder / "a.bin").write_text("a")
    assert find_artifact_warnings(weighed) == [
        "artifacts/manifest.json does not list a.bin, layers/second.bin: end the training script with write_manifest"
    ]


def test_files_without_a_manifest_are_named_but_for_the_metrics(folder, weighed):
    (folder / "manifest.json").unlink()
    (folder / "layers" / "first.bin").unlink()
    assert find_artifact_warnings(weighed) == [
        "artifacts/manifest.json is missing, so that nothing checks weight.txt: end the training script with "
        "write_manifest"
    ]
    (folder / "weight.txt").unlink()
    assert find_artifact_warnings(weighed) == []


def test_a_file_that_can_run_code_when_it_is_opened_is_named(folder, weighed):
    (folder / "layers" / "forest.joblib").write_text("a")
    write_manifest(folder, made_with=["packaging"])
    (warning,) = find_artifact_warnings(weighed)
    assert warning.startswith("artifacts holds layers/forest.joblib, the kind of file that can run any code")


def test_code_that_reads_artifacts_which_were_not_installed_is_told(make_package):
    inherited = CODE + "\n\nclass HeirModel(WeighedModel):\n    pass\n"
    make_package("left_out", {"__init__.py": inherited})
    for name in ("WeighedModel", "HeirModel"):
        (warning,) = find_artifact_warnings(import_model_class(f"left_out.{name}"))
        assert warning.startswith("the code calls artifact_path, but there is no folder 'artifacts' beside its module")
    assert find_artifact_warnings(models.DoubleModel) == []
