"""The envelopes of v2 that are its own."""

from __future__ import annotations

from tap_constantcontact.http import envelopes

#: `{"meta": {"pagination": {"next_link": …}}, "results": […]}` (docs/api/v2.md §2.3).
PAGED = envelopes.paged("results", "meta", ("pagination", "next_link"))
