# Two commands do everything on a machine with Python 3.11: `make serve` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(wildcard model_packages/*)
PROJECTS := . $(PACKAGES)
# What callers install; the server does without it.
CLIENT := clients/python
EDITABLE := $(foreach project,$(PROJECTS),--editable $(project))
# An installation is repeated when what it installs from has changed.
SOURCES := setup.py pyproject.toml $(wildcard model_packages/*/pyproject.toml model_packages/*/README.md)
# Clients of other servers, and the writer of the SBOM, whose dependencies are not ours.
CLIENTS := $(basename $(notdir $(wildcard requirements/clients/*.txt)))
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: serve
serve: $(VENV)/.serve  ## Install what the server needs and run it with every shipped model
	$(BIN)/model-service serve

.PHONY: serve-native
serve-native: $(VENV)/.native  ## The same with the deep models in TensorFlow and PyTorch instead of ONNX Runtime
	$(BIN)/model-service --config examples/config.native.yaml serve

.PHONY: test
test: $(VENV)/.dev tools  ## Install everything, check everything, run every test
	@# Without a browser, PostgreSQL, proxies, npm's packages or the clients of other servers, tests are skipped, and
	@# pytest says which; continuous integration wants them all.
	@$(MAKE) --no-print-directory browser || [ -z "$$CI" ]
	@$(MAKE) --no-print-directory postgresql || [ -z "$$CI" ]
	@$(MAKE) --no-print-directory proxies || [ -z "$$CI" ]
	@$(MAKE) --no-print-directory store || [ -z "$$CI" ]
	@$(MAKE) --no-print-directory typescript || [ -z "$$CI" ]
	@$(MAKE) --no-print-directory clients || [ -z "$$CI" ]
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: test-python
test-python:  ## Run the suite on another Python, without browsers and the clients of others: PYTHON=python3.13
	$(MAKE) --no-print-directory VENV=.venv-$(notdir $(PYTHON)) .venv-$(notdir $(PYTHON))/.dev
	.venv-$(notdir $(PYTHON))/bin/python -m pytest --ignore tests/browser --ignore tests/real_clients

.PHONY: browser
browser:  ## Install Chromium, which the tests of the pages need, where there is no browser
	@if [ -n "$$CHROMIUM" ]; then \
	  [ -x "$$CHROMIUM" ] || { echo "CHROMIUM names no browser: $$CHROMIUM" >&2; exit 1; }; \
	elif [ -x /usr/bin/chromium ] || command -v chromium || command -v chromium-browser || command -v google-chrome; then \
	  echo "there is a browser"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes chromium fonts-dejavu-core fonts-liberation; \
	else \
	  echo "install Chromium (as root: apt-get install chromium), or name a browser in CHROMIUM" >&2; exit 1; \
	fi

.PHONY: postgresql
postgresql:  ## Install PostgreSQL, which the tests of jobs start for themselves, where there is none
	@if command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null; then \
	  echo "there is a PostgreSQL"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes postgresql; \
	else \
	  echo "install PostgreSQL (as root: apt-get install postgresql)" >&2; exit 1; \
	fi

.PHONY: proxies
proxies:  ## Install nginx and Caddy, whose examples in deploy/ are tested, where there are none
	@if command -v nginx && command -v caddy; then \
	  echo "there are nginx and Caddy"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes nginx-light caddy; \
	else \
	  echo "install nginx and Caddy (as root: apt-get install nginx-light caddy)" >&2; exit 1; \
	fi

.PHONY: store
store:  ## Install Redis, in which the tests of limits count, where there is neither it nor Valkey
	@if command -v valkey-server || command -v redis-server; then \
	  echo "there is a store"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes redis-server; \
	else \
	  echo "install Redis (as root: apt-get install redis-server)" >&2; exit 1; \
	fi

.PHONY: typescript
typescript: tests/typescript/node_modules/.package-lock.json  ## Install what the tests of a TypeScript client need

.PHONY: grpc
grpc: $(VENV)/.dev  ## Compile model_service/transports/grpc/inference.proto after a change
	cd model_service/transports/grpc && $(abspath $(BIN))/python -m grpc_tools.protoc --proto_path=. \
	  --descriptor_set_out=inference.binpb inference.proto

.PHONY: clients
clients: $(CLIENTS:%=.clients/%/.done)  ## Install the clients of other servers, each in an environment of its own

.clients/%/.done: requirements/clients/%.txt
	$(PYTHON) -m venv .clients/$*
	.clients/$*/bin/python -m pip --quiet --disable-pip-version-check install --requirement $<
	touch $@

.PHONY: check
check: $(VENV)/.dev tools  ## Format, lint, types, layers, openapi.yaml and documents
	$(BIN)/python -m pytest --quiet tests/test_architecture.py tests/test_docs.py tests/test_openapi.py

.PHONY: tools
tools: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: fix
fix: $(VENV)/.dev  ## Format, fix what can be fixed, write the generated files again
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(MAKE) openapi docs

.PHONY: openapi
openapi: $(VENV)/.serve  ## Write openapi.yaml from config.yaml
	$(BIN)/model-service openapi > openapi.yaml

.PHONY: docs
docs: $(VENV)/.serve  ## Write docs/configuration.md
	$(BIN)/model-service settings > docs/configuration.md

.PHONY: images
images: $(VENV)/.dev  ## Take the pictures of the README again, with the browser
	PYTHONPATH=tests $(BIN)/python tests/browser/screenshots.py docs/images

.PHONY: train
train: $(VENV)/.dev  ## Train the shipped models again: make train DATA=folder of loan/ bike/ dna/ circrna/
	$(BIN)/python -m iris_model.train
	$(BIN)/python -m loan_model.train --data $(DATA)/loan/train.csv
	$(BIN)/python -m bike_model.train --data $(DATA)/bike/train.csv
	$(BIN)/python -m dna_lstm_model.train --data $(DATA)/dna/train.csv
	$(BIN)/python -m circrna_model.train --data $(DATA)/circrna/train.csv.gz

.PHONY: bench
bench: $(VENV)/.dev  ## Measure against peers and floors, and growth; write docs/benchmarks.md (50 minutes; needs wrk, Java)
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.serving.report

.PHONY: bench-quick
bench-quick: $(VENV)/.dev  ## A few of the same measurements, to look at only (5 minutes)
	$(BIN)/python -m benchmarks.serving --quick
	$(BIN)/python -m benchmarks.serving.report benchmarks/.work/quick.json --print

.PHONY: wheel
wheel: $(VENV)/bin/python  ## Build the wheels of the service and of its client in dist/, for other projects and environments
	@# What an earlier build left there would become part of the wheel.
	rm -rf build $(CLIENT)/build
	$(PIP) wheel --no-deps --wheel-dir dist . ./$(CLIENT)

.PHONY: sbom
sbom: .clients/cyclonedx/.done  ## Write build/sbom.json, a CycloneDX bill of what `make serve` installs
	@# In an environment of its own: that of development holds much that is not served.
	$(PYTHON) -m venv --clear build/served
	build/served/bin/python -m pip --quiet --disable-pip-version-check install --requirement requirements/serve.txt
	PYTHONWARNINGS=ignore build/served/bin/python -m pip --quiet --disable-pip-version-check install --no-deps \
	  --no-build-isolation $(EDITABLE)
	.clients/cyclonedx/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.json build/served/bin/python

.PHONY: lock
lock:  ## Resolve the dependencies again into requirements/*.txt
	./requirements/lock.sh $(PYTHON)

.PHONY: clean
clean:  ## Remove the environment and everything that was built
	rm -rf $(VENV) .venv-* .clients build dist tests/typescript/node_modules benchmarks/.work benchmarks/packages/*/artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: $(VENV)/bin/python requirements/serve.txt $(SOURCES)
	$(PIP) install --requirement requirements/serve.txt
	@# setuptools warns about every editable installation.
	PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation $(EDITABLE)
	touch $@

$(VENV)/.native: $(VENV)/.serve requirements/native.txt
	$(PIP) install --requirement requirements/native.txt
	touch $@

$(VENV)/.dev: $(VENV)/.serve requirements/dev.txt $(CLIENT)/pyproject.toml
	$(PIP) install --requirement requirements/dev.txt
	PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable $(CLIENT)
	touch $@

# The environment has a Node.js of its own, from a wheel.
tests/typescript/node_modules/.package-lock.json: $(VENV)/.dev tests/typescript/package-lock.json
	PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix tests/typescript --ignore-scripts --no-audit --no-fund --silent
	@# npm gives it the time of what it has unpacked.
	@touch $@
