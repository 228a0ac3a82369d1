"""A world by `leadforge` from PyPI, as exports of a CRM; written by others, and no dependency of ours.

Run it with a Python that has `leadforge` (1.0 was read):

    python -m venv forge && forge/bin/pip install leadforge
    PYTHONPATH=tests forge/bin/python -m worlds.leadforge_world --seed 1 --out world

What leadforge lacks is added: it opens all leads within one month, so each account is moved by a number of days of its
own, which its process does not notice since it knows no calendar; and it exports no dates of stages, so its states are
listened to. What ends before 400 days is simulated to its end.

Its traits (`latent_...`) are in no export and cannot be learned from one. The truth here is given these traits, so it
is a bound that no model reaches, other than in the worlds of our own; compare forecasts with `outcomes.csv` instead.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from worlds import crm
from worlds.crm import Crm

STAGES = ("mql", "sal", "sql", "demo_scheduled", "demo_completed", "proposal_sent", "negotiation")
EMPLOYEES = {"200-499": 350, "500-999": 750, "1000-1999": 1500, "2000+": 4000}
SOURCES = {"inbound_marketing": "website", "partner_referral": "referral", "sdr_outbound": "cold_call"}
CHANNELS = {"email": "email", "call": "call", "meeting": "meeting", "demo": "meeting"}
RESULTS = {"connected": "positive", "meeting_set": "meeting_booked", "demo_completed": "positive"}
LONGEST = 500


@dataclass(frozen=True)
class Params:
    """`difficulty` is leadforge's: intro, intermediate or advanced."""

    seed: int = 1
    accounts: int = 2500
    deals: int = 6000
    first_day: str = "2023-08-02"
    days: int = 730
    after: int = 160
    difficulty: str = "intermediate"


class World:
    """A simulated CRM with its truth given the hidden traits."""

    def __init__(self, params: Params) -> None:
        from leadforge.api.generator import Generator
        from leadforge.core.rng import RNGRoot
        from leadforge.mechanisms.policies import assign_mechanisms
        from leadforge.simulation import engine
        from leadforge.simulation.state import LeadSimState

        self.params = params
        self.first = date.fromisoformat(params.first_day)
        self.last = self.first + timedelta(days=params.days - 1)
        moves: list[tuple[str, int, str]] = []
        lost: dict[str, int] = {}

        class Heard(LeadSimState):
            def advance_stage(self, new_stage: str, day: int) -> None:
                super().advance_stage(new_stage, day)
                moves.append((self.lead_id, day, new_stage))

            def mark_churned(self, day: int) -> None:
                super().mark_churned(day)
                lost[self.lead_id] = day

        kept, engine.LeadSimState = engine.LeadSimState, Heard
        try:
            made = Generator.from_recipe(
                "b2b_saas_procurement_v1",
                seed=params.seed,
                exposure_mode="research_instructor",
                difficulty=params.difficulty,
                n_accounts=params.accounts,
                n_contacts=params.accounts * 2,
                n_leads=params.deals,
                horizon_days=LONGEST,
            ).generate()
        finally:
            engine.LeadSimState = kept
        self._record(made, moves, lost)
        profile = made.spec.config.difficulty_params
        mechanisms = assign_mechanisms(
            made.world_graph.motif_family,
            RNGRoot(params.seed).child("mechanisms"),
            latent_touch_intensity=False,
            difficulty_params=profile,
        )
        self.churn = engine._DAILY_CHURN_RATE * (1 + 0.5 * profile.committee_friction)
        self.direct = engine._DIRECT_CONVERSION_DISCOUNT
        self.dwell = mechanisms.stage_transition._min_dwell
        self.win = np.array([mechanisms.conversion_hazard.daily_probability(t) for t in self.traits])
        self.move = np.array([mechanisms.stage_transition.daily_probability(t, 99) for t in self.traits])

    def _record(self, made: Any, moves: list[tuple[str, int, str]], lost: dict[str, int]) -> None:
        p, rng = self.params, np.random.default_rng([self.params.seed, 9001])
        people, result = made.population, made.simulation_result
        place = {row.account_id: i for i, row in enumerate(people.accounts)}
        contacts = {row.contact_id: row for row in people.contacts}
        begun = min(date.fromisoformat(row.lead_created_at) for row in result.leads)
        shift = rng.integers(0, p.days + p.after - 35, len(place))
        leads = sorted(
            result.leads,
            key=lambda row: (shift[place[row.account_id]] + (date.fromisoformat(row.lead_created_at) - begun).days, row.lead_id),
        )  # fmt: skip
        of = {row.lead_id: i for i, row in enumerate(leads)}
        account = np.array([place[row.account_id] for row in leads])
        created = shift[account] + np.array([(date.fromisoformat(row.lead_created_at) - begun).days for row in leads])
        own = [(date.fromisoformat(row.lead_created_at) - begun).days for row in leads]
        latent = people.latent_state
        self.traits = [
            latent.account_latents.get(row.account_id, {})
            | latent.contact_latents.get(row.contact_id, {})
            | latent.lead_latents.get(row.lead_id, {})
            for row in leads
        ]
        won = np.array([row.conversion_timestamp is not None for row in leads])
        closed = np.full(len(leads), -1)
        for i, row in enumerate(leads):
            if won[i]:
                closed[i] = created[i] + (date.fromisoformat(row.conversion_timestamp) - begun).days - own[i]
            elif row.lead_id in lost:
                closed[i] = created[i] + lost[row.lead_id]
        value = {row.lead_id: row.estimated_acv for row in result.opportunities}
        touches = [
            (of[t.lead_id], t.touch_timestamp, CHANNELS.get(t.touch_type, "other"), t.touch_direction, "neutral")
            for t in result.touches
        ] + [
            (of[a.lead_id], a.activity_timestamp, CHANNELS[a.activity_type], "outbound", RESULTS.get(a.activity_outcome, "no_answer"))
            for a in result.sales_activities
        ]  # fmt: skip
        deal = np.array([t[0] for t in touches])
        day = created[deal] + np.array([(date.fromisoformat(t[1]) - begun).days - own[t[0]] for t in touches])
        order = np.lexsort((deal, day))
        deal, day = deal[order], day[order]
        steps = [(of[lead], created[of[lead]] + at, stage) for lead, at, stage in moves]
        stages = [(i, created[i], "mql") for i in range(len(leads))] + steps
        second = rng.integers(0, 600, len(leads)) + 8 * 3600
        made_of = np.arange(len(leads))
        self.crm = Crm(
            self.first,
            {
                "account_name": np.array([row.company_name for row in people.accounts], dtype=object),
                "industry": np.array([row.industry for row in people.accounts], dtype=object),
                "country": np.array([row.region for row in people.accounts], dtype=object),
                "employee_count": np.array([EMPLOYEES.get(row.employee_band, 0) for row in people.accounts]),
                "process_maturity": np.array([row.process_maturity_band for row in people.accounts], dtype=object),
                "created": shift,
            },
            [{"product_id": "P000001", "product_name": "Procurement", "category": "Software", "list_price": 40000}],
            {
                "account": account,
                "product": np.zeros(len(leads), dtype=int),
                "source": np.array([SOURCES.get(row.lead_source, row.lead_source) for row in leads], dtype=object),
                "owner": np.array([row.owner_rep_id for row in leads], dtype=object),
                "seniority": np.array([contacts[row.contact_id].seniority for row in leads], dtype=object),
                "buyer_role": np.array([contacts[row.contact_id].buyer_role for row in leads], dtype=object),
                "created": created,
                "second": second,
            },
            {
                "account": account[deal],
                "deal": deal,
                "day": day,
                "second": rng.integers(9 * 3600, 16 * 3600, len(deal)),
                "recorded": day,
                "channel": np.array([touches[i][2] for i in order], dtype=object),
                "direction": np.array([touches[i][3] for i in order], dtype=object),
                "outcome": np.array([touches[i][4] for i in order], dtype=object),
            },
            {
                "deal": np.array([s[0] for s in stages]),
                "day": np.array([s[1] for s in stages]),
                "second": np.r_[second + 60, np.full(len(steps), 16 * 3600 + 1800)],
                "stage": np.array([s[2] for s in stages], dtype=object),
            },
            {"deal_value": (made_of, created, np.array([float(value.get(row.lead_id, 40000)) for row in leads]))},
            {"day": closed, "second": np.full(len(leads), 17 * 3600 + 1200), "won": won},
        )

    def truth(self, as_of: date) -> list[tuple[Any, ...]]:
        """Rows of `crm.TRUTH`, given the hidden traits."""
        day, c = crm.day_of(self.crm, as_of), self.crm
        closed = c.closed["day"]
        of = np.flatnonzero((c.deals["created"] <= day) & ((closed < 0) | (closed > day)))
        known = c.stages["day"] <= day
        stage, since = np.zeros(len(closed), dtype=int), c.deals["created"].copy()
        index = {name: i for i, name in enumerate(STAGES)}
        for at, when, name in zip(*(c.stages[k][known] for k in ("deal", "day", "stage")), strict=True):
            stage[at], since[at] = index[name], when
        v = np.zeros((len(of), len(STAGES), self.dwell + 1))
        v[np.arange(len(of)), stage[of], np.minimum(day - since[of] + 1, self.dwell)] = 1
        win, move = self.win[of], self.move[of, None]
        won, lost = [], []
        for _ in range(LONGEST):
            lost.append(self.churn * v.sum(axis=(1, 2)))
            v = v * (1 - self.churn)
            gained = v[:, -1] * win[:, None]
            on = v[:, :-1, -1] * move
            v[:, -1] -= gained
            v[:, :-1, -1] -= on
            v[:, 1:, 0] += on
            direct = v[:, :2] * (win * self.direct)[:, None, None]
            v[:, :2] -= direct
            won.append(gained.sum(axis=1) + direct.sum(axis=(1, 2)))
            v[:, :, -1] += v[:, :, -2]
            v[:, :, 1:-1] = v[:, :, :-2]
            v[:, :, 0] = 0
        return crm.truth_rows(self.crm, of, as_of, np.cumsum(won, axis=0), np.cumsum(lost, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the exports and the truth of a world.")
    crm.arguments(parser)
    given = parser.parse_args()
    crm.write_world(
        World(crm.load(Params, given.params, seed=given.seed, accounts=given.accounts, days=given.days)), given
    )


if __name__ == "__main__":
    main()
