"""What Grafana does with a query before InfluxDB sees it: its `v` record, and the dashboard's variables.

Formats as https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/ gives them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from influxdb_client import InfluxDBClient
from local_services import InfluxService

VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
IMPORT = re.compile(r'^import "[^"]+"\n', re.MULTILINE)

Value = str | list[str]


def for_regex(text: str) -> str:
    """Escape a value as the `regex` format does."""
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", text)


def interpolate(text: str, values: Mapping[str, Value], everything: Mapping[str, str]) -> str:
    """Put variables in. A value of `$__all` is taken as the variable's own "all" value, unescaped."""

    def put(found: re.Match[str]) -> str:
        name, form = found[1] or found[3], found[2]
        value = values[name]  # KeyError: a query that uses a variable that its dashboard lacks
        if value == "$__all":
            return everything[name]
        if form == "regex":
            chosen = [for_regex(one) for one in ([value] if isinstance(value, str) else value)]
            return chosen[0] if len(chosen) == 1 else "(" + "|".join(chosen) + ")"
        assert form is None, f"format {form} is not played here"
        assert isinstance(value, str), f"{name} has several values and no format"
        return value

    return VARIABLE.sub(put, text)


@dataclass
class Player:
    """Runs queries as Grafana would, over one time range."""

    service: InfluxService
    start: datetime
    stop: datetime
    window: str = "30s"

    def run(
        self, text: str, values: Mapping[str, Value], everything: Mapping[str, str]
    ) -> list[list[dict[str, Any]]]:
        """The tables that a query gives, each a list of rows."""
        text = interpolate(text, values, everything)
        assert "$" not in text.replace("$/", ""), f"something was not put in:\n{text}"
        prelude = (
            "option v = {"
            f'defaultBucket: "{self.service.bucket}", organization: "{self.service.org}", '
            f"timeRangeStart: {self.start.isoformat()}, timeRangeStop: {self.stop.isoformat()}, "
            f"windowPeriod: {self.window}}}\n"
        )
        imports = "".join(IMPORT.findall(text))
        with InfluxDBClient(self.service.url, self.service.token, org=self.service.org) as client:
            tables = client.query_api().query(imports + prelude + IMPORT.sub("", text))
        return [[record.values for record in table.records] for table in tables]


def dashboard_variables(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A dashboard's variables by name, in order."""
    return {one["name"]: one for one in dashboard.get("templating", {}).get("list", [])}


def choose(player: Player, dashboard: dict[str, Any], wanted: Mapping[str, Value]) -> dict[str, Value]:
    """Resolve the variables one after the other, as opening the dashboard does; each must offer something.

    Those in ``wanted`` take that value (which must be offered), the others `All`, or the first offered.
    """
    values: dict[str, Value] = {}
    everything = all_values(dashboard)
    for name, variable in dashboard_variables(dashboard).items():
        offered = [
            row["_value"] for table in player.run(variable["query"], values, everything) for row in table
        ]
        assert offered, f"variable {name} offers nothing"
        assert len(offered) == len(set(offered)), f"variable {name} offers something twice: {offered}"
        if name in wanted:
            value = wanted[name]
            for one in [value] if isinstance(value, str) else value:
                assert one in offered, f"variable {name} offers {offered}, not {one}"
            values[name] = value
        else:
            values[name] = "$__all" if variable.get("includeAll") else offered[0]
    return values


def all_values(dashboard: dict[str, Any]) -> dict[str, str]:
    """What `All` stands for in each variable."""
    return {name: one.get("allValue", "") for name, one in dashboard_variables(dashboard).items()}
