"""Ask a server with Triton's client: ``python with_triton.py URL < requests``, in an environment that has it.

Standard input is JSON: for each model its tensors. For each model it prints the tensors of the answer, once sent and
answered as JSON, and once as bytes.
"""

import json
import sys

import numpy as np
import tritonclient.http as triton


def make_input(tensor, is_binary):
    values, datatype = tensor["data"], tensor["datatype"]
    has_null = None in values
    if datatype == "BYTES":
        values = [(value or "").encode() for value in values]
    elif has_null:
        values = [np.nan if value is None else value for value in values]
    array = np.array(values, dtype=triton.triton_to_np_dtype(datatype)).reshape(tensor["shape"])
    made = triton.InferInput(tensor["name"], list(array.shape), datatype)
    # Its JSON has no null: it would write NaN.
    made.set_data_from_numpy(array, binary_data=is_binary or has_null)
    return made


def ask(client, name, tensors, is_binary):
    metadata = client.get_model_metadata(name)
    wanted = [triton.InferRequestedOutput(each["name"], binary_data=is_binary) for each in metadata["outputs"]]
    inputs = [make_input(tensor, is_binary) for tensor in tensors]
    answer = client.infer(name, inputs, outputs=wanted, request_id="42")
    described = answer.get_response()
    assert (described["id"], described["model_name"]) == ("42", name)
    outputs = []
    for output in described["outputs"]:
        assert ("data" in output) is not is_binary
        values = answer.as_numpy(output["name"]).flatten().tolist()
        values = [value.decode() if isinstance(value, bytes) else value for value in values]
        told = {key: output[key] for key in ("name", "datatype", "shape")}
        outputs.append({**told, "parameters": output.get("parameters", {}), "data": values})
    return outputs


def refuse(call):
    try:
        call()
    except triton.InferenceServerException as error:
        return str(error)
    raise AssertionError("a mistake was answered")


def main():
    client = triton.InferenceServerClient(sys.argv[1].removeprefix("http://"))
    requests = json.load(sys.stdin)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    listed = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    assert {listed[name] for name in requests} == {"READY"}
    assert all(client.is_model_ready(name) for name in requests)
    wrong = make_input({"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}, True)
    assert "whoever runs the service" in refuse(lambda: client.load_model("iris_model"))
    assert "no model 'nobody'" in refuse(lambda: client.infer("nobody", [wrong]))
    assert "there is no such input" in refuse(lambda: client.infer("dna_lstm_model", [wrong]))
    print(
        json.dumps(
            {name: [ask(client, name, tensors, way) for way in (False, True)] for name, tensors in requests.items()}
        )
    )


main()
