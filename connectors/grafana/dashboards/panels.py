"""How Yeji's panels look: one function a kind of panel, so that all dashboards read alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model

from connectors.grafana.dashboards.flux import SOURCE, FluxQuery
from pipeline.assessment import HEALTH_ACT, HEALTH_PLAN
from pipeline.priority import Priority
from pipeline.records import State

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "#EAB839", "orange", "red", "blue", "#808080"

#: What numbers that stand for a choice are called, and in which colour.
Looks = Mapping[int, tuple[str, str]]

STATE_LOOK: Looks = {
    State.LEARNING: ("learning", GREY),
    State.NORMAL: ("normal", GREEN),
    State.SUSPECT: ("suspect", YELLOW),
    State.ALARM: ("alarm", RED),
}
#: The words and colours of the desk's pages and the terminal.
PRIORITY_LOOK: Looks = {
    Priority.LOW: ("low", BLUE),
    Priority.MEDIUM: ("medium", YELLOW),
    Priority.HIGH: ("high", ORANGE),
    Priority.URGENT: ("urgent", RED),
}

#: Under the one act, under the other plan.
HEALTH_STEPS = ((None, RED), (HEALTH_ACT, YELLOW), (HEALTH_PLAN, GREEN))

Steps = Sequence[tuple[float | None, str]]


AnyPanel = TypeVar("AnyPanel", bargauge.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


def _dress(panel: AnyPanel, title: str, about: str, queries: Sequence[str], w: int, h: int) -> AnyPanel:
    panel.title(title).description(about).datasource(SOURCE).span(w).height(h)
    for index, text in enumerate(queries):
        panel.with_target(FluxQuery(text, chr(ord("A") + index)))
    return panel


def steps(values: Steps) -> dashboard.ThresholdsConfig:
    """Colours by value; the first has no lower bound."""
    made = [model.Threshold(value=value, color=color) for value, color in values]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def by_threshold() -> dashboard.FieldColor:
    """The value's threshold gives the colour."""
    return dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def value_names(looks_of: Looks) -> list[model.ValueMapping]:
    """Words and colours for numbers that stand for a choice."""
    options = {
        str(int(value)): model.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(looks_of.items())
    }
    return [model.ValueMap(options)]


def number(
    title: str, about: str, query: str, *, unit: str = "short", colors: Steps = ((None, GREEN),), w: int = 4
) -> stat.Panel:
    """One number, on the colour of its threshold."""
    panel = _dress(stat.Panel(), title, about, [query], w, 4)
    panel.unit(unit).thresholds(steps(colors)).color_scheme(by_threshold()).no_value("–")
    panel.color_mode(looks.BigValueColorMode.BACKGROUND).graph_mode(looks.BigValueGraphMode.NONE)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def lines(
    title: str,
    about: str,
    *queries: str,
    unit: str = "short",
    name: str = "",
    colors: Steps = (),
    low: float | None = None,
    high: float | None = None,
    w: int = 12,
    h: int = 8,
) -> timeseries.Panel:
    """Lines over time, with a table of last, mean and extreme values under them."""
    panel = _dress(timeseries.Panel(), title, about, queries, w, h)
    panel.unit(unit).line_width(1).fill_opacity(8).show_points(looks.VisibilityMode.NEVER).span_nulls(False)
    calcs = ["lastNotNull", "mean", "min", "max"]
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    panel.legend(legend.display_mode(looks.LegendDisplayMode.TABLE).calcs(calcs))
    tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI)
    panel.tooltip(tooltip.sort(looks.SortOrder.DESCENDING))
    if name:
        panel.display_name(name)
    if colors:
        style = common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED)
        panel.thresholds(steps(colors)).thresholds_style(style)
    if low is not None:
        panel.min(low)
    if high is not None:
        panel.max(high)
    return panel


def bars(
    title: str, about: str, *queries: str, unit: str = "short", name: str = "", w: int = 12, h: int = 8
) -> timeseries.Panel:
    """Counts over time as stacked bars, some sixty of them, with their sums."""
    panel = lines(title, about, *queries, unit=unit, name=name, low=0, w=w, h=h)
    panel.draw_style(looks.GraphDrawStyle.BARS).fill_opacity(70).max_data_points(60)
    panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    return panel.legend(legend.display_mode(looks.LegendDisplayMode.LIST).calcs(["sum"]))


def timeline(title: str, about: str, query: str, *, name: str, h: int = 8) -> statetimeline.Panel:
    """Machine states as coloured bands."""
    panel = _dress(statetimeline.Panel(), title, about, [query], 24, h)
    panel.mappings(value_names(STATE_LOOK)).display_name(name).merge_values(True)
    panel.show_value(looks.VisibilityMode.NEVER).row_height(0.85).fill_opacity(80).line_width(0)
    panel.color_scheme(by_threshold()).thresholds(steps(((None, GREY),)))
    panel.no_value("All of them were normal.")
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    return panel.legend(legend.display_mode(looks.LegendDisplayMode.LIST))


def rows(
    title: str,
    about: str,
    query: str,
    columns: Mapping[str, str],
    *,
    empty: str,
    w: int = 24,
    h: int = 9,
) -> table.Panel:
    """A table: ``columns`` names what is shown, in order, as the query calls it and as people read it."""
    panel = _dress(table.Panel(), title, about, [query], w, h)
    order = {name: index for index, name in enumerate(columns)}
    options: dict[str, object] = {"excludeByName": {}, "indexByName": order, "renameByName": dict(columns)}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=options))
    return panel.no_value(empty).cell_height(looks.TableCellHeight.SM)


def ranking(title: str, about: str, query: str, *, name: str, w: int = 12, h: int = 8) -> bargauge.Panel:
    """The first few by some count, as horizontal bars."""
    panel = _dress(bargauge.Panel(), title, about, [query], w, h)
    panel.display_name(name).thresholds(steps(((None, BLUE),))).color_scheme(by_threshold()).min(0)
    panel.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def setting(name: str, value: object) -> model.DynamicConfigValue:
    """One property of one column."""
    return model.DynamicConfigValue(id_val=name, value=value)


def colored(column: str, panel: table.Panel, looks_of: Looks) -> table.Panel:
    """Show a column's numbers as words on their colour."""
    cell = {"type": "color-background", "mode": "basic"}
    mappings = value_names(looks_of)
    return panel.override_by_name(
        column,
        [setting("mappings", mappings), setting("custom.cellOptions", cell), setting("custom.width", 110)],
    )


def machine_link(column: str, panel: table.Panel) -> table.Panel:
    """A click on a machine's name opens its dashboard, for the same time."""
    url = "/d/yeji-machine?var-machine=${__value.raw:percentencode}&${__url_time_range}"
    link = {"title": "Open this machine", "url": url}
    return panel.override_by_name(column, [setting("links", [link]), setting("custom.minWidth", 280)])


def measured(
    column: str, panel: table.Panel, unit: str, decimals: int | None = None, colors: Steps = ()
) -> table.Panel:
    """A column's unit, digits and colours."""
    properties = [setting("unit", unit)]
    if decimals is not None:
        properties.append(setting("decimals", decimals))
    if colors:
        properties.append(setting("thresholds", steps(colors).build()))
        properties.append(setting("custom.cellOptions", {"type": "color-text"}))
    return panel.override_by_name(column, properties)
