import re
import traceback

import pytest

from model_service import errors


def walk(kind, depth=0):
    yield depth, kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from walk(child, depth + 1)


TREE = list(walk(errors.ServiceError))
LEAVES = [kind for depth, kind in TREE if depth == 2]
GROUPS = [kind for depth, kind in TREE if depth == 1]


def make(kind):
    if issubclass(kind, errors.PackageError):
        return kind("it broke", cause="a fault", remedy="mend it")
    return kind("it broke")


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = []
    for line in errors.__doc__.splitlines():
        if match := re.match(r"    ((?:\|  |   )*)([|`]- )?([A-Z]\w+)( {3,}\S.*)?$", line):
            drawn.append((len(match[1]) // 3 + bool(match[2]), match[3]))
    assert drawn == [(depth, kind.__name__) for depth, kind in TREE]


def test_every_error_of_the_module_is_in_the_tree():
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == {kind for _, kind in TREE}


def test_the_tree_is_two_levels_deep():
    assert {depth for depth, _ in TREE} == {0, 1, 2}


@pytest.mark.parametrize("kind", [kind for _, kind in TREE])
def test_the_code_is_the_name_in_snake_case(kind):
    assert kind.code == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def test_codes_and_titles_are_unique():
    for attribute in ("code", "title"):
        values = [vars(kind)[attribute] for _, kind in TREE]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("kind", [kind for _, kind in TREE])
def test_a_title_is_one_short_sentence_and_every_class_says_what_it_means(kind):
    assert re.fullmatch(r"[A-Z][^.]{5,70}\.", kind.title)
    assert kind.__doc__


@pytest.mark.parametrize("kind", [*LEAVES, *GROUPS])
def test_every_error_has_its_message_and_no_violations_unless_given(kind):
    error = make(kind)
    assert error.message == str(error) == "it broke"
    assert error.violations == ()


def test_violations_are_kept_in_order_from_any_iterable():
    found = [errors.Violation(f"/{i}", "type", "expected a number") for i in range(3)]
    assert errors.PayloadInvalid("it broke", iter(found)).violations == tuple(found)


def test_a_package_error_says_cause_and_remedy():
    error = make(errors.ModelLoadFailed)
    assert (error.cause, error.remedy) == ("a fault", "mend it")
    assert "".join(traceback.format_exception(error)).endswith("it broke\ncause: a fault\nremedy: mend it\n")
    with pytest.raises(TypeError):
        errors.ModelLoadFailed("it broke")


def test_a_capacity_error_says_when_to_try_again():
    assert errors.QueueFull("it is full").retry_after_s == 1
    assert errors.QueueFull("it is full", retry_after_s=9).retry_after_s == 9
