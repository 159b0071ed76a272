"""`model-service keys`, and where `serve` and `check-config` refuse to start."""

import json
from pathlib import Path

import pytest
from commanding import invoke, misuse

from model_service.access.key import read_id
from model_service.access.key_file import KeyFile


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("access: {keys_file: keys.json}\n")
    return path


def test_a_key_is_printed_once_and_can_be_listed_and_revoked(config):
    made = invoke(config, "keys", "add", "ada", "--scope", "predict:iris_model", "--scope", "jobs", "--expires", "90d")
    assert made.exit_code == 0, made.output
    text = made.stdout.strip()
    assert read_id(text)
    assert "jobs, predict:iris_model; valid until" in made.stderr
    listed = invoke(config, "keys", "list").stdout
    assert ("ada" in listed, "predict:iris_model" in listed, text in listed) == (True, True, False)
    assert invoke(config, "keys", "revoke", "ada").exit_code == 0
    assert invoke(config, "keys", "list").stdout == ""
    (entry,) = json.loads(invoke(config, "keys", "list", "--all", "--json").stdout)
    assert (entry["name"], entry["state"], entry["scopes"]) == ("ada", "revoked", ["jobs", "predict:iris_model"])
    assert "@" in entry["revoked_by"]


def test_a_key_predicts_unless_told_otherwise_and_may_be_for_another_file(config, tmp_path):
    assert invoke(config, "keys", "add", "ada", "--file", tmp_path / "other.json").exit_code == 0
    assert KeyFile(tmp_path / "other.json").read().keys[0].scopes == {"predict"}
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("when", ["yesterday", "0d", "2020-01-01", "90", "1y"])
def test_an_expiry_that_cannot_be_meant_is_refused(config, when):
    assert "--expires" in misuse(config, "keys", "add", "ada", "--expires", when)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "a b"], "letters, digits"),
        (["add", "ada", "--scope", "all"], "a scope is one of"),
        (["revoke", "ada"], "there is no file of keys"),
        (["list"], "there is no file of keys"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_3(config, arguments, told):
    found = invoke(config, "keys", *arguments)
    assert found.exit_code == 1 or found.exit_code == 3
    assert told in str(found.exception.message)


def test_without_a_file_in_the_configuration_the_way_out_is_said(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("models: []\n")
    assert "set access.keys_file" in invoke(path, "keys", "list").exception.message


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("", False),
        ("server: {host: 127.0.0.5}", False),
        ("server: {host: '::1'}", False),
        ("server: {host: 0.0.0.0}", True),
        ("server: {host: '::'}", True),
        ("server: {host: models.example}", True),
        ("server: {host: 0.0.0.0, unix_socket: s.sock}", False),
        ("server: {host: 0.0.0.0, unix_socket: s.sock, grpc_port: 8001}", True),
        ("server: {host: 0.0.0.0}\naccess: {allow_anonymous: true}", False),
        ("server: {host: 0.0.0.0}\naccess: {keys_file: keys.json}", False),
    ],
)
def test_where_others_reach_it_a_service_without_keys_does_not_start_unless_told_to(tmp_path, text, is_refused):
    path = tmp_path / "config.yaml"
    path.write_text(f"models: [{{class: models.DoubleModel}}]\n{text}\n")
    KeyFile(tmp_path / "keys.json").add("ada", ["predict"], expires=None, by="me")
    found = invoke(path, "check-config")
    if is_refused:
        for way in ("'access.keys_file'", "'server.host'", "'access.allow_anonymous: true'"):
            assert way in found.exception.message
    else:
        assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keys_file: missing.json", "there is no file of keys"),
        ("limit_per_key: often", "'access.limit_per_key' must be"),
        ("limit_per_address: 5", "'access.limit_per_address' must be a string"),
        ("limit_store: http://x", "'access.limit_store' must begin with"),
    ],
)
def test_what_cannot_be_meant_is_told_before_the_service_listens(tmp_path, text, told):
    path = tmp_path / "config.yaml"
    path.write_text(f"models: [{{class: models.DoubleModel}}]\naccess: {{{text}}}\n")
    assert told in invoke(path, "check-config").exception.message
