"""What is counted: requests, seconds, rows. It costs a request about a microsecond.

    a request ─ notes a number (histogram.py, model_meter.py) ─> folded into counts by a tick of the loop
    the counts ─ written several times per second (figures_file.py) ─> a scrape adds up all processes (meters.py)
    the sum ─> Prometheus text or OpenMetrics (exposition.py), by the families that families.py lists

A client library counts under a lock, label by label; that would cost a small model's request a third of its rate. So a
request appends a number to a list. How that was measured, and what a kill may cost: docs/decisions/0022-metrics.md.
"""
