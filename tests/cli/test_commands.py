import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import models
import pytest
import trustme
import yaml
from click.testing import CliRunner
from commanding import invoke, misuse

import model_service
from model_service.cli.main import COMMANDS, cli
from model_service.config_keys import describe_settings
from model_service.errors import (
    ConfigInvalid,
    MissingDependency,
    ModelNotFound,
    PayloadInvalid,
    PayloadMalformed,
    PayloadTooLarge,
)

pytestmark = pytest.mark.usefixtures("manager")  # each command loads models into the one manager
TESTS = Path(models.__file__).parent


def run(path, *arguments, stdin=None):
    """Return what a command that succeeds prints."""
    result = invoke(path, *arguments, stdin=stdin)
    assert (result.exit_code, result.stderr, result.exception) == (0, "", None)
    return result.stdout


def fail(kind, path, *arguments, stdin=None):
    """Return the error of a command that fails with one of ours, which prints no result."""
    result = invoke(path, *arguments, stdin=stdin)
    assert isinstance(result.exception, kind), result.exception
    assert result.stdout == ""
    return result.exception


def run_process(*arguments, stdin="", cwd):
    own = Path(model_service.__file__).parent.parent  # what is tested here, not what may be installed beside it
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(own)])}
    return subprocess.run(
        [sys.executable, "-m", "model_service", *arguments],
        input=stdin,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


# Help


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_and_the_exit_codes(tmp_path, option):
    text = run(tmp_path / "unread.yaml", option)
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "Exit codes: 0 done" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_reads_no_configuration(tmp_path, name):
    assert run(tmp_path / "unread.yaml", name, "--help").startswith(f"Usage: model-service {name}")


def test_the_version_of_the_service_is_printed(tmp_path):
    text = run(tmp_path / "unread.yaml", "--version")
    assert text == f"model-service, version {model_service.__version__}\n"


# models


def test_models_lists_every_model_without_loading_it(configure):
    lines = run(configure("models.UnloadableModel", "models.EchoModel"), "models").splitlines()
    assert [line.split() for line in lines] == [
        ["unloadable_model", "1.0.0", "configured", "Double"],
        ["echo_model", "1.0.0", "configured", "Echo"],
    ]


def test_models_marks_the_default_of_several_versions(configure):
    lines = run(configure("models.DoubleModel", "models.DoubleModelTwo", "models.EchoModel"), "models").splitlines()
    assert [line.endswith(" (default)") for line in lines] == [False, True, False]


def test_models_says_why_a_class_cannot_be_read_and_what_to_mend(configure):
    first, *rest, last = run(configure("models.DoubelModel", "models.EchoModel"), "models").splitlines()
    assert first.split() == ["models", "-", "FAILED", "models.DoubelModel"]
    assert rest == [
        "    problem: 'DoubelModel' in the module 'models' is no MLModel subclass",
        "    cause: there is no such name",
        "    remedy: use 'models.DoubleModel'",
    ]
    assert last.startswith("echo_model ")


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "behind"])
def test_the_configuration_may_be_named_before_a_command_or_behind_it(configure, is_before):
    path = configure("models.DoubleModel")
    arguments = ["--config", str(path), "models"] if is_before else ["models", "--config", str(path)]
    assert CliRunner().invoke(cli, arguments).output.startswith("double_model")


def test_models_of_an_empty_configuration_says_where_to_list_them(configure):
    assert run(configure(), "models").startswith("no models are configured; list them under 'models:'")


# predict


def test_one_payload_is_answered_by_one_output(configure):
    assert run(configure("models.DoubleModel"), "predict", "double_model", "--json", '{"x": 2}') == '{"y":4}\n'


def test_an_array_of_payloads_is_answered_by_an_array_in_order(configure):
    answer = run(configure("models.DoubleModel"), "predict", "double_model", "--json", '[{"x": 2}, {"x": 1}]')
    assert answer == '[{"y":4},{"y":2}]\n'


def test_the_payload_may_come_from_standard_input(configure):
    path = configure("models.EchoModel")
    assert run(path, "predict", "echo_model", stdin='{"text": "ä"}\n') == '{"text":"ä"}\n'
    assert run(path, "predict", "echo_model", stdin="[{}]") == "[{}]\n"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("count=5", 5),
        ("size=2.5", 2.5),
        ("size=-1e3", -1000.0),
        ("is_new=true", True),
        ("name=5", "5"),
        ("name=", ""),
        ("name=a=b", "a=b"),
        ("name=ä", "ä"),
        ("note=true", "true"),
        ("note=", None),
        ('tags=["a", "b"]', ["a", "b"]),
        ("colour=red", "red"),
    ],
)
def test_set_types_a_field_by_the_schema(configure, column, value):
    path = configure("cli.typed_models.FormModel")
    answer = json.loads(run(path, "predict", "form_model", "--set", "count=1", "--set", column))
    assert answer == {"count": 1, column.partition("=")[0]: value}
    assert type(answer[column.partition("=")[0]]) is type(value)


@pytest.mark.parametrize("column", ["count=five", "count=", "count=null", "is_new=yes", 'tags=["a"', "size=NaN", "x=1"])
def test_set_leaves_what_does_not_fit_to_validation(configure, column):
    path = configure("cli.typed_models.FormModel")
    columns = ["--set", "count=1", "--set", column]
    [violation] = fail(PayloadInvalid, path, "predict", "form_model", *columns).violations
    assert violation.pointer == "/" + column.partition("=")[0]


def test_the_default_version_answers_unless_one_is_named(configure):
    path = configure("models.DoubleModel", "models.DoubleModelTwo")
    ask = ["predict", "double_model", "--json", '{"x": 1}']
    assert run(path, *ask) == '{"y":2.5}\n'
    for version in ("1.0.0", "1"):
        assert run(path, *ask, "--version", version) == '{"y":2}\n'
        assert run(path, "predict", "double_model", "--set", "x=1", "--version", version) == '{"y":2}\n'


def test_predict_loads_no_model_but_the_one_it_asks(configure):
    models.SlowBuildingModel.entered.clear()
    models.SlowBuildingModel.release.set()
    path = configure("models.SlowBuildingModel", "models.DoubleModel", "no_such_package.SomeModel")
    assert run(path, "predict", "double_model", "--set", "x=1") == '{"y":2}\n'
    assert not models.SlowBuildingModel.entered.is_set()
    assert run(path, "predict", "slow_building_model", "--set", "x=1") == '{"y":2}\n'
    assert models.SlowBuildingModel.entered.is_set()


def test_an_unknown_model_or_version_lists_what_is_configured(configure):
    path = configure("models.DoubleModel", "models.EchoModel")
    error = fail(ModelNotFound, path, "predict", "duoble_model", "--json", "{}")
    assert error.message == "no model 'duoble_model'; not loaded yet: double_model, echo_model"
    error = fail(ModelNotFound, path, "predict", "double_model", "--version", "2", "--json", "{}")
    assert error.message == "no version '2' of model 'double_model'; not loaded yet: 1.0.0"


@pytest.mark.parametrize("text", ["", "{", "nope", '{"x": NaN}', '{"x": 1, "x": 2}', "{} {}"])
@pytest.mark.parametrize("is_stdin", [False, True])
def test_what_is_no_json_is_malformed(configure, text, is_stdin):
    given = {"stdin": text} if is_stdin else {}
    fail(
        PayloadMalformed,
        configure("models.EchoModel"),
        "predict",
        "echo_model",
        *(() if is_stdin else ("--json", text)),
        **given,
    )


@pytest.mark.parametrize("text", ["5", '"text"', "null", "true"])
def test_json_that_is_no_object_is_invalid(configure, text):
    [violation] = fail(
        PayloadInvalid, configure("models.EchoModel"), "predict", "echo_model", "--json", text
    ).violations
    assert (violation.pointer, violation.rule) == ("", "type")


def test_rows_are_limited_as_on_every_road(configure):
    path = configure("models.EchoModel", max_request_rows=2)
    assert run(path, "predict", "echo_model", "--json", "[{}, {}]") == "[{},{}]\n"
    fail(PayloadTooLarge, path, "predict", "echo_model", "--json", "[{}, {}, {}]")
    fail(PayloadMalformed, path, "predict", "echo_model", "--json", "[]")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict"], "QUALIFIED_NAME"),
        (["predict", "echo_model", "--json", "{}", "--set", "text=a"], "give --json or --set, not both"),
        (["predict", "echo_model", "--set", "text"], "--set takes FIELD=VALUE, not 'text'"),
        (["predict", "echo_model", "extra"], "extra"),
        (["predict", "echo_model", "--nope"], "--nope"),
        (["openapi", "--format", "xml"], "xml"),
        (["serve", "--port", "0"], "--port"),
        (["serve", "--port", "65536"], "--port"),
        (["prdict"], "prdict"),
        (["--nope"], "--nope"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(configure, arguments, words):
    text = misuse(configure("models.EchoModel"), *arguments)
    assert text.startswith("Usage: model-service")
    assert words in text


# openapi


def test_openapi_describes_the_models_without_loading_them(configure):
    path = configure("models.UnloadableModel", "models.EchoModel", max_request_rows=7)
    document = json.loads(run(path, "openapi", "--format", "json"))
    assert document["openapi"].startswith("3.1")
    assert {"/api/models/unloadable_model/predict", "/api/models/echo_model/predict"} <= set(document["paths"])
    assert '"maxItems":7' in json.dumps(document, separators=(",", ":"))


def test_openapi_is_yaml_unless_json_is_asked_for_and_both_say_the_same(configure):
    path = configure("cli.typed_models.FormModel")
    text = run(path, "openapi")
    assert not text.startswith("{")
    assert text == run(path, "openapi", "--format", "yaml")
    assert yaml.safe_load(text) == json.loads(run(path, "openapi", "--format", "json"))


def test_openapi_leaves_out_what_cannot_be_read(configure):
    paths = yaml.safe_load(run(configure("no_such_package.SomeModel", "models.EchoModel"), "openapi"))["paths"]
    assert "/api/models/echo_model/predict" in paths
    assert not any("no_such_package" in path for path in paths)


# check-config


def test_check_config_says_that_every_model_is_ready(configure):
    path = configure("models.DoubleModel", "models.EchoModel")
    assert run(path, "check-config").splitlines() == [
        "double_model 1.0.0: ready",
        "echo_model 1.0.0: ready",
        "    warning: input_schema has no examples: nothing is tested before the model takes requests",
        f"{path}: 2 of 2 models are ready",
    ]


def test_check_config_ends_with_4_and_says_why_when_a_model_fails(configure):
    path = configure("models.DoubleModel", "models.UnloadableModel", "models.FailingSelfTestModel")
    result = invoke(path, "check-config")
    assert result.exit_code == 4
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "double_model 1.0.0: ready",
        "unloadable_model 1.0.0: FAILED",
        "    problem: building models.UnloadableModel failed",
        "    cause: OSError: the weights are gone",
    ]
    assert lines[4].startswith("    remedy: mend its __init__")
    assert lines[5] == "failing_self_test_model 1.0.0: FAILED"
    assert lines[-1] == f"{path}: 1 of 3 models are ready"


def test_check_config_names_a_class_that_cannot_be_read_as_the_configuration_does(configure):
    path = configure("models.DoubelModel", "no_such_package.some_module:SomeModel")
    lines = invoke(path, "check-config").stdout.splitlines()
    assert lines[0] == "models.DoubelModel: FAILED"
    assert "no_such_package.some_module:SomeModel: FAILED" in lines


@pytest.mark.parametrize("backend", ["local", "process"])
def test_check_config_warns_of_what_looks_mistaken(configure, make_package, backend):
    schema = {"type": "object", "properties": {"text": {"minLenght": 1}}, "examples": [{}]}
    code = f"from models import EchoModel\n\nclass M(EchoModel):\n    input_schema = {schema}\n"
    make_package("mistaken_package", {"__init__.py": code})
    path = configure({"class": "mistaken_package.M", "backend": backend})
    assert run(path, "check-config").splitlines() == [
        "echo_model 1.0.0: ready",
        "    warning: input_schema/properties/text/minLenght is no keyword of JSON Schema and changes nothing; "
        "did you mean 'minLength'?",
        f"{path}: 1 of 1 models are ready",
    ]


def test_check_config_of_no_models_fails_and_says_that_there_are_none(configure):
    error = fail(ConfigInvalid, configure(), "check-config")
    assert error.message == "no models are configured; list them under 'models:' in the configuration"


def test_check_config_warns_of_a_model_that_changes_its_payload(make_package, configure):
    schema = {"type": "object", "examples": [{"a": 1}]}
    code = f"from models import EchoModel\n\nclass M(EchoModel):\n    input_schema = {schema}\n"
    code += "    def predict(self, payload):\n        payload['a'] += 1\n        return super().predict(payload)\n"
    make_package("changing_package", {"__init__.py": code})
    path = configure({"class": "changing_package.M"})
    ready, warning, _ = run(path, "check-config").splitlines()
    assert ready == "echo_model 1.0.0: ready"
    assert warning.startswith("    warning: the model changes its payload (example 0 ")


@pytest.fixture
def pem(tmp_path):
    """A certificate and its key, in the files cert.pem and key.pem."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")


@pytest.mark.usefixtures("pem")
@pytest.mark.parametrize("command", ["check-config", "serve"])
@pytest.mark.parametrize(
    ("server", "said"),
    [
        pytest.param({"tls_certificate": "key.pem", "tls_key": "cert.pem"}, "cannot be used", id="swapped"),
        pytest.param({"port": 18001, "grpc_port": 18001}, "are both 18001; set server.grpc_port", id="one port"),
    ],
)
def test_check_config_refuses_what_serve_cannot_listen_with(tmp_path, command, server, said):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": [{"class": "models.DoubleModel"}], "server": server}))
    done = run_process("--config", str(path), command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr


def test_check_config_says_that_grpc_is_not_installed(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("models: []\nserver: {grpc_port: 18001}\n")
    monkeypatch.setattr("model_service.listening.find_spec", lambda name: None)
    assert "model-service[grpc]" in fail(MissingDependency, path, "check-config").message


@pytest.mark.usefixtures("pem")
def test_check_config_needs_no_port_that_is_free(tmp_path):
    path = tmp_path / "config.yaml"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        server = {"port": taken, "grpc_port": taken + 1 if taken < 65535 else 1024}
        server |= {"tls_certificate": "cert.pem", "tls_key": "key.pem"}
        path.write_text(yaml.safe_dump({"models": [{"class": "models.DoubleModel"}], "server": server}))
        assert "1 of 1 models are ready" in run(path, "check-config")


def test_grpc_may_have_the_number_of_a_port_that_a_unix_socket_replaces(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("models: [{class: models.DoubleModel}]\nserver: {port: 18001, grpc_port: 18001, unix_socket: s}\n")
    assert "1 of 1 models are ready" in run(path, "check-config")


# settings, and the configuration file


def test_settings_lists_every_key_and_needs_no_configuration(tmp_path):
    rows = [line for line in run(tmp_path / "unread.yaml", "settings").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{path}` | {kind} | `{default}` | {text} |" for path, kind, default, text in describe_settings()
    ]


@pytest.mark.parametrize(
    "arguments", [["models"], ["predict", "a", "--json", "{}"], ["openapi"], ["check-config"], ["serve"]]
)
def test_every_command_that_needs_the_configuration_says_when_there_is_none(tmp_path, arguments):
    path = tmp_path / "none.yaml"
    error = fail(ConfigInvalid, path, *arguments)
    assert str(path) in error.message
    assert "--config" in error.message


def test_the_environment_overrides_the_file(configure):
    path = configure("models.DoubleModel")
    result = CliRunner(env={"MODEL_SERVICE__MODELS__0__CLASS": "models.EchoModel"}).invoke(
        cli, ["--config", str(path), "models"]
    )
    assert result.stdout.split()[0] == "echo_model"


# The whole program, in a process of its own


def test_the_program_reads_config_yaml_of_the_folder_it_runs_in(configure):
    path = configure("cli.typed_models.FormModel")
    done = run_process("predict", "form_model", "--set", "count=2", "--set", "name=ä", cwd=path.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"count":2,"name":"ä"}\n', "")


def test_the_program_takes_a_payload_from_a_pipe(configure):
    path = configure("models.DoubleModel")
    done = run_process("predict", "double_model", stdin='[{"x": 1}, {"x": 2}]', cwd=path.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, '[{"y":2},{"y":4}]\n', "")


def test_the_program_prints_violations_with_their_pointers(configure):
    path = configure("models.DoubleModel")
    done = run_process("predict", "double_model", stdin='[{"x": 1}, {"x": "a secret"}, {}]', cwd=path.parent)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.splitlines() == [
        "Error: the payload for model 'double_model' has 2 faults",
        "  /1/x: expected a number, got a string",
        "  /2/x: this field is missing",
    ]


def test_the_program_shows_the_traceback_of_a_model_that_raised_where_logs_go(configure):
    path = configure("models.RaisingModel")
    done = run_process("predict", "raising_model", "--set", "x=-1", cwd=path.parent)
    assert (done.returncode, done.stdout) == (6, "")
    assert "RuntimeError: secret payload -1" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: model 'raising_model' failed; the log tells why")


@pytest.mark.parametrize("backend", ["local", "process"])
def test_the_program_shows_the_traceback_of_a_model_that_cannot_be_loaded(configure, backend):
    entries = [{"class": f"models.{name}", "backend": backend} for name in ("UnloadableModel", "FailingSelfTestModel")]
    path = configure(*entries, "models.DoubelModel")
    done = run_process("check-config", cwd=path.parent)
    assert done.returncode == 4
    assert "cause: OSError: the weights are gone" in done.stdout
    assert 'raise OSError("the weights are gone")\n' in done.stderr
    assert "\nOSError: the weights are gone\n" in done.stderr
    assert 'raise RuntimeError(f"secret payload' in done.stderr
    assert "DoubelModel" not in done.stderr  # nothing was raised: what is printed says it all
    asked = run_process("predict", "unloadable_model", "--set", "x=1", cwd=path.parent)
    assert (asked.returncode, asked.stdout) == (4, "")
    assert asked.stderr.count("\nOSError: the weights are gone\n") == 1
    assert "    remedy: mend its __init__" in asked.stderr


def test_the_program_shows_what_a_process_wrote_before_it_ended(configure):
    path = configure(
        {"class": "unruly_models.DoomedModel", "backend": "process"},
        {"class": "models.DoubleModel", "backend": "process"},
    )
    done = run_process("check-config", cwd=path.parent)
    assert done.returncode == 4
    assert "the last words" in done.stderr
    assert "the log has what it wrote" in done.stdout
    assert "double_model 1.0.0: ready" in done.stdout


def test_the_program_shows_why_a_package_cannot_be_imported(configure, make_package):
    make_package("raising_for_cli", {"__init__.py": "1 / 0"})
    path = configure("raising_for_cli.M")
    for command in ("models", "check-config"):
        result = invoke(path, command)
        assert result.stderr.count("ZeroDivisionError: division by zero") == 1
        assert "cause: ZeroDivisionError: division by zero" in result.stdout


@pytest.mark.skipif(sys.platform == "darwin", reason="arguments are UTF-8 there")
@pytest.mark.parametrize(
    ("option", "code", "words"),
    [("--json", 5, "not UTF-8"), ("--set", 2, "--set takes UTF-8 text")],
)
def test_arguments_that_are_no_utf_8_are_refused_not_a_traceback(configure, option, code, words):
    path = configure("models.EchoModel")
    value = b'{"text": "\xff"}' if option == "--json" else b"text=\xff"
    done = run_process("predict", "echo_model", option, value, cwd=path.parent)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
