import pytest
import yaml

from model_service import errors
from model_service.cli.errors import EXIT_CODES, find_exit_code, format_error
from model_service.cli.main import cli, main
from model_service.records import Violation

pytestmark = pytest.mark.usefixtures("manager")  # each command loads models into the one manager
GROUPS = [group for group in errors.ServiceError.__subclasses__() if group.__module__ == errors.__name__]
LEAVES = [leaf for group in GROUPS for leaf in group.__subclasses__() if leaf.__module__ == errors.__name__]


def make(kind, *violations):
    if issubclass(kind, errors.PackageError):
        return kind("it broke", cause="a fault", remedy="mend it")
    return kind("it broke", violations) if violations else kind("it broke")


def end(capsys, *arguments):
    """Run the program; return its exit code and its standard error."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert printed.out == ""
    return caught.value.code, printed.err


@pytest.fixture
def config(tmp_path):
    classes = ["DoubleModel", "RaisingModel", "WrongOutputModel", "UnloadableModel"]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": [{"class": f"models.{name}"} for name in classes]}))
    return path


def test_every_group_has_an_exit_code_of_its_own():
    assert set(EXIT_CODES) == set(GROUPS)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert not set(EXIT_CODES.values()) & {0, 1, 2}


@pytest.mark.parametrize("kind", [*LEAVES, *GROUPS])
def test_an_error_ends_with_the_code_of_its_group(kind):
    assert find_exit_code(make(kind)) == next(code for group, code in EXIT_CODES.items() if issubclass(kind, group))


def test_an_error_of_no_group_ends_with_1():
    assert find_exit_code(errors.ServiceError("it broke")) == 1


def test_the_help_names_every_exit_code():
    text = cli.help.partition("Exit codes:")[2]
    for code in (0, 1, 2, *EXIT_CODES.values()):
        assert f" {code} " in text.replace("\n", " ")


@pytest.mark.parametrize("kind", [*LEAVES, *GROUPS])
def test_every_error_starts_with_its_message(kind):
    assert format_error(make(kind)).splitlines()[0] == "Error: it broke"


def test_violations_are_printed_a_line_each_with_their_pointers():
    found = Violation("/x", "type", "expected a number"), Violation("", "minProperties", "expected at least 1 fields")
    assert format_error(make(errors.PayloadInvalid, *found)).splitlines() == [
        "Error: it broke",
        "  /x: expected a number",
        "  /: expected at least 1 fields",
    ]


def test_a_package_error_is_printed_with_cause_and_remedy():
    lines = format_error(make(errors.ModelLoadFailed)).splitlines()
    assert lines == ["Error: it broke", "  cause: a fault", "  remedy: mend it"]


def test_a_missing_configuration_ends_with_3(capsys, tmp_path):
    code, text = end(capsys, "--config", tmp_path / "none.yaml", "models")
    assert code == 3
    assert text.startswith("Error: no configuration file ")


def test_a_wrong_key_in_the_configuration_ends_with_3(capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("modles: []")
    code, text = end(capsys, "--config", path, "check-config")
    assert code == 3
    assert "did you mean 'models'?" in text


def test_the_same_model_twice_ends_with_4_and_names_both_origins(capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("models: [{class: models.DoubleModel}, {class: models.DoubleModelAgain}]")
    code, text = end(capsys, "--config", path, "models")
    assert code == 4
    assert "  cause: both 'models.DoubleModel' and 'models.DoubleModelAgain' provide it\n  remedy: " in text


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("no_model", "{}", 5),
        ("double_model", "{", 5),
        ("double_model", "[]", 5),
        ("double_model", '{"x": "one"}', 5),
        ("raising_model", '{"x": -1}', 6),
        ("wrong_output_model", '{"x": -1}', 6),
        ("unloadable_model", '{"x": 1}', 4),  # no other try will do: the package must be mended
    ],
)
def test_a_prediction_that_fails_ends_with_the_code_of_who_must_act(capsys, config, name, payload, code):
    found, text = end(capsys, "--config", config, "predict", name, "--json", payload)
    assert found == code
    assert any(line.startswith("Error: ") for line in text.splitlines())
    assert ("Traceback" in text) == (code in (4, 6))  # only of what the package's own code has raised


def test_a_prediction_with_a_broken_package_tells_cause_and_remedy(capsys, config):
    _, text = end(capsys, "--config", config, "predict", "unloadable_model", "--json", '{"x": 1}')
    assert "cause: OSError: the weights are gone" in text
    assert "remedy: " in text


def test_a_wrong_command_line_ends_with_2(capsys, config):
    code, text = end(capsys, "--config", config, "predict")
    assert code == 2
    assert text.startswith("Usage: model-service predict")


def test_a_command_that_succeeds_ends_with_0(capsys, config):
    with pytest.raises(SystemExit) as caught:
        main(["--config", str(config), "predict", "double_model", "--json", '{"x": 1}'])
    assert caught.value.code == 0
    assert capsys.readouterr().out == '{"y":2}\n'
