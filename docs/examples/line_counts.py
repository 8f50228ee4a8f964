"""An agent of a plant's own: counts the readings of each production line, and sends the counts to a topic."""

from collections import Counter

from streams.agents.app import app

counts = app.topic("plant.line-counts", key_serializer="raw", value_serializer="json")


@app.agent(app.frames)
async def line_counts(fetches):
    """Count readings of each production line."""
    async for fetch in fetches:
        lines = Counter()
        for frame in fetch.frames():
            lines[frame.machine.rpartition("/")[0]] += len(frame)
        for line, readings in lines.items():
            await counts.send(key=line, value={"line": line, "readings": readings})
