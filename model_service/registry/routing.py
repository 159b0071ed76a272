"""What a name means for one request. Pure: a generation and a request in, a target out.

Aliases, weights and shadows are decided here, and nowhere else, once they exist.
"""

from model_service.registry.entry import ServedModel
from model_service.registry.generation import Generation


def find_target(generation: Generation, qualified_name: str, version: str | None) -> ServedModel:
    """Return the model that answers a request.

    Args:
        generation: What is served at the moment.
        qualified_name: The name that the request uses.
        version: The version that it names, in any spelling of PEP 440; the default one when ``None``.

    Raises:
        ModelNotFound: Lists what is configured.
        ModelNotReady: It is loading or quarantined; the message says which.
    """
    return generation.get_served(qualified_name, version)
