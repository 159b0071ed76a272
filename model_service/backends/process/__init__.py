"""A model in processes of its own, shared by all workers of a service.

web worker                          parent                       model process
backend.py     takes tickets        supervisor.py  one per entry
connection.py  one per process      replica.py     one per process ─ spawns ─> worker.py    loads the model
    │                               restart_policy.py  when to start again      server.py    runs its batches
    └────────────── frames.py: calls and answers over a Unix socket ───────────────┘
    <────────────── status.py: state, in a file beside the socket ─────────────────┘
"""
