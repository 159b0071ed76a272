"""A certificate that is replaced while the service runs, over HTTP and gRPC."""

import http.client
import ssl
import time

import grpc
import pytest
import trustme
from grpc_client import GrpcClient
from serving import Server, find_free_port


class Place:
    """The two files, and who may be trusted for what is in them."""

    def __init__(self, folder):
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.authorities = [trustme.CA() for _ in range(2)]
        self.issued = [authority.issue_cert("localhost", "127.0.0.1") for authority in self.authorities]

    def put_certificate(self, number):
        self._replace(self.certificate, self.issued[number].cert_chain_pems[0].bytes())

    def put_key(self, number):
        self._replace(self.key, self.issued[number].private_key_pem.bytes())

    def trust(self, number):
        context = ssl.create_default_context()
        self.authorities[number].configure_trust(context)
        return context

    @staticmethod
    def _replace(path, raw):
        path.with_suffix(".new").write_bytes(raw)
        path.with_suffix(".new").replace(path)


@pytest.fixture
def place(tmp_path):
    found = Place(tmp_path)
    found.put_certificate(0)
    found.put_key(0)
    return found


def connect(server, trust):
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trust, timeout=20)
    connection.connect()
    return connection


def is_served(server, trust):
    try:
        connect(server, trust).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def ask(connection):
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_new_certificate_is_for_new_connections_and_open_ones_go_on(tmp_path, place):
    port = find_free_port()
    config = f"server: {{grpc_port: {port}, tls_certificate: cert.pem, tls_key: key.pem}}\nmodels: []\n"
    server = Server(config, tmp_path, scheme="https").wait_until_ready(verify=place.trust(0))
    try:
        old = connect(server, place.trust(0))
        assert ask(old) == 200
        # One file after the other: between them they do not fit.
        place.put_certificate(1)
        server.wait_for_log("the old certificate stays")
        assert is_served(server, place.trust(0))
        assert ask(old) == 200
        place.put_key(1)
        server.wait_for_log("has been loaded again")
        assert is_served(server, place.trust(1))
        assert not is_served(server, place.trust(0))
        assert ask(old) == 200
        old.close()
        trust = grpc.ssl_channel_credentials(place.authorities[1].cert_pem.bytes())
        client = GrpcClient(port, trust)
        assert client.call("ServerLive").live
        client.close()
    finally:
        assert server.stop() == 0


def test_files_that_are_gone_change_nothing(tmp_path, place):
    config = "server: {tls_certificate: cert.pem, tls_key: key.pem}\nmodels: []\n"
    server = Server(config, tmp_path, scheme="https").wait_until_ready(verify=place.trust(0))
    try:
        place.key.unlink()
        server.wait_for_log("the old certificate stays")
        assert is_served(server, place.trust(0))
        place.put_key(0)
        server.wait_for_log("has been loaded again")
        deadline = time.monotonic() + 10
        while not is_served(server, place.trust(0)):
            assert time.monotonic() < deadline
    finally:
        assert server.stop() == 0
