"""The log of predictions, opt-in for each model: sampled, redacted, in SQLite files by day, never waited for.

writer.py     a bounded queue and the thread behind it
redaction.py  what is left out
parts.py      the files: their names, tables, age and size
reading.py    the rows of one model
feedback.py   what was true in the end, beside the prediction
errors.py     what can go wrong for those who ask
"""
