"""The event loop that the backends of one test module share."""

import pytest

from model_service.backends.loop import ServiceLoop


@pytest.fixture(scope="module")
def loop():
    running = ServiceLoop()
    running.start_thread()
    yield running
    running.close()
