"""Jobs: a file in, a file out, whatever happens in between. They need the extra `jobs`.

records.py    what is known of a job
errors.py     what can go wrong
database.py   SQLite or PostgreSQL: transactions, their errors, migrations
tables.py     the tables
store.py      records for who makes, lists, cancels and removes jobs
claims.py     records for who works on them: claims, beats, chunks
places.py     where they are kept; the way in for a process without jobs
uploads.py    a file on its way in
objects.py    inputs and outputs, on a disk or in a bucket
reading.py    the input of a job as a stream, with its bounds
models.py     the models that a worker of jobs has loaded
scoring.py    rows to outcomes, in calls so short that others need not wait
run.py        one claim: chunk by chunk to the end
worker.py     one claim after the other; what is too old is removed
callbacks.py  who is told that a job is over
outbound.py   a POST that leads nowhere but where it may
documents.py  a job as a JSON object
retention.py  which jobs are not kept any longer
desk.py       what the doors call
process.py    what a worker process of `serve` and `model-service work` run
parent_part.py  what keeps these processes alive under `serve`

    desk ─ input object, record ─> worker: claim ─> run: read, predict, write chunk object, record it ─> succeeded
             events, output <─ record                    └─ killed anywhere: another one goes on at the last chunk

Nothing here is imported before the first job: who serves none pays nothing for it.
"""
