"""The museum: tiny models, each of which breaks one rule of the conformance kit, and no other.

`Sound` keeps them all. Each piece says in `breaks` which rule it breaks; its docstring tells how people get there.
"""

import functools
import os
import random
import socket
import sqlite3
import sys
import threading
import time
from enum import Enum
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_service import MLModel, Violation
from model_service.fields import answer, choice, integer, number, optional, record, sequence, text

EXHIBITS = Path(__file__).parent / "exhibits"
CODES = {letter: code for code, letter in enumerate("ACGT")}
FIELDS = {
    "x": number("X", unit="cm", least=0, most=10),
    "n": optional(integer("N", least=0, most=100)),
    "colour": choice("Colour", ("red", "blue")),
    "letters": sequence("Letters", "ACGT", least=16, most=64),
}
EXAMPLES = [
    {"x": 1, "n": 2, "colour": "red", "letters": "ACGTACGTACGTACGT"},
    {"x": 2.5, "n": None, "colour": "blue", "letters": "TTTTTTTTGGGGGGGGCCCCCCCCAAAAAAAA"},
]
ANSWERS = [{"score": 11.4, "label": "low"}, {"score": 20.3, "label": "low"}]
OUTPUT = answer("Score", {"score": number("Score", least=0, most=1000), "label": choice("Label", ("low", "high"))})


def write_answer(score):
    return {"score": float(score), "label": "high" if score > 30 else "low"}


def read_letters(payload):
    return [CODES[letter] for letter in payload["letters"]]


class Sound(MLModel):
    """Keeps every rule."""

    qualified_name, display_name, version = "sound_model", "A sound model", "1.0.0"
    description = "Adds a few things up; what goes in are a number, a count, a colour and letters."
    input_schema = record("Things", FIELDS, examples=EXAMPLES)
    output_schema = OUTPUT | {"examples": ANSWERS}
    exhibit: ClassVar[str] = "sound"
    breaks: ClassVar[str] = ""

    @classmethod
    def artifact_path(cls, name):
        return EXHIBITS / cls.exhibit / "package/artifacts" / name

    def predict(self, payload):
        return write_answer(self.add_up(payload))

    def add_up(self, payload):
        return payload["x"] + (payload.get("n") or 0) / 2 + (payload["colour"] == "red") + self.weigh(payload)

    def weigh(self, payload):
        return sum(code * (1 + place % 7) for place, code in enumerate(read_letters(payload))) / 10


# What it says of itself.


class Speechless(Sound):
    """Nobody wrote what it does."""

    breaks, description = "contract", " "


class Inventive(Sound):
    """An attribute of the contract has another form."""

    breaks, version = "contract", "the newest"


class Terse(Sound):
    breaks, description = "metadata", "Adds."


class Untitled(Sound):
    """Its form has no heading."""

    breaks = "metadata"
    input_schema = {key: value for key, value in Sound.input_schema.items() if key != "title"}


class Cardless(Sound):
    """Has no README, or one that pyproject.toml does not name."""

    breaks, exhibit = "card", "nowhere"


class Limitless(Sound):
    """Its card does not say where it fails."""

    breaks, exhibit = "card", "limitless"


class Boaster(Sound):
    """Its card states an accuracy that nobody measured."""

    breaks, exhibit = "figures", "boaster"


# Its schemas.


class Misspelt(Sound):
    """A bound that JSON Schema does not know bounds nothing."""

    breaks = "schemas"
    input_schema = record("Things", FIELDS | {"x": FIELDS["x"] | {"minium": 1}}, examples=EXAMPLES)


class Dangling(Sound):
    """A reference leads nowhere."""

    breaks = "schemas"
    input_schema = record("Things", FIELDS | {"x": {"title": "X", "$ref": "#/$defs/x"}}, examples=EXAMPLES)


class Open(Sound):
    """Ignores a misspelt optional field without a word."""

    breaks = "closed"
    input_schema = {key: value for key, value in Sound.input_schema.items() if key != "additionalProperties"}


class OpenInside(Sound):
    """Its answer has an object that may hold anything."""

    breaks = "closed"
    output_schema = answer("Score", {**OUTPUT["properties"], "more": {"type": "object", "title": "More"}})

    def predict(self, payload):
        return super().predict(payload) | {"more": {}}


class Nameless(Sound):
    """Nobody knows what `x` is."""

    breaks = "described"
    input_schema = record("Things", FIELDS | {"x": {"type": "number", "minimum": 0, "maximum": 10}}, examples=EXAMPLES)


class Exampleless(Sound):
    breaks = "examples"
    input_schema = record("Things", FIELDS)


class RefusesItsExample(Sound):
    """The schema was changed, and the example was not."""

    breaks = "examples"
    input_schema = record("Things", FIELDS, examples=[EXAMPLES[0] | {"x": 11}])


class RulesOutItsExample(Sound):
    """A rule of its own refuses what the schema accepts, its example among it."""

    breaks = "examples"

    @classmethod
    def find_violations(cls, payload):
        return [Violation("/x", "minimum", "x must be at least 2")] if payload["x"] < 2 else []


class Pythonic(Sound):
    """Its pattern means another thing in a browser."""

    breaks = "patterns"
    pattern: ClassVar[str] = r"^(?P<year>[0-9]{4})$"
    output_schema = OUTPUT

    def __init_subclass__(cls):
        fields = FIELDS | {"year": optional(text("Year", pattern=cls.pattern, most=40))}
        cls.input_schema = record("Things", fields, examples=[row | {"year": "2024"} for row in EXAMPLES])

    def add_up(self, payload):
        return super().add_up(payload) + (sum(map(ord, payload.get("year") or "")) % 97) / 10


class NamesItsGroup(Pythonic):
    """The form does not check the pattern: it is no pattern there."""


class CountsAllDigits(Pythonic):
    r"""In Python, `\d` is a digit of any script."""

    pattern = r"^\d{4}$"


class Backtracks(Pythonic):
    """A text that nearly matches keeps the browser busy until it is closed."""

    pattern = r"^([0-9]+)+$"


# Its files.


class Tampered(Sound):
    """A file is not the one that training wrote."""

    breaks, exhibit = "digests", "tampered"


class Unlisted(Sound):
    """A file was added after training."""

    breaks, exhibit = "listed", "unlisted"


class Pickled(Sound):
    """Opening its weights runs whatever is in them."""

    breaks, exhibit = "pickles", "pickled"


# Bringing it up.


class PhonesHome(Sound):
    """Asks a hub for news whenever it is built, and goes on without them."""

    breaks = "offline"

    def __init__(self):
        try:
            socket.create_connection(("192.0.2.1", 443), timeout=0.1).close()
        except OSError:
            self.news = None


class Unbuildable(Sound):
    breaks = "builds"

    def __init__(self):
        raise FileNotFoundError("weights.bin")


# One row.


class Raises(Sound):
    breaks = "answers"

    def predict(self, payload):
        raise KeyError("weight")


class Unpromised(Sound):
    """Returns a field that its schema does not have."""

    breaks = "answers"

    def predict(self, payload):
        return super().predict(payload) | {"extra": 1}


class Numeric(Sound):
    """Returns a number of NumPy."""

    breaks = "answers"

    def predict(self, payload):
        return super().predict(payload) | {"score": np.float32(1)}


class Forgetful(Sound):
    """Was trained again, and answers its examples otherwise than it is known to."""

    breaks = "expected"

    def weigh(self, payload):
        return super().weigh(payload) + 0.1


class Meddler(Sound):
    """Fills in what is missing, in the payload of its caller."""

    breaks = "untouched"

    def predict(self, payload):
        payload["n"] = payload.get("n") or 0
        return super().predict(payload)


class Consumer(Sound):
    """Empties the list that it is given."""

    breaks = "untouched"

    def predict_batch(self, payloads):
        return [self.predict(payloads.pop(0)) for _ in range(len(payloads))]


class DividesByZero(Sound):
    """Nobody tried the lower bound."""

    breaks = "generated"

    def add_up(self, payload):
        return super().add_up(payload) + 1e-9 / payload["x"] - 1e-9 / payload["x"]


class Exceeds(Sound):
    """Answers more than it promises, near the upper bound."""

    breaks = "generated"
    output_schema = answer("Score", {**OUTPUT["properties"], "score": number("Score", least=0, most=60)})


class RaisesInRules(Sound):
    """Its own rules raise for a text that the schema accepts."""

    breaks = "generated"

    @classmethod
    def find_violations(cls, payload):
        text = payload["letters"]
        return [] if len(text) == 16 or text[20] in "ACGT" else [Violation("/letters", "pattern", "only A, C, G, T")]


class NullIsNotAbsent(Sound):
    breaks = "nulls"

    def add_up(self, payload):
        return super().add_up(payload) + ("n" not in payload)


class FloatIsNoInteger(Sound):
    breaks = "integers"

    def add_up(self, payload):
        return super().add_up(payload) + isinstance(payload.get("n"), float)


class Label(str, Enum):  # noqa: UP042 - a StrEnum is written as its value everywhere
    LOW = "low"
    HIGH = "high"


class Enumerates(Sound):
    """In a file of answers stands Label.HIGH: what JSON holds is not what was returned."""

    breaks = "round_trip"
    output_schema = OUTPUT

    def predict(self, payload):
        output = super().predict(payload)
        return output | {"label": Label(output["label"])}


# The same row again.


class Noisy(Sound):
    """Dropout that nobody switched off."""

    breaks = "repeatable"
    output_schema = OUTPUT

    def weigh(self, payload):
        return super().weigh(payload) * random.uniform(0.9, 1.1)


class Remembers(Sound):
    """Normalises by what it has seen so far."""

    breaks = "repeatable"
    output_schema = OUTPUT

    def __init__(self):
        self.seen = 0

    def weigh(self, payload):
        self.seen += 1
        return super().weigh(payload) + self.seen / 10


class AttendsAcrossTheBatch(Sound):
    """A transformer that takes the batch for the sequence: its rows attend to each other."""

    breaks = "batch"

    def predict(self, payload):
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads):
        tokens = np.array([[payload["x"], self.add_up(payload)] for payload in payloads])
        weights = np.exp(tokens[:, :1] @ tokens[:, :1].T / 10)
        attended = weights / weights.sum(axis=1, keepdims=True) @ tokens
        return [write_answer(score) for score in attended[:, 1].tolist()]


class PadsToTheLongest(Sound):
    """Counts the padding in, which depends on the longest row of the batch."""

    breaks = "batch"

    def predict_batch(self, payloads):
        longest = max(len(payload["letters"]) for payload in payloads)
        scores = [self.add_up(payload) + (longest - len(payload["letters"])) / 100 for payload in payloads]
        return [write_answer(score) for score in scores]


class Sorts(Sound):
    """Sorts rows by length, and forgets to put the answers back."""

    breaks = "batch"

    def predict_batch(self, payloads):
        return [self.predict(payload) for payload in sorted(payloads, key=lambda row: len(row["letters"]))]


class OneAnswer(Sound):
    breaks = "batch"

    def predict_batch(self, payloads):
        return [self.predict(payloads[0])]


class Columns(Sound):
    """Predicts columns, as it does rows."""

    input_schema = record(
        "Things",
        {"x": number("X", least=0, most=10), "colour": choice("Colour", ("red", "blue"))},
        examples=[{"x": 1, "colour": "red"}, {"x": 2.5, "colour": "blue"}],
    )
    output_schema = OUTPUT

    def add_up(self, payload):
        return 10 * payload["x"] + (payload["colour"] == "red")

    def predict_columns(self, columns):
        scores = 10 * columns["x"] + (columns["colour"] == "red")
        return {"score": scores, "label": np.where(scores > 30, "high", "low").astype(object)}


class OtherColumns(Columns):
    """Was changed in predict, and not in predict_columns."""

    breaks = "columns"

    def add_up(self, payload):
        return super().add_up(payload) + 1


class UnaskedColumns(Columns):
    """Nobody ever asks its columns."""

    breaks = "columns"

    @classmethod
    def find_violations(cls, payload):
        return []


class BelongsToAThread(Sound):
    """Keeps a connection that only the thread which built it may use."""

    breaks = "threads"

    def __init__(self):
        self.database = sqlite3.connect(":memory:")

    def weigh(self, payload):
        return super().weigh(payload) + self.database.execute("select 0").fetchone()[0]


class SaysThreadSafe(Sound):
    """Says that several threads may predict, and keeps the row in the model meanwhile."""

    breaks, thread_safe = "threads", True

    def weigh(self, payload):
        self.row = payload
        time.sleep(0.0001)
        return super().weigh(self.row)


class RacesInRules(Sound):
    """Its rules keep what they find in the class."""

    breaks = "threads"
    found: ClassVar[list[Violation]] = []

    @classmethod
    def find_violations(cls, payload):
        cls.found = []
        if payload["x"] > 9:
            cls.found = [Violation("/x", "maximum", "x must be at most 9")]
        found = cls.found
        time.sleep(0.0005)
        return found if found is cls.found else cls.found


class HashesText(Sound):
    """Puts words into buckets by hash(), which differs from process to process."""

    breaks = "process"
    output_schema = OUTPUT

    def add_up(self, payload):
        return super().add_up(payload) + hash(payload["colour"]) % 1000 / 10


# Its inputs.


class IgnoresAField(Sound):
    """Takes the colour, and does not use it: a column that was renamed on the way."""

    breaks = "inputs"
    output_schema = OUTPUT

    def add_up(self, payload):
        return super().add_up({**payload, "colour": "red"})


class IgnoresItsTokens(Sound):
    """A transformer that pools over its mask instead of its tokens: it knows the length, and no letter."""

    breaks = "inputs"
    output_schema = OUTPUT

    def weigh(self, payload):
        tokens = np.array(read_letters(payload), dtype=float)
        mask = np.ones_like(tokens)
        return float((mask * np.arange(1, len(mask) + 1)).sum() / 100)


class ReadsTheBeginning(Sound):
    """Cuts a sequence at what its window holds, and tells nobody."""

    breaks = "inputs"
    output_schema = OUTPUT

    def weigh(self, payload):
        return super().weigh(payload | {"letters": payload["letters"][: len(payload["letters"]) // 2]})


class IgnoresEntries(Sound):
    """Averages what it should read; only the number of entries reaches the answer."""

    breaks = "inputs"
    input_schema = record(
        "Things",
        {
            "values": {
                "type": "array",
                "title": "Values",
                "minItems": 8,
                "maxItems": 16,
                "items": number("Value", least=0, most=1),
            }
        },
        examples=[{"values": [0.1] * 8}, {"values": [0.5] * 12}],
    )
    output_schema = OUTPUT

    def predict(self, payload):
        return write_answer(len(payload["values"]))


class UsesWhatIsUnused(Sound):
    """Says that the colour plays no part, and it does."""

    breaks = "unused"
    input_schema = record("Things", FIELDS | {"colour": FIELDS["colour"] | {"x-unused": True}}, examples=EXAMPLES)


class DeclaresUnused(IgnoresAField):
    """Takes the colour, does not use it, and says so: a sound model."""

    breaks, input_schema = "", UsesWhatIsUnused.input_schema


# What it costs.


class Hoards(Sound):
    """Keeps every payload for later."""

    breaks = "leak"

    def __init__(self):
        self.seen = []

    def predict(self, payload):
        self.seen.append(dict(payload))
        return super().predict(payload)


class CachesWithoutEnd(Sound):
    """Remembers every answer it has ever given."""

    breaks = "leak"

    def __init__(self):
        self.remember = functools.cache(lambda letters: sum(map(CODES.get, letters)) * 0.0)

    def weigh(self, payload):
        return super().weigh(payload) + self.remember(payload["letters"])


class LeavesFilesOpen(Sound):
    breaks = "leak"

    def __init__(self):
        self.files = []

    def predict(self, payload):
        self.files.append(os.open(os.devnull, os.O_RDONLY))
        return super().predict(payload)

    def close(self):
        for file in self.files:
            os.close(file)


# What takes its process along; judged in a child alone.


class Crashes(Sound):
    breaks = "answers"

    def predict(self, payload):
        os.abort()


class Hangs(Sound):
    breaks = "answers"

    def predict(self, payload):
        threading.Event().wait()


class HangsAtABound(Sound):
    """Comes back for everything but what nobody tried."""

    breaks = "generated"

    def predict(self, payload):
        if payload["x"] == 0:
            threading.Event().wait()
        return super().predict(payload)


class Exits(Sound):
    """Ends the process when it is built, and talks on standard output before."""

    breaks = "offline"

    def __init__(self):
        print('{"state": "passed"}')
        sys.stdout.flush()
        os._exit(0)


def is_piece(value):
    return isinstance(value, type) and issubclass(value, Sound) and value is not Pythonic


PIECES = [value for value in list(vars().values()) if is_piece(value)]
VIOLENT = [Crashes, Hangs, HangsAtABound, Exits]
