"""Build script; all metadata and settings are in pyproject.toml."""

from setuptools import setup

setup()
