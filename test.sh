#!/bin/sh
# Sets everything up and runs the tests: all, or with --quick those that take little time, for work
# in between. Further arguments go to pytest.
set -eu
cd "$(dirname "$0")"
# Set in many containers; hundreds of processes of the tap would each compile it and the SDK anew.
unset PYTHONDONTWRITEBYTECODE
./scripts/uv sync --quiet --inexact
if [ "${1:-}" = --quick ]; then
    shift
    set -- -m "not slow" --hypothesis-profile=quick "$@"
fi
# Tests that share something costly, such as PostgreSQL, go to one worker together.
exec .venv/bin/python -m pytest -n "${WORKERS:-2}" --dist loadgroup "$@"
