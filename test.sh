#!/bin/sh
# Sets everything up and runs the tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")"
./scripts/uv sync --quiet --inexact
exec .venv/bin/python -m pytest "$@"
