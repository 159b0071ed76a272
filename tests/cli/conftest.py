"""Fixtures of the tests of the command line."""

import pytest
import yaml


@pytest.fixture
def configure(tmp_path):
    """Return a function that writes a configuration file of classes and server settings, and returns its path."""

    def write(*entries, **server):
        listed = [{"class": entry} if isinstance(entry, str) else entry for entry in entries]
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"models": listed, "server": server}), encoding="utf-8")
        return path

    return write
