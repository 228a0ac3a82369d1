"""The process: accounts and deals of a strand, drawn in continuous time, and what is true of them.

An open deal has four competing intensities: of a touch, of moving to the next stage, of being won and of being lost.
Between touches engagement only decays, so the intensities have a known bound until the next event, and drawing by
thinning (Lewis and Shedler 1979) is exact: no time step, no rounding of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medallion.simulate.world import CHANNELS, LOST, OUTCOMES, SIZE_BANDS, STAGES, WON, Calendar, Floats, Ints, World

#: Purposes of the random streams.
_REPS, _ACCOUNTS, _PAST, _FUTURE = range(4)
_KINDS = len(CHANNELS) * len(OUTCOMES)


@dataclass
class Reps:
    """Traits of the reps, known to the world only."""

    skill: Floats
    pace: Ints


def reps(world: World) -> Reps:
    """The reps of a world."""
    rng = world.stream(_REPS)
    skill = rng.normal(0.0, world.rep_skill_sd, world.reps)
    return Reps(np.clip(skill, -2.5 * world.rep_skill_sd, 2.5 * world.rep_skill_sd), rng.integers(0, 3, world.reps))


@dataclass
class Accounts:
    """Accounts of a strand: what a CRM knows of them, and their hidden `interest` (a level's number)."""

    first: int
    created: Floats
    employees: Ints
    size: Ints
    industry: Ints
    rep: Ints
    interest: Ints


@dataclass
class Leads:
    """Deals of a strand, advanced to a point in time. `account` counts within the strand, `number` within the account."""

    account: Ints
    number: Ints
    source: Ints
    created: Floats
    fit: Floats
    pace: Ints
    interest: Ints
    time: Floats
    engagement: Floats
    stage: Ints
    touches: Ints
    #: Integrals of the intensities of winning and losing over the deal's life, at interest 0.
    won_by_now: Floats
    lost_by_now: Floats


@dataclass
class Touches:
    """Touches in order of drawing; `lead` is -1 for one about no deal. `kind` is channel and outcome in one."""

    account: Ints
    lead: Ints
    time: Floats
    kind: Ints


@dataclass
class Changes:
    """Stages that deals entered, `new` at creation among them."""

    lead: Ints
    time: Floats
    stage: Ints


class Process:
    """The process of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calendar = Calendar(world)
        self.reps = reps(world)
        self.interest = np.array(world.interest)
        joint = (np.array(world.channel_share)[None, :, None] * world.outcome_shares()).reshape(-1, _KINDS)
        self.kinds: Floats = joint
        upto = np.cumsum(joint / joint.sum(axis=1, keepdims=True), axis=1)
        upto[:, -1] = 1.0
        self._upto = (upto + np.arange(len(upto))[:, None]).ravel()
        self._gain = world.gains().ravel()
        self._decay = np.log(2) / world.half_life_days

    def strands(self) -> int:
        """How many strands the world has."""
        return -(-self.world.customers // self.world.strand)

    def begin(self, strand: int) -> tuple[Accounts, Leads]:
        """Accounts of a strand and their deals, each at its creation."""
        world, rng = self.world, self.world.stream(_ACCOUNTS, strand)
        first = strand * world.strand
        count = min(world.strand, world.customers - first)
        whole = float(self.calendar.active(np.array([float(world.days)]))[0])
        start = rng.random(count) * whole
        employees = np.maximum(1, np.exp(rng.normal(4.2, 1.5, count))).astype(np.int64)
        accounts = Accounts(
            first,
            self.calendar.when(start),
            employees,
            np.searchsorted(SIZE_BANDS, employees, side="left"),
            rng.integers(0, len(world.industry_fit), count),
            rng.integers(0, world.reps, count),
            rng.choice(len(world.interest), count, p=world.interest_share),
        )
        further = rng.poisson(world.further_leads_per_year / 365.25 * (whole - start))
        later = np.repeat(np.arange(count), further)
        opened = start[later] + rng.random(len(later)) * (whole - start[later])
        account = np.concatenate([np.arange(count), later])
        at = np.concatenate([start, opened])
        order = np.lexsort((at, account))
        account, created = account[order], self.calendar.when(at[order])
        created = np.minimum(created, np.nextafter(float(world.days), 0))
        source = rng.choice(len(world.source_share), len(account), p=world.source_share)
        rep = accounts.rep[account]
        fit = (
            np.array(world.size_fit)[accounts.size[account]]
            + np.array(world.industry_fit)[accounts.industry[account]]
            + np.array(world.source_fit)[source]
            + self.reps.skill[rep]
        )
        zero = np.zeros(len(account))
        return accounts, Leads(
            account=account,
            number=np.arange(len(account)) - np.searchsorted(account, account) + 1,
            source=source,
            created=created,
            fit=fit,
            pace=self.reps.pace[rep],
            interest=accounts.interest[account],
            time=created.copy(),
            engagement=zero.copy(),
            stage=np.zeros(len(account), dtype=np.int64),
            touches=np.zeros(len(account), dtype=np.int64),
            won_by_now=zero.copy(),
            lost_by_now=zero.copy(),
        )

    def past(self, strand: int) -> tuple[Accounts, Leads, Touches, Changes]:
        """A strand from its beginning to the end of the last day."""
        accounts, leads = self.begin(strand)
        rng = self.world.stream(_PAST, strand)
        until = float(self.world.days)
        touches, changes = self.advance(leads, until, rng)
        start = self.calendar.active(accounts.created)
        whole = self.calendar.active(np.array([until]))[0]
        account = np.repeat(np.arange(len(start)), rng.poisson(self.world.account_touch_rate * (whole - start)))
        time = self.calendar.when(start[account] + rng.random(len(account)) * (whole - start[account]))
        kind = self._kind(rng, accounts.interest[account])
        touches = Touches(
            np.concatenate([touches.account, account]),
            np.concatenate([touches.lead, np.full(len(account), -1)]),
            np.concatenate([touches.time, np.minimum(time, np.nextafter(until, 0))]),
            np.concatenate([touches.kind, kind]),
        )
        created = np.arange(len(leads.account))
        return (
            accounts,
            leads,
            touches,
            Changes(
                np.concatenate([created, changes.lead]),
                np.concatenate([leads.created, changes.time]),
                np.concatenate([np.zeros(len(created), dtype=np.int64), changes.stage]),
            ),
        )

    def future(self, strand: int, leads: Leads) -> NDArray[np.bool_]:
        """Draw the horizon after the last day for deals brought there by `past`: which are won within it.

        The stream is another one than the past's; `leads` is advanced in place.
        """
        before = leads.stage < WON
        self.advance(leads, float(self.world.days + self.world.horizon_days), self.world.stream(_FUTURE, strand))
        return np.asarray(before & (leads.stage == WON))

    def _kind(self, rng: np.random.Generator, interest: Ints) -> Ints:
        drawn = np.searchsorted(self._upto, interest + rng.random(len(interest)), side="right")
        return np.asarray(np.minimum(drawn - interest * _KINDS, _KINDS - 1))

    def advance(self, leads: Leads, until: float, rng: np.random.Generator) -> tuple[Touches, Changes]:
        """Advance every open deal, in place, to a time or to its end; gives what happened on the way."""
        world, calendar = self.world, self.calendar
        level = self.interest[leads.interest]
        pace = np.array(world.rep_pace)[leads.pace]
        touch = world.touch_rate * pace * np.exp(world.interest_on_touch * level)
        fit_win, fit_loss = np.exp(leads.fit), np.exp(world.fit_on_loss * leads.fit)
        to_win, to_loss = np.exp(world.interest_on_win * level), np.exp(world.interest_on_loss * level)
        win_rate, loss_rate, stage_rate = map(np.array, (world.win_rate, world.loss_rate, world.stage_rate))
        on_win, on_loss, on_stage = world.engagement_on_win, world.engagement_on_loss, world.engagement_on_stage
        touched: list[tuple[Ints, Floats, Ints]] = []
        changed: list[tuple[Ints, Floats, Ints]] = []
        live = np.flatnonzero((leads.stage < WON) & (leads.time < until))
        while len(live):
            time, engaged, stage = leads.time[live], leads.engagement[live], leads.stage[live]
            touching, winning, losing = touch[live], win_rate[stage] * fit_win[live], loss_rate[stage] * fit_loss[live]
            lift, win_times, loss_times = np.exp(on_win * engaged), to_win[live], to_loss[live]
            bound = touching + winning * win_times * lift * calendar.best_season + losing * loss_times
            bound += stage_rate[stage] * np.exp(on_stage * engaged)
            bound *= calendar.most_active
            then = time + rng.standard_exponential(len(live)) / bound
            going = then < until
            np.minimum(then, until, out=then)
            shrunk = np.exp(-self._decay * (then - time))
            half, now = engaged * np.sqrt(shrunk), engaged * shrunk
            lift_now, drag_now = np.exp(on_win * now), np.exp(on_loss * now)
            mean = (lift + 4 * np.exp(on_win * half) + lift_now) / 6
            leads.won_by_now[live] += winning * mean * (calendar.sold(then) - calendar.sold(time))
            mean = (np.exp(on_loss * engaged) + 4 * np.exp(on_loss * half) + drag_now) / 6
            leads.lost_by_now[live] += losing * mean * (calendar.active(then) - calendar.active(time))
            day = then.astype(np.int64)
            drawn = rng.random(len(live)) * bound / calendar.activity[day]
            is_touch = going & (drawn < touching)
            edge = touching + winning * win_times * lift_now * calendar.season[day]
            is_win = going & (drawn >= touching) & (drawn < edge)
            next_edge = edge + losing * loss_times * drag_now
            is_loss = going & (drawn >= edge) & (drawn < next_edge)
            is_next = going & (drawn >= next_edge) & (drawn < next_edge + stage_rate[stage] * np.exp(on_stage * now))
            if is_touch.any():
                which = live[is_touch]
                kind = self._kind(rng, leads.interest[which])
                now[is_touch] = np.clip(now[is_touch] + self._gain[kind], 0.0, world.engagement_cap)
                leads.touches[which] += 1
                touched.append((which, then[is_touch], kind))
            entered = np.where(is_win, WON, np.where(is_loss, LOST, stage + is_next))
            moved = entered != stage
            if moved.any():
                changed.append((live[moved], then[moved], entered[moved]))
            leads.time[live], leads.engagement[live], leads.stage[live] = then, now, entered
            live = live[going & (entered < WON)]
        lead, at, kind = _joined(touched)
        return Touches(leads.account[lead], lead, at, kind), Changes(*_joined(changed))

    def log_weights(self, accounts: Accounts, leads: Leads, touches: Touches) -> Floats:
        """Logarithm of P(interest = level | everything the CRM has), per account and level, up to a constant.

        Exact up to Simpson's rule in the integrals: the times, channels and outcomes of all touches, and the wins,
        losses and waiting times of all deals of the account. Levels are independent of all else that is exported.
        """
        world, count = self.world, len(accounts.created)
        seen = np.bincount(touches.account * _KINDS + touches.kind, minlength=count * _KINDS).reshape(count, _KINDS)
        about = np.bincount(leads.account, leads.touches, minlength=count)
        exposure = self.calendar.active(leads.time) - self.calendar.active(leads.created)
        exposure *= world.touch_rate * np.array(world.rep_pace)[leads.pace]

        def total(values: Floats | NDArray[np.bool_]) -> Floats:
            summed = np.bincount(leads.account, np.asarray(values, dtype=float), minlength=count)
            return np.asarray(summed[:, None], dtype=np.float64)

        level = self.interest[None, :]
        weights = np.log(np.array(world.interest_share))[None, :] + seen @ np.log(self.kinds).T
        weights = weights + about[:, None] * world.interest_on_touch * level
        weights -= total(exposure) * np.exp(world.interest_on_touch * level)
        for stage, effect, integral in (
            (WON, world.interest_on_win, leads.won_by_now),
            (LOST, world.interest_on_loss, leads.lost_by_now),
        ):
            weights += total(leads.stage == stage) * effect * level - total(integral) * np.exp(effect * level)
        return np.asarray(weights - weights.max(axis=1, keepdims=True))


def _joined(parts: list[tuple[Ints, Floats, Ints]]) -> tuple[Ints, Floats, Ints]:
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]).astype(np.int64),
    )


class Truth:
    """P(won within the horizon after the last day) of an open deal, by Kolmogorov's backward equation.

    An open deal is a Markov process in (stage, engagement) for given fit, pace of its rep and hidden interest. All
    open deals share the as-of time, so the equation is solved once, backwards over the horizon, on a grid of fit and
    engagement, and read off by cubic interpolation.

    Args:
        process: The process.
        steps: Steps per day.
        fits: Points of the grid of fit.
        points: Points of the grid of engagement.
    """

    def __init__(self, process: Process, steps: int = 2, fits: int = 25, points: int = 51) -> None:
        world, calendar = process.world, process.calendar
        best = [max(of) for of in (world.size_fit, world.industry_fit, world.source_fit)]
        worst = [min(of) for of in (world.size_fit, world.industry_fit, world.source_fit)]
        skill = 2.5 * world.rep_skill_sd
        self.fits = np.linspace(sum(worst) - skill, sum(best) + skill, fits)
        self.engaged = np.linspace(0.0, world.engagement_cap, points)
        interest = process.interest[:, None, None, None, None]
        pace = np.array(world.rep_pace)[None, :, None, None, None]
        fit, engaged = self.fits[None, None, None, :, None], self.engaged

        def by_stage(rates: tuple[float, ...], effect: float) -> Floats:
            return np.asarray(np.array(rates)[None, None, :, None, None] * np.exp(effect * engaged))

        win = by_stage(world.win_rate, world.engagement_on_win) * np.exp(fit + world.interest_on_win * interest)
        loss = by_stage(world.loss_rate, world.engagement_on_loss)
        loss = loss * np.exp(world.fit_on_loss * fit + world.interest_on_loss * interest)
        onward = by_stage(world.stage_rate, world.engagement_on_stage)
        touching = world.touch_rate * pace * np.exp(world.interest_on_touch * interest)
        after = np.clip(engaged[:, None] + world.gains().ravel(), 0.0, world.engagement_cap)
        to = _between(self.engaged, after.ravel()).reshape(points, _KINDS, points)
        jumps = np.einsum("zk,pkq->zpq", process.kinds, to).transpose(0, 2, 1)[:, None, None]
        faded = _between(self.engaged, engaged * 2 ** (-0.5 / steps / world.half_life_days)).T

        def slope(won: Floats, activity: float, season: float) -> Floats:
            advanced = np.concatenate([won[:, :, 1:], won[:, :, -1:]], axis=2)
            change = touching * (won @ jumps - won) + onward * (advanced - won) - loss * won
            return np.asarray(activity * (change + season * win * (1.0 - won)))

        won = np.zeros((len(process.interest), len(world.rep_pace), len(STAGES), fits, points))
        size = 1.0 / steps
        for day in range(world.days + world.horizon_days - 1, world.days - 1, -1):
            activity, season = float(calendar.activity[day]), float(calendar.season[day])
            for _ in range(steps):
                won = won @ faded
                first = slope(won, activity, season)
                middle = slope(won + size / 2 * first, activity, season)
                won = (won + size * middle) @ faded
        self.won = won

    def given_interest(self, stage: Ints, pace: Ints, fit: Floats, engagement: Floats) -> Floats:
        """The probability per deal and level of the hidden interest."""
        fit_at, fit_weight = _stencil(self.fits, fit)
        at, weight = _stencil(self.engaged, engagement)
        total = np.zeros((len(self.won), len(stage)))
        for i in range(4):
            for j in range(4):
                total += self.won[:, pace, stage, fit_at + i, at + j] * (fit_weight[i] * weight[j])
        return np.clip(total.T, 0.0, 1.0)


def _stencil(grid: Floats, x: Floats) -> tuple[Ints, Floats]:
    """First of the four grid points around each x, and their Lagrange weights."""
    place = (x - grid[0]) / (grid[1] - grid[0])
    at = np.clip(np.floor(place).astype(np.int64) - 1, 0, len(grid) - 4)
    u = place - at
    weights = [-(u - 1) * (u - 2) * (u - 3) / 6, u * (u - 2) * (u - 3) / 2]
    weights += [-u * (u - 1) * (u - 3) / 2, u * (u - 1) * (u - 2) / 6]
    return at, np.array(weights)


def _between(grid: Floats, x: Floats) -> Floats:
    """Matrix that takes values on a grid to values at each x."""
    at, weight = _stencil(grid, x)
    matrix = np.zeros((len(x), len(grid)))
    for i in range(4):
        matrix[np.arange(len(x)), at + i] += weight[i]
    return matrix
