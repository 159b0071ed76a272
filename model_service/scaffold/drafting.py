"""A column of a sample to the draft of a field: its type, range or values, and what was guessed.

Every guess is a note, which becomes a comment above the field. No note repeats a cell.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from model_service.errors import FileUnreadable
from model_service.records import Payload, Schema
from model_service.scaffold.sample import Sample
from model_service.training.rows import MISSING_WORDS, read_cell, read_number

#: A text with more different values is no choice.
MAX_CHOICES = 30
#: A target with more different values is a number.
MAX_CLASSES = 10
#: Most classes whose names are texts.
MAX_NAMED_CLASSES = 100
MAX_EXAMPLES = 3
_MAX_TEXT = 1000
_FLAGS = frozenset({"true", "false"})
_LEADING_ZERO = re.compile(r"-?0[0-9]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_UNIT = "TODO: unit? Add unit='...'."
_TYPES = {"number": "number", "integer": "integer", "flag": "boolean", "array": "array"}


@dataclass(frozen=True, slots=True)
class Draft:
    """One field, as it is guessed from a column.

    Attributes:
        name: Of the column.
        kind: ``number``, ``integer``, ``flag``, ``choice``, ``date``, ``text`` or ``array``.
        is_optional: Whether it may be null.
        least: Smallest value, rounded outwards; of texts the shortest length.
        most: Largest value or length, likewise.
        values: What a choice is among.
        notes: What was guessed.
        shape: Of an array, from its outer axis on; ``None`` for an axis that varies.
        item: The JSON type of what is in it.
    """

    name: str
    kind: str
    is_optional: bool = False
    least: int | float | None = None
    most: int | float | None = None
    values: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    item: str = ""

    def with_notes(self, notes: Sequence[str]) -> "Draft":
        """Return it with more notes, which come first."""
        return replace(self, notes=(*notes, *self.notes))

    @property
    def is_number(self) -> bool:
        """Whether a model reads it as a number."""
        return self.types[0] in ("number", "integer", "boolean")

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types that its values have."""
        names: dict[type, str] = {bool: "boolean", int: "integer", float: "number"}
        if self.kind == "choice":
            return (names.get(type(self.values[0]), "string"),)
        return (_TYPES.get(self.kind, "string"),)

    @property
    def schema(self) -> Schema:
        """As much of its schema as types a cell."""
        return {"type": [*self.types, *(["null"] if self.is_optional else [])]}


def draft_fields(sample: Sample, target: str) -> tuple[list[Draft], list[tuple[str, str]]]:
    """Return a draft per column but the target, and the columns that are left out, each with the reason."""
    drafts, left_out = [], []
    for name, cells in sample.columns.items():
        if name == target:
            continue
        draft = draft_field(name, cells, has_comma=sample.delimiter == ";")
        reason = _find_reason(draft, cells)
        if draft is None or reason:
            left_out.append((name, reason))
        else:
            drafts.append(draft)
    return drafts, left_out


def draft_field(name: str, cells: Sequence[str], *, has_comma: bool = False) -> Draft | None:
    """Return the draft of a column; ``None`` where every cell is missing."""
    present = [cell.strip() for cell in cells if cell.strip() not in MISSING_WORDS]
    if not present:
        return None
    is_optional = len(present) < len(cells)
    notes = _note_missing(cells, len(cells) - len(present))
    numbers = [read_number(cell, has_comma=has_comma) for cell in present]
    if all(cell.lower() in _FLAGS for cell in present):
        return Draft(name, "flag", is_optional, notes=notes)
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and not any(_LEADING_ZERO.match(cell) for cell in present):
        commas = ("A decimal comma was read as a point.",) if any("," in cell for cell in present) else ()
        return replace(_draft_number(name, known), is_optional=is_optional).with_notes((*notes, *commas))
    draft = _draft_text(name, [cell for cell in cells if cell.strip() not in MISSING_WORDS])
    return replace(draft, is_optional=is_optional).with_notes(notes)


def draft_target(sample: Sample, target: str, task: str = "") -> Draft:
    """Return the draft of what is predicted: a choice among classes, or a number.

    Raises:
        FileUnreadable: There is no such column, or nothing can be learnt of it.
    """
    if target not in sample.columns:
        raise FileUnreadable(f"the sample has no column for --target; its columns are {', '.join(sample.columns)}")
    cells, has_comma = sample.columns[target], sample.delimiter == ";"
    draft = draft_field(target, cells, has_comma=has_comma)
    if draft is None:
        raise FileUnreadable("every cell of the target is empty")
    types = draft.types
    values = {read_cell(cell, types, has_comma=has_comma) for cell in cells} - {None}
    is_number = types[0] in ("number", "integer")
    is_short = types[0] == "integer" and len(values) <= MAX_CLASSES and len(values) * 5 <= len(cells)
    if task == "regression" or (not task and is_number and not is_short):
        if not is_number:
            raise FileUnreadable("the target has texts, which no regression predicts; give --task classification")
        return Draft(target, "number", notes=(_UNIT,))
    if len(values) < 2 or len(values) > MAX_NAMED_CLASSES:
        raise FileUnreadable(
            f"the target has {len(values)} different values, and a classifier tells 2 to {MAX_NAMED_CLASSES} apart; "
            "choose another --target, or --task regression for a number"
        )
    guess = ("Few whole numbers, so they are classes: --task regression makes a number of them.",) if is_number else ()
    return Draft(target, "choice", values=tuple(sorted(values)), notes=guess)


def find_examples(sample: Sample, drafts: Sequence[Draft]) -> list[Payload]:
    """Return real rows: one without missing values, one with, and one more, where there are such."""
    has_comma = sample.delimiter == ";"
    columns = [sample.columns[draft.name] for draft in drafts]
    counts = [sum(cell.strip() in MISSING_WORDS for cell in row) for row in zip(*columns, strict=True)]
    fewest, most = min(counts, default=0), max(counts, default=0)
    whole = [row for row, count in enumerate(counts) if count == fewest]
    chosen = list(dict.fromkeys([whole[0], whole[len(whole) // 2], counts.index(most)])) if counts else []
    return [
        {
            draft.name: read_cell(cells[row], draft.types, has_comma=has_comma)
            for draft, cells in zip(drafts, columns, strict=True)
        }
        for row in chosen[:MAX_EXAMPLES]
    ]


def round_outwards(low: float, high: float) -> tuple[int | float, int | float]:
    """Return two numbers around a range, with no more digits than its width needs."""
    width = Decimal(repr(high)) - Decimal(repr(low))
    scale = width or abs(Decimal(repr(high))) or Decimal(1)
    step = Decimal(5) * Decimal(10) ** (scale.adjusted() - 1)
    least = (Decimal(repr(low)) / step).to_integral_value(ROUND_FLOOR) * step
    most = (Decimal(repr(high)) / step).to_integral_value(ROUND_CEILING) * step
    return _plain(least), _plain(most)


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else float(value)


def _draft_number(name: str, numbers: list[float]) -> Draft:
    low, high = min(numbers), max(numbers)
    is_whole = all(number.is_integer() for number in numbers)
    if is_whole and {low, high} == {0.0, 1.0}:
        return Draft(name, "choice", values=(0, 1), notes=("0 and 1 only: flag(...) takes true and false instead.",))
    least, most = round_outwards(low, high)
    if is_whole:
        least, most = math.floor(least), math.ceil(most)
    plain = [int(value) if is_whole and abs(value) < 2**53 else value for value in (low, high)]
    notes = [f"Seen: {plain[0]!r} to {plain[1]!r}, rounded outwards. What else may come?", _UNIT]
    if is_whole:
        notes.append("Whole numbers only: number(...) if there may be others.")
    if low == high:
        return Draft(name, "integer" if is_whole else "number", notes=("It is the same in every row.", _UNIT))
    return Draft(name, "integer" if is_whole else "number", least=least, most=most, notes=tuple(notes))


def _draft_text(name: str, cells: list[str]) -> Draft:
    counts = Counter(cells)
    if all(_is_day(cell.strip()) for cell in counts):
        return Draft(name, "date", notes=("Days: a model needs numbers made of them.",))
    is_repeated = len(counts) <= max(2, len(cells) // 2) or len(cells) <= MAX_CHOICES // 2
    if len(counts) <= MAX_CHOICES and is_repeated and max(map(len, counts)) <= _MAX_TEXT:
        return Draft(name, "choice", values=tuple(sorted(counts)), notes=("All that were seen. What else may come?",))
    longest = max(map(len, counts))
    return Draft(
        name, "text", most=int(round_outwards(0, 2 * longest)[1]), notes=("Free text: the longest seen, twice.",)
    )


def _find_reason(draft: Draft | None, cells: Sequence[str]) -> str:
    if draft is None:
        return "it is empty in every row"
    if draft.kind == "date":
        return "it holds days: make numbers of them"
    if draft.kind == "text":
        is_unique = len(set(cells)) == len(cells)
        return "it differs in every row: is it an identifier?" if is_unique else "it is free text, with many values"
    return ""


def _note_missing(cells: Sequence[str], missing: int) -> tuple[str, ...]:
    if not missing:
        return ()
    words = sorted({cell.strip() for cell in cells} & MISSING_WORDS - {""})
    told = f" ({', '.join(words)} among them)" if words else ""
    return (f"Missing in {missing} of {len(cells)} rows{told}.",)


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False
