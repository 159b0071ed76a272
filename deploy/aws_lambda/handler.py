"""The service as an AWS Lambda function, behind API Gateway (payloads 1.0 and 2.0) or a function URL.

Lambda imports this module once for each process of the function, and then calls `handler` for one request after the
other: so the models are loaded here. `MODEL_SERVICE_CONFIG` names the configuration, else it is config.yaml beside this
file. Lambda calls with its own deadline: keep `timeout_s` of the models below it.
"""

import os
from pathlib import Path
from typing import Any

from apig_wsgi import make_lambda_handler

from model_service.wiring import create_app

#: What is sent as text; anything else, such as an icon, travels in base64.
_TEXT = ("text/", "application/json", "application/problem+json", "application/x-ndjson", "application/yaml")
#: API Gateway with payload 1.0 takes base64 only where it is set up to, so nothing is compressed here; it can itself.
_DROPPED = "accept-encoding"

_app = create_app(os.environ.get("MODEL_SERVICE_CONFIG") or Path(__file__).with_name("config.yaml"))
_answer = make_lambda_handler(_app, non_binary_content_type_prefixes=_TEXT)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    kept = {
        name: {key: value for key, value in event[name].items() if key.lower() != _DROPPED}
        for name in ("headers", "multiValueHeaders")
        if event.get(name)
    }
    return _answer({**event, **kept}, context)
