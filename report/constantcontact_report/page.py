"""The page: sections with their charts and tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from constantcontact_report import charts
from constantcontact_report.figures import NOTHING, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from constantcontact_report.charts import Svg
    from constantcontact_report.figures import Figures
    from constantcontact_report.overview import Overview
    from constantcontact_report.warehouse import Row


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: Its figures: an attribute of `Figures`.
        title: The question that it answers.
        text: How to read it.
        columns: Titles of the table's columns, by name.
        draw: Draws its chart; None for a table alone.
    """

    name: str
    title: str
    text: str
    columns: dict[str, str]
    draw: Callable[[Figures], Svg] | None


SECTIONS: Final = (
    Section(
        "mailings",
        "Which mailings work?",
        "The 20 newest mailings. Opens that were likely a machine's do not count.",
        {
            "mailing": "Mailing",
            "sends": "Sent",
            "delivered": "Delivered",
            "open_rate": "Opened",
            "click_rate": "Clicked",
            "unsubscribes": "Unsubscribed",
        },
        charts.mailings,
    ),
    Section(
        "months",
        "Do rates rise or fall?",
        "Shares of delivered mails, by month of sending.",
        {
            "month": "Month",
            "mailings": "Mailings",
            "sends": "Sent",
            "human_open_rate": "Opened",
            "click_rate": "Clicked",
            "unsubscribe_rate": "Unsubscribed",
        },
        charts.months,
    ),
    Section(
        "growth",
        "How do lists grow?",
        "The largest lists, at the end of each month. Before the first build of the models, growth"
        " is inferred from opt-ins.",
        {"list": "List", "month": "Month", "contacts": "Contacts"},
        charts.growth,
    ),
    Section(
        "bands",
        "Who is engaged?",
        "Contacts by their last click or open: engaged within 90 days, cooling within 180, dormant"
        " within a year, lost after that. Unreachable contacts unsubscribed or were deleted.",
        {"band": "Band", "contacts": "Contacts"},
        charts.bands,
    ),
    Section(
        "movements",
        "Who was won back, who slips away?",
        "Contacts that received mail for the first time or changed their band, by month.",
        {"month": "Month", "movement": "Movement", "contacts": "Contacts"},
        charts.movements,
    ),
    Section(
        "links",
        "Which links are clicked?",
        "Clicks over all mailings, without likely scans by mail providers.",
        {"url": "Link", "clicks": "Clicks", "mailings": "Mailings"},
        charts.links,
    ),
    Section(
        "open_times",
        "When do people open?",
        "First opens by weekday and hour, in the time zone of the account.",
        {"weekday": "Weekday", "hour": "Hour", "unique_opens": "First opens"},
        charts.open_times,
    ),
    Section(
        "domains",
        "Do mails arrive?",
        "The most frequent domains of recipients. A domain with far fewer opens than others may"
        " sort mails out as spam.",
        {
            "domain": "Domain",
            "sends": "Sent",
            "bounces": "Bounced",
            "bounce_rate": "Bounce rate",
            "open_rate": "Opened",
        },
        charts.domains,
    ),
    Section(
        "sunset",
        "Whom to stop mailing?",
        "Contacts without engagement. The model constant_contact__sunset_candidates lists them.",
        {"reason": "Reason", "action": "Suggested action", "contacts": "Contacts"},
        charts.sunset,
    ),
    Section(
        "reconciliation",
        "Are the numbers complete?",
        "Records in the warehouse, and what Constant Contact counts itself, over all campaigns."
        " Records that came after the counters make the first figure higher.",
        {
            "metric": "Figure",
            "counted": "Counted",
            "reported": "Reported",
            "short": "Campaigns that are short",
            "over_reported": "Campaigns with newer records",
        },
        None,
    ),
)


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("constantcontact_report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = cell
    return environment.get_template(name)


def overview_page(overview: Overview) -> str:
    """Return the overview of accounts as HTML."""
    return _template("overview.html").render(overview=overview)


def page(figures: Figures) -> str:
    """Return the page of one account as HTML."""
    is_complete, sentence = verdict(figures.reconciliation)
    return _template("page.html").render(
        figures=figures,
        sections=[(each, *_content(each, figures)) for each in SECTIONS],
        is_complete=is_complete,
        verdict=sentence,
    )


def _content(section: Section, figures: Figures) -> tuple[Sequence[Row], tuple[Markup, ...]]:
    rows: list[Row] = getattr(figures, section.name)
    drawn = section.draw(figures) if section.draw and rows else ()
    return rows, tuple(_embedded(svg, f"{section.name}{place}") for place, svg in enumerate(drawn))


def _embedded(svg: str, name: str) -> Markup:
    """Return a drawing whose ids are unique in the page."""
    for old in ('id="', "url(#", 'href="#'):
        svg = svg.replace(old, f"{old}{name}-")
    return Markup(svg)  # noqa: S704 - vl-convert escapes texts


def cell(value: Any, column: str) -> str:
    """Return a value of a table as text."""
    if value is None:
        return NOTHING
    if column.endswith("_rate"):
        return f"{100 * value:.1f} %"
    if isinstance(value, datetime):
        return f"{value:%d %b, %H:%M}".replace(" ", "\N{NO-BREAK SPACE}")
    if isinstance(value, date):
        return f"{value:%b %Y}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("_", " ") if column == "metric" else str(value)
