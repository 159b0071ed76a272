"""`doctor` finds what is wrong with an installation, a configuration and a machine, and says what to do."""

import json
import os
import resource
import socket
import sys
import threading

import pytest
import yaml
from commanding import invoke
from serving import find_free_port

from model_service.config import ServerConfig, ServiceConfig
from model_service.doctor import CHECKS, Finding, Level, configured, environment, examine, machine, packages
from model_service.doctor.finding import Case, read_case

CLASS = "iris_model.IrisModel"


def make_case(tmp_path, document, **environment):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_case(path, environment)


def install(folder, name, version, *requires, package=None):
    """Write what pip leaves of a distribution."""
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (information / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in requires), ""]))
    if package:
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("raise SystemExit('a doctor imports no package')")
        (information / "top_level.txt").write_text(f"{package}\n")
        (information / "RECORD").write_text(f"{package}/__init__.py,,\n")


def list_faults(findings):
    return [finding for finding in findings if finding.level is not Level.OK]


@pytest.fixture
def configure(tmp_path):
    """Return a function that writes a configuration file of one class and server settings, and returns its path."""

    def write(class_path, **server):
        make_case(tmp_path, {"models": [{"class": class_path}], "server": server})
        return tmp_path / "config.yaml"

    return write


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_sound_configuration_has_no_errors(configure):
    port = find_free_port()
    path = configure(CLASS, port=port, workers=1)
    result = invoke(path, "doctor")
    assert result.exit_code == 0, result.output
    assert f"ok       addresses: port {port} of 127.0.0.1 is free\n" in result.output
    assert "ok       packages: iris_model is in " in result.output
    assert result.output.splitlines()[-1].startswith("0 errors, ")


def test_errors_end_with_1_and_json_has_every_finding(configure):
    path = configure("nowhere_model.NowhereModel", workers=1)
    result = invoke(path, "doctor", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["errors"] >= 1
    assert {
        "check": "packages",
        "level": "error",
        "evidence": "there is no package 'nowhere_model' here",
        "remedy": "pip install the package that has it, or correct models[0].class",
    } in document["findings"]
    assert all(finding["remedy"] for finding in document["findings"] if finding["level"] != "ok")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"server": {"prt": 1}}, "did you mean 'port'?"),
        ({}, "no models are configured"),
        ({"models": [{"class": CLASS}], "server": {"host": "0.0.0.0"}}, "everybody who reaches 0.0.0.0"),
        ({"models": [{"class": CLASS}], "server": {"port": 8000, "grpc_port": 8000}}, "are both 8000"),
    ],
)
def test_a_configuration_that_would_not_start_is_an_error(tmp_path, document, words):
    found = list_faults(configured.check_configuration(make_case(tmp_path, document)))
    assert [finding.level for finding in found] == [Level.ERROR]
    assert words in found[0].evidence


def test_without_a_configuration_the_environment_is_examined(tmp_path):
    result = invoke(tmp_path / "none.yaml", "doctor")
    assert result.exit_code == 1
    assert "error    configuration: no configuration file" in result.output
    assert "ok       python: " in result.output


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = list(configured.check_addresses(make_case(tmp_path, {"server": {"port": port}})))
    assert [(finding.level, finding.evidence) for finding in found] == [
        (Level.ERROR, f"cannot listen on 127.0.0.1:{port}: Address already in use")
    ]
    assert "stop what listens there" in found[0].remedy


def test_a_unix_socket_is_taken_only_if_somebody_listens(tmp_path):
    path = tmp_path / "s"
    case = make_case(tmp_path, {"server": {"unix_socket": str(path)}})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert len(list_faults(configured.check_addresses(case))) == 1
    assert list_faults(configured.check_addresses(case)) == []


@pytest.mark.parametrize(
    ("jobs", "missing"), [({"workers": 2}, "alembic, fsspec"), ({"store": "s3://b/j"}, "s3fs"), ({}, None)]
)
def test_libraries_that_the_configuration_needs_are_missed(tmp_path, monkeypatch, jobs, missing):
    monkeypatch.setattr(configured, "find_spec", lambda name: None)  # as in a lighter install
    found = list(configured.check_libraries(make_case(tmp_path, {"jobs": jobs})))
    assert bool(found) == (missing is not None)
    assert not missing or any(missing in finding.evidence for finding in found)


def test_packages_that_do_not_fit_together_are_named_and_one_is_to_be_isolated(tmp_path, site):
    install(site, "frame-lib", "2.1")
    install(site, "old-lib", "1.0", "frame-lib<2")
    install(site, "old-model", "1.0", "old-lib", package="old_model")
    install(site, "new-model", "1.0", "frame-lib>=2", package="new_model")
    case = make_case(tmp_path, {"models": [{"class": "new_model.M"}, {"class": "old_model.M"}]})
    assert list_faults(packages.check_installed(case)) == []
    (found,) = packages.check_versions(case)
    assert found.evidence == "old-lib 1.0 needs frame-lib<2, and 2.1 is installed, as new-model may need it"
    assert "give old_model an environment of its own" in found.remedy
    assert "models[1].python: ENV/bin/python" in found.remedy


@pytest.mark.parametrize(
    ("requires", "evidence"),
    [
        ("frame-lib>=3", "a-model 1.0 needs frame-lib>=3, and 2.1 is installed"),
        ("absent-lib", "a-model 1.0 needs absent-lib, which is not installed"),
        ('absent-lib; python_version < "3"', None),
        ('absent-lib; extra == "train"', None),
        ("frame-lib>=2", None),
        ("model-service[odd]", "model-service 0.1.0 needs absent-lib, which is not installed"),
    ],
)
def test_requirements_are_held_against_what_is_installed(tmp_path, site, requires, evidence):
    install(site, "frame-lib", "2.1", "a-model")  # a circle ends
    install(site, "a-model", "1.0", requires, package="a_model")
    install(site, "model-service", "0.1.0", 'absent-lib; extra == "odd"')
    case = make_case(tmp_path, {"models": [{"class": "a_model:M"}]})
    assert [finding.evidence for finding in list_faults(packages.check_versions(case))] == (
        [evidence] if evidence else []
    )


def test_a_model_in_another_environment_needs_its_interpreter_only(tmp_path):
    def check(python):
        entry = {"class": "elsewhere.M", "backend": "process", "python": str(python)}
        case = make_case(tmp_path, {"models": [entry]})
        return list_faults([*packages.check_installed(case), *packages.check_versions(case)])

    assert check(sys.executable) == []
    assert "is no interpreter" in check(tmp_path / "none")[0].evidence
    assert "is no interpreter" in check(tmp_path)[0].evidence


def test_an_extra_that_is_there_in_parts_is_told(tmp_path, site):
    install(
        site,
        "model-service",
        "0.1.0",
        "frame-lib; extra == 'serve'",
        "b-lib; extra == 'jobs'",
        "c-lib; extra == 'jobs'",
    )
    metadata = site / "model_service-0.1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text() + "Provides-Extra: serve\nProvides-Extra: jobs\nProvides-Extra: grpc\n")
    install(site, "b-lib", "1.0")
    found = list_faults(environment.check_extras(make_case(tmp_path, {})))
    assert [(finding.level, finding.evidence) for finding in found] == [
        (Level.ERROR, "the extra serve lacks frame-lib (not installed)"),
        (Level.WARNING, "the extra jobs lacks c-lib (not installed)"),
    ]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    case = make_case(tmp_path, {"jobs": {"folder": "file/jobs"}, "prediction_log": {"folder": "/proc/none/log"}})
    found = list_faults(machine.check_folders(case))
    assert [(each.level, each.evidence.partition(":")[0]) for each in found] == [(Level.ERROR, "jobs.folder")]
    logged = {
        "models": [{"class": CLASS, "prediction_log": {"sample": 1.0}}],
        "prediction_log": {"folder": "/proc/none"},
    }
    assert "prediction_log.folder" in list_faults(machine.check_folders(make_case(tmp_path, logged)))[0].evidence


def test_more_threads_than_cores_are_a_warning(tmp_path):
    def check(server, **entry):
        case = make_case(tmp_path, {"server": server, "models": [{"class": CLASS, **entry}]})
        return list_faults(machine.check_threads(case))

    cores = machine.count_cores()
    assert check({"workers": cores, "model_threads": 1}) == []
    assert f"server.model_threads: 1, or server.workers: {max(1, cores // 4)}" in (
        check({"workers": cores, "model_threads": 4})[0].remedy
    )
    assert check({"workers": cores + 1, "model_threads": 1})[0].remedy == f"set server.workers: {cores}"
    assert check({"workers": 2 * cores}, backend="process") == []
    assert "models[0]" in check({"model_threads": 1}, backend="process", replicas=64)[0].evidence


def test_more_connections_than_open_files_are_a_warning(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    case = Case(tmp_path / "c", {}, ServiceConfig(server=ServerConfig(max_connections=hard)))
    (found,) = machine.check_open_files(case)
    assert f"a process may open {hard} files" in found.evidence
    assert list_faults(machine.check_open_files(make_case(tmp_path, {"server": {"max_connections": 10}}))) == []


def test_artifacts_are_read_and_a_slow_disk_is_a_warning(tmp_path, site, monkeypatch):
    install(site, "a-model", "1.0", package="a_model")
    (site / "a_model/artifacts").mkdir()
    (site / "a_model/artifacts/weights").write_bytes(os.urandom(5 * 1024**2))
    case = make_case(tmp_path, {"models": [{"class": "a_model.M"}]})
    monkeypatch.setattr(machine, "_SLOW_BYTES_PER_S", 0)
    assert list_faults(machine.check_artifacts(case)) == []
    monkeypatch.setattr(machine, "_SLOW_BYTES_PER_S", float("inf"))
    assert "MiB/s from" in list_faults(machine.check_artifacts(case))[0].evidence


def test_a_check_that_hangs_or_raises_is_a_finding_and_the_others_go_on(tmp_path):
    released = threading.Event()

    def hang(case):
        released.wait()
        yield from ()

    def fail(case):
        raise OSError("gone")

    case = make_case(tmp_path, {})
    sound = ("sound", lambda case: [Finding("sound", Level.OK, "seen")])
    found = examine(case, checks=[("hung", hang), ("failed", fail), sound], longest_s=0.05)
    released.set()
    assert [(each.check, each.level, each.evidence) for each in found] == [
        ("hung", Level.ERROR, "no answer within 0.05 s"),
        ("failed", Level.ERROR, "it cannot be checked: OSError: gone"),
        ("sound", Level.OK, "seen"),
    ]


def test_every_check_says_something_of_the_shipped_service(tmp_path):
    case = make_case(tmp_path, {"models": [{"class": CLASS}], "jobs": {"workers": 2}})
    assert [name for name, check in CHECKS if not list(check(case))] == []
