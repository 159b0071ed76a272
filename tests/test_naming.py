import pytest

from model_service.naming import quote_name


@pytest.mark.parametrize("name", ["iris_model", "", "naïve", "x" * 64, "two words"])
def test_a_short_printable_name_is_quoted(name):
    assert quote_name(name) == f"'{name}'"


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "\x1b[31m", "\u202eevil", "\ud800", "tab\t"])
def test_a_long_or_unprintable_name_is_described_not_repeated(name):
    assert quote_name(name) == f"a name of {len(name)} characters"
