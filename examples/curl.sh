#!/bin/sh
# Call the service from a shell: examples/curl.sh [base address]
set -eu
base=${1:-http://localhost:8000}

echo '# what is served'
curl -sS "$base/api/models"
echo

echo '# one payload'
curl -sS "$base/api/models/iris_model/predict" -H 'content-type: application/json' \
    -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
echo

echo '# several, and the version that answered'
curl -sS -D - "$base/api/models/iris_model/predict" -H 'content-type: application/json' -d '[
    {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
    {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5}]' |
    grep -iE '^(x-model-version|\[)'
