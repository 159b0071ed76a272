"""How many requests the fuzzers of the doors make up: each test as many as ``FUZZ_CASES`` says, few without it.

Continuous integration has no hour, and makes up the same few each time. CONTRIBUTING.md has the long run.
"""

import os

from hypothesis import HealthCheck, settings

_LONG_RUN = "FUZZ_CASES" in os.environ
FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_CASES", "100")),
    deadline=None,
    suppress_health_check=[*HealthCheck],
    derandomize=not _LONG_RUN,
)
