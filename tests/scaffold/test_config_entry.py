"""A model is added to a configuration, and whatever else stands there stays as it is."""

import pytest
import yaml

from model_service.config_file import load_config
from model_service.errors import ConfigInvalid
from model_service.scaffold.config_entry import add_entry

ENTRY = "  - class: churn_model.ChurnModel\n    backend: process  # a comment"
CLASS = "churn_model.ChurnModel"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "models:\n",
        "models: []\n",
        "models: null  # none yet\n",
        "models:\n  - class: models.DoubleModel\n",
        "models:\n- class: models.DoubleModel  # the first\n\n# more below\nserver:\n  port: 9000  # ours\n",
        "server:\n  port: 9000\nmodels:\n    - class: models.DoubleModel\n      backend: process\n    # the end\n",
        "server: {port: 9000}\n",
        "models:\r\n  - class: models.DoubleModel\r\nserver:\r\n  port: 9000\r\n",
        "models:\n  - class: models.DoubleModel",
    ],
)
def test_every_line_stays_and_the_model_is_the_last_one(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text, newline="")
    before = load_config(path)
    assert add_entry(path, ENTRY, CLASS)
    after, written = load_config(path), path.read_bytes().decode()
    assert [model.class_path for model in after.models] == [*(model.class_path for model in before.models), CLASS]
    assert after.models[-1].backend == "process"
    assert (after.models[:-1], after.server) == (before.models, before.server)
    for line in text.splitlines():
        assert line in written.splitlines() or line.startswith("models: ")
    for comment in ("# nothing yet", "# none yet", "# the first", "# more below", "# ours", "# the end"):
        assert (comment in written) == (comment in text)
    assert not add_entry(path, ENTRY, CLASS)
    assert path.read_bytes().decode() == written
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


def test_a_file_that_is_not_there_is_made(tmp_path):
    assert add_entry(tmp_path / "config.yaml", ENTRY, CLASS)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {
        "models": [{"class": CLASS, "backend": "process"}]
    }


@pytest.mark.parametrize(
    "text",
    [
        "models: [{class: models.DoubleModel}]\n",
        "models: &all\n  - class: models.DoubleModel\n",
        "{models: [{class: models.DoubleModel}]}\n",
        "mödels: 3\n",
    ],
)
def test_a_list_that_is_written_in_another_way_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match="class: churn_model.ChurnModel|unknown key"):
        add_entry(path, ENTRY, CLASS)
    assert path.read_text() == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


def test_a_link_stays_a_link_and_the_mode_stays_the_mode(tmp_path):
    (tmp_path / "real.yaml").write_text("models: []\n")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / "config.yaml").symlink_to("real.yaml")
    assert add_entry(tmp_path / "config.yaml", ENTRY, CLASS)
    assert (tmp_path / "config.yaml").is_symlink()
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o640
    assert CLASS in (tmp_path / "real.yaml").read_text()
