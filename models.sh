#!/bin/sh
# Builds the models of transform/ in a DuckDB file: ./models.sh output/sandbox.duckdb [schema of the tables]
set -eu
file=$(realpath "$1")
schema=${2:-main}
cd "$(dirname "$0")"
./scripts/uv sync --quiet --inexact --no-default-groups --group transform
export DBT_DUCKDB_PATH="$file" DO_NOT_TRACK=1
exec .venv/bin/dbt --quiet build --project-dir transform --profiles-dir transform/profiles/duckdb \
    --vars "{constant_contact__schema: $schema}"
