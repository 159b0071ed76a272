"""Who may call: API keys, their scopes, rate limits, and the log of who did what. It knows no protocol.

    key.py       a key, its scopes, its digest
    key_file.py  the file of keys, for those who change it
    keyring.py   the keys of a running service, read again when the file changes
    caller.py    whose call this thread, or this task, is at
    rates.py     how many requests a key and an address may send
    audit.py     additions, revocations, refusals, calls that manage
    gate.py      all of them together: what a door asks

A door asks `Gate` before it looks at anything else of a request, binds the caller, and answers what the gate raises.
Which model a key may ask is decided where a name has become a model: `PredictionService.find_target` and `lease`.
"""
