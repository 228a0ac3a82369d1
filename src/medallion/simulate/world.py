"""The laws of the simulated world: every rate and effect, with its unit.

Rates are per day of full activity, effects are added to the logarithm of a rate, times are days since the world began.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from medallion.errors import MedallionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Open stages in their order; WON and LOST are the codes of the two ends after them.
STAGES = ("new", "qualified", "proposal", "negotiation")
WON, LOST = 4, 5
ENDS = ("closed_won", "closed_lost")
CHANNELS = ("call", "email", "whatsapp", "meeting")
OUTCOMES = ("meeting_booked", "positive", "neutral", "negative", "no_answer")
SOURCES = ("referral", "website", "event", "linkedin", "email", "cold_call")
INDUSTRIES = (
    "Manufacturing", "Logistics", "Healthcare", "Retail", "Finance", "Education", "Media", "Hospitality",
)  # fmt: skip
#: Upper ends of the size bands, employees; the last band is open.
SIZE_BANDS = (10, 50, 200, 1000)
_FURTHEST = date(2400, 1, 1)


@dataclass(frozen=True)
class World:
    """A CRM world: how accounts arrive, how they are touched, and what makes a deal won or lost.

    Attributes:
        customers: Accounts, 1 or more.
        days: Days simulated, ending with `last_day`.
        seed: Of every random stream; the same world and seed give the same bytes.
        last_day: Last simulated day; its end is the as-of time of the exports and of the truth.
        horizon_days: Days after that time within which a win counts for the true probability.
        strand: Accounts per random stream. Part of the world: another value is another world.
        further_leads_per_year: Deals that an account opens after its first one, per year of full activity.
        touch_rate: Touches of an open deal per day, for a rep and an account that are average.
        account_touch_rate: Touches of an account about no deal in particular, per day.
        rep_pace: Factor of `touch_rate` for the three kinds of rep, equally frequent.
        rep_skill_sd: Standard deviation of a rep's effect on the log intensity of winning.
        interest: Levels of the hidden interest of an account; it is in no export.
        interest_share: Share of accounts at each level.
        interest_on_touch: Effect of one unit of interest on the log rate of touches.
        interest_on_outcome: Effect of one unit of interest on the log odds of the outcomes, best to worst.
        interest_on_win: Effect of one unit of interest on the log intensity of winning.
        interest_on_loss: Effect of one unit of interest on the log intensity of losing.
        fit_on_loss: Effect of one unit of fit on the log intensity of losing (on winning it is 1).
        size_fit: Fit of each size band.
        industry_fit: Fit of each industry.
        source_fit: Fit of each source.
        source_share: Share of deals from each source.
        channel_share: Share of touches by each channel.
        channel_weight: What a touch by each channel adds to engagement, times the outcome's weight.
        outcome_weight: Weight of each outcome; a negative one takes engagement away.
        outcome_share: Per channel, shares of the outcomes for an account of no particular interest.
        half_life_days: Days in which engagement halves.
        engagement_cap: Engagement stays between 0 and this.
        engagement_on_win: Effect of one unit of engagement on the log intensity of winning.
        engagement_on_loss: Effect of one unit of engagement on the log intensity of losing.
        engagement_on_stage: Effect of one unit of engagement on the log rate of moving to the next stage.
        win_rate: Intensity of winning per day in each stage, at fit, interest and engagement 0.
        loss_rate: Intensity of losing per day in each stage, at fit, interest and engagement 0.
        stage_rate: Rate per day of moving from each stage to the next, at engagement 0.
        weekday: Activity of Monday to Sunday; every rate is multiplied by it.
        august: Factor of activity in August.
        year_end: Factor of activity from 24 December to 1 January.
        season: Amplitude of the yearly wave in the log intensity of winning, highest in mid-November.
        quarter_end: Effect of the last ten days of a quarter on the log intensity of winning.
    """

    customers: int
    days: int
    seed: int
    last_day: date = date(2025, 6, 30)
    horizon_days: int = 90
    strand: int = 8192
    further_leads_per_year: float = 0.55
    touch_rate: float = 0.15
    account_touch_rate: float = 0.006
    rep_pace: tuple[float, ...] = (0.7, 1.0, 1.4)
    rep_skill_sd: float = 0.3
    interest: tuple[float, ...] = (-1.6, -0.8, 0.0, 0.8, 1.6)
    interest_share: tuple[float, ...] = (0.1, 0.2, 0.4, 0.2, 0.1)
    interest_on_touch: float = 0.2
    interest_on_outcome: float = 0.35
    interest_on_win: float = 0.7
    interest_on_loss: float = -0.3
    fit_on_loss: float = -0.4
    size_fit: tuple[float, ...] = (-0.5, -0.1, 0.3, 0.4, 0.1)
    industry_fit: tuple[float, ...] = (0.3, 0.2, 0.1, 0.0, 0.1, -0.2, -0.3, -0.2)
    source_fit: tuple[float, ...] = (0.6, 0.2, 0.2, 0.0, -0.1, -0.5)
    source_share: tuple[float, ...] = (0.15, 0.3, 0.15, 0.15, 0.1, 0.15)
    channel_share: tuple[float, ...] = (0.35, 0.4, 0.1, 0.15)
    channel_weight: tuple[float, ...] = (1.0, 0.5, 0.7, 1.5)
    outcome_weight: tuple[float, ...] = (1.2, 0.8, 0.3, -0.7, 0.0)
    outcome_share: tuple[tuple[float, ...], ...] = (
        (0.08, 0.22, 0.25, 0.10, 0.35),
        (0.04, 0.16, 0.25, 0.05, 0.50),
        (0.06, 0.24, 0.30, 0.05, 0.35),
        (0.15, 0.40, 0.25, 0.15, 0.05),
    )
    half_life_days: float = 21.0
    engagement_cap: float = 5.0
    engagement_on_win: float = 0.5
    engagement_on_loss: float = -0.35
    engagement_on_stage: float = 0.3
    win_rate: tuple[float, ...] = (0.0001, 0.0004, 0.0014, 0.0050)
    loss_rate: tuple[float, ...] = (0.0090, 0.0080, 0.0075, 0.0080)
    stage_rate: tuple[float, ...] = (0.025, 0.020, 0.018, 0.0)
    weekday: tuple[float, ...] = (1.3, 1.4, 1.4, 1.4, 1.2, 0.2, 0.1)
    august: float = 0.75
    year_end: float = 0.3
    season: float = 0.2
    quarter_end: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= 10**9:
            raise MedallionError(f"customers: {self.customers} is not 1 to 1,000,000,000", "Ask for at least one.")
        if not 1 <= self.days <= 36500:
            raise MedallionError(f"days: {self.days} is not 1 to 36,500", "Ask for at least one day.")
        if not 0 <= self.seed < 2**63:
            raise MedallionError(f"seed: {self.seed} is not 0 to 2^63 - 1", "Choose a whole number from 0.")
        if self.strand < 1 or self.horizon_days < 1:
            raise MedallionError("strand and horizon_days are 1 or more", "Leave them as they are.")
        if not date(1000, 1, 1) + timedelta(days=self.days) <= self.last_day < _FURTHEST:
            raise MedallionError(f"last_day: {self.last_day} is out of the calendar", "Choose a day of our time.")

    @property
    def first_day(self) -> date:
        """The first simulated day."""
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def reps(self) -> int:
        """Sales reps: one for about 150 accounts, 6 to 300."""
        return int(np.clip(self.customers // 150, 6, 300))

    def stream(self, *purpose: int) -> np.random.Generator:
        """The random stream of a purpose and strand, independent of every other."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=purpose)))

    def outcome_shares(self) -> Floats:
        """Shares of the outcomes of a touch, per interest level and channel."""
        tilt = self.interest_on_outcome * np.array([1.0, 1.0, 0.0, -1.0, -0.5])
        weights = np.array(self.outcome_share)[None] * np.exp(np.array(self.interest)[:, None, None] * tilt)
        return np.asarray(weights / weights.sum(axis=2, keepdims=True))

    def gains(self) -> Floats:
        """What a touch adds to engagement, per channel and outcome."""
        return np.outer(self.channel_weight, self.outcome_weight)


class Calendar:
    """Activity and season per day from the first day through the horizon, and their integrals.

    Both are constant within a day, so their integrals are exact.
    """

    def __init__(self, world: World) -> None:
        days = world.days + world.horizon_days + 1
        dates = np.datetime64(world.first_day, "D") + np.arange(days)
        month = dates.astype("M8[M]").astype(int) % 12 + 1
        of_month = (dates - dates.astype("M8[M]")).astype(int) + 1
        of_year = (dates - dates.astype("M8[Y]")).astype(int)
        weekday = (dates.astype(int) + 3) % 7
        quiet = ((month == 12) & (of_month >= 24)) | ((month == 1) & (of_month == 1))
        activity = np.array(world.weekday)[weekday] * np.where(month == 8, world.august, 1.0)
        self.activity: Floats = activity * np.where(quiet, world.year_end, 1.0)
        next_month = (dates.astype("M8[M]") + 1).astype("M8[D]")
        left = (next_month - dates).astype(int)
        wave = world.season * np.cos(2 * np.pi * (of_year - 319) / 365.25)
        self.season: Floats = np.exp(wave + world.quarter_end * ((month % 3 == 0) & (left <= 10)))
        self.most_active = float(self.activity.max())
        self.best_season = float(self.season.max())
        self.selling: Floats = self.activity * self.season
        self._active = np.concatenate([[0.0], np.cumsum(self.activity)])
        self._sold = np.concatenate([[0.0], np.cumsum(self.selling)])

    def active(self, time: Floats) -> Floats:
        """Days of full activity from the beginning until a time."""
        day = time.astype(np.int64)
        return np.asarray(self._active[day] + self.activity[day] * (time - day))

    def sold(self, time: Floats) -> Floats:
        """Integral of activity times season from the beginning until a time."""
        day = time.astype(np.int64)
        return np.asarray(self._sold[day] + self.selling[day] * (time - day))

    def when(self, active: Floats) -> Floats:
        """The time at which that much activity had passed: the inverse of `active`."""
        return np.asarray(np.interp(active, self._active, np.arange(len(self._active), dtype=float)), dtype=np.float64)
