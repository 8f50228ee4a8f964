"""What all dashboards share: variables, links to each other, and the alarms drawn into every chart."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from connectors.grafana.dashboards.flux import SOURCE, tag_values

#: Tag of every annotation that Yeji posts, and of every dashboard of it.
TAG = "yeji"

TENANTS = """import "influxdata/influxdb/schema"
import "strings"
schema.tagValues(bucket: v.defaultBucket, tag: "machine", start: v.timeRangeStart, stop: v.timeRangeStop,
    predicate: (r) => r._measurement == "reading")
  |> map(fn: (r) => {
    levels = strings.split(v: r._value, t: "/")
    return {_value: levels[0] + "/" + levels[1]}
  })
  |> distinct()"""


def new(uid: str, title: str, about: str, *, span: str, refresh: str) -> build.Dashboard:
    """An empty dashboard with the links and annotations that all of them have."""
    made = build.Dashboard(title).uid(uid).description(about).tags([TAG]).timezone("browser").editable()
    made.time(f"now-{span}", "now").refresh(refresh).tooltip(model.DashboardCursorSync.CROSSHAIR)
    links = build.DashboardLink("Yeji").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    made.link(links.as_dropdown(False).include_vars(True).keep_time(True))
    return made


def alarms_drawn(made: build.Dashboard, *tags: str) -> build.Dashboard:
    """Show the annotations that `yeji grafana annotate` posts, in every chart."""
    target = build.AnnotationTarget().limit(200).match_any(False).tags([TAG, *tags]).type("tags")
    own = model.DataSourceRef(type_val="grafana", uid="-- Grafana --")
    query = build.AnnotationQuery().name("Alarms").datasource(own).enable(True).icon_color("red")
    return made.annotation(query.target(target))


def variable(
    name: str, label: str, about: str, query: str, *, several: bool, everything: str = ".*"
) -> build.QueryVariable:
    """A choice among values that the database holds."""
    made = build.QueryVariable(name).label(label).description(about).datasource(SOURCE).query(query)
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    if several:
        made.multi(True).include_all(True).all_value(everything)
        made.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return made


def place_variables(made: build.Dashboard) -> build.Dashboard:
    """Tenant, area and line: each offers what the choices before it leave."""
    tenant = "r.machine =~ /^${tenant:regex}\\//"
    area = f"{tenant} and r.area =~ /^${{area:regex}}$/"
    made.with_variable(variable("tenant", "Tenant", "Enterprise and site", TENANTS, several=True))
    made.with_variable(
        variable("area", "Area", "Areas of the site", tag_values("area", tenant), several=True)
    )
    return made.with_variable(
        variable("line", "Line", "Lines of the area", tag_values("line", area), several=True)
    )


def as_json(made: build.Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana stores it; panels get ids by their order, so that links to them stay."""
    loaded: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    for number, panel in enumerate(loaded["panels"], start=1):
        panel["id"] = number
    return loaded
