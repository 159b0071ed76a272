"""Which files a package has, by its template, and how a template becomes a file.

A template is text in ``templates/``. ``$word`` stands for a value; a line that begins with ``@word|`` is kept where
that word is true of the package. Values are literals already: `model_service.scaffold.source` writes them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"
_LINE = re.compile(r"^@(\w+)\|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a package of one template is made of.

    Attributes:
        summary: A few words for people.
        files: Template by path in the package; ``NAME`` stands for the package's name.
        dependencies: What serving needs.
        train_dependencies: What its training or export needs.
        libraries: Modules that must be there for that.
        script: The module that fills the artifacts.
        model: What the card says of the model.
    """

    summary: str
    files: Mapping[str, str]
    dependencies: tuple[str, ...]
    train_dependencies: tuple[str, ...]
    libraries: tuple[str, ...]
    script: str = "train"
    model: str = ""


_COMMON = {
    "pyproject.toml": "pyproject.toml",
    "CHANGELOG.md": "changelog.md",
    "NAME/__init__.py": "init.py",
    "./tests/test_NAME.py": "test.py",
}
_PIPELINE = {**_COMMON, "NAME/frame.py": "pipeline_frame.py", "NAME/export.py": "pipeline_export.py"}
_GRAPH = ("model-service[onnx]", "numpy>=1.26,<3")
_MATRIX = {"NAME/model.py": "matrix_model.py", "NAME/features.py": "features.py"}
LAYOUTS = {
    "python": Layout(
        "plain Python: you write `predict`",
        {**_COMMON, "NAME/model.py": "python_model.py", "NAME/train.py": "python_train.py"},
        ("model-service",),
        (),
        (),
        model="It answers the same to every row, until somebody writes `predict` in `model.py`.",
    ),
    "sklearn": Layout(
        "a scikit-learn pipeline, served as a graph",
        {**_COMMON, "NAME/model.py": "sklearn_model.py", "NAME/train.py": "sklearn_train.py"},
        _GRAPH,
        ("model-service[train]", "pandas"),
        ("sklearn", "skl2onnx", "pandas", "onnxruntime"),
        model="Scaled numbers, a column per choice and a linear model of scikit-learn, exported as an ONNX graph.",
    ),
    "torch": Layout(
        "a PyTorch network, served as a graph",
        {**_COMMON, **_MATRIX, "NAME/network.py": "torch_network.py", "NAME/train.py": "torch_train.py"},
        _GRAPH,
        ("model-service[train]", "torch", "onnxscript"),
        ("torch", "onnxscript", "onnxruntime"),
        model="A network of one hidden layer, trained with PyTorch and exported as an ONNX graph.",
    ),
    "keras": Layout(
        "a Keras network, served as a graph",
        {**_COMMON, **_MATRIX, "NAME/train.py": "keras_train.py"},
        _GRAPH,
        ("model-service[train]", "tensorflow", "tf2onnx"),
        ("keras", "tensorflow", "tf2onnx", "onnxruntime"),
        model="A network of one hidden layer, trained with Keras and exported as an ONNX graph.",
    ),
    "onnx": Layout(
        "an ONNX graph that you write yourself",
        {**_COMMON, **_MATRIX, "NAME/train.py": "onnx_train.py"},
        _GRAPH,
        ("model-service[train]",),
        ("onnx", "onnxruntime"),
        model="A linear model, fitted with NumPy and written as an ONNX graph.",
    ),
    "pipeline": Layout(
        "the graph of a trained scikit-learn pipeline",
        {**_PIPELINE, "NAME/model.py": "sklearn_model.py"},
        _GRAPH,
        ("model-service[train]", "joblib", "pandas"),
        ("joblib", "sklearn", "skl2onnx", "pandas", "onnxruntime"),
        script="export",
        model="TODO: its steps, and how it was trained. It is a scikit-learn pipeline, exported as an ONNX graph.",
    ),
    "pickled": Layout(
        "a pickled scikit-learn pipeline, in a process of its own",
        {**_PIPELINE, "NAME/model.py": "pickled_model.py"},
        ("model-service[onnx]", "joblib", "pandas", "scikit-learn"),
        (),
        ("joblib", "sklearn", "pandas"),
        script="export",
        model="TODO: its steps, and how it was trained. It is a scikit-learn pipeline, served as it was pickled.",
    ),
    "graph": Layout(
        "an ONNX graph that was made elsewhere",
        {**_COMMON, "NAME/model.py": "graph_model.py", "NAME/export.py": "graph_export.py"},
        _GRAPH,
        (),
        ("onnxruntime",),
        script="export",
        model="TODO: what it is, and how it was trained. It is served as the ONNX graph that it came as.",
    ),
}
#: Those that begin with nothing but a name; the others are made around a trained model.
CHOICES = ("python", "sklearn", "torch", "keras", "onnx")


def render(template: str, values: Mapping[str, str], flags: frozenset[str]) -> str:
    """Return the text of a file.

    Args:
        template: Name of the file in ``templates/``, without its ``.txt``.
        values: What ``$word`` stands for.
        flags: What is true of the package.
    """
    text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines(keepends=True):
        match = _LINE.match(line)
        if match is None:
            lines.append(line)
        elif match[1] in flags:
            lines.append(line[match.end() :])
    return Template("".join(lines)).substitute(values)
