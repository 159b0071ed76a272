"""Models in a notebook: cells between `# %%` lines, which Jupyter (with jupytext), VS Code and PyCharm open as one.

Run it as it is, from the folder of `config.yaml`: `python examples/notebook.py`.
"""

# %% [markdown]
# Load models into this process. `model_service.load("config.yaml")` loads all of a service;
# a list of classes loads those.

# %%
import pandas as pd

import model_service

models = model_service.load(["iris_model.IrisModel", "loan_model.LoanModel"])
print(models)  # in a notebook, `models` as the last line of a cell is a table

# %%
iris = models["iris_model"]
print(iris)

# %% [markdown]
# One payload is a dict. Its values may be of NumPy, and NaN is a value that is not there.

# %%
flower = iris.info.examples[0]
print(flower, "->", iris.predict(flower))

# %% [markdown]
# A data frame of pandas or polars has a column per field; the answer is a frame with the same index.

# %%
frame = pd.DataFrame(list(iris.info.examples))
print(frame.join(iris.predict(frame)).T)

# %% [markdown]
# What is wrong stands in the text of the error: every field at once.

# %%
try:
    iris.predict({**flower, "petal_length": -1})
except model_service.ServiceError as error:
    print(error)

# %%
models.close()
