"""Measurements of the project. Nothing here is installed or imported by the service."""
