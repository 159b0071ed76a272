"""A trained model of Keras or PyTorch as a graph, for the length of one `model-service new`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from model_service.errors import ModelLoadFailed
from model_service.scaffold.children import ChildFailed, ask_module
from model_service.scaffold.planning import Wish

#: Files that become graphs first.
CONVERTED = (".keras", ".pt2")


@contextmanager
def convert_model(wish: Wish) -> Iterator[tuple[Wish, str]]:
    """Yield the wish with a graph in place of the model, where it needs one, and how both compare.

    Raises:
        ModelLoadFailed: No graph can be made of it.
    """
    if wish.model is None or wish.model.suffix.lower() not in CONVERTED:
        yield wish, ""
        return
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "model.onnx"
        try:
            told = ask_module("model_service.scaffold.conversion", [wish.model.absolute(), graph])
        except ChildFailed as error:
            raise ModelLoadFailed(
                f"no package can be made around '{wish.model.name}'",
                cause=str(error),
                remedy="export it yourself (model_service.training.keras, .torch) and give the graph to --from, or "
                "serve the model itself: docs/serving-a-torch-module.md",
            ) from None
        yield replace(wish, model=graph), told["parity"]
