"""Configurations of tests, and of what ships."""

from model_service.config import AccessConfig, ModelConfig, ServerConfig, ServiceConfig

#: The packages that ship with the service, as config.yaml lists them.
SHIPPED = (
    "iris_model.IrisModel",
    "loan_model.LoanModel",
    "bike_model.BikeModel",
    "dna_lstm_model.DnaLstmModel",
    "circrna_model.CircRnaModel",
)


def make_config(*models: str | ModelConfig, access: AccessConfig | None = None, **server: object) -> ServiceConfig:
    """Return a configuration of models, or of their class paths, with server settings, and who may call."""
    return ServiceConfig(
        models=tuple(model if isinstance(model, ModelConfig) else ModelConfig(class_path=model) for model in models),
        access=access or AccessConfig(),
        server=ServerConfig(**server),  # type: ignore[arg-type] - each test passes what the field takes
    )
