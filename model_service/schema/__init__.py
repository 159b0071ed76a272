"""Everything that is derived from one JSON Schema; pure functions of schemas and documents.

walk.py             schema -> its subschemas; reference -> where it leads
values.py           types, texts and equality of JSON values; what can be chosen
node.py             subschema -> what applies at its place: the one reading, for all below that tell or draw
verdict.py          document -> yes, or nothing; fast
validation.py       document -> violations
messages.py         broken rule -> sentence that never repeats the document
json_values.py      document -> what JSON cannot hold
keywords.py         the words of JSON Schema, and which one somebody may have meant
contract.py         schema -> faults that make it unfit for a model; what looks like a mistake
form.py             schema -> tree of form fields
outline.py          schema -> rows that people read
compatibility.py    two schemas -> whether the payloads of one fit the other
columns.py          schema -> columns; texts by column -> typed payload
difference.py       two documents -> where they differ, but for the last bits of numbers
cells.py            columns of a file -> places in a payload; cells -> values there
tensors.py          a typed array, checked
tensor_specs.py     schemas -> the tensors that a model takes and gives
tensor_rows.py      tensors -> payloads; outputs -> tensors
tensor_bytes.py     tensors <-> their binary form
tensor_columns.py   tensors <-> columns, without a row between them
table_validation.py columns -> columns of the schema's types, certainly valid, or nothing; fast (NumPy)
explanation.py      what an explanation must look like
openapi_dialect.py  one subschema as generators of clients like it
openapi_names.py    names of components and operations
openapi.py          models -> paths and components of an OpenAPI document
"""
