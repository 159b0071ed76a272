"""Traces: where the time of one request went, across processes and services (OpenTelemetry, W3C Trace Context).

    context.py   `Trace`: what a request notes of itself; no library, no clock but the one of those who note
    requests.py  what the span of an answered request says
    tracer.py    `Tracer`: which requests are traced, and where ended traces go
    calls.py     the same in a model process
    export.py    traces to spans to a collector: the only module that imports OpenTelemetry, when the first trace ends

Nothing in here ever sees a payload.
"""
