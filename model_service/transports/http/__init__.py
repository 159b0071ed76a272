"""The HTTP door: Flask, JSON, problem documents.

app.py       the application: request ids, the request's log line, the parts below
rest.py      /api/models: list, metadata, predict
health.py    /health/live, /health/ready
docs.py      /openapi.json, /openapi.yaml, /docs
codec.py     bytes <-> documents, media types, size bounds
errors.py    every error -> one problem document
schemas.py   marshmallow schemas of the platform's own documents
"""
