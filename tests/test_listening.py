"""Where a service listens, in words."""

import pytest
from serving import find_free_port

from model_service.config import ServerConfig
from model_service.errors import ConfigInvalid
from model_service.listening import Listener, join_address


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("models.example", "models.example:80")]
)
def test_an_address_of_ipv6_stands_in_brackets(host, address):
    assert join_address(host, 80) == address


def test_the_address_is_told_with_that_of_grpc_and_also_when_it_is_taken():
    config = ServerConfig(port=find_free_port(), grpc_port=find_free_port())
    listener = Listener(config, workers=1)
    try:
        assert listener.name == f"http://127.0.0.1:{config.port} and gRPC at 127.0.0.1:{config.grpc_port}"
        with pytest.raises(ConfigInvalid, match=f"cannot listen on 127.0.0.1:{config.port}: .*set server.host"):
            Listener(config, workers=1)
    finally:
        listener.close()
