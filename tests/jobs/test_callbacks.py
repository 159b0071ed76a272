"""Who asked to be told of the end of a job is told, signed, until it is taken; and nobody else is reached."""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from jobs_workers import WorkerProcess, submit, wait_for, write_config, write_rows
from receiving import receive

from model_service.config_file import load_config
from model_service.config_jobs import JobsConfig
from model_service.jobs.callbacks import MOST_ATTEMPTS, CallbackSender, check_callback, sign
from model_service.jobs.desk import JobDesk
from model_service.jobs.errors import IdempotencyKeyReused, JobInvalid
from model_service.jobs.outbound import PostFailed, UrlRefused, check_url, post
from model_service.jobs.records import CallbackState
from model_service.jobs.store import JobStore

KEY = b"a key for tests, of 32 bytes ..."
SECRET = "whsec_" + base64.b64encode(KEY).decode()
HERE = "127.0.0.1/32"


@pytest.fixture
def receiver():
    with receive() as receiver:
        yield receiver


@pytest.fixture
def config(tmp_path, database_url):
    return JobsConfig(
        folder=tmp_path / "data", database=database_url, callback_secret=SECRET, callback_networks=(HERE,)
    )


@pytest.fixture
def start_sender(config, open_database):
    """Return a function that starts what a worker has for callbacks, with a database of its own."""
    started = []

    def start(**options):
        stopping = threading.Event()
        options = {"first_pause_s": 0.05, "poll_s": 0.01, **options}
        sender = CallbackSender(config, JobStore(open_database()), stopping, **options)
        sender.start()
        started.append((sender, stopping))

    yield start
    for sender, stopping in started:
        stopping.set()
        sender.stop()


def end_job(desk, receiver, **changes):
    """Return a job that is over without a worker."""
    job = submit(desk, write_rows(3), callback_url=receiver.url, **changes)
    return desk.end(job.id)


def networks(*names):
    return [ipaddress.ip_network(name) for name in names]


def verify(headers, body):
    """Check a signature as a receiver does that knows the documents only."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 600


def test_the_signature_is_that_of_standard_webhooks():
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_end_of_a_job_is_told_once_and_signed(desk, receiver, start_sender):
    waiting = submit(desk, write_rows(3), callback_url=receiver.url)
    for _ in range(3):  # as many workers
        start_sender()
    job = end_job(desk, receiver)
    told = wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.DELIVERED)
    assert (told.callback_attempts, told.callback_problem) == (1, "")
    [(path, headers, body)] = receiver.got
    assert path == "/told?by=me"
    assert (headers["content-type"], headers["webhook-id"]) == ("application/json", job.id)
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    verify(headers, body)
    document = json.loads(body)
    assert (document["id"], document["state"], document["qualified_name"]) == (job.id, "cancelled", "double_model")
    assert desk.get(waiting.id).callback_state is CallbackState.WAITING


def test_what_is_not_taken_is_sent_again(desk, receiver, start_sender):
    receiver.answers += [(503, {}), (302, {"location": "/elsewhere"})]
    job = end_job(desk, receiver)
    start_sender()
    told = wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.DELIVERED)
    assert told.callback_attempts == 3
    assert {headers["webhook-id"] for _, headers, _ in receiver.got} == {job.id}
    assert [path for path, _, _ in receiver.got] == ["/told?by=me"] * 3


def test_what_is_never_taken_is_given_up_and_says_why(desk, receiver, start_sender, monkeypatch):
    monkeypatch.setattr("model_service.jobs.callbacks._LONGEST_PAUSE_S", 0.05)
    receiver.answers += [(500, {})] * 20
    job = end_job(desk, receiver)
    start_sender()
    told = wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.FAILED)
    assert (told.callback_attempts, told.callback_problem) == (MOST_ATTEMPTS, "the receiver answered 500")
    assert len(receiver.got) == MOST_ATTEMPTS


def test_an_attempt_whose_worker_died_is_made_again_by_another(desk, receiver, start_sender, database):
    job = end_job(desk, receiver)
    assert JobStore(database).begin_callback(job)
    assert not JobStore(database).begin_callback(job)
    start_sender()
    told = wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.DELIVERED)
    assert told.callback_attempts >= 2  # the receiver may be slow once more


def test_the_last_attempt_whose_worker_died_is_given_up(desk, receiver, start_sender, database, monkeypatch):
    monkeypatch.setattr("model_service.jobs.callbacks._LONGEST_PAUSE_S", 0.05)
    job = end_job(desk, receiver)
    for _ in range(MOST_ATTEMPTS):
        assert JobStore(database).begin_callback(desk.get(job.id))
    start_sender()
    told = wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.FAILED)
    assert "no attempt" in told.callback_problem
    assert receiver.got == []


def test_a_worker_tells_of_jobs_that_ended_before_it_came(tmp_path, receiver):
    path = write_config(
        tmp_path,
        f"sqlite:///{tmp_path / 'jobs.sqlite'}",
        "models.DoubleModel",
        callback_secret=SECRET,
        callback_networks=[HERE],
    )
    desk = JobDesk(load_config(path).jobs)
    cancelled = end_job(desk, receiver)
    done = submit(desk, write_rows(250), callback_url=receiver.url)
    worker = WorkerProcess(path)
    for job in (cancelled, done):
        wait_for(desk, job.id, lambda job: job.callback_state is CallbackState.DELIVERED)
    assert worker.stop() == 0
    documents = {document["id"]: document for document in (json.loads(body) for _, _, body in receiver.got)}
    assert documents[cancelled.id]["state"] == "cancelled"
    assert (documents[done.id]["state"], documents[done.id]["rows_done"]) == ("succeeded", 250)
    desk.close()


def test_another_callback_is_another_request(desk, receiver):
    options = {"idempotency_key": "k", "callback_url": receiver.url}
    first = submit(desk, write_rows(3), **options)
    assert submit(desk, write_rows(3), **options).id == first.id
    with pytest.raises(IdempotencyKeyReused):
        submit(desk, write_rows(3), idempotency_key="k")


def test_without_a_secret_no_callback_is_promised(config, receiver):
    with pytest.raises(JobInvalid, match="callback_secret"):
        check_callback(receiver.url, replace(config, callback_secret=None))
    with pytest.raises(JobInvalid, match="callback_networks"):
        check_callback(receiver.url, replace(config, callback_networks=()))
    check_callback(receiver.url, config)


INTERNAL = (
    *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::]", "[::1]", "10.0.0.1"),
    *("172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]"),
    *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[64:ff9b::7f00:1]", "[::127.0.0.1]"),
)


@pytest.mark.parametrize("host", INTERNAL)
def test_an_address_that_is_not_public_is_refused(host):
    with pytest.raises(UrlRefused, match="not public|cannot be found"):
        check_url(f"http://{host}/", [])


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]"])
def test_a_public_address_is_not(host):
    check_url(f"https://{host}:8443/told", [])


@pytest.mark.parametrize(
    "url",
    [
        *("", "told", "//host/x", "ftp://8.8.8.8/", "file:///etc/passwd", "http://", "http:///x", "http://8.8.8.8:0/"),
        *(
            "http://8.8.8.8:99999/",
            "http://[8.8.8.8/",
            "http://user@8.8.8.8/",
            "http://8.8.8.8/ x",
            "http://8.8.8.8/\n",
        ),
        *("http://8.8.8.8/\u00e4", "http://8.8.8.8/" + "x" * 2000, "http://nowhere.invalid/"),
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UrlRefused):
        check_url(url, [])


def test_a_redirect_is_followed_with_the_body_and_checked_like_the_first_address(receiver):
    with receive("127.0.0.2") as inner:
        receiver.answers += [(307, {"location": "/second"}), (308, {"location": inner.url})]
        with pytest.raises(UrlRefused, match="not public"):
            post(receiver.url, b"{}", {}, networks=networks(HERE), within_s=30)
        assert inner.got == []
        assert [(path, body) for path, _, body in receiver.got] == [("/told?by=me", b"{}"), ("/second", b"{}")]
        receiver.answers.append((307, {"location": inner.url}))
        post(receiver.url, b"{}", {}, networks=networks("127.0.0.0/8"), within_s=30)
        assert [body for _, _, body in inner.got] == [b"{}"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([(307, {"location": "/again"})] * 9, "more than 3"),
        ([(303, {"location": "/again"})], "303; of the redirects only 307 and 308"),
        ([(404, {})], "answered 404"),
        ([lambda stream: stream.write(b"\x00\x01\x02 no HTTP\r\n\r\n")], "not answer in HTTP"),
        ([lambda stream: None], "ended the connection"),
    ],
)
def test_what_else_a_receiver_answers_is_told(receiver, answers, words):
    receiver.answers += answers
    with pytest.raises(PostFailed, match=words):
        post(receiver.url, b"{}", {}, networks=networks(HERE), within_s=30)


def test_an_answer_that_trickles_in_for_ever_is_not_waited_for(receiver):
    def trickle(stream):
        stream.write(b"HTTP/1.1 200 OK\r\nx-long: ")
        with suppress(OSError):
            while True:
                stream.write(b"x")
                time.sleep(0.01)

    receiver.answers.append(trickle)
    with pytest.raises(PostFailed, match="in time"):
        post(receiver.url, b"{}", {}, networks=networks(HERE), within_s=0.5)


def test_nobody_listens_is_told():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(PostFailed, match="cannot be reached"):
            post(f"http://127.0.0.1:{unheard.getsockname()[1]}/", b"", {}, networks=networks(HERE), within_s=30)


def test_a_receiver_without_tls_is_not_taken_for_a_secure_one(receiver):
    with pytest.raises(PostFailed, match="TLS"):
        post(receiver.url.replace("http:", "https:"), b"{}", {}, networks=networks(HERE), within_s=30)


def test_the_address_that_was_checked_is_the_one_that_is_reached(receiver, monkeypatch):
    resolve, asked = socket.getaddrinfo, []

    def rebind(host, port, *arguments, **options):
        """Answer as a hostile server of names does: an allowed address first, an internal one from then on."""
        if host != "rebinding.test":
            return resolve(host, port, *arguments, **options)
        asked.append(host)
        return resolve("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    url = f"http://rebinding.test:{receiver.port}/told"
    post(url, b"{}", {}, networks=networks(HERE), within_s=30)
    [(_, headers, _)] = receiver.got
    assert headers["host"] == f"rebinding.test:{receiver.port}"
    assert asked == ["rebinding.test"]
    with pytest.raises(UrlRefused, match="not public"):
        post(url, b"{}", {}, networks=networks(HERE), within_s=30)


def test_a_name_with_one_internal_address_among_public_ones_is_refused(monkeypatch):
    resolve = socket.getaddrinfo

    def mix(host, port, *arguments, **options):
        return [entry for each in ("8.8.8.8", "10.0.0.1") for entry in resolve(each, port, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", mix)
    with pytest.raises(UrlRefused, match="not public"):
        check_url("http://mixed.test/", [])
