"""What a crew feels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streams.evaluation.figures import event_figures
from streams.evaluation.vus import vus_pr
from tests.streams.evaluation.made import outcome


def test_caught_missed_standing_and_false_are_told_apart() -> None:
    found = event_figures(
        [
            outcome(1000, [(400, 500), (700, 800)], [(100, 110), (430, 450), (690, 720), (900, 905)]),
            outcome(1000, [(400, 500)], []),
        ]
    )
    assert (found.events, found.caught, found.standing) == (3, 1, 1)
    assert found.delay_median == 30
    assert found.before == 1
    assert found.false_episodes == 3  # at 100, 690 and 900
    assert found.healthy_days == pytest.approx(1699 / 86_400, rel=0.01)
    assert found.healthy_in_alarm == pytest.approx((10 + 10 + 5) / 1699, rel=0.01)


def test_an_alarm_that_outlasts_its_event_is_no_false_one_but_costs_time() -> None:
    found = event_figures([outcome(1000, [(400, 500)], [(410, 600)])])
    assert (found.caught, found.false_episodes) == (1, 0)
    assert found.healthy_in_alarm == pytest.approx(100 / 900, rel=0.01)


def test_what_was_learned_is_neither_healthy_time_nor_an_event() -> None:
    found = event_figures([outcome(1000, [(100, 150)], [], learned=400)])
    assert found.events == 0
    assert found.healthy_days == pytest.approx(600 / 86_400, rel=0.01)


def test_vus_pr_rewards_order_and_is_low_for_noise() -> None:
    inside = np.zeros(2000, dtype=bool)
    inside[800:900] = inside[1500:1550] = True
    rng = np.random.default_rng(1)
    noise = rng.random(2000)
    assert vus_pr(inside + 0.01 * noise, inside) > 0.85
    assert vus_pr(noise, inside) < 0.25
    late = np.roll(inside, 20) + 0.01 * noise
    assert 0.4 < vus_pr(late, inside) < vus_pr(inside + 0.01 * noise, inside)
    assert vus_pr(np.exp(5 * late), inside) == pytest.approx(vus_pr(late, inside)), "only the order counts"
