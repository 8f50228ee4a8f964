"""The worker's Faust app: `faust -A streams.agents.app:app worker`, and `from streams.agents.app import app`.

Settings are read when this module is imported (docs/settings.md). Agents of your own stand beside these:
docs/agents.md.
"""

from streams.agents.build import build_app
from streams.settings import load_settings

app = build_app(load_settings())
