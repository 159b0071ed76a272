"""Toy models whose every text tries to run a script, to break out of its place or to break the layout.

A script that runs calls ``hacked()``, which the tests of the browser define and watch.
Import them as ``hostile_models:Class``.
"""

from pathlib import Path
from typing import Any

from model_service import MLModel

SCRIPT = "<script>hacked()</script>"
IMAGE = '"><img src=x onerror="hacked()">'
ATTRIBUTE = "' autofocus onfocus='hacked()' x=\" autofocus onfocus=\"hacked()"
CLOSER = "</script></title></textarea></select></style>--><script>hacked()</script>"
LINK = "javascript:hacked()"
MARKDOWN = f"[a]({LINK}) <svg onload=hacked()> ![b](x' onerror='hacked())"
TEMPLATE = "{{ 7 * 7 }} {% raw %} ${hacked()} `${hacked()}` %s {0}"
ENCODED = (
    "&lt;script&gt;hacked()&lt;/script&gt; &#60;img src=x onerror=hacked()&#62; \\u003cscript>hacked()\\u003c/script>"
)
#: Turns the reading direction, and does not turn it back.
REVERSED = "\u202egnp.elif"
LONG_WORD = "W" * 300
EVERYTHING = " ".join(
    (SCRIPT, IMAGE, ATTRIBUTE, CLOSER, LINK, MARKDOWN, TEMPLATE, ENCODED, REVERSED + "\u202c", LONG_WORD)
)
#: Names that JavaScript objects have already, and names that are hard in a pointer, an identifier or a selector.
AWKWARD_NAMES = ("__proto__", "constructor", "toString", "a/b~c", "", "x y.z[0]#id", "'\"\\")

_CHOICES = [SCRIPT, IMAGE, CLOSER, LINK, LONG_WORD]


class HostileModel(MLModel):
    """Is dangerous wherever it is shown, and answers what it was sent beside what is dangerous in an answer."""

    qualified_name = "hostile_model"
    display_name = f"{SCRIPT} {IMAGE}"
    description = EVERYTHING
    version = "1.0.0"
    input_schema = {
        "title": CLOSER,
        "description": EVERYTHING,
        "type": "object",
        "properties": {
            IMAGE: {
                "title": SCRIPT,
                "description": EVERYTHING,
                "type": "string",
                "unit": IMAGE,
                "examples": [ATTRIBUTE],
                "x-error-messages": {"maxLength": EVERYTHING},
                "maxLength": 5000,
            },
            SCRIPT: {"title": ATTRIBUTE, "type": "string", "enum": _CHOICES, "default": CLOSER},
            TEMPLATE: {
                "title": TEMPLATE,
                "oneOf": [{"const": value, "title": f"{value} {IMAGE}"} for value in _CHOICES[:3]],
            },
            LONG_WORD: {"title": LONG_WORD, "description": LONG_WORD, "type": "number", "unit": LONG_WORD},
            LINK: {"title": LINK, "type": "string", "format": "uri", "default": LINK},
            CLOSER: {
                "title": CLOSER,
                "type": "object",
                "properties": {ATTRIBUTE: {"title": REVERSED, "type": "string", "pattern": "^['<\"]"}},
                "required": [ATTRIBUTE],
            },
            ATTRIBUTE: {"title": IMAGE, "type": "array", "items": {"title": SCRIPT, "type": "string"}},
            **{name: {"type": "string"} for name in AWKWARD_NAMES},
        },
        "required": [IMAGE, SCRIPT, LONG_WORD, *AWKWARD_NAMES],
        "additionalProperties": False,
        "examples": [
            {
                IMAGE: EVERYTHING,
                SCRIPT: IMAGE,
                TEMPLATE: CLOSER,
                LONG_WORD: 1e300,
                LINK: LINK,
                CLOSER: {ATTRIBUTE: ATTRIBUTE},
                ATTRIBUTE: [SCRIPT, IMAGE, "\u2028"],
                **{name: f"{name} {SCRIPT}" for name in AWKWARD_NAMES},
            }
        ],
    }
    output_schema = {
        "title": IMAGE,
        "type": "object",
        "properties": {
            "label": {"title": SCRIPT, "description": EVERYTHING, "type": "string"},
            "probabilities": {
                "title": CLOSER,
                "type": "object",
                "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            },
            "score": {"title": LONG_WORD, "type": "number", "unit": IMAGE},
        },
        "required": ["label", "probabilities"],
    }

    @classmethod
    def artifact_path(cls, name: str) -> Path:
        return Path(__file__).parent / "hostile_artifacts" / name

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {
            "label": IMAGE,
            "probabilities": {SCRIPT: 0.7, IMAGE: 0.2, LONG_WORD: 0.1},
            "score": 1.5,
            TEMPLATE: EVERYTHING,
            CLOSER: [SCRIPT, {ATTRIBUTE: IMAGE}],
            LINK: LINK,
            "payload": payload,
        }


class HostileFailingModel(HostileModel):
    """Cannot be built, and says why in a dangerous way."""

    qualified_name = "hostile_failing_model"

    def __init__(self) -> None:
        raise OSError(EVERYTHING)
