"""The serving benchmark: this project's server, peers and floors on the same models, and how it all grows.

``python -m benchmarks.serving`` measures and writes JSON; ``python -m benchmarks.serving.report`` makes
``docs/benchmarks.md`` and its plots of that. What is measured, and what it does not say, stands there.
"""
