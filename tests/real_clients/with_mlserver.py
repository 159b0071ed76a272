"""Ask a server with MLServer's codecs: ``python with_mlserver.py URL < requests``, in an environment that has them.

Standard input is JSON: for each model its payloads. For each model it prints the columns of the answer to each of
them, decoded by what the answer says of itself. Of plain numbers it sends one array, too: ``matrix``.
"""

import json
import sys
import urllib.request

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.codecs.numpy import NumpyCodec
from mlserver.types import InferenceResponse


def make_table(row):
    # A column of texts in which one is missing cannot be encoded, so what is missing is left out.
    return PandasCodec.encode_request(pd.DataFrame([{key: value for key, value in row.items() if value is not None}]))


def ask(url, name, request):
    body = request.model_dump_json(exclude_none=True).encode()
    posted = urllib.request.Request(f"{url}/v2/models/{name}/infer", body, {"content-type": "application/json"})
    with urllib.request.urlopen(posted, timeout=60) as answer:
        response = InferenceResponse.model_validate_json(answer.read())
    outputs = []
    for output in response.outputs:
        is_text = output.datatype == "BYTES"
        values = StringCodec.decode_output(output) if is_text else NumpyCodec.decode_output(output).flatten().tolist()
        told = output.parameters.model_dump(exclude_none=True) if output.parameters else {}
        outputs.append(
            {
                "name": output.name,
                "datatype": output.datatype,
                "shape": output.shape,
                "parameters": told,
                "data": values,
            }
        )
    return outputs


def main():
    url, requests = sys.argv[1], json.load(sys.stdin)
    answers = {name: [ask(url, name, make_table(row)) for row in rows] for name, rows in requests.items()}
    flowers = np.array([list(row.values()) for row in requests["iris_model"]])
    answers["matrix"] = ask(url, "iris_model", NumpyRequestCodec.encode_request(flowers))
    print(json.dumps(answers))


main()
