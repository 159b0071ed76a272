"""The command line: a door like the others, and the operator's tools.

main.py      the group, its options, errors to exit codes
commands.py  models, predict, openapi, check-config, settings
new.py       new: a model package
serve.py     serve
sagemaker.py  serve as SageMaker calls it
dev.py       dev: one package, served while it is written
manage.py    reload, rollback, status: orders to a running service
jobs.py      work, database
keys.py      keys add, list, revoke
score.py     score: files of rows
score_files.py    which files are read and written; how far an interrupted run came
locations.py      files that are not on this machine, through fsspec
drift.py     drift: what came, held against what training saw
check.py     check: a model before the rules of the conformance kit
doctor.py    doctor: environment, configuration and machine, examined
audit.py     audit: what is served, checked
scorers.py   rows scored here, in this process or in several
remote_scorer.py  rows scored by a server
progress.py  a bar on a terminal, lines elsewhere
tracebacks.py  what commands show of the log
source.py    where every command reads its configuration
errors.py    the table of exit codes
"""
