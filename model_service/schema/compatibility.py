"""Whether two models can be asked the same question. Pure; judges schemas, never payloads."""

from model_service.records import Schema


def accepts_payloads_of(schema: Schema, other: Schema) -> bool:
    """Whether payloads that fill in ``other`` plausibly fit ``schema``.

    They do when every field that ``schema`` requires exists in ``other``, and every
    field of ``other`` is known to ``schema`` unless it takes unknown ones. Types and
    bounds are left to validation: two versions of one model may differ in them.
    """
    fields, others = schema.get("properties", {}), other.get("properties", {})
    if not fields or not others.keys() & fields.keys():
        return False
    is_open = schema.get("additionalProperties", True) is not False
    return set(schema.get("required", ())) <= others.keys() and (is_open or others.keys() <= fields.keys())
