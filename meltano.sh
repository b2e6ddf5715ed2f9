#!/bin/sh
# Runs Meltano on your own account, with all that the project brings: `./meltano.sh run
# tap-constantcontact target-duckdb-file`. Sets everything up the first time.
set -eu
cd "$(dirname "$0")"
./scripts/uv sync --quiet --inexact --no-default-groups --group demo
export PATH="$PWD/.venv/bin:$PATH"
# Meltano installs loaders with a uv of its own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
exec .venv/bin/meltano --environment="${MELTANO_ENVIRONMENT:-prod}" "$@"
