"""What is said of the bands of the rule score."""

from __future__ import annotations

import pytest

from medallion.care.status import doubts


def band(name, open_deals, closed, win_rate, scores=9):
    figures = {"open_deals": open_deals, "closed": closed, "win_rate": win_rate}
    return {"band": name, "score_from": 15, "scores": scores, **figures}


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ([band("Hot", 10, 100, 0.5), band("Warm", 10, 100, 0.4)], []),
        ([band("Hot", 10, 100, 0.3), band("Warm", 10, 100, 0.5)], ["Warm deals were won more often than Hot ones, 50.0% of 100"]),
        ([band("Hot", 10, 100, 0.45), band("Warm", 10, 100, 0.5)], []),  # chance
        ([band("Hot", 10, 19, 0.0), band("Warm", 10, 100, 0.9)], []),  # too few to tell
        ([band("Hot", 10, 0, None), band("Warm", 10, 100, 0.9)], []),
        ([band("Hot", 150, 0, None), band("Warm", 50, 0, None)], ["Hot holds 75.0% of 200 open deals"]),
        ([band("Hot", 100, 0, None), band("Warm", 100, 0, None)], []),
        ([band("Hot", 150, 0, None), band("Warm", 49, 0, None)], []),
    ],
)  # fmt: skip
def test_what_is_odd_about_bands_is_said(bands, said):
    found = doubts(bands)
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


def test_why_a_band_holds_most_deals_is_said():
    assert "`quarters_from: 200` beside your thresholds" in doubts([band("Hot", 300, 0, None)])[0]
    assert doubts([band("Cold", 300, 0, None, 1)])[0].endswith(
        "all with the score 15: go by the probability, not by the band"
    )
