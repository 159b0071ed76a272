"""Ask a server with KServe's client: ``python with_kserve.py URL < requests``, in an environment that has it.

Standard input is JSON: for each model its payloads and its tensors. For each model it prints the predictions of V1, and
the tensors of the answers of V2.
"""

import asyncio
import json
import sys

import httpx
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


def make_request(name, tensors):
    inputs = [InferInput(each["name"], each["shape"], each["datatype"], each["data"]) for each in tensors]
    return InferRequest(name, inputs, request_id="42")


async def refuse(call):
    try:
        await call
    except httpx.HTTPStatusError as error:
        return str(error)
    raise AssertionError("a mistake was answered")


async def ask(url, requests):
    one, two = InferenceRESTClient(RESTConfig(protocol="v1")), InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await one.is_server_live(url, headers={"accept": "application/json"})
    assert await two.is_server_live(url)
    assert await two.is_server_ready(url)
    answers = {}
    for name, (payloads, tensors) in requests.items():
        assert await one.is_model_ready(url, name)
        assert await two.is_model_ready(url, name)
        predictions = (await one.infer(url, {"instances": payloads}, model_name=name))["predictions"]
        answer = await two.infer(url, make_request(name, tensors), model_name=name)
        assert (answer.id, answer.model_name) == ("42", name)
        told = [
            {
                "name": each.name,
                "datatype": each.datatype,
                "shape": each.shape,
                "data": each.data,
                "parameters": each.parameters,
            }
            for each in answer.outputs
        ]
        answers[name] = [predictions, told]
    wrong = make_request("iris_model", [{"name": "z", "datatype": "FP64", "shape": [1, 1], "data": [1.0]}])
    assert "tensor 'z': expected numbers of shape" in await refuse(two.infer(url, wrong, model_name="iris_model"))
    assert "no model 'nobody'" in await refuse(two.infer(url, wrong, model_name="nobody"))
    await one.close()
    await two.close()
    return answers


print(json.dumps(asyncio.run(ask(sys.argv[1], json.load(sys.stdin)))))
