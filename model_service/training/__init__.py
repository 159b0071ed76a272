"""What training scripts share. For model packages; the platform never imports it.

    runs.py       the command line of a training, and what it leaves: metrics, reference, manifest
    reference.py  what the training rows looked like, for later comparisons
    rows.py       a CSV file as payloads and labels, typed by the schema
    parity.py     whether a graph answers as the model that it was made from
    sklearn.py    export_sklearn: a scikit-learn pipeline as a graph
    missing_texts.py, doubles.py   what is changed in a copy of a pipeline for that
    pipelines.py  what a trained pipeline says of itself
    torch.py      export_torch: a PyTorch module as a graph
    keras.py      export_keras: a Keras model as a graph

A package's ``train.py``:

    def train(training: Training) -> None:
        table = read_csv(training.data)
        training.describe_data(table.payloads)
        training.report("logistic regression", SPLIT, accuracy=scores)
        export_sklearn(pipeline, table.frame, training.out / "model.onnx")

    def main(arguments: list[str] | None = None) -> None:
        run(train, IrisModel, task="classification", made_with=("scikit-learn",), arguments=arguments)

`runs.py`, `rows.py` and `reference.py` need Python alone; the others need the extra ``train`` and their framework.
"""

from model_service.training.runs import Training, run

__all__ = ["Training", "run"]
