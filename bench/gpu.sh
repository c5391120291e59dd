#!/bin/sh
# All that is checked and measured on a GPU, in under ten minutes, on a machine with torch, transformers and peft:
#   sh bench/gpu.sh [OUT]           results and logs go to OUT (default: bench/results)
# The default model is measured too where JOURNEYMAN_DEFAULT names its directory.
set -u
cd "$(dirname "$0")/.." || exit 2
OUT=${1:-bench/results}
mkdir -p "$OUT"
PYTHONPATH=src
export PYTHONPATH
models="1.5b 8b"
if [ -n "${JOURNEYMAN_DEFAULT:-}" ]; then
    models="default $models"
    set -- --default "$JOURNEYMAN_DEFAULT"
else
    set --
fi
if python3 -c "import pytest, pytest_timeout" 2>/dev/null; then
    python3 -m pytest tests/learn/test_cuda.py 2>&1 | tee "$OUT/gpu_tests.log"
else
    echo "pytest or pytest-timeout is missing: the tests on the GPU were not run" | tee "$OUT/gpu_tests.log"
fi
# shellcheck disable=SC2086  # a list of names
exec python3 bench/gpu.py --models $models --minutes 8 --out "$OUT/gpu_step.json" "$@"
