import functools

import models
import pytest

from model_service import MLModel
from model_service.errors import ModelContractBroken, ModelImportFailed, ModelLoadFailed
from model_service.loading import (
    MAX_CARD_CHARACTERS,
    build_model,
    describe_model,
    find_contract_faults,
    find_only_model,
    import_model_class,
)

MODEL = """
from models import DoubleModel

class {name}(DoubleModel):
    qualified_name = "{qualified_name}"
"""


def fail_to_import(class_path):
    with pytest.raises(ModelImportFailed) as caught:
        import_model_class(class_path)
    return caught.value


def fail_to_describe(model_class):
    with pytest.raises(ModelContractBroken) as caught:
        describe_model(model_class)
    return caught.value


def derive(**attributes):
    """Return a DoubleModel that differs in some attributes."""
    return type("Derived", (models.DoubleModel,), attributes)


# Import


@pytest.mark.parametrize("class_path", ["models.DoubleModel", "models:DoubleModel"])
def test_both_spellings_of_a_class_path_find_the_class(class_path):
    assert import_model_class(class_path) is models.DoubleModel


@pytest.mark.parametrize("class_path", ["deep_package.inner.model.DeepModel", "deep_package.inner.model:DeepModel"])
def test_a_class_may_lie_in_a_submodule(make_package, class_path):
    code = MODEL.format(name="DeepModel", qualified_name="deep_model")
    make_package("deep_package", {"__init__.py": "", "inner/__init__.py": "", "inner/model.py": code})
    assert describe_model(import_model_class(class_path)).class_path == "deep_package.inner.model:DeepModel"


@pytest.mark.parametrize("class_path", ["DoubleModel", "", "models.", "models:", ".DoubleModel", ":DoubleModel", ":"])
def test_what_is_no_class_path_says_how_one_is_written(class_path):
    error = fail_to_import(class_path)
    assert error.message == f"'{class_path}' is not the path of a class"
    assert error.remedy == "write it as package.Class or package.module:Class"


def test_a_missing_package_says_to_install_it():
    error = fail_to_import("no_such_package.inner.SomeModel")
    assert error.message == "the module 'no_such_package.inner' cannot be imported"
    assert error.cause == "ModuleNotFoundError: No module named 'no_such_package'"
    assert error.remedy.startswith("install the package that provides 'no_such_package'")


def test_a_missing_module_of_an_installed_package_says_to_correct_the_configuration(make_package):
    make_package("half_package", {"__init__.py": ""})
    error = fail_to_import("half_package.modle.SomeModel")
    assert error.cause == "ModuleNotFoundError: No module named 'half_package.modle'"
    assert error.remedy == "correct the configuration: 'half_package' has no module 'half_package.modle'"


def test_a_missing_dependency_of_a_package_is_named_with_the_package(make_package):
    make_package("needy_package", {"__init__.py": "import no_such_framework.layers"})
    error = fail_to_import("needy_package.NeedyModel")
    assert error.cause == "ModuleNotFoundError: No module named 'no_such_framework'"
    assert error.remedy == (
        "install 'no_such_framework', which 'needy_package' needs, or reinstall 'needy_package' with its dependencies"
    )


def test_a_dependency_that_a_package_imports_lazily_is_named_too(make_package):
    make_package("lazy_package", {"__init__.py": "def __getattr__(name):\n    import no_such_framework\n"})
    error = fail_to_import("lazy_package.LazyModel")
    assert error.remedy.startswith("install 'no_such_framework', which 'lazy_package' needs")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("def predict(:", "SyntaxError: invalid syntax (__init__.py, line 1)"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise SystemExit", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from models import NoSuchModel", "ImportError: cannot import name 'NoSuchModel' from 'models'"),
        ("raise ModuleNotFoundError('a library')", "ModuleNotFoundError: a library"),
    ],
    ids=["syntax", "exit", "bare exit", "exception", "name", "nameless"],
)
def test_a_package_whose_code_raises_on_import_says_what_it_raised(make_package, code, cause):
    make_package("raising_package", {"__init__.py": code})
    error = fail_to_import("raising_package.SomeModel")
    assert error.message == "the module 'raising_package' cannot be imported"
    assert error.cause.startswith(cause)
    assert error.remedy == "mend or reinstall 'raising_package' (the log has the traceback)"
    assert error.__cause__ is not None


def test_a_package_that_failed_to_import_can_be_mended_and_imported(make_package):
    folder = make_package("mended_package", {"__init__.py": "1 / 0"})
    fail_to_import("mended_package.MendedModel")
    # Another size than before: Python's cache of bytecode compares size and time.
    (folder / "__init__.py").write_text(MODEL.format(name="MendedModel", qualified_name="mended_model"))
    assert import_model_class("mended_package.MendedModel").qualified_name == "mended_model"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("threading", "it is of the type 'module'"),
        ("NUMBER_IN", "it is of the type 'dict'"),
        ("Violation", "it is a class, and it inherits from 'object'"),
        ("MLModel", "it is MLModel itself"),
    ],
)
def test_what_is_no_mlmodel_subclass_says_what_it_is(name, cause):
    error = fail_to_import(f"models.{name}")
    assert error.message == f"'{name}' in the module 'models' is no MLModel subclass"
    assert error.cause == cause


def test_a_misspelt_class_suggests_the_right_one():
    error = fail_to_import("models.EhcoModel")
    assert error.cause == "there is no such name"
    assert error.remedy == "use 'models.EchoModel'"


def test_a_name_like_no_other_suggests_a_class_of_the_module(make_package):
    make_package("lonely_package", {"__init__.py": MODEL.format(name="LonelyModel", qualified_name="lonely_model")})
    error = fail_to_import("lonely_package.Qqqq")
    assert error.remedy in ("use 'lonely_package.LonelyModel'", "use 'lonely_package.DoubleModel'")


def test_a_module_without_models_says_what_to_define(make_package):
    make_package("empty_package", {"__init__.py": "from model_service import MLModel"})
    error = fail_to_import("empty_package.EmptyModel")
    assert error.remedy == "define a class that inherits from model_service.MLModel"


# Contract


def test_the_description_is_what_the_class_says():
    info = describe_model(models.DoubleModel)
    assert (info.qualified_name, info.display_name, info.version) == ("double_model", "Double", "1.0.0")
    assert info.description == "Doubles a number."
    assert info.class_path == "models:DoubleModel"
    assert info.input_schema is models.NUMBER_IN
    assert info.output_schema is models.NUMBER_OUT
    assert info.examples == ({"x": 1},)


def test_a_schema_without_examples_gives_a_description_without_them():
    assert describe_model(models.EchoModel).examples == ()


@pytest.mark.parametrize(
    ("written", "shown"), [("1.0", "1.0"), ("v1.2", "1.2"), ("1.0-RC1", "1.0rc1"), ("01.2", "1.2")]
)
def test_the_version_is_shown_in_its_normal_form(written, shown):
    assert describe_model(derive(version=written)).version == shown


def test_describing_builds_nothing():
    assert describe_model(models.UnloadableModel).qualified_name == "unloadable_model"


def test_every_fault_of_the_contract_is_listed_at_once():
    error = fail_to_describe(models.ManyFaultsModel)
    assert error.message == "models.ManyFaultsModel breaks the MLModel contract in 6 places"
    assert error.cause.split("; ", 5) == [
        "qualified_name must be lower-case letters, digits and _, start with a letter, at most 64 long",
        "display_name must be a non-empty string",
        "description must be a non-empty string",
        "version must be a PEP 440 version such as 1.0.0, not 'one'",
        "input_schema must have type: object at its root",
        "output_schema/properties/y/$ref must refer to a place inside the schema; "
        "'https://example.com/schema' does not",
    ]
    assert error.remedy == "mend the class: the docstring of model_service.MLModel describes each attribute"


def test_one_fault_is_one_place():
    assert fail_to_describe(derive(version="one")).message.endswith("breaks the MLModel contract in 1 place")


def test_a_class_that_says_nothing_lacks_everything():
    faults = find_contract_faults(type("Silent", (MLModel,), {}))
    assert faults == [
        *(f"{name} is missing" for name in ("qualified_name", "display_name", "description", "version")),
        "input_schema is missing",
        "output_schema is missing",
        "predict is not implemented",
    ]


def test_a_class_without_predict_says_so():
    assert find_contract_faults(models.UnfinishedModel) == ["predict is not implemented"]


@pytest.mark.parametrize("name", ["Double", "1model", "_model", "two words", "naïve", "a-b", "a" * 65, "a\n", "a/b"])
def test_a_name_that_does_not_fit_into_a_path_breaks_the_contract(name):
    assert find_contract_faults(derive(qualified_name=name)) == [
        "qualified_name must be lower-case letters, digits and _, start with a letter, at most 64 long"
    ]


@pytest.mark.parametrize("name", ["a", "a1_b", "a" * 64])
def test_a_name_that_fits_into_a_path_keeps_the_contract(name):
    assert find_contract_faults(derive(qualified_name=name)) == []


@pytest.mark.parametrize("attribute", ["qualified_name", "display_name", "description", "version"])
@pytest.mark.parametrize("value", [5, "", "  \n", b"bytes", property(lambda self: "text")])
def test_a_text_must_be_a_non_empty_string(attribute, value):
    assert find_contract_faults(derive(**{attribute: value})) == [f"{attribute} must be a non-empty string"]


@pytest.mark.parametrize("attribute", ["input_schema", "output_schema"])
@pytest.mark.parametrize("value", ["{}", [], property(lambda self: {})])
def test_a_schema_must_be_a_dict(attribute, value):
    assert find_contract_faults(derive(**{attribute: value})) == [
        f"{attribute} must be a dict that holds a JSON Schema"
    ]


@pytest.mark.parametrize("method", ["predict", "predict_batch", "find_violations", "close"])
def test_a_method_must_be_one(method):
    assert find_contract_faults(derive(**{method: "predict"})) == [f"{method} must be a method"]


@pytest.mark.parametrize("wrap", [lambda function: function, staticmethod, functools.partial])
def test_rules_without_classmethod_are_one_fault(wrap):
    def find_violations(payload):
        return []

    assert find_contract_faults(derive(find_violations=wrap(find_violations))) == [
        "find_violations must be a class method, find_violations(cls, payload), below @classmethod"
    ]


def test_rules_that_another_class_brings_along_are_fine():
    class Rules:
        @classmethod
        def find_violations(cls, payload):
            return []

    assert find_contract_faults(type("Ruled", (Rules, models.DoubleModel), {})) == []


def test_what_looks_mistaken_is_said_and_breaks_nothing():
    schema = {**models.NUMBER_IN, "properties": {"x": {"type": "number", "minium": 0}}, "examples": []}
    output_schema = {**models.NUMBER_OUT, "titel": "Output"}
    info = describe_model(derive(input_schema=schema, output_schema=output_schema))
    assert info.warnings == (
        "input_schema/properties/x/minium is no keyword of JSON Schema and changes nothing; did you mean 'minimum'?",
        "output_schema/titel is no keyword of JSON Schema and changes nothing; did you mean 'title'?",
        "input_schema has no examples: nothing is tested before the model takes requests",
    )
    assert describe_model(models.DoubleModel).warnings == ()


def test_an_example_that_its_own_schema_refuses_breaks_the_contract():
    schema = {**models.NUMBER_IN, "examples": [{"x": 1}, {"x": "one"}]}
    assert find_contract_faults(derive(input_schema=schema)) == [
        "input_schema refuses its own example 1: '/x' expected a number, got a string"
    ]


def test_a_class_whose_attributes_raise_breaks_the_contract():
    error = fail_to_describe(models.RaisingDescriptionModel)
    assert error.cause == "its description cannot be read: RuntimeError: no name today"


def test_a_schema_that_contains_itself_breaks_the_contract():
    endless = {"type": "object"}
    endless["properties"] = {"x": endless}
    assert fail_to_describe(derive(input_schema=endless)).message.endswith("in 1 place")


# Construction


def test_building_returns_a_model_that_predicts():
    assert build_model(models.DoubleModel).predict({"x": 2}) == {"y": 4}


@pytest.mark.parametrize(
    ("model_class", "cause"),
    [
        (models.UnloadableModel, "OSError: the weights are gone"),
        (models.ExitingModel, "SystemExit: 3"),
        (
            derive(__init__=lambda self, path: None),
            "TypeError: <lambda>() missing 1 required positional argument: 'path'",
        ),
        (derive(__init__=lambda self: next(iter(()))), "StopIteration"),
    ],
    ids=["OSError", "SystemExit", "arguments", "wordless"],
)
def test_a_constructor_that_raises_says_what_it_raised(model_class, cause):
    with pytest.raises(ModelLoadFailed) as caught:
        build_model(model_class)
    assert caught.value.message == f"building {model_class.__module__}.{model_class.__name__} failed"
    assert caught.value.cause == cause
    assert "mend its __init__" in caught.value.remedy
    assert caught.value.__cause__ is not None


def test_artifacts_are_checked_before_the_constructor_sees_them(make_package):
    code = "from models import UnloadableModel\n\nclass GoneModel(UnloadableModel): ..."
    manifest = '{"artifacts": {"w.bin": {"sha256": "0", "size_bytes": 1}}}'
    make_package("gone_artifacts", {"__init__.py": code, "artifacts/manifest.json": manifest})
    with pytest.raises(ModelContractBroken) as caught:
        build_model(import_model_class("gone_artifacts.GoneModel"))
    assert caught.value.cause == "w.bin is missing"


# The model card


def describe_package(make_package, metadata, *, distribution="carded_package-1.0"):
    """Return the description of a model whose package was installed with some metadata."""
    code = MODEL.format(name="CardedModel", qualified_name="carded_model")
    make_package("carded_package", {"__init__.py": "", "inner.py": code})
    make_package(f"{distribution}.dist-info", metadata)
    return describe_model(import_model_class("carded_package.inner:CardedModel"))


README = """Metadata-Version: 2.4
Name: {name}
Version: 1.0
Description-Content-Type: {kind}

# Ä card

A [link](https://example.com).
"""


@pytest.mark.parametrize("folder", ["carded_package-1.0", "Carded_Package-1.0", "carded.package-1.0"])
@pytest.mark.parametrize("kind", ["text/markdown", "text/markdown; charset=UTF-8; variant=GFM"])
def test_the_card_is_the_readme_of_the_distribution_that_is_named_like_the_package(make_package, folder, kind):
    metadata = {"METADATA": README.format(name="carded-package", kind=kind)}
    info = describe_package(make_package, metadata, distribution=folder)
    assert info.card == "# Ä card\n\nA [link](https://example.com).\n"


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"METADATA": README.format(name="carded-package", kind="text/x-rst")}, id="another-format"),
        pytest.param({"METADATA": "Name: carded-package\n\n# No format\n"}, id="no-format"),
        pytest.param({"METADATA": "Description-Content-Type: text/markdown\n"}, id="no-readme"),
        pytest.param({"METADATA": ""}, id="empty"),
        pytest.param({"RECORD": ""}, id="no-metadata"),
    ],
)
def test_a_package_without_a_markdown_readme_has_an_empty_card(make_package, metadata):
    assert describe_package(make_package, metadata).card == ""


def test_a_readme_that_cannot_be_decoded_does_not_keep_a_model_from_serving(make_package):
    folder = make_package("carded_package-1.0.dist-info", {"METADATA": ""})
    (folder / "METADATA").write_bytes(b"Description-Content-Type: text/markdown\n\n\xff\xfe")
    code = MODEL.format(name="CardedModel", qualified_name="carded_model")
    make_package("carded_package", {"__init__.py": code})
    assert describe_model(import_model_class("carded_package.CardedModel")).card == ""


def test_a_package_that_was_not_installed_has_an_empty_card():
    assert describe_model(models.DoubleModel).card == ""


def test_a_long_card_is_cut(make_package):
    readme = README.format(name="carded-package", kind="text/markdown") + "x" * MAX_CARD_CHARACTERS
    assert len(describe_package(make_package, {"METADATA": readme}).card) == MAX_CARD_CHARACTERS


def test_a_package_is_about_the_only_model_that_it_names(make_package):
    make_package("only_package", {"__init__.py": MODEL.format(name="OnlyModel", qualified_name="only_model")})
    assert find_only_model("only_package") == "only_package:OnlyModel"  # not the class that it inherits from
    two = "from models import EchoModel\nfrom only_package import OnlyModel\n"
    make_package("pair_package", {"__init__.py": two})
    with pytest.raises(ModelImportFailed, match="not about one model") as caught:
        find_only_model("pair_package")
    assert caught.value.remedy == "name the class, as pair_package.EchoModel"
    make_package("modelless_package", {"__init__.py": ""})
    with pytest.raises(ModelImportFailed, match="'modelless_package' is not about one model"):
        find_only_model("modelless_package")
    with pytest.raises(ModelImportFailed, match="there is no model and no package 'absent_package'"):
        find_only_model("absent_package")
