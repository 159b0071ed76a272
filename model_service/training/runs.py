"""The command line of a training, and the files it leaves: ``metrics.json``, ``reference.json``, ``manifest.json``.

``metrics.json`` has one shape in all packages:

    {"task": "classification",
     "data": {"name": "train.csv", "sha256": "...", "rows": 492},
     "results": [{"model": "random forest", "split": "10-fold cross-validation", "metric": "accuracy",
                  "value": 0.8175, "spread": 0.0008}]}

``spread`` is the standard deviation over what the split repeats, or what the split says; null where one number
was measured once. Nothing in the package changes unless the whole training succeeds.
"""

import argparse
import hashlib
import json
import math
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_service.artifacts import MANIFEST_NAME, METRICS_NAME, REFERENCE_NAME, list_artifacts, write_manifest
from model_service.errors import ModelContractBroken
from model_service.model import MLModel
from model_service.records import Payload
from model_service.training.reference import describe_rows

_DIGITS = 4
#: So many rows, evenly taken, say enough of what a model answers.
_ANSWERED_ROWS = 2000


@dataclass
class Training:
    """One run of a training script.

    Attributes:
        data: The file named by ``--data``; ``None`` when there is none.
        out: Folder to write artifacts into.
        seed: Seeds every random choice.
        options: Everything from the command line, with what the package added to it.
    """

    data: Path | None
    out: Path
    seed: int
    options: argparse.Namespace
    _about_data: dict[str, Any] = field(default_factory=dict)
    _reference: dict[str, Any] = field(default_factory=dict)
    _payloads: Sequence[Payload] = ()
    _results: list[dict[str, Any]] = field(default_factory=list)

    def describe_data(self, payloads: Sequence[Payload], *, labels: Sequence[Any] = (), name: str = "") -> None:
        """Say what the model learnt from; call it once.

        Args:
            payloads: The rows of the training, as a caller would send them.
            labels: What was learnt of each row. They belong to the digest where there is no file.
            name: What to call the data; the name of the file where there is one.
        """
        if self.data is not None:
            digest = _digest_file(self.data)
        else:
            document = json.dumps([list(payloads), list(labels)], sort_keys=True, ensure_ascii=False)
            digest = hashlib.sha256(document.encode()).hexdigest()
        self._about_data = {
            "name": name or (self.data.name if self.data else "built in"),
            "sha256": digest,
            "rows": len(payloads),
        }
        self._reference = describe_rows(payloads)
        self._payloads = payloads
        print(f"{self._about_data['name']}: {len(payloads)} rows, sha256 {digest}", flush=True)

    def report(self, model: str, split: str, **metrics: float | Sequence[float] | tuple[float, float | None]) -> None:
        """Keep and print what was measured of a model or a baseline on a split.

        Args:
            model: The model, candidate or baseline.
            split: Which rows it was measured on, and how they were chosen.
            metrics: A number each; or a list of numbers, one per fold or repeat, whose mean and standard
                deviation are kept; or a tuple of a value and its spread.
        """
        for metric, measured in metrics.items():
            value, spread = _summarise(measured)
            self._results.append({"model": model, "split": split, "metric": metric, "value": value, "spread": spread})
            around = "" if spread is None else f" ± {spread}"
            print(f"{split}: {model}: {metric} {value}{around}", flush=True)

    def describe_answers(self, model_class: type[MLModel]) -> None:
        """Say what the trained model answers to the rows of its training, or to some of them.

        Args:
            model_class: The class; it reads what stands in `out`.
        """
        rows = list(self._payloads[:: max(1, len(self._payloads) // _ANSWERED_ROWS)])
        if not rows:
            return
        where = {"artifact_path": classmethod(lambda cls, name: self.out / name), "__module__": model_class.__module__}
        model = type(model_class.__name__, (model_class,), where)()
        self._reference["outputs"] = describe_rows(model.predict_batch(rows))["fields"]
        model.close()

    def write_reports(self, task: str) -> None:
        """Write ``metrics.json`` and ``reference.json`` into `out`."""
        if not self._about_data:
            raise RuntimeError("the training said nothing of its data: call training.describe_data(payloads)")
        _write_json(self.out / METRICS_NAME, {"task": task, "data": self._about_data, "results": self._results})
        _write_json(self.out / REFERENCE_NAME, self._reference)


def run(
    train: Callable[[Training], None],
    model_class: type[MLModel],
    *,
    task: str,
    made_with: Iterable[str],
    needs_data: bool = True,
    add_options: Callable[[argparse.ArgumentParser], object] | None = None,
    arguments: list[str] | None = None,
) -> None:
    """Read the command line, train in a folder of its own, and put what it made in the place of the artifacts.

    Args:
        train: Trains, measures and writes graphs into `Training.out`.
        model_class: The class that reads the artifacts; ``--out`` stands for its folder.
        task: ``classification`` or ``regression``, or what else people call it.
        made_with: Names of the distributions whose versions the manifest records.
        needs_data: Whether ``--data`` must be given.
        add_options: Adds options of the package's own; `Training.options` has them.
        arguments: The command line; ``None`` is that of the process.
    """
    parser = argparse.ArgumentParser(description=train.__doc__)
    parser.add_argument("--data", type=Path, required=needs_data, help="file with the training rows")
    parser.add_argument("--out", type=Path, default=model_class.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    if add_options:
        add_options(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(options.data, Path(folder), options.seed, options)
        train(training)
        training.describe_answers(model_class)
        training.write_reports(task)
        write_manifest(training.out, made_with=made_with)
        _replace_artifacts(training.out, options.out)
    print(f"wrote {options.out}")


def _replace_artifacts(made: Path, out: Path) -> None:
    """Move new files in and remove what the old manifest lists; the manifest goes last, so that it is never early."""
    out.mkdir(parents=True, exist_ok=True)
    with suppress(ModelContractBroken):  # a manifest that cannot be read is what a new training mends
        for artifact in list_artifacts(out, owner=str(out)):
            (out / artifact.name).unlink(missing_ok=True)
    paths = sorted((path for path in made.rglob("*") if path.is_file()), key=lambda path: path.name == MANIFEST_NAME)
    for path in paths:
        target = out / path.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _summarise(measured: Any) -> tuple[float, float | None]:
    if isinstance(measured, tuple):
        value, spread = measured
    elif hasattr(measured, "__len__"):
        numbers = [float(number) for number in measured]
        value, spread = statistics.fmean(numbers), statistics.pstdev(numbers) if len(numbers) > 1 else None
    else:
        value, spread = measured, None
    if not math.isfinite(value):
        raise ValueError(f"a metric must be a finite number, not {value}")
    rounded = value if isinstance(value, int) else round(float(value), _DIGITS)  # a count stays a count
    return rounded, None if spread is None else round(float(spread), _DIGITS)


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
