"""The HTTP door: an event loop for plain predict requests, Flask for everything else.

In the loop:

server.py       uvicorn with our protocol; the orderly end
accepting.py    the listening sockets that a worker accepts from
certificates.py  the TLS certificate, loaded again when its files change
connections.py  idle and slow connections
refusals.py     who was sent away before there was a request to log
protocol.py     one HTTP/1.1 connection
plain.py        is this a plain predict request?
short_way.py    a plain request, from its last byte to its answer
wire.py         whole answers as bytes
guard.py        lets requests through, or answers them: before everything else
scopes.py       what a request needs: nothing, any key, a scope
credentials.py  where a request has its key
hosts.py        for which hosts requests are answered
cors.py         which pages of other origins may call the API
proxies.py      whose word counts for the path prefix
asgi.py         types and short answers of the ASGI side
job_doors.py    files of jobs in and out
job_files.py    the body of a request for a job
job_output.py   the output of a job, whole or in ranges
job_events.py   the progress of jobs, as server-sent events
front.py        what the connections of one worker share
freed.py        gives back the memory that large bodies took
application.py  everything else, as ASGI: health here, the rest in Flask on a pool of threads
handing.py      what goes along when a request moves from the loop to Flask

In Flask:

app.py          the application: request ids, the log line of a request, the parts below
wsgi_guard.py   whom the loop has let in; the same guard under another server
sign_in.py      where people sign in on the pages
rest.py         /api/models: list, metadata, predict
explain.py      /api/models/<name>/explain
explain_docs.py  its route in the OpenAPI document
inference_protocol.py  /v2 and /v1/models: the Open Inference Protocol
inference_codec.py  its requests and answers: JSON, and tensors as bytes
inference_errors.py  its errors
inference_docs.py  its routes in the OpenAPI document
jobs.py         /api/jobs: list, show, cancel, remove
job_schemas.py  marshmallow schemas of jobs
job_docs.py     jobs in the OpenAPI document
feedback.py     /api/predictions: what was true in the end
feedback_docs.py  its route in the OpenAPI document
health.py       /health/live, /health/ready
manage.py       /api/manage: reload
metrics.py      /metrics
platforms.py    /ping, /invocations and others: SageMaker's containers, Vertex AI, MLflow
platform_docs.py  their routes in the OpenAPI document
endpoints.py    /endpoints: SageMaker's runtime, as boto3 calls it
ping.py         which model they mean, and whether it answers
invocations.py  their bodies and answers, in JSON, CSV and JSON lines
envelopes.py    payloads in the envelopes of MLflow and Vertex AI
key_docs.py     keys in the OpenAPI document
docs.py         /openapi.json, /openapi.yaml, /docs
pages.py        the pages for people
about.py        what the page about a model shows
drift_page.py   what came, compared with training
cards.py        model cards: Markdown -> safe HTML
codec.py        bytes <-> documents, media types, size bounds
inflating.py    compressed bodies, within the bound
accept.py       the header Accept
file_answers.py  rows that succeed or fail alone: lenient arrays, files
forms.py        payloads in the form of another server
errors.py       every error -> one problem document, or a page
problems.py     problem documents, and the table of statuses
schemas.py      marshmallow schemas of the platform's own documents
headers.py      security headers, caching, compression
urls.py         the paths of the routes of a model
"""
