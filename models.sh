#!/bin/sh
# Builds the models of transform/ in a DuckDB file: ./models.sh output/sandbox.duckdb [schema of the tables]
set -eu
file=$(realpath "$1")
cd "$(dirname "$0")"
./scripts/uv sync --quiet --inexact --no-default-groups --group transform
export DBT_DUCKDB_PATH="$file" DBT_DUCKDB_SCHEMA="${2:-main}" DO_NOT_TRACK=1
exec .venv/bin/dbt --quiet build --project-dir transform --profiles-dir transform/profiles/duckdb
