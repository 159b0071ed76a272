"""Versions of one model that share its requests, keep their callers, go by other names, and are on their way out."""

import csv
import io
import json
import time
from collections import Counter
from datetime import date

import httpx
import pytest
from configurations import make_config
from fronts import FrontServer, read_answers, request_of, wait_until
from serving import starting

from model_service.config import BackendName, ModelConfig
from model_service.config_file import load_config
from model_service.config_traffic import TrafficConfig
from model_service.errors import ConfigInvalid, ModelNotFound
from model_service.manager import ModelManager
from model_service.prediction import PredictionService

OLD, NEW = "models.DoubleModel", "models.DoubleModelTwo"
PREDICT = "/api/models/double_model/predict"


def entry(class_path: str, **traffic: object) -> ModelConfig:
    return ModelConfig(class_path=class_path, traffic=TrafficConfig(**traffic))


def load(*entries: ModelConfig) -> ModelManager:
    manager = ModelManager()
    manager.load_models(make_config(*entries))
    return manager


def find_version(manager: ModelManager, name: str = "double_model", **headers: str) -> str:
    return manager.get_model(name, None, headers.get).info.version


@pytest.fixture
def start():
    fronts = []

    def start(*entries: ModelConfig) -> FrontServer:
        fronts.append(FrontServer(*entries))
        return fronts[-1]

    yield start
    for front in fronts:
        front.stop()


# --- shares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weights", "shares"), [((90, 10), (0.9, 0.1)), ((1, 2), (1 / 3, 2 / 3)), ((0, 5), (0, 1))])
def test_requests_are_shared_by_weight(weights, shares):
    manager = load(entry(OLD, weight=weights[0]), entry(NEW, weight=weights[1]))
    counts = Counter(find_version(manager) for _ in range(10_000))
    for version, share in zip(("1.0.0", "1.10.0"), shares, strict=True):
        assert abs(counts[version] - 10_000 * share) <= 10_000 * share / 100
    assert [status.traffic.share for status in manager.get_models()] == pytest.approx(shares)


def test_callers_in_a_pattern_get_each_version_as_often_as_anyone():
    manager = load(entry(OLD, weight=1), entry(NEW, weight=1))
    versions = [find_version(manager) for _ in range(1000)]
    for stride in (2, 3, 4, 10):
        for first in range(stride):
            picked = versions[first::stride]
            assert abs(picked.count("1.0.0") / len(picked) - 0.5) < 0.05


def test_a_version_without_a_weight_answers_only_those_that_name_it():
    manager = load(entry(OLD, weight=1), entry(NEW))
    assert {find_version(manager) for _ in range(100)} == {"1.0.0"}
    assert manager.get_model("double_model", "1.10").info.version == "1.10.0"
    assert [status.is_default for status in manager.get_models()] == [True, False]


def test_the_version_with_the_greatest_weight_is_the_default():
    manager = load(entry(OLD, weight=90), entry(NEW, weight=10))
    assert [status.is_default for status in manager.get_models()] == [True, False]


def test_the_share_of_a_version_that_failed_goes_to_the_others():
    manager = load(entry(OLD, weight=10), entry("manager_models.DoubleModelBroken", weight=90))
    assert {find_version(manager) for _ in range(100)} == {"1.0.0"}
    assert [status.traffic.share for status in manager.get_models()] == [1, 0]


# --- callers that are kept --------------------------------------------------------------------------------------------


def test_a_header_keeps_its_caller():
    manager = load(entry(OLD, weight=50, sticky_header="X-User"), entry(NEW, weight=50))
    found = {user: {find_version(manager, **{"X-User": user}) for _ in range(5)} for user in map(str, range(1000))}
    assert all(len(versions) == 1 for versions in found.values())
    assert 450 < sum(versions == {"1.0.0"} for versions in found.values()) < 550
    again = load(entry(OLD, weight=50, sticky_header="X-User"), entry(NEW, weight=50))  # another worker
    assert all({find_version(again, **{"X-User": user})} == versions for user, versions in found.items())
    assert len({find_version(manager) for _ in range(10)}) == 2, "those without the header are shared"


def test_a_greater_weight_takes_callers_but_moves_no_others():
    before = load(entry(OLD, weight=90, sticky_header="X-User"), entry(NEW, weight=10))
    first = {user: find_version(before, **{"X-User": user}) for user in map(str, range(500))}
    after = load(entry(OLD, weight=60, sticky_header="X-User"), entry(NEW, weight=40))
    second = {user: find_version(after, **{"X-User": user}) for user in first}
    assert {second[user] for user in first if first[user] == "1.10.0"} == {"1.10.0"}
    assert 100 < sum(first[user] != second[user] for user in first) < 200


def test_a_field_keeps_its_caller():
    manager = load(entry(OLD, weight=50, sticky_field="x"), entry(NEW, weight=50))
    service = PredictionService(manager, max_rows=1000)
    found = {}
    for x in list(range(200)) * 2:
        prediction = service.predict(service.find_target("double_model"), {"x": x})
        assert prediction.outputs[0]["y"] == 2 * x + (0.5 if prediction.version == "1.10.0" else 0)
        assert found.setdefault(x, prediction.version) == prediction.version
    assert 70 < sum(version == "1.0.0" for version in found.values()) < 130
    rows = [{"x": x} for x in range(50)]
    assert service.predict_many(service.find_target("double_model"), rows).version == found[0], "by the first row"


# --- over HTTP --------------------------------------------------------------------------------------------------------


def ask_versions(front: FrontServer, count: int, path: str = PREDICT, body: bytes = b'{"x": 1}', **headers) -> Counter:
    """Return how often each version answered on one connection, after a look at each answer."""
    found: Counter[str] = Counter()
    with front.connect() as connection:
        for _ in range(count):
            connection.sendall(request_of(body, path, **headers))
            status, answered, content = read_answers(connection, 1)[0]
            assert status == 200, content
            version = answered["x-model-version"]
            assert json.loads(content)["y"] == (2 if version == "1.0.0" else 2.5), "an answer of the other version"
            found[version] += 1
    return found


def test_each_request_of_a_connection_is_shared_anew(start):
    front = start(entry(OLD, weight=90), entry(NEW, weight=10))
    found = ask_versions(front, 1000)
    assert front.flask_requests == 0
    assert abs(found["1.0.0"] - 900) <= 9
    assert set(ask_versions(front, 10, "/api/models/double_model/versions/1.10.0/predict")) == {"1.10.0"}


def test_a_header_keeps_its_caller_in_the_loop_and_in_flask(start):
    front = start(entry(OLD, weight=50), entry(NEW, weight=50, sticky_header="X-User"))
    for user in ("ada", "ben", "cid", "dora", "\u00e9va"):
        sent = user.encode().decode("latin-1")
        in_loop = ask_versions(front, 5, X_User=sent)
        in_flask = ask_versions(front, 5, X_User=sent, Accept="application/*")
        assert len(in_loop) == 1
        assert in_loop == in_flask


def test_a_field_decides_before_anything_is_answered(start):
    front = start(entry(OLD, weight=50, sticky_field="x"), entry(NEW, weight=50))
    by_field = {ask_versions(front, 3).most_common()[0]}
    assert len(by_field) == 1
    rows = b"x\n" + b"\n".join(b"%d" % x for x in range(500))
    status, headers, content = front.ask("POST", PREDICT, rows, Content_Type="text/csv")
    assert status == 200
    added = {float(row["y"]) - 2 * float(row["x"]) for row in csv.DictReader(io.StringIO(content.decode()))}
    assert added == ({0.5} if headers["x-model-version"] == "1.10.0" else {0}), "one version for a whole file"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v2/models/double_model@new/infer",
            {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]},
        ),
        ("/v1/models/double_model@new:predict", {"instances": [{"x": 1}]}),
        ("/models/double_model@new/invoke", {"x": 1}),
        ("/endpoints/double_model@new/invocations", {"x": 1}),
        ("/api/models/double_model@new/predict", {"x": 1}),
    ],
)
def test_an_alias_is_a_name_over_every_route(start, path, body):
    front = start(entry(OLD, weight=1), entry(NEW, aliases=("new", "canary")))
    status, headers, content = front.ask("POST", path, json.dumps(body).encode(), Content_Type="application/json")
    assert (status, headers["x-model-version"]) == (200, "1.10.0")
    assert b"2.5" in content
    status, _, content = front.ask("GET", "/api/models/double_model@canary/metadata")
    assert json.loads(content)["version"] == "1.10.0"
    status, _, content = front.ask("POST", path.replace("@new", "@old"), b"{}", Content_Type="application/json")
    assert status >= 400
    assert b"no alias 'old' of model 'double_model'; aliases: canary, new" in content


def test_metadata_and_the_index_tell_how_requests_are_shared(start):
    front = start(
        entry(OLD, weight=90, aliases=("stable",), deprecated=date(2026, 11, 1)),
        entry(NEW, weight=10, sticky_field="x"),
    )
    _, _, content = front.ask("GET", "/api/models")
    old, new = (model["traffic"] for model in json.loads(content)["models"])
    assert (old["share"], old["aliases"], old["deprecated"], old["sunset"]) == (0.9, ["stable"], "2026-11-01", None)
    assert (new["share"], new["aliases"], new["shadow"]) == (0.1, [], None)
    _, _, page = front.ask("GET", "/", Accept="text/html")
    for text in (b"90 % of requests", b"10 % of requests", b"double_model@stable", b"deprecated"):
        assert text in page


@pytest.mark.parametrize("accept", ["application/json", "application/*"])
def test_a_version_on_its_way_out_says_so(start, accept):
    front = start(
        entry(
            OLD, deprecated=date(2026, 11, 1), sunset=date(2027, 5, 1), deprecation_link="https://example.org/new-model"
        ),
        entry(NEW),
    )
    path = "/api/models/double_model/versions/1.0.0/predict"
    _, headers, _ = front.ask("POST", path, b'{"x": 1}', Content_Type="application/json", Accept=accept)
    assert headers["deprecation"] == "@1793491200"
    assert headers["sunset"] == "Sat, 01 May 2027 00:00:00 GMT"
    assert headers["link"] == '<https://example.org/new-model>; rel="deprecation"'
    assert front.ask("GET", "/api/models/double_model/versions/1.0.0")[1]["sunset"] == headers["sunset"]
    assert "deprecation" not in front.ask("POST", PREDICT, b'{"x": 1}', Content_Type="application/json")[1]


def test_what_asks_for_no_model_is_answered_as_ever(start):
    front = start(entry(OLD, deprecated=date(2026, 11, 1)))
    assert front.ask("OPTIONS", "/api/models/nothing/predict")[0] == 200


# --- shadows ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def start_shadow():
    services = []

    def start(share: float = 1, **settings: object) -> PredictionService:
        traffic = TrafficConfig(shadow=share)
        tried = ModelConfig(
            class_path="traffic_models.DoubleModelTried", backend=BackendName.PROCESS, traffic=traffic, **settings
        )
        service = PredictionService(load(ModelConfig(class_path=OLD), tried), max_rows=1000)
        service.copy_for_shadows()
        services.append(service)
        return service

    yield start
    for service in services:
        service.shadows.close()


def ask(service: PredictionService, *rows: float) -> None:
    prediction = service.predict_many(service.find_target("double_model"), [{"x": x} for x in rows])
    assert (prediction.version, [output["y"] for output in prediction.outputs]) == ("1.0.0", [2 * x for x in rows])


def count_shadow(service: PredictionService) -> Counter:
    counts: Counter[str] = Counter()
    for (name, version, kind), rows in list(service.shadows.counts.items()):
        assert (name, version) == ("double_model", "2.0.0")
        counts[kind] += rows
    return +counts


def test_a_shadow_gets_copies_and_its_answers_are_compared(start_shadow, caplog):
    service = start_shadow()
    ask(service, 1)
    ask(service, 2, 3, -1)
    service.predict_rows(service.find_target("double_model"), [{"x": 4}, {"x": "4"}])
    wait_until(lambda: sum(count_shadow(service).values()) == 6)
    assert count_shadow(service) == {"alike": 4, "different": 1, "failed": 1}, "what both refuse is alike"
    told = [record.getMessage() for record in caplog.records if "the shadow" in record.getMessage()]
    assert len(told) == 1, "at most once a second"
    assert "1.0.0 answered" in told[0]
    assert service.predict(service.find_target("double_model", "2.0.0"), {"x": 1}).version == "2.0.0"
    time.sleep(0.1)
    assert sum(count_shadow(service).values()) == 6, "what it answered itself is not copied to it"


def test_a_shadow_gets_its_share(start_shadow):
    service = start_shadow(share=0.1)
    for _ in range(200):
        ask(service, 1)
    wait_until(lambda: count_shadow(service)["alike"] >= 19)
    assert 19 <= count_shadow(service)["alike"] <= 21


def test_a_shadow_that_hangs_touches_nothing(start_shadow, monkeypatch):
    monkeypatch.setattr("model_service.shadows.MAX_ROWS", 50)
    service = start_shadow(timeout_s=5)
    ask(service, 7)
    for _ in range(100):
        ask(service, 1)
    assert count_shadow(service) == {"dropped": 51}, "one hangs, 49 wait"


def test_a_request_of_the_loop_is_copied_too(temporary):
    entries = (
        "models: [{class: models.DoubleModel}, "
        "{class: traffic_models.DoubleModelTried, backend: process, traffic: {shadow: 1}}]"
    )
    with starting(temporary) as start:
        server = start(entries)
        answer = httpx.post(f"{server.url}{PREDICT}", json={"x": 3})
        assert answer.json() == {"y": 6}
        log = server.wait_for_log("the shadow 2.0.0 answered otherwise for 1 rows that 1.0.0 answered")
        assert answer.headers["x-request-id"] in log


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_an_alias_beside_a_version_and_an_alias_of_nothing():
    manager = load(entry(OLD, aliases=("stable",)))
    with pytest.raises(ModelNotFound, match=r"'double_model@stable' means a version already; leave out '1\.0\.0'"):
        manager.get_model("double_model@stable", "1.0.0")
    with pytest.raises(ModelNotFound, match="no model 'tripel_model'; loaded: double_model"):
        manager.get_model("tripel_model@stable")
    with pytest.raises(ModelNotFound, match="no alias '' of model 'double_model'; aliases: stable"):
        manager.get_model("double_model@")


def test_two_entries_cannot_share_an_alias_or_keep_callers_by_different_things():
    with pytest.raises(ConfigInvalid, match="two entries of 'double_model' have the alias 'stable'"):
        load(entry(OLD, aliases=("stable",)), entry(NEW, aliases=("stable",)))
    with pytest.raises(ConfigInvalid, match="entries of 'double_model' differ in 'sticky_header' or 'sticky_field'"):
        load(entry(OLD, weight=1, sticky_header="X-User"), entry(NEW, weight=1, sticky_field="x"))


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        ("{weight: -1}", "traffic.weight' must be a number from 0 to 1000000, or null"),
        ("{aliases: [Stable]}", "small letters, digits, - and _, such as 'stable'; not 'Stable'"),
        ("{aliases: stable}", "traffic.aliases' must be a list"),
        ("{shadow: 0.5}", "traffic.shadow' needs backend: process"),
        ("{deprecated: soon}", "traffic.deprecated' must be a day like 2027-01-31, or null, not 'soon'"),
        ("{deprecated: 2027-01-02, sunset: 2027-01-01}", "traffic.sunset' must not be before 'deprecated'"),
        ("{deprecation_link: 'a b'}", "must be the address of a page, not 'a b'"),
        ("{sticky_header: 'X User'}", "must be the name of a header, such as 'X-User'; not 'X User'"),
        ("{sticky_header: X-User, sticky_field: x}", "exclude each other"),
        ("{wieght: 1}", "did you mean 'weight'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, traffic, message):
    path = tmp_path / "config.yaml"
    path.write_text(f"models: [{{class: models.DoubleModel, traffic: {traffic}}}]", encoding="utf-8")
    with pytest.raises(ConfigInvalid) as caught:
        load_config(path)
    assert message in str(caught.value)


def test_a_day_may_come_from_the_environment(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("models: [{class: models.DoubleModel}]", encoding="utf-8")
    environment = {"MODEL_SERVICE__MODELS__0__TRAFFIC__SUNSET": "2027-05-01"}
    assert load_config(path, environment).models[0].traffic.sunset == date(2027, 5, 1)
