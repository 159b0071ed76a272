"""The command line: a door like the others, and the operator's tools.

main.py      the group, its options, errors to exit codes
commands.py  serve, models, predict, openapi, check-config, settings
errors.py    the table of exit codes
"""
