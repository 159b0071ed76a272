"""Keys, their file, and the keys of a running service."""

import json
import os
import threading
from datetime import timedelta

import pytest

from model_service.access import key as keys
from model_service.access import keyring as keyrings
from model_service.access.key_file import KeyFile
from model_service.access.keyring import Keyring
from model_service.errors import ConfigInvalid, KeysUnavailable, Unauthenticated


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / "keys.json")


def add(file, name="ada", scopes=("predict",), **options):
    return file.add(name, list(scopes), expires=options.get("expires"), by="root@here")


def test_a_key_is_long_random_and_not_in_its_file(file):
    made = [add(file, f"k{i}")[1] for i in range(3)]
    assert len(set(made)) == 3
    assert all(keys.read_id(text) for text in made)
    raw = file.path.read_text()
    for text in made:
        assert text not in raw
        assert text.split("_", 2)[2] not in raw
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_two_files_have_other_digests_of_one_key(tmp_path):
    text = add(KeyFile(tmp_path / "a"))[1]
    salts = [KeyFile(tmp_path / name).read().salt for name in ("a",)]
    add(KeyFile(tmp_path / "b"))
    salts.append(KeyFile(tmp_path / "b").read().salt)
    assert keys.digest_key(text, salts[0]) != keys.digest_key(text, salts[1])


@pytest.mark.parametrize(
    ("scopes", "allowed", "models"),
    [
        (["predict"], {"predict"}, {"iris_model", "loan_model"}),
        (["predict:iris_model"], {"predict"}, {"iris_model"}),
        (["jobs", "metrics"], {"jobs", "metrics"}, set()),
        (["manage", "predict:loan_model"], {"manage", "predict"}, {"loan_model"}),
    ],
)
def test_a_key_allows_its_scopes_and_no_others(file, scopes, allowed, models):
    key, _ = add(file, scopes=scopes)
    assert {scope for scope in keys.SCOPES if key.allows(scope)} == allowed
    assert {name for name in ("iris_model", "loan_model") if key.may_ask(name)} == models


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "a\n", "x" * 65, "ä"])
def test_a_name_is_plain(file, name):
    with pytest.raises(ConfigInvalid, match="letters, digits"):
        add(file, name)
    assert not file.path.exists()


@pytest.mark.parametrize("scope", ["", "all", "predict:", "predict:Iris", "PREDICT", "predict:a b", "manage:x"])
def test_a_scope_is_one_that_there_is(file, scope):
    with pytest.raises(ConfigInvalid, match="a scope is one of"):
        add(file, scopes=[scope])


def test_a_name_has_one_valid_key_at_a_time(file):
    add(file)
    with pytest.raises(ConfigInvalid, match="revoke that one first"):
        add(file)
    file.revoke("ada", by="eve@there")
    second, _ = add(file)
    first, last = file.read().keys
    assert (first.revoked_by, last.id, last.revoked) == ("eve@there", second.id, None)
    with pytest.raises(ConfigInvalid, match="no key 'bob'"):
        file.revoke("bob", by="me")
    assert file.revoke(second.id, by="me").name == "ada"


def test_changes_at_once_lose_nothing(file):
    add(file, "first")
    threads = [threading.Thread(target=add, args=[file, f"k{i}"]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in file.read().keys} == {"first", *(f"k{i}" for i in range(8))}


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_to_is_refused(file, mode):
    add(file)
    file.path.chmod(mode)
    with pytest.raises(ConfigInvalid, match="chmod go-w"):
        file.read()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 2}', "x" * 100, "[" * 10000])
def test_what_is_no_file_of_keys_is_refused(file, text):
    file.path.write_text(text)
    file.path.chmod(0o600)
    with pytest.raises(ConfigInvalid, match="not a file of keys"):
        file.read()


def test_a_file_with_a_scope_of_a_later_version_lets_nobody_in(file):
    add(file)
    document = json.loads(file.path.read_text())
    document["keys"][0]["scopes"] = ["fly"]
    file.path.write_text(json.dumps(document))
    with pytest.raises(ConfigInvalid):
        file.read()


def test_a_change_keeps_the_mode_that_lets_the_service_read(file):
    add(file)
    file.path.chmod(0o640)
    add(file, "bob")
    assert file.path.stat().st_mode & 0o777 == 0o640


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(keyrings, "LOOK_S", 0.0)


def look(ring):
    if ring.is_due():
        ring.read()


def test_a_key_is_found_and_others_are_not(file):
    key, text = add(file)
    ring = Keyring(file.path)
    for _ in range(2):
        assert ring.find(text.encode()).id == key.id
    assert list(ring.snapshot.known) == [text.encode()]
    other_secret = f"ms_{key.id}_{'A' * 43}"
    for sent in (
        b"",
        b"x",
        text.upper().encode(),
        text[:-1].encode(),
        f" {text}".encode(),
        other_secret.encode(),
        text.encode() + b"\n",
        b"\xff" * 70,
        b"a" * 8192,
        "ä".encode(),
    ):
        with pytest.raises(Unauthenticated) as raised:
            ring.find(sent)
        assert raised.value.has_key
    assert list(ring.snapshot.known) == [text.encode()]


@pytest.mark.usefixtures("at_once")
def test_what_changes_is_seen_and_told(file):
    told = []
    _, ada = add(file)
    ring = Keyring(file.path, lambda come, gone: told.append(([k.name for k in come], [k.name for k in gone])))
    ring.find(ada.encode())
    look(ring)
    assert told == []
    _, bob = add(file, "bob")
    look(ring)
    assert ring.find(bob.encode()).name == "bob"
    file.revoke("ada", by="me")
    look(ring)
    with pytest.raises(Unauthenticated, match="has been revoked"):
        ring.find(ada.encode())
    assert told == [(["bob"], []), ([], ["ada"])]


@pytest.mark.usefixtures("at_once")
def test_a_key_expires_while_the_service_runs(file, monkeypatch):
    key, text = add(file, expires=keys.tell_now() + timedelta(hours=1))
    ring = Keyring(file.path)
    assert ring.find(text.encode()).id == key.id
    monkeypatch.setattr(keyrings, "tell_now", lambda: key.expires)
    look(ring)
    assert ring.snapshot.known == {}
    with pytest.raises(Unauthenticated, match="has expired"):
        ring.find(text.encode())


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("harm", [os.unlink, lambda path: path.write_text("{"), lambda path: path.chmod(0o666)])
def test_a_file_that_cannot_be_read_lets_nobody_in_until_it_can(file, harm, caplog):
    _, text = add(file)
    raw = file.path.read_bytes()
    ring = Keyring(file.path)
    ring.find(text.encode())
    harm(file.path)
    look(ring)
    with pytest.raises(KeysUnavailable) as raised:
        ring.find(text.encode())
    assert raised.value.retry_after_s
    assert "no key is let in" in caplog.text
    file.path.unlink(missing_ok=True)
    file.path.write_bytes(raw)
    file.path.chmod(0o600)
    look(ring)
    assert ring.find(text.encode()).name == "ada"


def test_a_link_stays_a_link(file, tmp_path):
    add(file)
    link = tmp_path / "link.json"
    link.symlink_to(file.path)
    add(KeyFile(link), "bob")
    assert link.is_symlink()
    assert [key.name for key in file.read().keys] == ["ada", "bob"]
