"""A pipeline's graph in double precision, which scikit-learn computes in: for pipelines that float32 answers otherwise.

Thresholds of trees lie half-way between values that training saw, and whole numbers often lie there, too. Which side
such a row falls on is decided by the last bit of what comes before the tree. So numbers are read and scaled as float64,
and cast to float32 before a forest or a tree, as scikit-learn itself does.
"""

from copy import copy
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from skl2onnx.sklapi import CastTransformer
from sklearn.pipeline import Pipeline

#: Where the estimators live that cast what they read to float32.
_TREES = ("sklearn.tree.", "sklearn.ensemble._forest", "sklearn.ensemble._gb")


def cast_before_trees(pipeline: Any) -> Any:
    """Return a pipeline whose last step, where it is made of trees, reads float32."""
    chosen = getattr(pipeline, "best_estimator_", pipeline)
    last = chosen.steps[-1][1] if isinstance(chosen, Pipeline) else chosen
    if not isinstance(chosen, Pipeline) or not type(last).__module__.startswith(_TREES):
        return chosen
    changed = copy(chosen)
    changed.steps = [*chosen.steps[:-1], ("cast_to_float32", CastTransformer(dtype=np.float32)), chosen.steps[-1]]
    return changed


def replace_imputers(graph: Any) -> None:
    """Give the graph nodes that ONNX Runtime has for float64 in place of its `Imputer`, which it has not."""
    nodes = []
    for number, node in enumerate(graph.graph.node):
        facts = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type != "Imputer" or "imputed_value_floats" not in facts:
            nodes.append(node)
            continue
        filling, mask = f"filling_{number}", f"is_missing_{number}"
        values = np.array(facts["imputed_value_floats"], np.float64)[np.newaxis]
        graph.graph.initializer.append(numpy_helper.from_array(values, filling))
        missing = facts["replaced_value_float"]
        if np.isnan(missing):
            nodes.append(helper.make_node("IsNaN", [node.input[0]], [mask]))
        else:
            wanted = f"missing_{number}"
            graph.graph.initializer.append(numpy_helper.from_array(np.array([[missing]], np.float64), wanted))
            nodes.append(helper.make_node("Equal", [node.input[0], wanted], [mask]))
        nodes.append(helper.make_node("Where", [mask, filling, node.input[0]], [node.output[0]]))
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.checker.check_model(graph)
