"""What the Faust app knows before it runs."""

from pipeline.records import Message
from pipeline.settings import IntakeSettings
from pipeline.wire.readings import decode
from streams.agents.build import build_app
from streams.settings import Settings


def test_an_agent_of_ones_own_sees_machines_where_the_models_do():
    """A short name stands where `intake.default_levels` says, for whoever decodes the readings."""
    app = build_app(Settings(intake=IntakeSettings(levels="acme/ulsan/body/line-3")))
    message = Message(
        b'{"machine": "press-7", "time": 1790000000000, "sensors": {"load": 1.5}}', 1790000000000
    )
    frame, _ = decode(message, app.limits)
    assert frame is not None
    assert frame.machine == "acme/ulsan/body/line-3/press-7"
