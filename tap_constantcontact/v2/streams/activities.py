"""Bulk jobs: imports, exports, removals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class Activities(ConstantContactStream):
    """The last 50 jobs of the last 14 days (docs/api/v2.md §6).

    All that the API still shows is read each time: it is one call, and a job changes until it has
    ended. Errors and warnings are in a job's detail only, which is read where there are any.
    """

    name = "activities"
    path = "/activities"
    envelope = envelopes.ARRAY
    primary_keys = ("id",)
    replication_key = "created_date"

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for row in self.with_string_ids(super().parse_response(response)):
            result = None
            if row.get("error_count"):
                result = self.fetch_detail(self._path_of(row), row["id"])
            yield {**row, **(result or {})}

    def _path_of(self, job: Record) -> str:
        return f"{self.path}/{quote(job['id'], safe='')}"

    @override
    def forecast_requests(self) -> RequestForecast:
        for call in super().forecast_requests():
            yield call
            for job in (yield from self.await_rows(call)):
                if job.get("error_count"):
                    yield self.prefetch_detail(self._path_of(job))

    @override
    def estimate(self) -> tuple[int, str]:
        failed = sum(
            bool(job.get("error_count")) for job in self.fetch_page(self.path, self.envelope)
        )
        return 1 + failed, f"{failed} with errors"

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        if "contacts_count" in row:  # As some answers spell it.
            row.setdefault("contact_count", row.pop("contacts_count"))
        for field in ("errors", "warnings"):
            if isinstance(row.get(field), list):
                # Plain text in newer answers, objects in older ones.
                row[field] = [
                    each if isinstance(each, dict) else {"message": each}
                    for each in row[field]
                    if each is not None
                ]
        return row
