"""A small delivery asks the engine only what this process does not know: counts, which fail when they grow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from counting import CONNECTIONS, OPENINGS, SCHEMAS, STATEMENTS, counting

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.config import load

#: At most so many of each; lower them with what a change saves.
SECOND_DAY = {STATEMENTS: 66, SCHEMAS: 39, OPENINGS: 83, CONNECTIONS: 8}
NOTHING_NEW = {STATEMENTS: 0, SCHEMAS: 0, OPENINGS: 4, CONNECTIONS: 2}


@pytest.mark.slow
def test_the_second_day_of_the_sample_asks_no_more_than_it_did(own_sample):
    with counting() as counts:
        settings = load(None, source=str(ROOT / "data/updates"), lakehouse=own_sample.root)
        assert pipeline.run(settings, NOW + timedelta(days=1)).changed
    assert not {what: n for what, n in counts.items() if n > SECOND_DAY[what]}, counts


def test_a_run_with_nothing_new_asks_no_more_than_it_did(own_sample):
    with counting() as counts:
        settings = load(None, source=str(ROOT / "data"), lakehouse=own_sample.root)
        assert not pipeline.run(settings, NOW + timedelta(days=1)).changed
    assert not {what: n for what, n in counts.items() if n > NOTHING_NEW[what]}, counts
