"""A world of buying committees: deals move through stages, forward and back, as a Markov chain.

A deal is alive or stalled, which nobody writes down. While it is alive, further members of the committee turn up as
contacts in its interactions, it moves between stages and may be won; stalled deals are quiet, move nowhere and are
mostly lost, but some come alive again. Winning takes the committee: the share of its members who have turned up counts,
and how many there are follows from the size of the account. A close date that has passed is pushed, soon and by weeks
where the deal is alive, late and by months where it is stalled. Reps leave; whoever follows has another skill, and half
of the deals handed over stall. The campaign and the competitor, as recorded at the opening, count; campaigns come and
go. `rollout_partner` is filled in when a deal ends, nearly always for the won ones: it tells the outcome and is known
to no open deal.

Nothing depends on the calendar but when touches are made. So one table, by backward recursion over days, holds the
chance to be won or lost within any number of days from every state; the hidden state is filtered day by day.

    PYTHONPATH=tests python -m worlds.committee --seed 1 --out world
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from worlds import crm
from worlds.crm import Columns, Crm

INDUSTRIES = ("Chemicals", "Banking", "Public Sector", "Automotive", "Education", "Food", "Telecom")
COUNTRIES = ("United Kingdom", "Sweden", "Italy", "United States", "Austria", "Denmark")
SOURCES = ("referral", "website", "event", "linkedin", "email", "cold_call")
STAGES = ("discovery", "evaluation", "proposal", "contract")
COMPETITORS = ("", "Norvex", "Bluepeak", "In-house", "Quantis", "Orbline")
ROLES = ("Buyer", "Head of IT", "CFO", "Operations", "Legal", "CEO", "Security")
CHANNELS = ("call", "email", "whatsapp", "meeting")
OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
LEVELS = (-0.6, 0.0, 0.6)  # skill of reps
LONGEST = 800  # days that the truth looks ahead


@dataclass(frozen=True)
class Params:
    """Rates are per day, effects are on the log of the hazard of winning, and minus half of it on that of losing."""

    seed: int = 1
    accounts: int = 3000
    first_day: str = "2023-08-02"
    days: int = 730  # of the CRM
    after: int = 160  # that the world goes on, to know what came
    reps: int = 20
    leaving: float = 1 / 600
    deals_per_year: float = 1.2
    members: tuple[int, ...] = (2, 3, 4, 6)  # of the committee, by size of the account
    joining: float = 0.03
    touches_alive: float = 0.2
    touches_stalled: float = 0.03
    stalling: tuple[float, ...] = (0.014, 0.012, 0.009, 0.007)  # by stage
    reviving: float = 0.009
    handed_over_stalls: float = 0.5
    forward: tuple[float, ...] = (0.05, 0.045, 0.04, 0.0)
    back: tuple[float, ...] = (0.0, 0.004, 0.006, 0.006)
    win: tuple[float, ...] = (0.0006, 0.002, 0.007, 0.03)
    loss: tuple[float, ...] = (0.006, 0.005, 0.0045, 0.005)
    stalled_win: float = 0.03  # factor
    stalled_loss: float = 1.8  # factor
    alone: float = 0.15  # factor on winning while nobody has turned up
    source_effect: float = 0.25
    industry_effect: float = 0.3
    campaign_effect: float = 0.4
    competitor_effect: float = 0.5
    amount_effect: float = -0.2  # per unit of the log of the amount at entry
    campaigns: int = 14
    pushing_alive: float = 0.2
    pushing_stalled: float = 0.03
    push_alive: float = 20.0  # days
    push_stalled: float = 70.0
    discount: float = 0.2
    amount_noise: float = 0.12
    leak_won: float = 0.93
    leak_lost: float = 0.05
    fit_grid: int = 33


class World:
    """A simulated CRM with its truth."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.first = date.fromisoformat(params.first_day)
        self.last = self.first + timedelta(days=params.days - 1)
        self.total = params.days + params.after
        self.rng = np.random.default_rng([params.seed, 8001])
        self.work = np.array(
            [0.1 if (self.first + timedelta(days=n)).weekday() >= 5 else 1.0 for n in range(self.total + 1)]
        )
        self._marks()
        accounts = self._accounts()
        self._run(accounts, self._deals(accounts))

    # What is fixed

    def _marks(self) -> None:
        """Channel and outcome of touches, alive and stalled."""
        alive = np.outer([0.3, 0.38, 0.07, 0.25], [0.08, 0.25, 0.42, 0.08, 0.17]).ravel()
        stalled = np.outer([0.42, 0.48, 0.06, 0.04], [0.02, 0.08, 0.35, 0.2, 0.35]).ravel()
        self.marks = (alive, stalled)

    def _accounts(self) -> Columns:
        p, rng, n = self.params, self.rng, self.params.accounts
        employees = np.exp(rng.normal(5.0, 1.5, n)).astype(int) + 4
        self.size = np.searchsorted([50, 250, 1500], employees, side="right")
        self.industry = rng.integers(0, len(INDUSTRIES), n)
        self.slot = rng.integers(0, p.reps, n)
        left = np.array(["Ashby", "Corran", "Devlin", "Ostrava", "Penrose", "Quill", "Rowan", "Sable"], dtype=object)
        right = np.array(["Industries", "Bank", "Foods", "Institute", "Motors", "Networks"], dtype=object)
        number = np.arange(1, n + 1).astype(str).astype(object)
        return {
            "account_name": left[rng.integers(0, 8, n)] + " " + right[rng.integers(0, 6, n)] + " " + number,
            "industry": np.array(INDUSTRIES, dtype=object)[self.industry],
            "country": np.array(COUNTRIES, dtype=object)[rng.integers(0, len(COUNTRIES), n)],
            "employee_count": employees,
            "created": np.where(rng.random(n) < 0.5, 0, rng.integers(0, self.total - 20, n)),
        }

    def _deals(self, accounts: Columns) -> Columns:
        p, rng = self.params, self.rng
        since = self.total - accounts["created"]
        count = rng.poisson(p.deals_per_year / 365 * since)
        account = np.repeat(np.arange(p.accounts), count)
        created = accounts["created"][account] + (rng.random(len(account)) * since[account]).astype(int)
        order = np.lexsort((account, created))
        account, created = account[order], created[order]
        n, size = len(account), self.size[account]
        source, product = rng.integers(0, len(SOURCES), n), rng.integers(0, 3, n)
        # A campaign runs for some months, then others take its place; a third of the deals come from none.
        starts = np.linspace(-200, self.total - 90, p.campaigns)
        near = np.abs(created[:, None] - 110 - starts[None, :]) + rng.exponential(120, (n, p.campaigns))
        campaign = np.where(rng.random(n) < 0.33, -1, near.argmin(axis=1))
        competitor = rng.choice(len(COMPETITORS), n, p=[0.4, 0.2, 0.14, 0.12, 0.09, 0.05])
        wealth = rng.normal(0, 0.8, n)
        effects = np.random.default_rng([p.seed, 8002])
        fit = effects.normal(0, p.industry_effect, len(INDUSTRIES))[self.industry[account]]
        fit = fit + effects.normal(0, p.source_effect, len(SOURCES))[source]
        fit = fit + np.r_[effects.normal(0, p.campaign_effect, p.campaigns), 0.0][campaign]
        against = np.r_[0.3, effects.normal(-0.2, p.competitor_effect, len(COMPETITORS) - 1)]
        self.fit = fit + against[competitor] + p.amount_effect * wealth
        self.members = np.array(p.members)[size]
        amount = np.round(np.exp(9.0 + 0.6 * size + 0.2 * product + wealth), -2) + 400
        kinds = ("Webinar", "Spring fair", "Newsletter", "Partner day")
        began = [(self.first + timedelta(days=int(n))).year for n in starts]
        campaigns = [f"{kinds[i % 4]} {year}-{i:02d}" for i, year in enumerate(began)]
        names = np.array([*campaigns, ""], dtype=object)
        return {
            "account": account,
            "product": product,
            "source": np.array(SOURCES, dtype=object)[source],
            "source_campaign": names[campaign],
            "competitor": np.array(COMPETITORS, dtype=object)[competitor],
            "created": created,
            "second": rng.integers(8 * 3600, 9 * 3600, n),
            "_amount": amount,
        }

    # The process

    def _hazards(self, fit: Any, stage: Any, share: Any, stalled: Any) -> tuple[np.ndarray, np.ndarray]:
        """Hazards of winning and losing, of arrays of states; `share` is that of the committee which has turned up."""
        p = self.params
        win = np.array(p.win)[stage] * np.exp(fit) * (p.alone + (1 - p.alone) * share**1.5)
        loss = np.array(p.loss)[stage] * np.exp(-0.5 * fit)
        return win * np.where(stalled, p.stalled_win, 1.0), loss * np.where(stalled, p.stalled_loss, 1.0)

    def _moves(self, stage: Any, share: Any, stalled: Any) -> tuple[np.ndarray, np.ndarray]:
        """Chances of a day to go a stage forward and a stage back."""
        p = self.params
        on = np.where(stalled, 0.0, 1.0)
        return np.array(p.forward)[stage] * (0.4 + 0.8 * share) * on, np.array(p.back)[stage] * on

    def _joins(self, share: Any, stalled: Any) -> np.ndarray:
        """Chance of a day that a further member turns up."""
        return -np.expm1(-self.params.joining * (1 - share) * 3 * np.where(stalled, 0.05, 1.0))

    def _run(self, accounts: Columns, deals: Columns) -> None:
        p, rng = self.params, np.random.default_rng([self.params.seed, 8003])
        n, created = len(deals["created"]), deals["created"]
        slot = self.slot[deals["account"]]
        level, name = rng.integers(0, 3, p.reps), np.arange(p.reps)
        hired = p.reps
        stalled, stage, turned_up = np.zeros(n, dtype=bool), np.zeros(n, dtype=int), np.zeros(n, dtype=int)
        closed, won = np.full(n, -1), np.zeros(n, dtype=bool)
        amount, due = deals.pop("_amount"), created + rng.integers(40, 130, n)
        start = (amount.copy(), due.copy())
        belief, size = np.zeros(n), self.members
        self.kept: dict[int, tuple[np.ndarray, ...]] = {}  # the observed state at the end of each day
        log: dict[str, list[tuple[np.ndarray, ...]]] = {k: [] for k in ("touch", "stage", "deal_value", "due", "owner")}
        joins = np.searchsorted(created, np.arange(self.total + 1))
        weight = np.log(p.touches_stalled * self.marks[1] / (p.touches_alive * self.marks[0]))
        of = np.arange(0)
        for day in range(self.total):
            if day:
                # 1. Reps leave, and their deals go to someone else.
                gone = rng.random(p.reps) < p.leaving
                level[gone], name[gone] = rng.integers(0, 3, gone.sum()), hired + np.arange(gone.sum())
                hired += int(gone.sum())
                handed = of[gone[slot[of]]]
                stalled[handed] |= rng.random(len(handed)) < p.handed_over_stalls
                belief[handed] += (1 - belief[handed]) * p.handed_over_stalls
                log["owner"].append((handed, np.full(len(handed), day), name[slot[handed]]))
                still, share = stalled[of], turned_up[of] / size[of]
                logs = np.zeros(len(of))  # of the likelihood of the day, stalled against alive
                # 2. Touches, and members who turn up.
                count = rng.poisson(np.where(still, p.touches_stalled, p.touches_alive) * self.work[day])
                at = np.repeat(np.arange(len(of)), count)
                draws, mark = rng.random(len(at)), np.zeros(len(at), dtype=int)
                for which in (0, 1):
                    mine = still[at] == bool(which)
                    mark[mine] = np.minimum(np.searchsorted(np.cumsum(self.marks[which]), draws[mine]), 19)
                np.add.at(logs, at, weight[mark])
                logs += (p.touches_alive - p.touches_stalled) * self.work[day]
                known = np.maximum(turned_up[of][at], 1)
                who = (rng.random(len(at)) * known).astype(int)
                log["touch"].append((of[at], np.full(len(at), day), mark, who))
                new = rng.random(len(of)) < self._joins(share, still)
                join_alive, join_stalled = self._joins(share, False), self._joins(share, True)
                with np.errstate(divide="ignore", invalid="ignore"):  # nobody is left to join where the share is 1
                    logs += np.where(
                        new, np.log(join_stalled / join_alive), np.log((1 - join_stalled) / (1 - join_alive))
                    )
                turned = of[new]
                log["touch"].append((turned, np.full(len(turned), day), np.full(len(turned), 17), turned_up[turned]))
                turned_up[turned] += 1
                share = turned_up[of] / size[of]
                # 3. Won or lost.
                fit = self.fit[of] + np.array(LEVELS)[level[slot[of]]]
                win, loss = self._hazards(fit, stage[of], share, still)
                other = [sum(self._hazards(fit, stage[of], share, np.full(len(of), s))) for s in (False, True)]
                ends = rng.random(len(of)) < -np.expm1(-(win + loss))
                wins = ends & (rng.random(len(of)) * (win + loss) < win)
                closed[of[ends]], won[of[wins]] = day, True
                logs -= other[1] - other[0]
                # 4. Stages.
                ahead, back = self._moves(stage[of], share, still)
                u = rng.random(len(of))
                step = np.where(u < ahead, 1, np.where(u < ahead + back, -1, 0)) * ~ends
                could, fall = self._moves(stage[of], share, np.zeros(len(of), dtype=bool))
                logs = np.where(step != 0, -np.inf, logs - np.log1p(-(could + fall)))
                moved = of[step != 0]
                stage[moved] += step[step != 0]
                log["stage"].append((moved, np.full(len(moved), day), stage[moved].copy()))
                up = of[step == 1]
                change = np.where(
                    stage[up] == 2,
                    np.exp(rng.normal(0, p.amount_noise, len(up))),
                    np.where(stage[up] == 3, 1 - p.discount * rng.random(len(up)), 1.0),
                )
                amount[up] = np.round(amount[up] * change, -1)
                log["deal_value"].append((up, np.full(len(up), day), amount[up].copy()))
                # 5. Close dates that have passed.
                late = (due[of] < day) & ~ends
                push = late & (rng.random(len(of)) < np.where(still, p.pushing_stalled, p.pushing_alive))
                logs += np.where(late & ~push, math.log((1 - p.pushing_stalled) / (1 - p.pushing_alive)), 0.0)
                by = 1 + np.floor(rng.exponential(np.where(still, p.push_stalled, p.push_alive))).astype(int)
                logs += np.where(push, math.log(p.pushing_stalled / p.pushing_alive) + self._push_ratio(by), 0.0)
                pushed = of[push]
                due[pushed] = day + by[push]
                log["due"].append((pushed, np.full(len(pushed), day), due[pushed].copy()))
                # 6. What nobody sees.
                odds = belief[of] * np.exp(np.clip(logs, -700, 50))
                b = odds / (odds + 1 - belief[of])
                stall = np.array(p.stalling)[stage[of]]
                belief[of] = b * (1 - p.reviving) + (1 - b) * stall
                turns = rng.random(len(of)) < np.where(still, p.reviving, stall)
                stalled[of] = still ^ turns
                of = of[~ends]
            new = np.arange(joins[day], joins[day + 1])
            log["owner"].append((new, np.full(len(new), day), name[slot[new]]))
            of = np.concatenate([of, new])
            if day == p.days - 1:
                self.hidden = (of, stalled[of])  # what nobody sees, at the end of the last day
            states = (stage[of], turned_up[of], level[slot[of]])
            self.kept[day] = (of, *(state.astype(np.int8) for state in states), belief[of])
        self._record(accounts, deals, log, start, closed, won, hired, rng)

    def _push_ratio(self, by: np.ndarray) -> np.ndarray:
        """Log of the likelihood of a push by so many days, stalled against alive."""
        p = self.params
        logs = [np.log(-np.expm1(-1 / mean)) - (by - 1) / mean for mean in (p.push_alive, p.push_stalled)]
        return logs[1] - logs[0]

    def _record(self, accounts: Columns, deals: Columns, log: dict[str, list[tuple[np.ndarray, ...]]], start: tuple[np.ndarray, np.ndarray], closed: np.ndarray, won: np.ndarray, hired: int, rng: np.random.Generator) -> None:  # fmt: skip
        p, created = self.params, deals["created"]
        joined = {k: [np.concatenate([part[i] for part in v]) for i in range(len(v[0]))] for k, v in log.items()}
        deal, day, mark, who = joined["touch"]
        service = np.repeat(np.flatnonzero(won), rng.poisson(4, int(won.sum())))
        deal = np.concatenate([deal, service])
        day = np.concatenate([day, closed[service] + 1 + rng.integers(0, 60, len(service))])
        mark, who = (
            np.concatenate([mark, np.full(len(service), 6)]),
            np.concatenate([who, np.zeros(len(service), dtype=int)]),
        )
        account = deals["account"][deal]
        order = np.lexsort((deal, day))
        deal, day, mark, who, account = deal[order], day[order], mark[order], who[order], account[order]
        self.who = who
        touches = {
            "account": account,
            "deal": deal,
            "day": day,
            "second": rng.integers(9 * 3600 + 600, 16 * 3600, len(deal)),
            "recorded": day,
            "channel": np.array(CHANNELS, dtype=object)[mark // 5],
            "direction": np.where(rng.random(len(deal)) < 0.3, "inbound", "outbound"),
            "duration_minutes": np.where(
                np.isin(mark // 5, (0, 3)) & (mark % 5 < 4), rng.integers(5, 70, len(deal)), 0
            ),
            "outcome": np.array(OUTCOMES, dtype=object)[mark % 5],
            "contact": np.array(
                [f"K{a + 1:06d}-{w + 1}" for a, w in zip(account.tolist(), who.tolist(), strict=True)], dtype=object
            ),
            "contact_role": np.array(ROLES, dtype=object)[(account + who) % len(ROLES)],
        }
        moves = joined["stage"]
        made = np.arange(len(created))
        stage = np.concatenate([np.zeros(len(made), dtype=int), moves[2]])
        moves = [np.concatenate([made, moves[0]]), np.concatenate([created, moves[1]])]
        stages = {
            "deal": moves[0],
            "day": moves[1],
            "second": np.where(np.arange(len(stage)) < len(made), deals["second"][moves[0]] + 60, 16 * 3600 + 1800),
            "stage": np.array(STAGES, dtype=object)[stage],
        }
        ended = np.flatnonzero(closed >= 0)
        ended = ended[np.argsort(closed[ended], kind="stable")]
        told = ended[rng.random(len(ended)) < np.where(won[ended], p.leak_won, p.leak_lost)]
        partners = np.array(["Hartmann IT", "Delta Services", "own staff", "Meridian"], dtype=object)
        owners = np.array([f"Rep {i + 1:03d}" for i in range(hired)], dtype=object)
        self.crm = Crm(
            self.first,
            accounts,
            [{"product_id": f"P{i + 1:06d}", "product_name": n, "category": "Service", "list_price": c} for i, (n, c) in enumerate([("Base", 9000), ("Team", 14000), ("Enterprise", 24000)])],
            deals,
            touches,
            stages,
            {
                "deal_value": _joined((made, created, start[0]), joined["deal_value"]),
                "expected_close_date": _joined((made, created, start[1]), joined["due"]),
                "owner": (joined["owner"][0], joined["owner"][1], owners[joined["owner"][2]]),
                "rollout_partner": (told, closed[told], partners[rng.integers(0, 4, len(told))]),
            },
            {"day": closed, "second": np.full(len(closed), 17 * 3600 + 1200), "won": won},
        )  # fmt: skip

    # The truth

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Days, grid of fit, and P(won within), P(lost within) of each state.

        Axes are (days, won or lost, committee, fit, skill, stage, stalled, members that have turned up), in single
        precision. A day of the process is gone through backward.
        """
        p = self.params
        grid = np.linspace(self.fit.min() - 0.01, self.fit.max() + 0.01, p.fit_grid)
        most = max(p.members)
        committee, fit, skill, stage, hidden, members = np.ix_(
            p.members, grid, LEVELS, range(4), range(2), np.arange(most + 1)
        )
        stalled, share = hidden == 1, np.minimum(members / committee, 1.0)
        joins = self._joins(share, stalled)
        win, loss = self._hazards(fit + skill, stage, share, stalled)
        survive = np.exp(-(win + loss))
        ends = np.stack([(1 - survive) * win / (win + loss), (1 - survive) * loss / (win + loss)])
        ahead, back = self._moves(stage, share, stalled)
        stay, stall = 1 - ahead - back, np.array(p.stalling)[:, None]
        days = np.array([*range(1, 131), *range(140, LONGEST + 1, 20)])
        u, kept = np.zeros(ends.shape), []
        for day in range(1, days[-1] + 1):
            # 6. What is hidden turns.
            alive, quiet = u[..., 0, :], u[..., 1, :]
            v = np.stack([alive + stall * (quiet - alive), quiet + p.reviving * (alive - quiet)], axis=-2)
            # 4. Stages; 3. the end.
            v = ahead * np.roll(v, -1, axis=-3) + back * np.roll(v, 1, axis=-3) + stay * v
            v = ends + survive * v
            # 2. A member turns up; 1. the rep leaves, and whoever comes has any skill.
            v = v + joins * (np.concatenate([v[..., 1:], v[..., -1:]], axis=-1) - v)
            other = v.mean(axis=-4, keepdims=True)
            other[..., 0, :] += p.handed_over_stalls * (other[..., 1, :] - other[..., 0, :])
            u = v + p.leaving * (other - v)
            if day in days:
                kept.append(u.astype(np.float32))
        return days, grid, np.stack(kept)

    def truth(self, as_of: date) -> list[tuple[Any, ...]]:
        """Rows of `crm.TRUTH`, one per deal open at the end of the day."""
        of, stage, turned_up, level, belief = self.kept[crm.day_of(self.crm, as_of)]
        days, grid, table = self.table
        place = np.clip((self.fit[of] - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1.000001)
        low, part = place.astype(int), place % 1
        committee = self.size[self.crm.deals["account"][of]]
        out = np.zeros((len(days), 2, len(of)))
        for step, weight in ((0, 1 - part), (1, part)):
            for hidden, chance in ((0, 1 - belief), (1, belief)):
                cell = table[:, :, committee, low + step, level, stage, hidden, turned_up]
                out += weight * chance * cell
        every = np.arange(1, LONGEST + 1)
        index = np.clip(np.searchsorted(days, every, side="right") - 1, 0, len(days) - 2)
        share = np.clip((every - days[index]) / (days[index + 1] - days[index]), 0, 1)[:, None]
        won, lost = (out[index, i] * (1 - share) + out[index + 1, i] * share for i in range(2))
        return crm.truth_rows(self.crm, of, as_of, won, lost)


def _joined(first: tuple[np.ndarray, ...], later: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values at the opening, then those that came later."""
    return tuple(np.concatenate([a, b]) for a, b in zip(first, later, strict=True))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the exports and the truth of a world.")
    crm.arguments(parser)
    given = parser.parse_args()
    crm.write_world(
        World(crm.load(Params, given.params, seed=given.seed, accounts=given.accounts, days=given.days)), given
    )


if __name__ == "__main__":
    main()
