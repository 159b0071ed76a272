import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from model_service.config import (
    AccessConfig,
    BackendName,
    Batching,
    HealthConfig,
    InvocationsConfig,
    LogFormat,
    LoggingConfig,
    LogLevel,
    ModelConfig,
    ServerConfig,
    ServiceConfig,
)
from model_service.config_file import DEFAULT_FILE, ENVIRONMENT_PREFIX, load_config, write_config
from model_service.config_jobs import JobsConfig
from model_service.config_keys import describe_settings
from model_service.config_metrics import MetricsConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.config_tracing import TracingConfig
from model_service.config_traffic import TrafficConfig
from model_service.errors import ConfigInvalid

ROOT = Path(__file__).parent.parent
SERVER_KEYS = ", ".join(field.name for field in dataclasses.fields(ServerConfig))
MODEL_KEYS = ", ".join(field.metadata["key"] or field.name for field in dataclasses.fields(ModelConfig))


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a configuration file and returns its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def load(write):
    """Return a function that loads YAML with overrides, ``{"SERVER__PORT": "1"}``."""

    def load(text: str | bytes, overrides: dict[str, str] | None = None) -> ServiceConfig:
        path = write(text)
        config = load_config(path, {ENVIRONMENT_PREFIX + name: value for name, value in (overrides or {}).items()})
        # Some defaults stand beside the file; the tests compare with what has no file.
        for name, default in (("jobs", JobsConfig().folder), ("prediction_log", PredictionLogConfig().folder)):
            section = getattr(config, name)
            if section.folder == path.parent / default:
                config = dataclasses.replace(config, **{name: dataclasses.replace(section, folder=default)})
        return config

    return load


@pytest.fixture
def refuse(load, tmp_path):
    """Return a function that loads what is refused and returns the message, with the file's path as FILE."""

    def refuse(text: str | bytes, overrides: dict[str, str] | None = None) -> str:
        with pytest.raises(ConfigInvalid) as caught:
            load(text, overrides)
        return caught.value.message.replace(str(tmp_path / "config.yaml"), "FILE")

    return refuse


# What a file says


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "{}", "---\n", "null", "server:\nmodels:\nlogging:\n"]
)
def test_an_empty_file_means_the_defaults(load, text):
    assert load(text) == ServiceConfig()


def test_the_defaults_are_modest_and_local():
    config = ServiceConfig()
    assert config.models == ()
    assert config.logging == LoggingConfig(level=LogLevel.INFO, format=LogFormat.AUTO)
    assert config.server == ServerConfig(
        host="127.0.0.1",
        port=8000,
        workers=None,
        threads=16,
        max_body_bytes=16 * 1024 * 1024,
        max_request_rows=10_000,
        shutdown_timeout_s=30,
        tls_certificate=None,
        tls_key=None,
    )


def test_a_model_needs_its_class_only(load):
    [model] = load("models: [{class: some_model.SomeModel}]").models
    assert model == ModelConfig(
        class_path="some_model.SomeModel", default=False, required=False, backend=BackendName.LOCAL
    )


def test_every_key_can_be_given(load, tmp_path):
    (tmp_path / "chain.pem").touch()
    (tmp_path / "key.pem").touch()
    config = load("""
server:
  host: 0.0.0.0
  port: 9000
  workers: 2
  threads: 8
  max_body_bytes: 1000
  max_request_rows: 10
  shutdown_timeout_s: 5
  tls_certificate: chain.pem
  tls_key: key.pem
models:
  - {class: a_model.AModel, default: true, required: yes, backend: local}
  - class: b_model.module:BModel
logging:
  level: debug
  format: json
""")
    assert config == ServiceConfig(
        server=ServerConfig(
            host="0.0.0.0",
            port=9000,
            workers=2,
            threads=8,
            max_body_bytes=1000,
            max_request_rows=10,
            shutdown_timeout_s=5,
            tls_certificate=tmp_path / "chain.pem",
            tls_key=tmp_path / "key.pem",
        ),
        models=(
            ModelConfig(class_path="a_model.AModel", default=True, required=True),
            ModelConfig(class_path="b_model.module:BModel"),
        ),
        logging=LoggingConfig(level=LogLevel.DEBUG, format=LogFormat.JSON),
    )


def test_what_is_logged_of_a_model_is_a_section_of_its_own(load, refuse):
    text = "models: [{class: m.M, prediction_log: {sample: 0.1, redact: [a, b.c]}}]"
    assert load(text).models[0].prediction_log == ModelLogConfig(sample=0.1, redact=("a", "b.c"))
    assert load(text, {"MODELS__0__PREDICTION_LOG__SAMPLE": "1"}).models[0].prediction_log.sample == 1
    assert "'models[0].prediction_log.sample' must be a number from 0 to 1" in refuse(text.replace("0.1", "1.1"))
    assert "unknown key 'models[0].prediction_log.redcat'" in refuse(text.replace("redact", "redcat"))


def test_models_keep_their_order(load):
    text = "\n".join(["models:", *(f"  - class: m.M{i}" for i in (3, 1, 2))])
    assert [model.class_path for model in load(text).models] == ["m.M3", "m.M1", "m.M2"]


def test_an_alias_repeats_a_value(load):
    server = load("server: {workers: &count 3, threads: *count}").server
    assert (server.workers, server.threads) == (3, 3)


def test_text_that_only_looks_like_a_date_is_text(load):
    assert load("server: {host: 2020-13-45}").server.host == "2020-13-45"


def test_the_file_of_the_repository_is_valid():
    assert load_config(ROOT / "config.yaml").models


def test_the_path_of_the_file_may_be_a_text(tmp_path):
    (tmp_path / "own.yaml").write_text("models: [{class: a.B, backend: process, python: bin/python}]")
    assert load_config(f"{tmp_path}/own.yaml").models[0].python == tmp_path / "bin/python"


def test_the_default_file_is_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / DEFAULT_FILE).write_text("server: {port: 9}")
    monkeypatch.chdir(tmp_path)
    assert load_config().server.port == 9


@pytest.mark.parametrize(
    "part",
    [ServiceConfig(), ServerConfig(), LoggingConfig(), ModelConfig(class_path="m.M")],
    ids=lambda part: type(part).__name__,
)
def test_a_configuration_cannot_be_changed(part):
    for field in dataclasses.fields(part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field.name, None)


# What is refused: keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "server:\n  prot: 80\n",
            f"FILE, line 2: unknown key 'server.prot'; did you mean 'port'? known keys: {SERVER_KEYS}",
            id="with-a-suggestion",
        ),
        pytest.param(
            "zzz: 1",
            "FILE, line 1: unknown key 'zzz'; known keys: server, models, access, jobs, prediction_log, health, "
            "invocations, logging, metrics, tracing",
            id="without-a-suggestion",
        ),
        pytest.param(
            "models:\n  - class: m.M\n  - class: n.N\n    requierd: true\n",
            f"FILE, line 4: unknown key 'models[1].requierd'; did you mean 'required'? known keys: {MODEL_KEYS}",
            id="in-a-list",
        ),
        pytest.param(
            "models:\n  - class_path: m.M\n",
            f"FILE, line 2: unknown key 'models[0].class_path'; did you mean 'class'? known keys: {MODEL_KEYS}",
            id="the-name-of-the-attribute",
        ),
        pytest.param(
            "1: 2",
            "FILE, line 1: unknown key '1'; known keys: server, models, access, jobs, prediction_log, health, "
            "invocations, logging, metrics, tracing",
            id="a-number",
        ),
        pytest.param(
            "<<: {server: {port: 1}}",
            "FILE, line 1: unknown key '<<'; known keys: server, models, access, jobs, prediction_log, health, "
            "invocations, logging, metrics, tracing",
            id="a-merge-key",
        ),
    ],
)
def test_an_unknown_key_names_the_line_and_the_known_keys(refuse, text, message):
    assert refuse(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("server: {}\nserver: {}", "FILE, line 2: 'server' is given twice; keep one", id="root"),
        pytest.param(
            "server:\n  port: 1\n  host: a\n  port: 1", "FILE, line 4: 'port' is given twice; keep one", id="nested"
        ),
        pytest.param(
            "models:\n  - class: m.M\n    class: m.M", "FILE, line 3: 'class' is given twice; keep one", id="in-a-list"
        ),
        pytest.param(
            'server: {port: 1, "port": 2}', "FILE, line 1: 'port' is given twice; keep one", id="spelt-differently"
        ),
    ],
)
def test_a_key_given_twice_names_the_second_line(refuse, text, message):
    assert refuse(text) == message


def test_a_missing_key_names_the_entry_and_says_what_it_is_for(refuse):
    message = refuse("models:\n  - class: m.M\n  - required: true\n")
    assert message.startswith("FILE, line 3: 'models[1].class' is missing; The `MLModel` subclass as `package.Class`")


@pytest.mark.parametrize(("key", "kind"), [("[a]", "a list"), ("{a: b}", "a mapping")])
def test_a_key_must_be_text(refuse, key, kind):
    assert refuse(f"server: {{}}\n? {key}\n: 1") == f"FILE, line 2: a key must be text, not {kind}"


# What is refused: types and bounds

INTEGER = "an integer from 1 to 65535"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("server: {port: true}", f"'server.port' must be {INTEGER}, not True", id="boolean-for-integer"),
        pytest.param("server: {port: 8000.0}", f"'server.port' must be {INTEGER}, not 8000.0", id="float-for-integer"),
        pytest.param("server: {port: '80'}", f"'server.port' must be {INTEGER}, not '80'", id="text-for-integer"),
        pytest.param("server: {port: }", f"'server.port' must be {INTEGER}, not None", id="null-for-integer"),
        pytest.param("server: {port: [1]}", f"'server.port' must be {INTEGER}, not a list", id="list-for-integer"),
        pytest.param("server: {port: {a: 1}}", f"'server.port' must be {INTEGER}, not a mapping", id="mapping"),
        pytest.param("server: {port: .inf}", f"'server.port' must be {INTEGER}, not inf", id="infinity"),
        pytest.param("server: {port: !!int x}", f"'server.port' must be {INTEGER}, not 'x'", id="false-integer-tag"),
        pytest.param("server: {port: !!bool x}", f"'server.port' must be {INTEGER}, not 'x'", id="false-boolean-tag"),
        pytest.param("server: {port: 0b_}", f"'server.port' must be {INTEGER}, not '0b_'", id="no-digit"),
        pytest.param("server: {host: 5}", "'server.host' must be a string, not 5", id="integer-for-text"),
        pytest.param("server: {host: no}", "'server.host' must be a string, not False", id="boolean-for-text"),
        pytest.param("server: {host: ''}", "'server.host' must be a string, not ''", id="empty-text"),
        pytest.param("server: {host: null}", "'server.host' must be a string, not None", id="null-for-text"),
        pytest.param(
            "server: {host: 2020-01-02}", "'server.host' must be a string, not datetime.date(2020, 1, 2)", id="date"
        ),
        pytest.param(
            "models: [{class: m.M, default: 1}]",
            "'models[0].default' must be true or false, not 1",
            id="integer-for-boolean",
        ),
        pytest.param(
            "models: [{class: m.M, default: 'true'}]",
            "'models[0].default' must be true or false, not 'true'",
            id="text-for-boolean",
        ),
        pytest.param(
            "models: [{class: m.M, default: null}]",
            "'models[0].default' must be true or false, not None",
            id="null-for-boolean",
        ),
        pytest.param("models: [{class: [m.M]}]", "'models[0].class' must be a string, not a list", id="list-for-class"),
        pytest.param("models: [{class: ''}]", "'models[0].class' must be a string, not ''", id="empty-class"),
        pytest.param(
            "models: [{class: m.M, backend: ray}]",
            f"'models[0].backend' must be one of {', '.join(BackendName)}, not 'ray'",
            id="unknown-backend",
        ),
        pytest.param(
            "logging: {level: loud}",
            "'logging.level' must be one of debug, info, warning, error, not 'loud'",
            id="unknown-level",
        ),
        pytest.param(
            "logging: {level: INFO}",
            "'logging.level' must be one of debug, info, warning, error, not 'INFO'",
            id="level-in-capitals",
        ),
        pytest.param(
            "logging: {level: [info]}",
            "'logging.level' must be one of debug, info, warning, error, not a list",
            id="list-of-levels",
        ),
        pytest.param(
            "logging: {format: }", "'logging.format' must be one of auto, json, text, not None", id="null-for-a-choice"
        ),
        pytest.param(
            "server: {tls_key: 5}", "'server.tls_key' must be a path, or null, not 5", id="integer-for-a-path"
        ),
        pytest.param("server: {tls_key: ''}", "'server.tls_key' must be a path, or null, not ''", id="empty-path"),
        pytest.param("server: [1]", "'server' must be a mapping of keys to values", id="list-for-a-section"),
        pytest.param("logging: loud", "'logging' must be a mapping of keys to values", id="text-for-a-section"),
        pytest.param("models: {class: m.M}", "'models' must be a list", id="mapping-for-models"),
        pytest.param("models: m.M", "'models' must be a list", id="text-for-models"),
        pytest.param("models: [m.M]", "'models[0]' must be a mapping of keys to values", id="text-for-a-model"),
        pytest.param("[server]", "the file must be a mapping of keys to values", id="list-for-the-file"),
        pytest.param("hello", "the file must be a mapping of keys to values", id="text-for-the-file"),
    ],
)
def test_a_wrong_type_names_the_key_and_what_was_expected(refuse, text, message):
    assert refuse(f"# first line\n{text}") == f"FILE, line 2: {message}"


BOUNDS = {
    "port": (1, 65535),
    "grpc_port": (1, 65535),
    "workers": (1, 256),
    "threads": (1, 512),
    "model_threads": (1, 1024),
    "max_body_bytes": (1, 4096 * 1024 * 1024),
    "max_body_values": (1, 10**9),
    "max_request_rows": (1, 10_000_000),
    "max_explain_rows": (1, 1000),
    "max_connections": (1, 1_000_000),
    "max_pending_bytes": (1, 2**50),
    "min_body_bytes_per_s": (0, 2**30),
    "shutdown_timeout_s": (1, 3600),
}


def test_every_integer_has_bounds():
    assert {field.name for field in dataclasses.fields(ServerConfig) if field.type in (int, int | None)} == set(BOUNDS)


@pytest.mark.parametrize("key", BOUNDS)
def test_a_bound_is_allowed_and_the_next_number_is_not(load, refuse, key):
    low, high = BOUNDS[key]
    for allowed in (low, high):
        assert getattr(load(f"server: {{{key}: {allowed}}}").server, key) == allowed
    or_null = ", or null" if key in ("workers", "model_threads", "grpc_port") else ""
    for refused in (low - 1, high + 1, -high, 10**30):
        assert refuse(f"server:\n  {key}: {refused}") == (
            f"FILE, line 2: 'server.{key}' must be an integer from {low} to {high}{or_null}, not {refused}"
        )


def test_a_number_with_thousands_of_digits_is_refused(refuse):
    assert f"'server.port' must be {INTEGER}" in refuse("server: {port: " + "9" * 5000 + "}")


# What is refused: the file


def test_a_missing_file_says_how_to_name_another(tmp_path):
    path = tmp_path / "nothing.yaml"
    with pytest.raises(ConfigInvalid) as caught:
        load_config(path)
    assert caught.value.message == f"no configuration file '{path}'; create it or name another one with --config"


def test_a_directory_cannot_be_read(tmp_path):
    with pytest.raises(ConfigInvalid, match="cannot be read: .*directory") as caught:
        load_config(tmp_path)
    assert f"the configuration file '{tmp_path}'" in caught.value.message


def test_a_file_that_is_not_utf_8_cannot_be_read(refuse):
    message = refuse(b"server: {host: caf\xe9}")
    assert message.startswith("the configuration file 'FILE' cannot be read: ")
    assert "position 18" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("server:\n  port: [1\n", "FILE, line 3: not valid YAML: ", id="open-bracket"),
        pytest.param("server:\n\tport: 1", "FILE, line 2: not valid YAML: ", id="tab"),
        pytest.param("server: {}\n---\nserver: {}", "FILE, line 2: not valid YAML: ", id="two-documents"),
        pytest.param("server: *nothing", "FILE, line 1: not valid YAML: ", id="undefined-alias"),
        pytest.param("\nserver: !python x", "FILE, line 2: not valid YAML: ", id="unknown-tag"),
        pytest.param(
            "server: !!python/object/apply:os.getcwd []", "FILE, line 1: 'server' must be a mapping", id="python-object"
        ),
        pytest.param("server: !!python/name:os.system x", "FILE, line 1: not valid YAML: ", id="python-name"),
        pytest.param("server: \x00", "FILE: not valid YAML: unacceptable character #x0000", id="nul"),
    ],
)
def test_invalid_yaml_names_the_line(refuse, text, message):
    assert refuse(text).startswith(message)


@pytest.mark.parametrize(
    "text", ["server: &a [*a]", "&a {server: *a}", "server: " + "[" * 5000], ids=["list", "mapping", "deep"]
)
def test_an_alias_that_contains_itself_is_refused(refuse, text):
    assert refuse(text) == "FILE: nested too deeply, or an alias that contains itself"


# Paths


def test_a_relative_path_resolves_against_the_files_folder(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    (folder / "tls").mkdir(parents=True)
    for name in ("chain.pem", "key.pem"):
        (folder / "tls" / name).touch()
    (folder / "config.yaml").write_text("server: {tls_certificate: tls/chain.pem, tls_key: ./tls/key.pem}")
    monkeypatch.chdir(tmp_path)
    server = load_config(Path("etc/config.yaml")).server
    assert server.tls_certificate == Path("etc/tls/chain.pem")
    assert server.tls_key == Path("etc/tls/key.pem")


def test_an_absolute_path_stays(load, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pem").touch()
    server = load(f"server: {{tls_certificate: {elsewhere}/pem, tls_key: {elsewhere}/pem}}").server
    assert server.tls_certificate == elsewhere / "pem"


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key"])
def test_a_certificate_and_its_key_go_together(refuse, tmp_path, given):
    (tmp_path / "pem").touch()
    message = "'server.tls_certificate' and 'server.tls_key' go together: give both or neither"
    assert refuse(f"server: {{{given}: pem}}") == message
    assert refuse("", {f"SERVER__{given.upper()}": "pem"}) == message


@pytest.mark.parametrize("missing", ["tls_certificate", "tls_key"])
def test_a_tls_file_that_does_not_exist_is_named(refuse, tmp_path, missing):
    paths = {"tls_certificate": "pem", "tls_key": "pem", missing: "gone.pem"}
    (tmp_path / "pem").touch()
    text = yaml.safe_dump({"server": paths})
    assert refuse(text) == f"'server.{missing}': there is no file '{tmp_path / 'gone.pem'}'"
    assert refuse(text.replace("gone.pem", ".")) == f"'server.{missing}': there is no file '{tmp_path}'"


def test_null_means_no_tls(load):
    assert load("server: {tls_certificate: null, tls_key: ~}").server == ServerConfig()


# Batching


@pytest.mark.parametrize(("word", "batching"), [("on", Batching.ON), ("off", Batching.OFF), ("auto", Batching.AUTO)])
def test_batching_is_spelt_without_quotes_although_yaml_reads_booleans(load, word, batching):
    for quote in ("", "'"):
        [model] = load(f"models: [{{class: m.M, batching: {quote}{word}{quote}}}]").models
        assert model.batching is batching
    [model] = load("models: [{class: m.M}]", {"MODELS__0__BATCHING": word}).models
    assert model.batching is batching


def test_another_word_for_batching_is_refused(refuse):
    message = "FILE, line 1: 'models[0].batching' must be one of auto, on, off, not 'always'"
    assert refuse("models: [{class: m.M, batching: always}]") == message


# What only one backend knows


@pytest.mark.parametrize(
    ("key", "value"),
    [("replicas", "2"), ("python", "bin/python"), ("start_timeout_s", "5"), ("max_memory_bytes", "2000000")],
)
def test_a_key_of_the_process_backend_is_refused_elsewhere(load, refuse, key, value):
    message = f"'models[1].{key}' works with backend: process only; remove it, or set backend: process"
    entries = "models: [{{class: a.A}}, {{class: m.M, {}: {}}}]"
    assert refuse(entries.format(key, value)) == message
    assert refuse("models: [{class: a.A}, {class: m.M}]", {f"MODELS__1__{key.upper()}": value}) == message
    assert load(entries.format("backend: process, " + key, value)).models[1].backend is BackendName.PROCESS


# The environment


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        pytest.param("SERVER__PORT", "9000", "server.port", 9000, id="integer"),
        pytest.param("SERVER__PORT", " 9000 ", "server.port", 9000, id="integer-with-blanks"),
        pytest.param("SERVER__PORT", "007", "server.port", 7, id="octal-as-in-yaml"),
        pytest.param("SERVER__PORT", "1_000", "server.port", 1000, id="underscores-as-in-yaml"),
        pytest.param("SERVER__HOST", "yes", "server.host", "yes", id="text-like-a-boolean"),
        pytest.param("SERVER__HOST", "007", "server.host", "007", id="text-like-a-number"),
        pytest.param("SERVER__HOST", "null", "server.host", "null", id="text-like-null"),
        pytest.param("SERVER__HOST", "::", "server.host", "::", id="text-that-is-no-yaml"),
        pytest.param("LOGGING__LEVEL", "error", "logging.level", LogLevel.ERROR, id="choice"),
        pytest.param("logging__level", "error", "logging.level", LogLevel.ERROR, id="lower-case"),
    ],
)
def test_a_variable_overrides_a_key(load, variable, text, attribute, value):
    section, name = attribute.split(".")
    for file in ("", "server: {port: 5, host: a}\nlogging: {level: info}", "server:\nlogging:"):
        found = getattr(getattr(load(file, {variable: text}), section), name)
        assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("yes", True), ("on", True), ("True", True), ("false", False), ("no", False), ("off", False)],
)
def test_a_variable_spells_a_boolean_as_yaml_does(load, text, value):
    file = f"models: [{{class: m.M, required: {str(not value).lower()}}}]"
    [model] = load(file, {"MODELS__0__REQUIRED": text}).models
    assert model == ModelConfig(class_path="m.M", required=value)


def test_a_variable_leaves_the_other_keys_alone(load):
    config = load("server: {port: 5, workers: 2}\nmodels: [{class: m.M}]", {"SERVER__PORT": "6"})
    assert config == ServiceConfig(server=ServerConfig(port=6, workers=2), models=(ModelConfig(class_path="m.M"),))


@pytest.mark.parametrize("index", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_variable_changes_one_entry_of_a_list(load, index):
    entries = [ModelConfig(class_path=path, required=True) for path in ("a.A", "b.B", "c.C")]
    file = yaml.safe_dump({"models": [{"class": entry.class_path, "required": True} for entry in entries]})
    entries[index] = ModelConfig(class_path="d.D", required=True)
    assert load(file, {f"MODELS__{index}__CLASS": "d.D"}).models == tuple(entries)


@pytest.mark.parametrize("file", ["", "models:", "models: []"], ids=["no-key", "null", "empty-list"])
def test_variables_add_entries_to_a_list(load, file):
    variables = {f"MODELS__{i}__CLASS": f"m.M{i}" for i in range(12)} | {"MODELS__10__REQUIRED": "true"}
    models = load(file, variables).models
    assert [model.class_path for model in models] == [f"m.M{i}" for i in range(12)]
    assert [i for i, model in enumerate(models) if model.required] == [10]


def test_a_variable_adds_an_entry_after_those_of_the_file(load):
    assert [model.class_path for model in load("models: [{class: a.A}]", {"MODELS__1__CLASS": "b.B"}).models] == [
        "a.A",
        "b.B",
    ]


def test_the_path_of_a_variable_resolves_against_the_files_folder(load, tmp_path):
    (tmp_path / "pem").touch()
    server = load("", {"SERVER__TLS_CERTIFICATE": "pem", "SERVER__TLS_KEY": str(tmp_path / "pem")}).server
    assert (server.tls_certificate, server.tls_key) == (tmp_path / "pem", tmp_path / "pem")


@pytest.mark.parametrize("text", ["007", "1.0", "yes", "a: b", "2020-01-02", "x y/z"])
def test_the_path_of_a_variable_is_taken_as_it_is(load, tmp_path, text):
    [model] = load("models: [{class: m.M, backend: process}]", {"MODELS__0__PYTHON": text}).models
    assert model.python == tmp_path / text


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_a_variable_can_take_back_a_path(load, text):
    [model] = load("models: [{class: m.M, python: bin/python}]", {"MODELS__0__PYTHON": text}).models
    assert model.python is None


@pytest.mark.parametrize("text", ["2", "2.0"])
def test_seconds_may_be_whole_or_not(load, text):
    for config in (
        load(f"models: [{{class: m.M, timeout_s: {text}}}]"),
        load("models: [{class: m.M}]", {"MODELS__0__TIMEOUT_S": text}),
    ):
        assert repr(config.models[0].timeout_s) == "2.0"


@pytest.mark.parametrize("text", ["0", "86401", ".nan", ".inf", "true", "'2'", "9" * 400], ids=lambda text: text[:5])
def test_seconds_out_of_bounds_are_refused(refuse, text):
    message = refuse(f"models: [{{class: m.M, timeout_s: {text}}}]")
    assert message.startswith("FILE, line 1: 'models[0].timeout_s' must be a number from 0.01 to 86400, not ")


def test_other_variables_are_not_looked_at(write):
    names = ("PORT", "model_service__server__port", "MODEL_SERVICE_SERVER__PORT", "MODEL_SERVICE")
    assert load_config(write(""), dict.fromkeys(names, "9")).server == ServerConfig()


def test_the_environment_of_the_process_is_not_read_unasked(write, monkeypatch):
    monkeypatch.setenv("MODEL_SERVICE__SERVER__PORT", "9")
    assert load_config(write("")).server == ServerConfig()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        pytest.param("SERVER__PORT", "many", f"'server.port' must be {INTEGER}, not 'many'", id="words"),
        pytest.param("SERVER__PORT", "", f"'server.port' must be {INTEGER}, not ''", id="nothing"),
        pytest.param("SERVER__PORT", "yes", f"'server.port' must be {INTEGER}, not 'yes'", id="boolean"),
        pytest.param("SERVER__PORT", "80.0", f"'server.port' must be {INTEGER}, not '80.0'", id="float"),
        pytest.param("SERVER__PORT", "0", f"'server.port' must be {INTEGER}, not '0'", id="out-of-bounds"),
        pytest.param("SERVER__PORT", "{", f"'server.port' must be {INTEGER}, not '{{'", id="invalid-yaml"),
        pytest.param("SERVER__PORT", "[1]", f"'server.port' must be {INTEGER}, not '[1]'", id="list"),
        pytest.param("SERVER__PORT", "0x_", f"'server.port' must be {INTEGER}, not '0x_'", id="no-digit"),
        pytest.param("SERVER__PORT", "2020-13-45", f"'server.port' must be {INTEGER}, not '2020-13-45'", id="date"),
        pytest.param("SERVER__HOST", "", "'server.host' must be a string, not ''", id="empty-text"),
        pytest.param(
            "LOGGING__FORMAT", "xml", "'logging.format' must be one of auto, json, text, not 'xml'", id="choice"
        ),
        pytest.param("MODELS__0__DEFAULT", "1", "'models[0].default' must be true or false, not '1'", id="not-boolean"),
        pytest.param("SERVER", "x", "'server' must be a mapping of keys to values", id="a-section"),
        pytest.param("MODELS", "m.M", "'models' must be a list", id="a-list"),
        pytest.param("MODELS__0", "m.M", "'models[0]' must be a mapping of keys to values", id="an-entry"),
        pytest.param("MODELS__2__CLASS", "m.M", "there are 1 entries; the next one is 1", id="a-gap"),
        pytest.param(
            "ZZZ",
            "1",
            "unknown key 'zzz'; known keys: server, models, access, jobs, prediction_log, health, "
            "invocations, logging, metrics, tracing",
            id="an-unknown-one",
        ),
        pytest.param(
            "",
            "1",
            "unknown key ''; known keys: server, models, access, jobs, prediction_log, health, "
            "invocations, logging, metrics, tracing",
            id="the-prefix-alone",
        ),
        pytest.param(
            "MODELS__0__CLAS",
            "1",
            f"unknown key 'models[0].clas'; did you mean 'class'? known keys: {MODEL_KEYS}",
            id="an-unknown-key-of-an-entry",
        ),
        pytest.param(
            "MODELS__1__REQUIRED", "true", "'models[1].class' is missing; The `MLModel` subclass", id="half-an-entry"
        ),
    ],
)
def test_a_wrong_variable_is_named(refuse, variable, value, message):
    found = refuse("models: [{class: m.M}]", {variable: value})
    assert found.startswith(f"environment variable MODEL_SERVICE__{variable}: {message}")


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("MODELS__X__CLASS", "'models' must be a list"),
        ("MODELS__-1__CLASS", "'models' must be a list"),
        ("SERVER__PORT__LOW", f"'server.port' must be {INTEGER}, not a mapping"),
        ("SERVER__0", "unknown key 'server.0'"),
    ],
)
def test_a_variable_that_leads_nowhere_is_refused(refuse, variable, message):
    assert message in refuse("server: {port: 5}\nmodels: [{class: m.M}]", {variable: "1"})


@pytest.mark.parametrize("value", ["[" * 10_000, "9" * 5000, "\x00"], ids=["deep", "long", "nul"])
def test_a_variable_that_overwhelms_yaml_is_refused(refuse, value):
    assert f"'server.port' must be {INTEGER}" in refuse("", {"SERVER__PORT": value})


# What describes itself


def collect_keys(kind: type, prefix: str) -> list[str]:
    """Return the path of every scalar field, the way a reader of the documentation spells it."""
    keys = []
    for field in dataclasses.fields(kind):
        path = f"{prefix}{field.metadata['key'] or field.name}"
        inner = {
            "ServerConfig": ServerConfig,
            "AccessConfig": AccessConfig,
            "JobsConfig": JobsConfig,
            "HealthConfig": HealthConfig,
            "InvocationsConfig": InvocationsConfig,
            "LoggingConfig": LoggingConfig,
            "MetricsConfig": MetricsConfig,
            "TracingConfig": TracingConfig,
            "ModelConfig": ModelConfig,
            "TrafficConfig": TrafficConfig,
            "ModelLogConfig": ModelLogConfig,
            "PredictionLogConfig": PredictionLogConfig,
        }
        name = next((name for name in inner if name in str(field.type)), None)
        is_list = "tuple" in str(field.type)
        keys.extend(collect_keys(inner[name], f"{path}{'[]' if is_list else ''}.") if name else [path])
    return keys


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("server: {allowed_hosts: [a.example, '*']}", ("a.example", "*")),
        ("server: {allowed_hosts: []}", ()),
        ("server: {allowed_hosts: null}", ()),
    ],
)
def test_a_list_of_names_is_read(load, text, names):
    assert load(text).server.allowed_hosts == names


@pytest.mark.parametrize(
    ("variable", "value", "names"),
    [
        ("ALLOWED_HOSTS", "a.example, b.example", ("a.example", "b.example")),
        ("ALLOWED_HOSTS", "", ()),
        ("ALLOWED_HOSTS__0", "a.example", ("a.example",)),
    ],
)
def test_a_list_of_names_is_read_from_the_environment(tmp_path, variable, value, names):
    path = tmp_path / "config.yaml"
    path.write_text("server: {port: 9000}\n")
    assert load_config(path, {f"{ENVIRONMENT_PREFIX}SERVER__{variable}": value}).server.allowed_hosts == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {allowed_hosts: a.example}", "'server.allowed_hosts' must be a list"),
        ("server: {allowed_hosts: [7]}", r"'server.allowed_hosts\[0\]' must be a string"),
        ("server: {allowed_hosts: ['']}", r"'server.allowed_hosts\[0\]' must be a string"),
    ],
)
def test_a_list_that_is_none_is_named(load, text, said):
    with pytest.raises(ConfigInvalid, match=said):
        load(text)


@pytest.mark.parametrize("prefix", ["/ml", "/a/b-c.d", "/~x"])
def test_a_path_prefix_is_read(load, prefix):
    assert load(f"server: {{root_path: {prefix}}}").server.root_path == prefix


@pytest.mark.parametrize("prefix", ["ml", "/ml/", "/", "//ml", "/m l", "/../x", "/gr\u00fcn", "https://a.example"])
def test_a_path_prefix_that_is_none_is_refused(load, prefix):
    with pytest.raises(ConfigInvalid, match="must begin with a slash"):
        load(f"server: {{root_path: '{prefix}'}}")


@pytest.mark.parametrize("listed", [("*",), ("127.0.0.1", "10.1.0.0/16", "fd00::/8"), ()])
def test_trusted_proxies_are_addresses_and_networks(load, listed):
    assert load(f"server: {{trusted_proxies: {list(listed)}}}").server.trusted_proxies == listed


@pytest.mark.parametrize("first", ["127.0.0.1", "*"])
@pytest.mark.parametrize("proxy", ["proxy.example", "10.1.0.1/16", "10.1.0.0/33", "10.1.0.0:80"])
def test_a_trusted_proxy_that_is_no_address_is_refused(load, first, proxy):
    with pytest.raises(ConfigInvalid, match=r"'server.trusted_proxies\[1\]' must be a network like 10.1.0.0/16"):
        load(f"server: {{trusted_proxies: ['{first}', '{proxy}']}}")


@pytest.mark.parametrize(
    "origin", ["*", "https://app.example", "http://localhost:3000", "http://[::1]:3000", "app://x"]
)
def test_origins_are_read(load, origin):
    server = load(f"server: {{cors_origins: ['{origin}']}}").server
    assert (server.cors_origins, server.cors_credentials) == ((origin,), False)


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "https://",
        "https://a.example/",
        "https://a.example/x",
        "null",
        "https://*.a.example",
        "https://a:b",
    ],
)
def test_an_origin_that_is_none_is_refused(load, origin):
    with pytest.raises(ConfigInvalid, match=r"'server.cors_origins\[1\]' must be '\*' or an origin"):
        load(f"server: {{cors_origins: ['https://b.example', '{origin}']}}")


@pytest.mark.parametrize("origins", ["[]", "['*']", "['https://a.example', '*']"])
def test_credentials_are_for_origins_that_are_listed(load, origins):
    with pytest.raises(ConfigInvalid, match="listed one by one"):
        load(f"server: {{cors_origins: {origins}, cors_credentials: true}}")


def test_every_field_is_described_in_order():
    assert [path for path, *_ in describe_settings()] == collect_keys(ServiceConfig, "")


def test_a_description_has_a_type_a_default_and_a_sentence():
    described = {path: rest for path, *rest in describe_settings()}
    assert described["server.port"] == ["an integer from 1 to 65535", "8000", "Port to listen on."]
    assert described["server.host"][:2] == ["a string", "127.0.0.1"]
    assert described["server.tls_key"][:2] == ["a path, or null", "null"]
    assert described["models[].class"][:2] == ["a string", "(required)"]
    assert described["models[].default"][:2] == ["true or false", "false"]
    assert described["logging.level"][:2] == ["one of debug, info, warning, error", "info"]
    for path, (_, default, sentence) in described.items():
        assert re.fullmatch(r"[A-Z`].*\.", sentence), path
        assert "\n" not in default, path


def test_every_described_default_is_the_real_one(load):
    tree: dict = {"models": [{"class": "m.M"}]}
    for path, _, default, _ in describe_settings():
        *sections, key = path.split(".")
        mapping = tree
        for section in sections:
            mapping = mapping["models"][0] if section == "models[]" else mapping.setdefault(section, {})
        if default != "(required)":
            mapping[key] = yaml.safe_load(default)
    assert load(yaml.safe_dump(tree)) == ServiceConfig(models=(ModelConfig(class_path="m.M"),))


def test_an_unknown_key_is_told_with_its_own_line_and_not_its_values(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("modles:\n  - class: a.B\n")
    with pytest.raises(ConfigInvalid, match="line 1: unknown key 'modles'"):
        load_config(path)


def test_a_configuration_that_is_written_is_read_as_the_same(tmp_path):
    source = tmp_path / "here" / "config.yaml"
    source.parent.mkdir()
    source.write_text(
        "server: {port: 9000, workers: null, header_timeout_s: 3, unix_socket: x.sock, allowed_hosts: [a.example]}\n"
        "models: [{class: 'a.B', backend: process, python: envs/old/bin/python, batching: off},\n"
        "  {class: 'c:D', traffic: {weight: 2, aliases: [new], sunset: 2027-05-01}}]\n"
        "logging: {level: error}\n"
    )
    config = load_config(source, {f"{ENVIRONMENT_PREFIX}MODELS__1__REQUIRED": "true"})
    written = tmp_path / "there" / "config.yaml"
    written.parent.mkdir()
    write_config(config, written)
    assert load_config(written, {}) == config
