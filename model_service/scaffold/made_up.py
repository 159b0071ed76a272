"""A made-up table, for who has no sample yet: a package that works, to be changed."""

import csv
import random
from pathlib import Path

ROWS = 200
FILE_NAME = "made_up.csv"
#: What is predicted of it, by task.
TARGETS = {"classification": "left", "regression": "spent"}
_MISSING = 0.08


def write_made_up(path: Path, task: str) -> None:
    """Write the table with the target of a task; it is the same every time."""
    chance = random.Random(0)  # noqa: S311 - no secret
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["months", "monthly_fee", "plan", "paperless", TARGETS[task]])
        for _ in range(ROWS):
            table.writerow(_make_row(chance, task))


def _make_row(chance: random.Random, task: str) -> list[object]:
    months, plan, paperless = chance.randint(0, 71), chance.choice(("basic", "plus", "pro")), chance.random() < 0.5
    fee = round({"basic": 19.0, "plus": 35.0, "pro": 80.0}[plan] * chance.uniform(0.8, 1.2), 2)
    pull = 1.5 - months / 24 + fee / 60 + chance.gauss(0, 0.7)
    spent = round(months * fee * chance.uniform(0.9, 1.1), 2)
    wanted: object = ("yes" if pull > 1.0 else "no") if task == "classification" else spent
    cells: list[object] = [months, fee, plan, str(paperless).lower()]
    for place in (1, 2):
        if chance.random() < _MISSING:
            cells[place] = ""
    return [*cells, wanted]
