"""Whether two models can be asked the same question. Pure; judges schemas, never payloads."""

from model_service.records import Schema
from model_service.schema.node import read_node


def accepts_payloads_of(schema: Schema, other: Schema) -> bool:
    """Whether payloads that fill in ``other`` plausibly fit ``schema``.

    They do when every field that ``schema`` requires exists in ``other``, and every
    field of ``other`` is known to ``schema`` unless it takes unknown ones. Types and
    bounds are left to validation: two versions of one model may differ in them.
    """
    asked, given = read_node(schema), read_node(other)
    fields, others = asked.fields().keys(), given.fields().keys()
    if not fields & others:
        return False
    return others >= {*asked.required} and (not asked.is_closed or others <= fields)
