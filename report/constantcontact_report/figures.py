"""Figures of the page, from the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from constantcontact_report.warehouse import Row, Warehouse

NOTHING: Final = "-"
_PERIOD: Final = timedelta(days=90)
_LISTS: Final = 6
_MONTHS: Final = 24
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BANDS: Final = ("engaged", "new", "cooling", "dormant", "lost", "never", "unreachable")
MOVEMENTS: Final = ("new", "won back", "slipped", "lost")

_MAILINGS: Final = """
    select
        subject, role, first_sent_at, sends, delivered, bounces, unique_opens_human_estimate,
        unique_clicks, unsubscribes, human_open_rate, click_rate
    from {mart}mailings
    where source_relation = {source} and first_sent_at is not null
    order by first_sent_at desc, mailing_id
"""
_MONTHLY: Final = """
    select month, mailings, sends, human_open_rate, click_rate, unsubscribe_rate
    from {mart}campaigns_monthly
    where source_relation = {source}
    order by month
"""
_GROWTH: Final = """
    select lists.name as list, growth.day, growth.contacts
    from {mart}list_growth as growth
    inner join {mart}lists as lists
        on growth.source_relation = lists.source_relation and growth.list_id = lists.list_id
    where growth.source_relation = {source}
    order by lists.name, lists.list_id, growth.day
"""
_BANDS: Final = """
    select engagement_band as band, count(*) as contacts
    from {mart}contacts
    where source_relation = {source}
    group by engagement_band
"""
_MOVEMENTS: Final = """
    select month, movement, count(*) as contacts
    from {mart}contact_months
    where source_relation = {source} and movement <> 'kept'
    group by month, movement
    order by month
"""
_LINKS: Final = """
    select
        url,
        sum(clicks - likely_machine_clicks) as clicks,
        count(distinct mailing_id) as mailings
    from {mart}links
    where source_relation = {source} and url is not null
    group by url
    order by clicks desc, url
    limit 10
"""
_OPEN_TIMES: Final = """
    select weekday, hour, unique_opens
    from {mart}open_times
    where source_relation = {source}
    order by weekday, hour
"""
_DOMAINS: Final = """
    select
        domain,
        sum(sends) as sends,
        sum(delivered) as delivered,
        sum(bounces) as bounces,
        sum(unique_opens_human_estimate) as opens
    from {mart}domains
    where source_relation = {source}
    group by domain
    order by sends desc, domain
    limit 10
"""
_SUNSET: Final = """
    select reason, suggested_action as action, count(*) as contacts
    from {mart}sunset_candidates
    where source_relation = {source}
    group by reason, suggested_action
    order by contacts desc, reason, action
"""
_RECONCILIATION: Final = """
    select
        metric,
        sum(counted) as counted,
        sum(reported) as reported,
        sum(case when verdict = 'short' then 1 else 0 end) as short,
        sum(case when verdict = 'over' then 1 else 0 end) as over_reported,
        sum(case when verdict = 'not synced' then 1 else 0 end) as not_synced
    from {mart}reconciliation
    where source_relation = {source}
    group by metric
    order by metric
"""
_CONTACTS: Final = """
    select
        (select count(*) from {mart}contacts where source_relation = {source} and status = 'active')
            as active,
        (select max(occurred_at) from {mart}activity where source_relation = {source}) as as_of
"""
_GAINED: Final = """
    select day, sum(net) as net
    from {mart}contacts_daily
    where source_relation = {source}
    group by day
"""


@dataclass(frozen=True)
class KeyFigure:
    """A figure of the last 90 days, with its change.

    Attributes:
        value: As text, such as `31.2 %`.
        change: Compared with the 90 days before, as text; empty if there is nothing to compare.
    """

    name: str
    value: str
    change: str = ""


@dataclass(frozen=True)
class Figures:
    """All figures of the page; rates are between 0 and 1.

    Attributes:
        account: Name of the account; empty if there is only one.
        as_of: The newest activity; None if there is none.
    """

    account: str
    as_of: datetime | None
    key_figures: list[KeyFigure]
    mailings: list[Row]
    months: list[Row]
    growth: list[Row]
    bands: list[Row]
    movements: list[Row]
    links: list[Row]
    open_times: list[Row]
    domains: list[Row]
    sunset: list[Row]
    reconciliation: list[Row]


def figures(warehouse: Warehouse) -> Figures:
    """Query the models of an account."""

    def rows(sql: str) -> list[Row]:
        return warehouse.rows(sql, source=warehouse.source)

    (contacts,) = rows(_CONTACTS)
    mailings = rows(_MAILINGS)
    as_of = contacts["as_of"]
    return Figures(
        account=warehouse.source if warehouse.is_one_of_several else "",
        as_of=as_of,
        key_figures=_key_figures(contacts["active"], mailings, rows(_GAINED), as_of),
        mailings=[_mailing(row) for row in mailings[:20]],
        months=[{**row, "month": _day(row["month"])} for row in rows(_MONTHLY)[-_MONTHS:]],
        growth=_by_month(rows(_GROWTH), as_of),
        bands=_in_order(rows(_BANDS), "band", BANDS),
        movements=_last_months(rows(_MOVEMENTS)),
        links=[{**row, "clicks": int(row["clicks"] or 0)} for row in rows(_LINKS)],
        open_times=[{**row, "weekday": DAYS[row["weekday"] - 1]} for row in rows(_OPEN_TIMES)],
        domains=[_domain(row) for row in rows(_DOMAINS)],
        sunset=rows(_SUNSET),
        reconciliation=[_whole(row) for row in rows(_RECONCILIATION)],
    )


def _whole(row: Row) -> Row:
    """Return a row with sums as whole numbers: warehouses have types of their own for them."""
    return {name: value if isinstance(value, str) else int(value) for name, value in row.items()}


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _mailing(row: Row) -> Row:
    sent = _day(row["first_sent_at"])
    resend = " (resend)" if row["role"] == "resend" else ""
    return {
        "mailing": f"{sent:%d %b %Y} {row['subject'] or 'No subject'}{resend}",
        "sends": row["sends"],
        "delivered": row["delivered"],
        "open_rate": row["human_open_rate"],
        "click_rate": row["click_rate"],
        "unsubscribes": row["unsubscribes"],
    }


def _domain(row: Row) -> Row:
    whole = _whole(row)
    return {
        **whole,
        "bounce_rate": _rate(whole["bounces"], whole["sends"]),
        "open_rate": _rate(whole["opens"], whole["delivered"]),
    }


def _rate(part: float, of: float) -> float | None:
    return part / of if of else None


def _in_order(rows: Iterable[Row], name: str, order: Sequence[str]) -> list[Row]:
    return sorted(rows, key=lambda row: order.index(row[name]))


def _last_months(rows: list[Row]) -> list[Row]:
    months = sorted({row["month"] for row in rows})[-12:]
    return [{**row, "month": _day(row["month"])} for row in rows if row["month"] in months]


def _by_month(rows: list[Row], as_of: datetime | None) -> list[Row]:
    """Return the size of the largest lists at the end of each of the last months."""
    if not rows or as_of is None:
        return []
    sizes: dict[str, list[tuple[date, int]]] = {}
    for row in rows:
        sizes.setdefault(row["list"], []).append((_day(row["day"]), int(row["contacts"])))
    largest = sorted(sizes, key=lambda name: -sizes[name][-1][1])[:_LISTS]
    found = []
    for end in _month_ends(as_of.date()):
        for name in largest:
            before = [size for day, size in sizes[name] if day <= end]
            if before:
                found.append({"list": name, "month": end, "contacts": before[-1]})
    return found


def _month_ends(last: date) -> list[date]:
    """Return the ends of the last months; the newest is the day itself."""
    ends = [last]
    while len(ends) < _MONTHS:
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    return ends[::-1]


def _key_figures(
    active: int, mailings: list[Row], gained: list[Row], as_of: datetime | None
) -> list[KeyFigure]:
    if as_of is None:
        return [KeyFigure("Active contacts", f"{active:,}")]
    begin = as_of - _PERIOD
    recent = [row for row in mailings if row["first_sent_at"] > begin]
    before = [row for row in mailings if begin - _PERIOD < row["first_sent_at"] <= begin]
    net = int(sum(row["net"] for row in gained if _day(row["day"]) > begin.date()))
    rates = (
        ("Opened", "unique_opens_human_estimate", "delivered"),
        ("Clicked", "unique_clicks", "delivered"),
        ("Bounced", "bounces", "sends"),
        ("Unsubscribed", "unsubscribes", "delivered"),
    )
    return [
        KeyFigure("Active contacts", f"{active:,}", f"{net:+,} in 90 days"),
        KeyFigure(
            "Mails sent in 90 days",
            f"{_sum(recent, 'sends'):,}",
            f"{_sum(before, 'sends'):,} before",
        ),
        *(_rate_figure(name, recent, before, part, of) for name, part, of in rates),
    ]


def _rate_figure(name: str, recent: list[Row], before: list[Row], part: str, of: str) -> KeyFigure:
    now, then = (_rate(_sum(rows, part), _sum(rows, of)) for rows in (recent, before))
    if now is None:
        return KeyFigure(name, NOTHING)
    change = "" if then is None else f"{100 * (now - then):+.1f} points"
    return KeyFigure(name, f"{100 * now:.1f} %", change)


def _sum(rows: Iterable[Row], name: str) -> int:
    return int(sum(row[name] or 0 for row in rows))


def verdict(rows: Sequence[dict[str, Any]]) -> tuple[bool, str]:
    """Return whether records are complete, and a sentence about it."""
    compared = [row for row in rows if not row["not_synced"]]
    if not compared:
        return False, "Nothing can be compared with the counters of Constant Contact yet."
    short = sum(row["short"] for row in compared)
    figures = {row["metric"]: row for row in compared}
    parts = [
        f"{figures[name]['counted']:,} of {figures[name]['reported']:,} {name.replace('_', ' ')}"
        for name in ("sends", "unique_opens")
        if name in figures
    ]
    counted = f"Counted {' and '.join(parts)} reported." if parts else ""
    if short:
        return False, f"{counted} Figures of campaigns that are short: {short}.".strip()
    return True, f"{counted} No figure is short.".strip()
