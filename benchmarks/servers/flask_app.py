"""Flask as tutorials write a model server: ``jsonschema.validate`` on each request, then predict."""

import jsonschema
from engines import open_engine
from flask import Flask, Response, jsonify, request

engine = open_engine()
app = Flask(__name__)
BATCH_SCHEMA = {"type": "array", "items": engine.input_schema}


@app.errorhandler(jsonschema.ValidationError)
def refuse(error: jsonschema.ValidationError) -> tuple[Response, int]:
    """Answer a payload that breaks the schema."""
    return jsonify(error=error.message), 400


@app.post("/predict")
def predict() -> Response:
    """Answer one payload."""
    payload = request.get_json()
    jsonschema.validate(payload, engine.input_schema)
    return jsonify(engine.predict_batch([payload])[0])


@app.post("/predict_batch")
def predict_batch() -> Response:
    """Answer an array of payloads."""
    payloads = request.get_json()
    jsonschema.validate(payloads, BATCH_SCHEMA)
    return jsonify(engine.predict_batch(payloads))
