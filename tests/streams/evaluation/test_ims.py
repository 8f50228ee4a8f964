"""The IMS bench on four made-up bearings, of which the second wears."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from streams.evaluation.ims import run


def test_the_bearing_that_wears_is_alarmed_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = np.array([0.06, 0.07, 0.08, 0.05]) + rng.normal(0, 0.0006, (440, 4))
    x[380:, 1] += np.linspace(0, 0.02, 60)
    start = datetime(2004, 2, 12, tzinfo=UTC).timestamp()
    rows = [",left,middle,right,end"]
    for i, row in enumerate(x.tolist()):
        at = datetime.fromtimestamp(start + 600 * i, tz=UTC).replace(tzinfo=None)
        rows.append(f"{at},{','.join(map(repr, row))}")
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    seen: list[str] = []
    report = run(tmp_path, lambda what, done, total: seen.append(f"{what} {done}/{total}"))
    table = report.tables[0]
    ours = dict(zip(table.columns[1:], table.rows[0][1:], strict=True))
    first = ours["middle, first"]
    assert isinstance(first, int)
    assert 380 <= first < 425
    others = [ours[f"{name}, first"] for name in ("left", "right", "end")]
    assert all(other is None or other > first for other in others)  # type: ignore[operator]
    assert table.rows[1][0] == "always on"
    assert "Yeji 4/4" in seen
    assert len(report.plots) == 4
