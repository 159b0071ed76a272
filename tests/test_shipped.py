"""The packages that ship, as a caller meets them: served together from config.yaml."""

import random
import shutil

import httpx
import pytest
from serving import TESTS, Server

from model_service.schema.difference import find_difference

PACKAGES = TESTS.parent / "model_packages"
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
# The five applications of the classic tutorial; what is empty in the data is null here.
LOANS = [
    ("LP001015", "Male", "Yes", "0", "Graduate", "No", 5720, 0, 110, 360, 1, "Urban"),
    ("LP001022", "Male", "Yes", "1", "Graduate", "No", 3076, 1500, 126, 360, 1, "Urban"),
    ("LP001031", "Male", "Yes", "2", "Graduate", "No", 5000, 1800, 208, 360, 1, "Urban"),
    ("LP001035", "Male", "Yes", "2", "Graduate", "No", 2340, 2546, 100, 360, None, "Urban"),
    ("LP001051", "Male", "No", "0", "Not Graduate", "No", 3276, 0, 78, 360, 1, "Urban"),
]
LOAN_COLUMNS = (
    *("Loan_ID", "Gender", "Married", "Dependents", "Education", "Self_Employed", "ApplicantIncome"),
    *("CoapplicantIncome", "LoanAmount", "Loan_Amount_Term", "Credit_History", "Property_Area"),
)
# The first three days of the data, and the rentals that were counted.
DAYS = [
    ("2011-01-01", 6, 0, 2, 0.344167, 0.363625, 0.805833, 0.160446, 985),
    ("2011-01-02", 0, 0, 2, 0.363478, 0.353739, 0.696087, 0.248539, 801),
    ("2011-01-03", 1, 1, 1, 0.196364, 0.189405, 0.437273, 0.248309, 1349),
]


def predict(server: Server, model: str, payload: object) -> httpx.Response:
    return httpx.post(f"{server.url}/api/models/{model}/predict", json=payload, timeout=60)


def test_a_flower_is_recognised(shipped):
    assert predict(shipped, "iris_model", FLOWER).json()["species"] == "setosa"


def test_the_five_loans_of_the_tutorial_are_approved_and_repeat_their_ids(shipped):
    outputs = predict(shipped, "loan_model", [dict(zip(LOAN_COLUMNS, row, strict=True)) for row in LOANS]).json()
    assert [(output["Loan_ID"], output["Loan_Status"]) for output in outputs] == [(row[0], "Y") for row in LOANS]


def test_the_first_three_days_lie_inside_their_intervals(shipped):
    for i, (day, weekday, working, weather, temp, atemp, hum, wind, counted) in enumerate(DAYS):
        payload = {
            **{"instant": i + 1, "dteday": day, "season": 1, "yr": 0, "mnth": 1, "holiday": 0, "weekday": weekday},
            **{"workingday": working, "weathersit": weather, "temp": temp, "atemp": atemp, "hum": hum},
            "windspeed": wind,
        }
        full = predict(shipped, "bike_model", payload).json()
        assert full["interval"]["lower"] <= counted <= full["interval"]["upper"]
        derived = {name: payload[name] for name in ("dteday", "weathersit", "temp", "hum", "windspeed")}
        assert predict(shipped, "bike_model", derived | {"atemp": atemp}).json() == full


def test_the_binding_site_decides_and_the_two_well_known_sequences_are_told_apart(shipped):
    sequences = [
        "ACTCGCTGTCCACGTCTATTCCTAGGGGTTTTATTTCGCAAGGTGATACT",
        "TGCAAAGGGGCGACCGAACTCCCTTTACCGCGGAGTTATTCATAATTGAA",
        " tgcaaaggggcgaccgaactccctttaccgcggagttattcataattgaa\n",
    ]
    sequences.append("".join(sequences[:2]) * 50)
    outputs = predict(shipped, "dna_lstm_model", [{"dna_sequence": sequence} for sequence in sequences]).json()
    assert [output["dna_class"] for output in outputs] == [0, 1, 1, 1]
    assert ["sites" in output for output in outputs] == [False, False, False, True]
    assert [site["position"] for site in outputs[3]["sites"]] == list(range(61, 5000, 100))


@pytest.mark.parametrize(
    ("sequence", "said"),
    [("", "empty"), ("ACGT" * 12 + "AX", "X"), ("ACGT", "4"), ("ACGT" * 1251, "5004")],
    ids=["empty", "a letter that is not DNA", "too short", "too long"],
)
def test_each_classic_mistake_with_dna_has_its_own_sentence(shipped, sequence, said):
    response = predict(shipped, "dna_lstm_model", {"dna_sequence": sequence})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/dna_sequence"
    assert said in error["message"]


def test_a_coding_transcript_and_random_letters_are_told_apart(shipped):
    metadata = httpx.get(f"{shipped.url}/api/models/circrna_model/metadata").json()
    letters = random.Random(1)
    noise = {"rna_sequence": ">noise\n" + "".join(letters.choices("ACGU", k=1500)).lower()}
    outputs = predict(shipped, "circrna_model", [metadata["examples"][0], noise]).json()
    assert [output["label"] for output in outputs] == ["circRNA", "lncRNA"]
    assert [output["is_circrna"] for output in outputs] == [1, 0]


def test_the_native_models_answer_as_the_graphs_do(shipped, tmp_path):
    native = Server((TESTS.parent / "examples/config.native.yaml").read_text(), tmp_path).wait_until_ready()
    try:
        letters = random.Random(0)
        dna = [{"dna_sequence": "".join(letters.choices("ACGT", k=50))} for _ in range(200)]
        dna += [
            {"dna_sequence": row["dna_sequence"][:i] + "CGACCGAACTCC" + row["dna_sequence"][i + 12 :]}
            for i, row in enumerate(dna[:39])
        ]
        dna += [{"dna_sequence": "".join(row["dna_sequence"] for row in dna[150:])}]
        rna = [
            {"rna_sequence": "".join(letters.choices("ACGTN", [9, 7, 7, 9, 0.1], k=length))}
            for length in (200, 201, 347, 400, 1000, 3073, 9000, 38_154)
        ]
        for model, payloads in (("dna_lstm_model", dna), ("circrna_model", rna)):
            ours, theirs = predict(shipped, model, payloads).json(), predict(native, model, payloads).json()
            assert len(ours) == len(payloads)
            for one, other in zip(ours, theirs, strict=True):
                assert find_difference(one, other, tolerance=1e-4) == ""
    finally:
        assert native.stop() == 0


def test_a_weekday_that_contradicts_its_date_is_answered_and_noted(shipped):
    day, _, working, weather, temp, atemp, hum, wind, _ = DAYS[1]
    payload = {
        **{"instant": 2, "dteday": day, "season": 1, "yr": 0, "mnth": 1, "holiday": 0, "weekday": 3},
        **{"workingday": working, "weathersit": weather, "temp": temp, "atemp": atemp, "hum": hum, "windspeed": wind},
    }
    response = predict(shipped, "bike_model", payload)
    assert response.status_code == 200
    (note,) = response.json()["notes"]
    assert "weekday" in note
    assert "dteday" in note
    assert predict(shipped, "bike_model", payload | {"weekday": 0}).json() == response.json() | {"notes": []}


def test_each_model_states_its_artifacts_and_its_quality(shipped):
    for model in httpx.get(f"{shipped.url}/api/models").json()["models"]:
        assert model["state"] == "ready"
        metadata = httpx.get(shipped.url + model["links"]["metadata"]).json()
        assert any(artifact["name"] == "model.onnx" for artifact in metadata["artifacts"])
        assert metadata["metrics"]["results"]
        assert "\n## Data\n" in metadata["card"] or "\n## Model and data\n" in metadata["card"]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        pytest.param(lambda path: path.unlink(), "model.onnx is missing", id="deleted"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"), "sha256", id="changed"),
    ],
)
def test_a_package_with_a_damaged_artifact_is_explained_and_the_others_serve(tmp_path, damage, cause):
    shutil.copytree(PACKAGES / "loan_model/loan_model", tmp_path / "loan_model")
    damage(tmp_path / "loan_model/artifacts/model.onnx")
    config = (TESTS.parent / "config.yaml").read_text()
    server = Server(config, tmp_path, environment={"PYTHONPATH": str(tmp_path)}).wait_until_ready()
    try:
        models = {model["qualified_name"]: model for model in httpx.get(f"{server.url}/api/models").json()["models"]}
        assert models["loan_model"]["problem"]["code"] == "model_contract_broken"
        assert cause in models["loan_model"]["problem"]["cause"]
        assert models["loan_model"]["problem"]["remedy"]
        assert predict(server, "loan_model", {}).status_code == 503
        assert predict(server, "iris_model", FLOWER).json()["species"] == "setosa"
        assert models["bike_model"]["state"] == "ready"
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
    finally:
        server.stop()
