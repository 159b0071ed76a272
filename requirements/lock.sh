#!/bin/sh
# Resolve pyproject.toml, native.in, dev.in and clients.in into serve.txt, native.txt, dev.txt and clients.txt: names and
# versions, no hosts.
# Usage: requirements/lock.sh [python]
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m venv "$folder/venv"
pip="$folder/venv/bin/python -m pip --disable-pip-version-check"
freeze() {
    # Our own projects are installed from this checkout, never from a list.
    # A local label such as +cpu names a build, which not every index has.
    $pip list --format=freeze --exclude pip | sed 's/+cpu$//' | grep -viE '^(model[-_]service|[a-z]+([-_]lstm)?[-_]model)==' >"$1"
}

# setuptools builds our own projects without an isolated environment.
$pip install --quiet 'setuptools>=77' '.[serve,jobs]' ./model_packages/*
freeze requirements/serve.txt
$pip install --quiet --constraint requirements/serve.txt --requirement requirements/native.in
freeze requirements/native.txt
$pip install --quiet --constraint requirements/native.txt --requirement requirements/dev.in
freeze requirements/dev.txt

# Clients that would hold back what the tests use, in an environment of their own.
"$python" -m venv "$folder/clients"
pip="$folder/clients/bin/python -m pip --disable-pip-version-check"
$pip install --quiet --requirement requirements/clients.in
freeze requirements/clients.txt
