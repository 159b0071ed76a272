"""Rules about bringing a model up: from what is installed alone, and what it costs."""

from model_service.conformance.rule import Broken, describe_error, rule
from model_service.conformance.subject import Subject
from model_service.errors import PackageError

_FAMILY = "loading"


@rule(
    "offline",
    _FAMILY,
    "loads without the network",
    remedy="Ship what the model needs as artifacts, and ask for nothing while it is imported and built: a service must "
    "start when a hub is down, and serve what was tested.",
    needs=("contract", "schemas", "digests"),
)
def offline(subject: Subject) -> str:
    """While the class is imported and built, Python's sockets are asked for nothing."""
    with subject.network.closed():
        try:
            subject.build()
            end = ""
        except PackageError as error:  # whether that is the network's fault is told by the attempts
            end = f", and building it failed: {describe_error(error)}"
    if attempts := list(dict.fromkeys(subject.network.attempts)):
        raise Broken(f"it asked for {', '.join(attempts[:3])}{end}")
    return "nothing was asked for"


@rule(
    "builds",
    _FAMILY,
    "can be built",
    remedy="Mend __init__, which takes no arguments and loads what artifact_path names.",
    needs=("offline",),
)
def builds(subject: Subject) -> str:
    """The class can be built without arguments."""
    subject.build()
    return type(subject.build()).__name__


@rule(
    "load",
    _FAMILY,
    "time and memory of loading",
    remedy="",
    needs=("builds",),
    is_told=True,
)
def load(subject: Subject) -> str:
    """How long importing and building took in a fresh process, and how much resident memory building added."""
    subject.build()
    seconds = {name: subject.loading.get(name, 0.0) for name in ("import_s", "build_s")}
    memory = subject.loading.get("bytes", 0)
    return f"imported in {seconds['import_s']:.2f} s, built in {seconds['build_s']:.2f} s, {memory / 1e6:.0f} MB"


RULES = (offline, builds, load)
