"""A world of competing hazards: time to win log-normal, time to loss Weibull, both in the age of the deal.

What decides is the account's size and industry together, not one by one; the rep, most in an industry of their own; an
amount that is neither small nor large; the last days of a quarter; and whether the buyer is warm, which nobody writes
down. Warm buyers are touched more often and move through the stages, so touches follow progress and cause none. Half
of the touches are entered up to 20 days late. After a win the account is served, which touches its deal again. From
`break_day` on, industries, sources and reps count differently.

The truth is the process's own: the buyer's warmth is filtered from the touches entered and the stages reached by then
(two hidden states, forward algorithm), and from there the hazards are run ahead, a day at a time.

    PYTHONPATH=tests python -m worlds.hazards --seed 1 --out world
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from worlds import crm
from worlds.crm import Columns, Crm

INDUSTRIES = ("Manufacturing", "Software", "Healthcare", "Logistics", "Retail", "Energy")
COUNTRIES = ("Germany", "France", "United States", "Netherlands", "Poland", "Spain")
SOURCES = ("referral", "website", "event", "linkedin", "email", "cold_call")
STAGES = ("new", "qualified", "proposal", "negotiation")
CHANNELS = ("call", "email", "whatsapp", "meeting")
OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
LONGEST = 900  # days; by then no deal is open any more


@dataclass(frozen=True)
class Params:
    """Rates are per day of a workday, effects are on the log of a hazard."""

    seed: int = 1
    accounts: int = 3000
    first_day: str = "2023-08-02"
    days: int = 730  # of the CRM
    after: int = 160  # that the world goes on, to know what came
    reps: int = 24
    deals_per_year: float = 1.3
    win_median: float = 75.0  # days, of the log-normal
    win_sigma: float = 0.9
    win_scale: float = 0.45
    loss_scale: float = 110.0  # days, of the Weibull
    loss_shape: float = 0.8
    give_up_after: int = 270  # days; from then on reps close what is old
    interaction: float = 0.65  # of size and industry
    main: float = 0.2
    skill: float = 0.35
    specialism: float = 0.3
    source_effect: float = 0.3
    sweet_spot: float = 0.35
    warm_win: float = 1.5
    warm_loss: float = -1.0
    warming: float = 0.02
    cooling: float = 0.015
    touches_cold: float = 0.07
    touches_warm: float = 0.22
    moves_cold: float = 0.008
    moves_warm: float = 0.035
    late_share: float = 0.5
    late_days: int = 20
    quarter_push: float = 0.9
    quarter_lull: float = -0.4
    service_touches: float = 0.12
    break_day: int = -1  # day number from which the world is another; -1 for never
    break_size: float = 1.0  # share of the effects that is drawn anew
    break_level: float = -0.6


class World:
    """A simulated CRM with its truth."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.first = date.fromisoformat(params.first_day)
        self.last = self.first + timedelta(days=params.days - 1)
        self.total = params.days + params.after
        self.rng = np.random.default_rng([params.seed, 7001])
        self._calendar()
        self._hazards()
        accounts = self._accounts()
        deals = self._deals(accounts)
        self._run(accounts, deals)

    # What is fixed

    def _calendar(self) -> None:
        p, self.work, self.season = self.params, [], []
        for n in range(self.total + LONGEST):
            day = self.first + timedelta(days=n)
            left = (crm.quarter_end(day) - day).days
            begun = (day - crm.quarter_end(day - timedelta(days=92)) - timedelta(days=1)).days
            self.season.append(math.exp(p.quarter_push if left < 10 else p.quarter_lull if 0 <= begun < 20 else 0.0))
            self.work.append(0.08 if day.weekday() >= 5 else 0.35 if (day.month, day.day) >= (12, 23) else 1.0)
        self.work, self.season = np.array(self.work), np.array(self.season)

    def _hazards(self) -> None:
        """Of each day of age, the first at index 1."""
        p, age = self.params, np.maximum(np.arange(self.total + LONGEST + 2) - 0.5, 0.5)
        z = (np.log(age) - math.log(p.win_median)) / p.win_sigma
        density = np.exp(-(z**2) / 2) / (age * p.win_sigma * math.sqrt(2 * math.pi))
        survival = np.array([0.5 * math.erfc(v / math.sqrt(2)) for v in z])
        self.win_base = p.win_scale * density / np.maximum(survival, 1e-9)
        self.loss_base = p.loss_shape / p.loss_scale * (age / p.loss_scale) ** (p.loss_shape - 1)
        self.old = 0.00015 * np.maximum(age - p.give_up_after, 0)

    def _accounts(self) -> Columns:
        p, rng, n = self.params, self.rng, self.params.accounts
        employees = np.exp(rng.normal(4.6, 1.5, n)).astype(int) + 3
        created = np.where(rng.random(n) < 0.4, 0, rng.integers(0, self.total - 20, n))
        industry = rng.integers(0, len(INDUSTRIES), n)
        self.size = np.searchsorted([50, 250, 1000], employees, side="right")
        self.industry = industry
        self.rep_of = rng.integers(0, p.reps, n)
        reps = np.array([f"Rep {i + 1:02d}" for i in range(p.reps)], dtype=object)
        words = np.array(["Arden", "Brook", "Calder", "Dunmore", "Elster", "Falken", "Garrow", "Hadley"], dtype=object)
        kinds = np.array(["Works", "Group", "Systems", "Partners", "Supply", "Labs"], dtype=object)
        self.reps = reps
        return {
            "account_name": words[rng.integers(0, 8, n)] + " " + kinds[rng.integers(0, 6, n)] + " " + np.arange(1, n + 1).astype(str).astype(object),
            "industry": np.array(INDUSTRIES, dtype=object)[industry],
            "country": np.array(COUNTRIES, dtype=object)[rng.integers(0, len(COUNTRIES), n)],
            "employee_count": employees,
            "account_manager": reps[self.rep_of],
            "created": created,
        }  # fmt: skip

    def _effects(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        p = self.params
        return {
            "cell": rng.normal(0, p.interaction, (4, len(INDUSTRIES))) + rng.normal(0, p.main, (4, 1)),
            "source": rng.normal(0, p.source_effect, len(SOURCES)),
            "rep": rng.normal(0, p.skill, p.reps)[:, None] + rng.normal(0, p.specialism, (p.reps, len(INDUSTRIES))),
            "product": rng.normal(0, 0.15, (4, 4)),  # by size
        }

    def _deals(self, accounts: Columns) -> Columns:
        p, rng = self.params, self.rng
        since = np.minimum(self.total - accounts["created"], self.total)
        count = rng.poisson(p.deals_per_year / 365 * since) + (accounts["created"] > 0)
        account = np.repeat(np.arange(p.accounts), count)
        first = np.r_[True, account[1:] != account[:-1]] & (accounts["created"][account] > 0)
        created = accounts["created"][account] + (rng.random(len(account)) * since[account]).astype(int)
        created = np.where(first, accounts["created"][account], created)
        order = np.lexsort((account, created))
        account, created = account[order], created[order]
        n, size = len(account), self.size[account]
        source, product = rng.integers(0, len(SOURCES), n), rng.integers(0, 4, n)
        wealth = rng.normal(0, 0.7, n)
        amount = np.round(np.exp(9.2 + 0.45 * size + 0.25 * product + wealth), -2) + 500
        before, after = (
            self._effects(np.random.default_rng([p.seed, 7002])),
            self._effects(np.random.default_rng([p.seed, 7003])),
        )
        self.fits = []
        for effects, level in ((before, 0.0), (self._mixed(before, after), p.break_level)):
            fit = effects["cell"][size, self.industry[account]] + effects["source"][source]
            fit = fit + effects["rep"][self.rep_of[account], self.industry[account]] + effects["product"][size, product]
            self.fits.append(fit - p.sweet_spot * (wealth**2 - 0.49) + level)
        return {
            "account": account,
            "product": product,
            "source": np.array(SOURCES, dtype=object)[source],
            "created": created,
            "second": rng.integers(8 * 3600, 9 * 3600, n),
            "_amount": amount,
            "owner": self.reps[self.rep_of[account]],
        }

    def _mixed(self, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        share = self.params.break_size
        return {k: math.sqrt(1 - min(share, 1.0) ** 2) * before[k] + share * after[k] for k in before}

    # The process

    def _marks(self) -> tuple[np.ndarray, np.ndarray]:
        """Probability of each channel and outcome, cold and warm, as one row of 20 each."""
        cold = np.outer([0.35, 0.45, 0.12, 0.08], [0.03, 0.12, 0.4, 0.15, 0.3])
        warm = np.outer([0.33, 0.35, 0.12, 0.2], [0.1, 0.28, 0.37, 0.07, 0.18])
        return cold.ravel(), warm.ravel()

    def _chances(self, deal: np.ndarray, age: np.ndarray, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Hazards of winning and of losing on one day, of cold (column 0) and warm buyers."""
        p = self.params
        fit = self.fits[int(0 <= p.break_day <= day)][deal]
        win = self.win_base[age] * np.exp(fit) * self.season[day] * self.work[day] * math.exp(-0.7)
        loss = self.loss_base[age] * np.exp(-0.4 * fit) * self.work[day]
        old = self.old[age] * self.work[day]
        wins = np.stack([win, win * math.exp(p.warm_win)], axis=1)
        return wins, np.stack([loss + old, loss * math.exp(p.warm_loss) + old], axis=1)

    def _run(self, accounts: Columns, deals: Columns) -> None:
        p, rng = self.params, np.random.default_rng([self.params.seed, 7004])
        n = len(deals["created"])
        warm, stage = rng.random(n) < 0.3, np.zeros(n, dtype=int)
        closed, won = np.full(n, -1), np.zeros(n, dtype=bool)
        marks = self._marks()
        touched: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        moved: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [
            (np.arange(n), deals["created"], np.zeros(n, dtype=int))
        ]
        rate, move = np.array([p.touches_cold, p.touches_warm]), np.array([p.moves_cold, p.moves_warm])
        joins = np.searchsorted(deals["created"], np.arange(self.total + 1))  # deals are in order of their opening
        alive = np.arange(0)
        for day in range(1, self.total):
            alive = np.concatenate([alive, np.arange(joins[day - 1], joins[day])])
            state = warm[alive].astype(int)
            count = rng.poisson(rate[state] * self.work[day])
            some = np.repeat(alive, count)
            draws, mark = rng.random(len(some)), np.zeros(len(some), dtype=int)
            for which in (0, 1):
                of = warm[some] == bool(which)
                mark[of] = np.minimum(np.searchsorted(np.cumsum(marks[which]), draws[of]), 19)
            touched.append((some, np.full(len(some), day), mark))
            on = alive[(rng.random(len(alive)) < -np.expm1(-move[state] * self.work[day])) & (stage[alive] < 3)]
            stage[on] += 1
            moved.append((on, np.full(len(on), day), stage[on].copy()))
            win, loss = self._chances(alive, day - deals["created"][alive], day)
            win, loss = win[np.arange(len(alive)), state], loss[np.arange(len(alive)), state]
            ends = rng.random(len(alive)) < -np.expm1(-(win + loss))
            wins = ends & (rng.random(len(alive)) * (win + loss) < win)
            closed[alive[ends]], won[alive[wins]] = day, True
            turn = np.where(state == 1, p.cooling, p.warming)
            turned = alive[rng.random(len(alive)) < turn]
            warm[turned] = ~warm[turned]
            alive = alive[~ends]
            if day == p.days - 1:
                self.hidden = (alive, warm[alive])  # what nobody sees, at the end of the last day
        self._record(accounts, deals, touched, moved, closed, won, rng)

    def _record(self, accounts: Columns, deals: Columns, touched: list[Any], moved: list[Any], closed: np.ndarray, won: np.ndarray, rng: np.random.Generator) -> None:  # fmt: skip
        p, marks = self.params, self._marks()
        deal, day, mark = (np.concatenate([part[i] for part in touched]) for i in range(3))
        self.evidence = len(deal)  # touches of open deals come first; those of service and of accounts tell nothing
        winners = np.flatnonzero(won)
        served = np.repeat(winners, rng.poisson(p.service_touches * 90, len(winners)))
        when = closed[served] + 1 + rng.integers(0, 90, len(served))
        other = np.repeat(np.arange(p.accounts), rng.poisson(1.2 * (self.total - accounts["created"]) / 365))
        then = accounts["created"][other] + (rng.random(len(other)) * (self.total - accounts["created"][other])).astype(
            int
        )
        account = np.concatenate([deals["account"][deal], deals["account"][served], other])
        deal = np.concatenate([deal, served, np.full(len(other), -1)])
        day = np.concatenate([day, when, then])
        mark = np.concatenate([mark, rng.choice(20, len(served), p=marks[1]), rng.choice(20, len(other), p=marks[0])])
        # Of streams of their own, so that what is drawn later does not change what was late before.
        tardy, by = (np.random.default_rng([p.seed, stream]) for stream in (7005, 7006))
        late = (tardy.random(len(deal)) < p.late_share) * by.integers(1, p.late_days + 1, len(deal))
        minutes = np.where(np.isin(mark // 5, (0, 3)) & (mark % 5 < 4), rng.integers(3, 55, len(deal)), 0)
        self.marks = mark
        touches = {
            "account": account,
            "deal": deal,
            "day": day,
            "second": rng.integers(9 * 3600 + 600, 16 * 3600, len(deal)),
            "recorded": day + late,
            "channel": np.array(CHANNELS, dtype=object)[mark // 5],
            "direction": np.where(rng.random(len(deal)) < 0.25, "inbound", "outbound"),
            "duration_minutes": minutes,
            "outcome": np.array(OUTCOMES, dtype=object)[mark % 5],
        }
        moves = [np.concatenate([part[i] for part in moved]) for i in range(3)]
        stages = {
            "deal": moves[0],
            "day": moves[1],
            "second": np.where(moves[2] == 0, deals["second"][moves[0]] + 60, 16 * 3600 + 1800),
            "stage": np.array(STAGES, dtype=object)[moves[2]],
        }
        amount, made = deals.pop("_amount"), np.arange(len(closed))
        expected = deals["created"] + rng.integers(45, 160, len(closed))  # a guess that nobody keeps up to date
        self.crm = Crm(
            self.first,
            accounts,
            [{"product_id": f"P{i + 1:06d}", "product_name": name, "category": kind, "list_price": price} for i, (name, kind, price) in enumerate([("Core", "Platform", 12000), ("Insight", "Analytics", 18000), ("Field", "Mobile", 15000), ("Suite", "Platform", 30000)])],
            deals,
            touches,
            stages,
            {
                "deal_value": (made, deals["created"], amount),
                "expected_close_date": (made, deals["created"], expected),
            },
            {"day": closed, "second": np.full(len(closed), 17 * 3600 + 1200), "won": won},
        )  # fmt: skip

    # The truth

    def belief(self, of: np.ndarray, day: int) -> np.ndarray:
        """P(warm) at the end of a day, of open deals, given the touches entered and the stages reached by then."""
        p, c = self.params, self.crm
        place = np.full(len(c.deals["created"]), -1)
        place[of] = np.arange(len(of))
        created = c.deals["created"][of]
        start = int(created.min()) if len(of) else day
        span = day - start + 1
        t = c.touches
        seen = np.zeros(len(t["deal"]), dtype=bool)
        seen[: self.evidence] = (t["recorded"][: self.evidence] <= day) & (place[t["deal"][: self.evidence]] >= 0)
        ratio = np.zeros((len(of), span))
        cold, warm = self._marks()
        weight = np.log(p.touches_warm * warm / (p.touches_cold * cold))
        np.add.at(ratio, (place[t["deal"][seen]], t["day"][seen] - start), weight[self.marks[seen]])
        s = c.stages
        step = (s["stage"] != STAGES[0]) & (s["day"] <= day) & (place[s["deal"]] >= 0)
        moves = np.zeros((len(of), span), dtype=np.int8)
        moves[place[s["deal"][step]], s["day"][step] - start] = 1
        stage = np.zeros(len(of), dtype=int)
        # A touch of a day counts only if it is entered by now.
        entered = (1 - p.late_share) + p.late_share * np.clip(np.arange(span)[::-1] / p.late_days, 0, 1)
        b = np.full(len(of), 0.3)
        for n in range(span):
            here = start + n
            live = created < here
            if not live.any():
                continue
            work = self.work[here]
            log = ratio[live, n] - (p.touches_warm - p.touches_cold) * work * entered[n]
            moved, last = moves[live, n] == 1, stage[live] == 3
            stay, go = (
                -(p.moves_warm - p.moves_cold) * work,
                math.log(np.expm1(-p.moves_warm * work) / np.expm1(-p.moves_cold * work)),
            )
            log = log + np.where(last, 0.0, np.where(moved, go, stay))
            stage[live] += moved
            win, loss = self._chances(of[live], here - created[live], here)
            gone = win + loss
            log = log - (gone[:, 1] - gone[:, 0])
            odds = b[live] * np.exp(log)
            after = odds / (odds + 1 - b[live])
            b[live] = after * (1 - p.cooling) + (1 - after) * p.warming
        return b

    def ahead(self, of: np.ndarray, day: int, warm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cumulative P(won by) and P(lost by) of each of the next days, as (days, deals)."""
        p, created = self.params, self.crm.deals["created"][of]
        v = np.stack([1 - warm, warm], axis=1)
        won, lost = [], []
        for here in range(day + 1, day + LONGEST - 300):
            win, loss = self._chances(of, here - created, here)
            total = win + loss
            end = v * -np.expm1(-total)
            won.append((end * win / total).sum(axis=1))
            lost.append(end.sum(axis=1) - won[-1])
            v = v - end
            v = np.stack(
                [v[:, 0] * (1 - p.warming) + v[:, 1] * p.cooling, v[:, 0] * p.warming + v[:, 1] * (1 - p.cooling)],
                axis=1,
            )
        return np.cumsum(won, axis=0), np.cumsum(lost, axis=0)

    def open_at(self, day: int) -> np.ndarray:
        """Deals open at the end of a day."""
        closed = self.crm.closed["day"]
        return np.flatnonzero((self.crm.deals["created"] <= day) & ((closed < 0) | (closed > day)))

    def truth(self, as_of: date) -> list[tuple[Any, ...]]:
        """Rows of `crm.TRUTH`, one per deal open at the end of the day."""
        day = crm.day_of(self.crm, as_of)
        of = self.open_at(day)
        won, lost = self.ahead(of, day, self.belief(of, day))
        return crm.truth_rows(self.crm, of, as_of, won, lost)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the exports and the truth of a world.")
    crm.arguments(parser)
    given = parser.parse_args()
    crm.write_world(
        World(crm.load(Params, given.params, seed=given.seed, accounts=given.accounts, days=given.days)), given
    )


if __name__ == "__main__":
    main()
