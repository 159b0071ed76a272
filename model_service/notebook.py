"""Models in a notebook or at a prompt: loaded here, on the road of every prediction, without a server.

    import model_service

    models = model_service.load("config.yaml")  # or load(["iris_model.IrisModel"])
    models["iris_model"].predict({"sepal_length": 5.1, ...})
    models["iris_model"].predict(frame)         # a data frame of pandas or polars

A process has one `ModelManager`, so what is loaded later replaces what was loaded before.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Self, overload

from model_service.config import ModelConfig, ServiceConfig
from model_service.config_file import DEFAULT_FILE, load_config
from model_service.errors import PayloadInvalid
from model_service.frames import find_library, make_frame, read_frame, to_plain
from model_service.model import MLModel
from model_service.records import ModelInfo, ModelState, ModelStatus, Output, Payload, Schema, Violation
from model_service.schema.outline import OutlineRow, build_outline
from model_service.service import Service

#: More faults than these, of which a frame may have thousands, help nobody.
_MOST_FAULTS = 10


def load(source: str | os.PathLike[str] | Iterable[str | type[MLModel]] = DEFAULT_FILE) -> "LoadedModels":
    """Load models into this process.

    Args:
        source: A configuration file; or classes, or the paths of classes, as the configuration lists them.

    Returns:
        The models by name. What fails is in quarantine there, as in a service, and says why.

    Raises:
        ConfigInvalid: The file cannot be read, or something in it is wrong.
        DuplicateModel: Two of them have the same name and version.
    """
    if isinstance(source, str | os.PathLike):
        return LoadedModels(Service(load_config(source, os.environ)).start())
    paths = [each if isinstance(each, str) else f"{each.__module__}:{each.__qualname__}" for each in source]
    config = ServiceConfig(models=tuple(ModelConfig(class_path=path) for path in paths))
    return LoadedModels(Service(config).start())


class LoadedModels:
    """The models of this process by name; the default version of each.

    Args:
        service: That has loaded them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __getitem__(self, qualified_name: str) -> "LoadedModel":
        """Return a model, whatever its state.

        Raises:
            ModelNotFound: Lists what is loaded.
        """
        return self.get(qualified_name)

    def get(self, qualified_name: str, version: str | None = None) -> "LoadedModel":
        """Return a model, or one version of it; errors as ``[]``."""
        self._service.manager.get_model_metadata(qualified_name, version)
        return LoadedModel(self._service, qualified_name, version)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(status.qualified_name for status in self._service.manager.get_models()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, qualified_name: object) -> bool:
        return qualified_name in list(iter(self))

    def close(self) -> None:
        """Stop the models and give back what they hold; calling it twice is fine."""
        self._service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        lines = [_word_status(status) for status in self._service.manager.get_models()]
        return "\n".join([f"{len(lines)} models", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(status.qualified_name)}</td><td>{escape(status.version or '')}</td>"
            f"<td>{status.state}</td><td>{escape(_explain(status))}</td></tr>"
            for status in self._service.manager.get_models()
        )
        return f"<table><tr><th>model</th><th>version</th><th>state</th><th></th></tr>{rows}</table>"


class LoadedModel:
    """One model of `load`.

    Args:
        service: That has loaded it.
        qualified_name: Its name.
        version: The default version when ``None``.
    """

    def __init__(self, service: Service, qualified_name: str, version: str | None) -> None:
        self._service = service
        self._name = qualified_name
        self._version = version

    @property
    def status(self) -> ModelStatus:
        """Its state, and why it failed, if it did."""
        return self._service.manager.get_model_metadata(self._name, self._version)

    @property
    def info(self) -> ModelInfo:
        """What it says of itself.

        Raises:
            ModelNotReady: It could not even be described; says why.
        """
        info = self.status.info
        return info if info is not None else self._service.predictions.find_target(self._name, self._version).info

    @overload
    def predict(self, data: Mapping[str, Any]) -> Output: ...
    @overload
    def predict(self, data: list[Payload]) -> list[Output]: ...
    @overload
    def predict(self, data: Any) -> Any: ...
    def predict(self, data: Any) -> Any:
        """Predict for one payload, several, or the rows of a data frame.

        Args:
            data: A dict, a list of dicts, or a data frame of pandas or polars, whose columns are named after fields.
                Values may be of NumPy, and NaN is a value that is not there.

        Returns:
            One output, a list of outputs, or a frame of the same kind with one column per field of the output.

        Raises:
            PayloadInvalid: Names every field that is wrong; of several payloads, with the row, from 0.
            PayloadMalformed: No column of the frame is a field.
            ModelNotReady, PredictionFailed, OutputInvalid, CapacityError: As from a service.
        """
        target = self._service.predictions.find_target(self._name, self._version)
        if find_library(data) is not None:
            outputs = self._predict_rows(read_frame(data, target.info.input_schema))
            return make_frame(data, outputs, target.info.output_schema)
        if isinstance(data, list | tuple):
            return self._predict_rows([to_plain(row) for row in data])
        try:
            return self._service.predictions.predict(target, to_plain(data)).outputs[0]
        except PayloadInvalid as error:
            raise self._reword(error) from None

    def _predict_rows(self, payloads: list[Any]) -> list[Output]:
        """Predict for any number of rows, as many at a time as one request may have."""
        predictions = self._service.predictions
        size = self.status.limit_rows(self._service.config.server.max_request_rows)
        outputs: list[Output] = []
        for start in range(0, len(payloads), size):
            target = predictions.find_target(self._name, self._version)
            try:
                outputs += predictions.predict_many(target, payloads[start : start + size]).outputs
            except PayloadInvalid as error:
                raise self._reword(error, start) from None
        return outputs

    def _reword(self, error: PayloadInvalid, start: int | None = None) -> PayloadInvalid:
        """Return an error that says in its text which fields are wrong: a notebook shows nothing else."""
        violations = [_shift(violation, start) for violation in error.violations]
        lines = [f"  {violation.place}: {violation.message}" for violation in violations[:_MOST_FAULTS]]
        if len(violations) > _MOST_FAULTS:
            lines.append(f"  ... and {len(violations) - _MOST_FAULTS} more")
        return PayloadInvalid("\n".join([f"{self._name} cannot predict this:", *lines]), violations)

    def __repr__(self) -> str:
        status = self.status
        if status.info is None:
            return f"<{_word_status(status)}>"
        inputs, outputs = (
            ", ".join(row.path for row in build_outline(schema) if row.depth == 1)
            for schema in (status.info.input_schema, status.info.output_schema)
        )
        return f"<{_word_status(status)}; {inputs} -> {outputs}>"

    def _repr_html_(self) -> str:
        status, info = self.status, self.status.info
        title = escape(info.display_name if info is not None else status.qualified_name)
        head = f"<h4>{title} {escape(status.version or '')}: {status.state}</h4><p>{escape(_explain(status))}</p>"
        if info is None:
            return head
        return f"{head}{_draw_table('input', info.input_schema)}{_draw_table('output', info.output_schema)}"


def _shift(violation: Violation, start: int | None) -> Violation:
    """Return a violation whose row counts from the first one of all."""
    if not start:
        return violation
    row, slash, rest = violation.pointer[1:].partition("/")
    return Violation(f"/{int(row) + start}{slash}{rest}", violation.rule, violation.message)


def _word_status(status: ModelStatus) -> str:
    words = f"{status.qualified_name} {status.version or ''}".strip()
    return f"{words}: {status.state}" + (f", {_explain(status)}" if status.state is ModelState.FAILED else "")


def _explain(status: ModelStatus) -> str:
    """Return what the model is for, or why it failed and what to do."""
    if status.problem is not None:
        return f"{status.problem.problem}: {status.problem.cause}; {status.problem.remedy}"
    return status.info.description if status.info is not None else ""


def _draw_table(caption: str, schema: Schema) -> str:
    rows = "".join(map(_draw_row, build_outline(schema)[1:]))
    head = "<tr><th>field</th><th>title</th><th>type</th><th>unit</th><th>rules</th></tr>"
    return f"<table><caption>{caption}</caption>{head}{rows}</table>"


def _draw_row(row: OutlineRow) -> str:
    name = f"<b>{escape(row.path)}</b>" if row.is_required else escape(row.path)
    rules = [*row.rules, *(choice.label for choice in row.choices)]
    cells = [escape(text) for text in (row.title, row.kind, row.unit, ", ".join(rules))]
    return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
