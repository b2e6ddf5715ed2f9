"""Faults of the API, each of which can be set at any time."""

from typing import Annotated, Any, Final

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]

AREAS: Final = ("eventspot", "library")
"""Products that an account may not have."""


class FaultConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All faults. By default there are none.

    Attributes:
        throttle: Requests per second; one more within any second is throttled. The API's limit is
            4.
        quota: Requests per day; further ones are rejected. The API's quota is 10,000.
        retry_after: Seconds in a `Retry-After` header of those two errors.
        fail_every: Every Nth request fails with 500, 502, 503, 504 or 522 in turn.
        drop_every: Every Nth response breaks off in the middle of the body.
        garbage_every: Every Nth response has status 200 and a body that is not JSON.
        unauthorized_every: Every Nth request gets a 401, once.
        latency: Seconds before an answer; other calls are answered meanwhile.
        extra_row: Pages hold one row too many, which comes again on the next page.
        lose_filter: Later pages of contacts have forgotten `modified_since` and `status`.
        clock_shift_hours: How far reports of opens, clicks and so on are behind UTC although
            they say `Z`; reports of a single contact are twice as far behind. Sends of a
            campaign are right.
        vanish: Ids of things that are listed and then answer 404, with all below them.
        denied_products: Areas that the account has no right to: `eventspot`, `library`.
        no_schedules_is_404: A campaign without schedules answers 404 instead of `[]`.
        library_info_array: Library usage comes as an array of one object.
        missing_privileges: Privileges of v3 that the token's user does not have.
        stats_lag_hours: How far the counters of v3 are behind the rows.
        slow_pages: Pages of v3 contacts that ask for more rows than this take too long: 504.
        guide_forms: Sums of v3 come as its guide prints them: text, an array, keys with dots.
        slow_segments: Number of the next requests for members of a segment that return 202:
            they are still being worked out.
        stale_counters: A campaign's counters are zero unless the request asks for current ones.
    """

    throttle: Count | None = None
    quota: Count | None = None
    retry_after: Count | None = None
    fail_every: Count | None = None
    drop_every: Count | None = None
    garbage_every: Count | None = None
    unauthorized_every: Count | None = None
    latency: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    extra_row: bool = False
    lose_filter: bool = False
    clock_shift_hours: Annotated[int, msgspec.Meta(ge=0)] = 0
    vanish: set[str] = msgspec.field(default_factory=set)
    denied_products: set[str] = msgspec.field(default_factory=set)
    no_schedules_is_404: bool = False
    library_info_array: bool = False
    missing_privileges: set[str] = msgspec.field(default_factory=set)
    stats_lag_hours: Annotated[int, msgspec.Meta(ge=0)] = 0
    slow_pages: Count | None = None
    guide_forms: bool = False
    slow_segments: Annotated[int, msgspec.Meta(ge=0)] = 0
    stale_counters: bool = False

    def change(self, fields: dict[str, Any]) -> None:
        """Set some faults.

        Args:
            fields: Faults by name.

        Raises:
            ValueError: A fault is unknown, or its value is invalid.
        """
        changed = msgspec.convert(msgspec.to_builtins(self) | fields, FaultConfig)
        if not changed.denied_products <= set(AREAS):
            msg = f"only these areas can be closed: {', '.join(AREAS)}"
            raise ValueError(msg)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(changed, name))
