"""What `model-service doctor` looks at: the environment, the configuration and the machine, each finding with a remedy.

A check is a function of a `Case` that yields findings. It starts no model, imports no model package and ends soon;
one that hangs, as on a network disk that is gone, is left behind after a while and said to have hung.

    finding.py       a finding, and what a check is told
    environment.py   Python, the platform, the extras
    packages.py      the listed packages: installed, and their requirements met
    configured.py    the configuration, addresses, libraries that it needs
    machine.py       cores, folders, disks, open files
"""

import threading
from collections.abc import Callable, Iterable

from model_service.doctor import configured, environment, machine, packages
from model_service.doctor.finding import Case, Finding, Level

__all__ = ["CHECKS", "Case", "Finding", "Level", "examine"]

Check = Callable[[Case], Iterable[Finding]]

#: In the order in which they are told. Those that need a configuration yield nothing where there is none.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", environment.check_python),
    ("extras", environment.check_extras),
    ("configuration", configured.check_configuration),
    ("libraries", configured.check_libraries),
    ("packages", packages.check_installed),
    ("versions", packages.check_versions),
    ("addresses", configured.check_addresses),
    ("folders", machine.check_folders),
    ("threads", machine.check_threads),
    ("open files", machine.check_open_files),
    ("artifacts", machine.check_artifacts),
)
#: No sound machine needs as long for one of them.
LONGEST_S = 10.0


def examine(case: Case, *, checks: Iterable[tuple[str, Check]] = CHECKS, longest_s: float = LONGEST_S) -> list[Finding]:
    """Return what every check has found, in its order.

    Args:
        case: What is examined.
        checks: Names and functions.
        longest_s: How long one of them may take.
    """
    return [finding for name, check in checks for finding in _run(name, check, case, longest_s)]


def _run(name: str, check: Check, case: Case, longest_s: float) -> list[Finding]:
    """Return what one check finds; what it raises is a finding, too: the others go on."""
    found: list[Finding] = []

    def look() -> None:
        try:
            found.extend(check(case))
        except Exception as error:
            found.append(
                Finding(name, Level.ERROR, f"it cannot be checked: {type(error).__name__}: {error}", "report this")
            )

    thread = threading.Thread(target=look, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(longest_s)
    if thread.is_alive():
        remedy = "look whether a disk or a network address that the configuration names still answers"
        return [*found, Finding(name, Level.ERROR, f"no answer within {longest_s:g} s", remedy)]
    return found
