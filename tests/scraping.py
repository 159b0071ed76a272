"""Scrapes, read as Prometheus reads them."""

import time
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

#: Another worker writes what it counts a few times per second; a busy machine takes its time.
PATIENCE_S = 60


class Scrape:
    """The samples of one scrape.

    Attributes:
        text: As it came.
        samples: Values by name and labels.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have some labels."""
        return sum(
            value
            for (own, found), value in self.samples.items()
            if own == f"model_service_{name}" and labels.items() <= dict(found).items()
        )

    def has(self, name: str, **labels: str) -> bool:
        """Whether there is any such sample."""
        return any(
            own == f"model_service_{name}" and labels.items() <= dict(found).items() for own, found in self.samples
        )


def scrape(url: str, **headers: str) -> Scrape:
    answer = httpx.get(f"{url}/metrics", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def wait_for(url: str, is_reached: Callable[[Scrape], bool]) -> Scrape:
    """Return the first scrape of which something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_reached(found := scrape(url)):
        assert time.monotonic() < deadline, found.text
        time.sleep(0.05)
    return found
