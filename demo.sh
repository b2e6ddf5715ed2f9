#!/bin/sh
# Sets everything up and syncs a made-up account into output/sandbox.duckdb. Run it again to see an
# incremental sync; `./demo.sh --v3` shows the API v3, signing in included; `--fresh` starts over.
set -eu
cd "$(dirname "$0")"
./scripts/uv sync --quiet --inexact --no-default-groups --group demo
exec .venv/bin/python -m sandbox.demo "$@"
