"""Everything that is derived from one JSON Schema; pure functions of schemas and documents.

validation.py   document -> violations, in words that never repeat the document
json_values.py  document -> what JSON cannot hold
contract.py     schema -> faults that make it unfit for a model
columns.py      texts by field name -> typed payload
openapi.py      models -> paths and components of an OpenAPI document
"""
