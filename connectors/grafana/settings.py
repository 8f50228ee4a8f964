"""The section [grafana]: where Grafana is, and who we are there."""

from __future__ import annotations

from pydantic import Field, SecretStr

from pipeline.settings import Section


class GrafanaSettings(Section):
    """Grafana, where `yeji grafana apply` puts folder, data source and dashboards."""

    url: str = Field("http://127.0.0.1:3000", description="its address; a path is kept")
    token: SecretStr | None = Field(None, description="service-account token with the Admin role")
    user: str | None = Field(None, description="in place of a token: a user with the Admin role")
    password: SecretStr | None = Field(None, description="that user's password")
    folder: str = Field("Yeji", description="title of the folder that the dashboards go into")
    influx_url: str | None = Field(None, description="InfluxDB as Grafana reaches it; none = influx.url")
