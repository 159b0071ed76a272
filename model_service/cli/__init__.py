"""The command line: a door like the others, and the operator's tools.

main.py      the group, its options, errors to exit codes
commands.py  models, predict, openapi, check-config, settings
serve.py     serve
jobs.py      work, database
tracebacks.py  what commands show of the log
source.py    where every command reads its configuration
errors.py    the table of exit codes
"""
