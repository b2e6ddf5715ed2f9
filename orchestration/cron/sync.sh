#!/bin/sh
# Syncs the accounts of accounts.txt with one budget: sync.sh PROJECT LOADER [MODELS]. In a crontab:
# 15 5 * * *  /path/to/sync.sh /path/to/project target-postgres dbt-postgres:build
set -eu
cd "$1"; set -a; . ./.env; set +a
exec 9> .sync.lock; flock -n 9 || exit 0
meltano state list > /dev/null 2>&1  # Meltano creates its database, which only one may do.
each() { xargs -r -P "${WORKERS:-4}" -I{} "$@" || true; }  # One account does not stop the others.
constantcontact-budget unknown $(cat accounts.txt) --lines | each meltano invoke "tap-constantcontact--{}:plan"
for round in "" --rest; do
    constantcontact-budget share $round --lines $(cat accounts.txt) | each meltano run "tap-constantcontact--{}" "$2"
done
[ -z "${3:-}" ] || meltano invoke "$3"
constantcontact-budget show
