"""`schema_of`: the schema of a model from a Python type, so that fields are written once.

    @dataclass
    class Flower:
        petal_length: Annotated[float, number("Petal length", unit="cm", above=0, most=25)]
        colour: Literal["blue", "white"] | None = None

    input_schema = schema_of(Flower, examples=[{"petal_length": 1.4}])

What comes out is a dictionary like one that is written by hand, and nothing else is kept of the type: the platform
checks payloads by the schema, and hands them on as plain dictionaries. pydantic and marshmallow are recognised
by what their classes look like, and never imported.

    annotations.py           dataclasses, TypedDicts and the types of their fields
    pydantic_models.py       what pydantic says of its models, in the words of the platform
    marshmallow_schemas.py   fields of marshmallow and their validators
    writing.py               what the three share
"""

from collections.abc import Mapping, Sequence
from typing import Any

from model_service.records import Payload, Schema
from model_service.types.annotations import write_class

__all__ = ["schema_of"]


def schema_of(
    kind: Any,
    *,
    is_output: bool = False,
    title: str = "",
    description: str = "",
    examples: Sequence[Payload] = (),
    messages: Mapping[str, str] | None = None,
) -> Schema:
    """Return the JSON Schema of a type: an object with its fields and no others.

    A field that may be null, or has a default, need not be there. The default is what a form starts with; the
    service fills nothing in.

    Args:
        kind: A dataclass, a TypedDict, a model of pydantic, or a schema of marshmallow.
        is_output: Whether it is the schema of outputs, which always have all fields, null or not.
        title: Name for people; without one, the words of the class's name.
        description: What people should know of the whole; without one, the first paragraph of the docstring.
        examples: Complete payloads: the self-test of the model, and what people try first.
        messages: Sentences by keyword (``x-error-messages``) that callers read when they break it.

    Raises:
        TypeError: JSON Schema has nothing for a field, or for the type itself; names it.
    """
    schema = write_class(kind, (), is_output=is_output)
    extra = {"title": title, "description": description, "examples": list(examples)}
    schema |= {keyword: value for keyword, value in extra.items() if value}
    return {**schema, "x-error-messages": dict(messages)} if messages else schema
