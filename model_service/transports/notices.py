"""What is said with each answer of a version that is not to be used any more, over every protocol that has headers.

``Deprecation`` is RFC 9745, ``Sunset`` RFC 8594, and the relation of the link is the one that the former names.
"""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from model_service.records import Traffic


def list_notices(traffic: Traffic | None) -> list[tuple[str, str]]:
    """Return names, in small letters as gRPC has them, and values of headers; none for a version in full use."""
    found: list[tuple[str, str]] = []
    if traffic is None:
        return found
    if traffic.deprecated is not None:
        found.append(("deprecation", f"@{int(_begin(traffic.deprecated).timestamp())}"))
    if traffic.sunset is not None:
        found.append(("sunset", format_datetime(_begin(traffic.sunset), usegmt=True)))
    if found and traffic.link is not None:
        found.append(("link", f'<{traffic.link}>; rel="deprecation"'))
    return found


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
