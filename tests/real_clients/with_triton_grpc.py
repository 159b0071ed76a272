"""Ask a server with Triton's gRPC client: ``python with_triton_grpc.py HOST:PORT < requests``, where that is installed.

Standard input is JSON: for each model its tensors. It prints the tensors of each answer.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import triton_to_np_dtype


def make_input(tensor):
    values, datatype = tensor["data"], tensor["datatype"]
    if datatype == "BYTES":
        values = [(value or "").encode() for value in values]
    elif None in values:
        values = [np.nan if value is None else value for value in values]
    array = np.array(values, dtype=triton_to_np_dtype(datatype)).reshape(tensor["shape"])
    made = triton.InferInput(tensor["name"], list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def ask(client, name, tensors):
    answer = client.infer(name, [make_input(tensor) for tensor in tensors], request_id="42", client_timeout=60)
    response = answer.get_response()
    assert (response.id, response.model_name) == ("42", name)
    outputs = []
    for output in response.outputs:
        values = answer.as_numpy(output.name).flatten().tolist()
        outputs.append(
            {
                "name": output.name,
                "datatype": output.datatype,
                "shape": [*output.shape],
                "parameters": {key: value.string_param for key, value in output.parameters.items()},
                "data": [value.decode() if isinstance(value, bytes) else value for value in values],
            }
        )
    return outputs


def refuse(call):
    try:
        call()
    except triton.InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    raise AssertionError("a mistake was answered")


def main():
    client = triton.InferenceServerClient(sys.argv[1])
    requests = json.load(sys.stdin)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert "binary_tensor_data" in client.get_server_metadata().extensions
    states = {model.name: model.state for model in client.get_model_repository_index().models}
    assert {states[name] for name in requests} == {"READY"}
    assert all(client.is_model_ready(name) for name in requests)
    wrong = make_input({"name": "x", "datatype": "FP64", "shape": [1], "data": [1]})
    assert "whoever runs the service" in refuse(lambda: client.load_model("iris_model"))
    assert "NOT_FOUND no model 'nobody'" in refuse(lambda: client.infer("nobody", [wrong]))
    assert "there is no such input" in refuse(lambda: client.infer("dna_lstm_model", [wrong]))
    print(json.dumps({name: ask(client, name, tensors) for name, tensors in requests.items()}))


main()
