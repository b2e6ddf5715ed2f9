#!/bin/sh
# Builds the models in a DuckDB file and writes report.html beside it: ./report.sh output/constantcontact.duckdb [schema of
# the tables]
set -eu
file=$(realpath "$1")
cd "$(dirname "$0")"
./models.sh "$file" "${2:-main}"
./scripts/uv sync --quiet --inexact --no-default-groups --group report
exec .venv/bin/constantcontact-report "$file" --schema "${2:-main}_constant_contact"
