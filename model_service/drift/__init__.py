"""Whether the rows of today are still those that training saw.

figures.py   distances between what training stored of a field and the values of now: pure
report.py    a model's reference and rows to a report: field by field, what is judged and why
document.py  a report as JSON, as lines for a terminal, and as figures
"""
