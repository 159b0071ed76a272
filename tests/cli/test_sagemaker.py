"""`model-service sagemaker` in a process of its own, as a container runs it."""

from pathlib import Path

import httpx
import pytest
from serving import Server, find_free_port

MODEL = """
from model_service import MLModel

class GreetingModel(MLModel):
    qualified_name, display_name, version = "greeting_model", "Greeting", "1.0.0"
    description = "Greets a person by name."
    input_schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    output_schema = {"type": "object", "properties": {"greeting": {"type": "string"}}, "required": ["greeting"]}

    def predict(self, payload):
        return {"greeting": f"Hello, {payload['name']}!"}
"""


class SageMakerServer(Server):
    """The command, in a folder without a configuration of its own."""

    def _command(self, config: Path) -> list[str]:
        command = super()._command(config)
        place = command.index("--config")
        return [*command[:place], "sagemaker", *self._options]


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_the_archive_of_a_model_is_served(tmp_path, temporary, arguments):
    archive = tmp_path / "model"
    (archive / "code/greeting_package").mkdir(parents=True)
    (archive / "code/greeting_package/__init__.py").write_text(MODEL)
    (archive / "config.yaml").write_text("server: {workers: 1}\nmodels: [{class: greeting_package.GreetingModel}]\n")
    port = find_free_port()
    environment = {"SM_MODEL_DIR": str(archive), "SAGEMAKER_BIND_TO_PORT": str(port)}
    server = SageMakerServer("", temporary, environment=environment, options=arguments)
    server.url = f"http://127.0.0.1:{port}"
    try:
        server.wait_until_ready()
        assert httpx.get(f"{server.url}/ping", headers={"host": "container"}).status_code == 200
        answer = httpx.post(f"{server.url}/invocations", content="Ada\nBob\n", headers={"content-type": "text/csv"})
        assert answer.json() == [{"greeting": "Hello, Ada!"}, {"greeting": "Hello, Bob!"}]
    finally:
        assert server.stop() == 0


def test_another_argument_is_refused(temporary):
    server = SageMakerServer("", temporary, options=["train"])
    assert server.process.wait(timeout=60) == 2
    assert "'train' is not 'serve'" in server.log.read_text()
