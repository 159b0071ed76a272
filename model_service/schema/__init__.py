"""Everything that is derived from one JSON Schema; pure functions of schemas and documents.

verdict.py        document -> yes, or nothing; fast
validation.py     document -> violations
messages.py       broken rule -> sentence that never repeats the document
json_values.py    document -> what JSON cannot hold
contract.py       schema -> faults that make it unfit for a model
form.py           schema -> tree of form fields
branches.py       schema -> the same with $ref, allOf and alternatives taken together
outline.py        schema -> rows that people read
compatibility.py  two schemas -> whether the payloads of one fit the other
columns.py        schema -> columns; texts by column -> typed payload
openapi.py        models -> paths and components of an OpenAPI document
"""
