"""The doors. A door decodes, calls `PredictionService`, encodes; it decides nothing about a prediction.

To add a protocol, make a folder beside ``http/`` with

    codec.py    the protocol's request -> payload(s), `Prediction` -> the protocol's answer
    errors.py   ONE table from every leaf of `model_service.errors` to the protocol's status
    server.py   (or ``app.py``) what listens

then build it in `model_service.wiring`, give it a place in the layers of ``tests/architecture.py``,
and put it under the contract of doors, ``tests/transports/test_transport_contract.py``, by writing its class
in the manner of ``tests/doors.py``: the same payload gives the same output, and the same mistake the same kind
of answer, at every door. A protocol over HTTP is modules in ``http/`` instead, as inference_protocol.py is.
"""
