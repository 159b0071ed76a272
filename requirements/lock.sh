#!/bin/sh
# Resolve pyproject.toml, native.in, dev.in and clients/*.in into lists of the same name: names and versions, no hosts.
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
$pip install --quiet 'setuptools>=77' '.[serve,jobs,grpc]' ./model_packages/*
freeze requirements/serve.txt
$pip install --quiet --constraint requirements/serve.txt --requirement requirements/native.in
freeze requirements/native.txt
$pip install --quiet --constraint requirements/native.txt --requirement requirements/dev.in
freeze requirements/dev.txt
# The clients of other servers depend on nothing of ours, and not on each other.
for list in requirements/clients/*.in; do
    "$python" -m venv --clear "$folder/venv"
    $pip install --quiet --requirement "$list"
    freeze "${list%.in}.txt"
done
