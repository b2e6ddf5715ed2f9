"""The same account by dlt's REST source into DuckDB: what the whole way is held against.

Runs in an environment of its own, since dlt is no dependency of the project. Arrays stay JSON, as
they do in this project's tables, so that both do the same work.
"""

from __future__ import annotations

import sys
from typing import Any

import dlt  # type: ignore[import-not-found]
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]

KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")


def source(url: str, key: str, token: str, *, tracking: bool) -> Any:
    """Contacts, or the six reports of campaigns that were sent."""
    resources: list[dict[str, Any]] = []
    if not tracking:
        resources.append(
            {
                "name": "contacts",
                "primary_key": "id",
                "endpoint": {"path": "contacts", "params": {"status": "ALL", "limit": 500}},
            }
        )
    else:
        resources.append(
            {
                "name": "campaigns",
                "primary_key": "id",
                "endpoint": {
                    "path": "emailmarketing/campaigns",
                    "params": {"status": "SENT", "limit": 50},
                },
            }
        )
        resources += [
            {
                "name": f"campaign_{kind}",
                "endpoint": {
                    "path": f"emailmarketing/campaigns/{{resources.campaigns.id}}/tracking/{kind}",
                    "params": {"limit": 500},
                },
            }
            for kind in KINDS
        ]
    return rest_api_source(
        {
            "client": {
                "base_url": f"{url}/",
                "headers": {"Authorization": f"Bearer {token}"},
                "auth": {"type": "api_key", "name": "api_key", "api_key": key, "location": "query"},
                "paginator": {
                    "type": "json_link",
                    "next_url_path": "meta.pagination.next_link",
                },
            },
            "resource_defaults": {
                "write_disposition": "merge" if not tracking else "append",
                "endpoint": {"data_selector": "results"},
            },
            "resources": resources,
        },
        max_table_nesting=0,
    )


def main() -> None:
    """Take address, key, token, file, and the word `tracking` for reports instead."""
    url, key, token, path, *words = sys.argv[1:]
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.duckdb(path),
        dataset_name="account",
        pipelines_dir=f"{path}.state",
    )
    pipeline.run(source(url, key, token, tracking="tracking" in words))


if __name__ == "__main__":
    main()
