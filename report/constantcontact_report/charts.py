"""Charts as SVG, in the colours of the page around them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import altair as alt
import vl_convert

from constantcontact_report.figures import DAYS, MOVEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constantcontact_report.figures import Figures
    from constantcontact_report.warehouse import Row

WIDE: Final = 800
NARROW: Final = 340
# Labels are measured when they are drawn, so the font is one that looks the same everywhere.
_FONT: Final = "Arial, Helvetica, Liberation Sans, sans-serif"
# Each has a contrast of 3 and more on white and on the dark ground of the page.
COLOURS: Final = ("#3b82c4", "#c8622d", "#2f9367", "#a65fc0", "#8f7b1d", "#c9507a")


class Svg(NamedTuple):
    """A chart in both widths."""

    wide: str
    narrow: str


def _config(width: int) -> alt.Config:
    colour = "currentColor"
    axis = alt.AxisConfig(
        labelColor=colour,
        titleColor=colour,
        domainColor=colour,
        tickColor=colour,
        gridColor=colour,
        gridOpacity=0.15,
        titleFontWeight="normal",
        labelLimit=width * 2 // 5,
    )
    return alt.Config(
        background="transparent",
        font=_FONT,
        axis=axis,
        legend=alt.LegendConfig(
            labelColor=colour,
            titleColor=colour,
            titleFontWeight="normal",
            orient="top",
            columns=width // 130,
        ),
        view=alt.ViewConfig(stroke=None),
        range=alt.RangeConfig(category=list(COLOURS)),
        bar=alt.BarConfig(color=COLOURS[0]),
        line=alt.LineConfig(strokeWidth=2),
    )


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(
        values=[
            {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in rows
        ]
    )


def _svg(chart: alt.Chart, height: int | alt.Step) -> Svg:
    return Svg(*(_draw(chart, width, height) for width in (WIDE, NARROW)))


def _draw(chart: alt.Chart, width: int, height: int | alt.Step) -> str:
    sized = chart.properties(
        width=width,
        height=height,
        config=_config(width),
        autosize=alt.AutoSizeParams(type="fit-x"),
        # Room for the labels of a browser whose font is wider.
        padding={"left": width // 20, "right": 5, "top": 5, "bottom": 5},
    )
    drawn: str = vl_convert.vegalite_to_svg(sized.to_dict())
    return drawn


def _long(rows: Sequence[Row], key: str, names: dict[str, str]) -> list[Row]:
    """Turn columns into rows, one per value."""
    return [
        {key: row[key], "figure": title, "rate": row[name]}
        for row in rows
        for name, title in names.items()
        if row[name] is not None
    ]


def _figure() -> alt.Color:
    return alt.Color("figure:N", title=None, sort=None)


def _month() -> alt.X:
    return alt.X("month:T", axis=alt.Axis(format="%b %y", title=None, labelOverlap=True))


def _percent(title: str) -> alt.Axis:
    return alt.Axis(format="%", title=title)


def _bars(rows: Sequence[Row], name: str, figure: str, title: str) -> alt.Chart:
    """Return a bar per row, in the order of the rows."""
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            y=alt.Y(f"{name}:N", sort=None, title=None),
            x=alt.X(f"{figure}:Q", title=title),
        )
    )
    return chart


def mailings(figures: Figures) -> Svg:
    """Draw open and click rates by mailing, the newest first."""
    rows = _long(figures.mailings, "mailing", {"open_rate": "opened", "click_rate": "clicked"})
    chart = (
        alt.Chart(_data(rows))
        .mark_circle(size=70, opacity=1)
        .encode(
            y=alt.Y("mailing:N", sort=None, title=None),
            x=alt.X("rate:Q", axis=_percent("share of delivered mails")),
            color=_figure(),
        )
    )
    return _svg(chart, alt.Step(20))


def months(figures: Figures) -> Svg:
    """Draw open and click rates by month."""
    rows = _long(figures.months, "month", {"human_open_rate": "opened", "click_rate": "clicked"})
    chart = (
        alt.Chart(_data(rows))
        .mark_line(point=True)
        .encode(
            x=_month(),
            y=alt.Y("rate:Q", axis=_percent("share of delivered mails")),
            color=_figure(),
        )
    )
    return _svg(chart, 220)


def growth(figures: Figures) -> Svg:
    """Draw the size of lists by month."""
    chart = (
        alt.Chart(_data(figures.growth))
        .mark_line(point=True)
        .encode(
            x=_month(),
            y=alt.Y("contacts:Q", title="contacts on the list", scale=alt.Scale(zero=False)),
            color=alt.Color("list:N", title=None),
        )
    )
    return _svg(chart, 260)


def bands(figures: Figures) -> Svg:
    """Draw contacts by engagement band."""
    return _svg(_bars(figures.bands, "band", "contacts", "contacts"), alt.Step(24))


def movements(figures: Figures) -> Svg:
    """Draw contacts that changed their band, by month."""
    chart = (
        alt.Chart(_data(figures.movements))
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):O", axis=alt.Axis(format="%b %y", title=None)),
            y=alt.Y("contacts:Q", title="contacts"),
            color=alt.Color("movement:N", title=None, sort=list(MOVEMENTS)),
        )
    )
    return _svg(chart, 220)


def links(figures: Figures) -> Svg:
    """Draw clicks by link."""
    chart = _bars(figures.links, "url", "clicks", "clicks, without likely scans")
    return _svg(chart, alt.Step(24))


def open_times(figures: Figures) -> Svg:
    """Draw first opens by weekday and hour."""
    chart = (
        alt.Chart(_data(figures.open_times))
        .mark_rect()
        .encode(
            x=alt.X("hour:O", title="hour", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("weekday:O", sort=list(DAYS), title=None),
            color=alt.Color(
                "unique_opens:Q",
                title="first opens",
                scale=alt.Scale(range=["#3b82c422", "#3b82c4ff"]),
            ),
        )
    )
    return _svg(chart, 200)


def domains(figures: Figures) -> Svg:
    """Draw open and bounce rates by domain of the recipients."""
    rows = _long(figures.domains, "domain", {"open_rate": "opened", "bounce_rate": "bounced"})
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            y=alt.Y("domain:N", sort=None, title=None),
            yOffset=alt.YOffset("figure:N", sort=None),
            x=alt.X("rate:Q", axis=_percent("share of mails")),
            color=_figure(),
        )
    )
    return _svg(chart, alt.Step(14))


def sunset(figures: Figures) -> Svg:
    """Draw contacts without engagement by reason."""
    chart = _bars(figures.sunset, "reason", "contacts", "contacts")
    return _svg(chart.encode(color=alt.Color("action:N", title=None)), alt.Step(28))
