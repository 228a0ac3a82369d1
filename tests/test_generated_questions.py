"""Questions made by a grammar on a simulated world: every answer exact or declined with an offer, none wrong, nothing leaked.

`MEDALLION_INSTANCES` says how many of each kind are asked, `MEDALLION_SEED` of which world and wording.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict

import pytest
from asking.judging import DECLINED, EXACT, LEAKED, WRONG, judged
from asking.saying import LANGUAGES
from asking.tasks import KINDS, instances
from asking.world import Truth, plant

from medallion import pipeline
from medallion.agent.answer import planned
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.config import load, utc_now
from medallion.lakehouse.store import Lakehouse
from medallion.simulate import World, simulate

INSTANCES = int(os.environ.get("MEDALLION_INSTANCES", "2"))
SEED = int(os.environ.get("MEDALLION_SEED", "1"))
#: Instances from which on the share of exact answers is asserted: of fewer it says little.
MANY = 1_000
LEAST_EXACT = 0.95


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The truth, and a planner with its tools over the lakehouse of the same exports."""
    folder = tmp_path_factory.mktemp("asked")
    simulate(World(400, 500, SEED), folder / "in", people=True)
    plant(folder / "in")
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder / "in"), lakehouse=lake.root), utc_now())
    with serve(lake, locked=True) as serving:
        yield Truth.read(folder / "in"), Tools(serving, Rules()), Planner(serving)


def verdict(task, tools, planner, truth):
    """The worst verdict of the turns of a task, with the question and what was told."""
    before, worst, told = None, EXACT, ""
    for question, expected in task.turns:
        answer = planned(tools, planner, question, before)
        found = judged(answer, expected, truth)
        before = answer.understood or before
        if [EXACT, DECLINED, WRONG, LEAKED].index(found) > [EXACT, DECLINED, WRONG, LEAKED].index(worst):
            worst, told = found, f"[{task.language}] {question} -> {answer.declined or answer.text[:300]} ({expected})"
    return worst, told


@pytest.mark.slow
def test_no_answer_is_wrong_and_nothing_leaks(asked):
    truth, tools, planner = asked
    counts, bad = defaultdict(Counter), []
    for kind in KINDS:
        for task in instances(truth, kind, INSTANCES, SEED, LANGUAGES):
            found, told = verdict(task, tools, planner, truth)
            counts[kind][found] += 1
            bad += [f"{kind} {found}: {told}"] if found in (WRONG, LEAKED) else []
    whole = sum(counts.values(), Counter())
    for kind, count in counts.items():
        print(f"{kind:28}", dict(count))
    print(dict(whole))
    assert not bad, "\n".join(bad)
    assert whole.total() < MANY or whole[EXACT] >= LEAST_EXACT * whole.total()


def test_there_are_kinds_enough_and_each_asks_in_every_language():
    assert len(KINDS) >= 19
    assert LANGUAGES == ("en", "de", "fr", "es")
