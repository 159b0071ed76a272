"""Names of components and operations: readable, and apart in every generator of clients."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.records import ModelInfo
from model_service.schema.openapi_names import name_components, name_operations

MODELS = st.lists(
    st.tuples(
        st.text("ab_1v", min_size=1, max_size=4).map("m".__add__),
        st.sampled_from(["1", "1.0", "1!0", "1+0", "1.0.0", "1.0+0", "10.0", "1.0+dot0"]),
        st.booleans(),
    ),
    max_size=8,
)


def make_infos(*models):
    return [
        (ModelInfo(name, "A model", "Answers.", version, "m:M", {}, {}), is_default)
        for name, version, is_default in models
    ]


def squeeze(name):
    return "".join(filter(str.isalnum, name)).lower()


def test_the_default_version_has_the_plain_name():
    infos = make_infos(("iris_model", "1.0.0", True), ("iris_model", "0.9", False))
    assert name_components(infos) == ["IrisModel", "IrisModelV0dot9"]
    assert name_operations(infos) == [("iris_model", "iris_model_v1dot0dot0"), ("", "iris_model_v0dot9")]


def test_a_version_is_spelt_with_what_a_name_allows():
    [name] = name_components(make_infos(("m", "1!2.0rc1+local.4", False)))
    assert name == "MV1epoch2dot0rc1pluslocaldot4"


@pytest.mark.parametrize(
    ("models", "names"),
    [
        pytest.param([("a_b", "1", True), ("a__b", "1", True), ("ab", "1", True)], ["AB", "AB_2", "Ab_3"], id="_"),
        pytest.param([("x_v1", "1", True), ("x", "1", False)], ["XV1", "XV1_2"], id="a-name-like-a-version"),
    ],
)
def test_names_that_would_be_the_same_are_told_apart(models, names):
    assert name_components(make_infos(*models)) == names


@settings(deadline=None)
@given(MODELS)
def test_names_are_always_unique_even_without_separators_and_capitals(models):
    infos = make_infos(*models)
    components = name_components(infos)
    operations = [name for pair in name_operations(infos) for name in pair if name]
    for names in (components, operations):
        assert len({squeeze(name) for name in names}) == len(names)
        assert all(name.replace("_", "").isalnum() for name in names)
    assert len(components) == len(models)
