"""People of a simulated world: contacts, their parts in deals, the sales team with its quotas, and line items.

All of it is drawn from a stream of its own, so that the other files are the same with and without them.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.simulate.process import Accounts, Leads
from medallion.simulate.world import Floats, Ints, World

ROLES = ("decision_maker", "champion", "influencer", "economic_buyer", "user", "blocker")
_TITLES = ("Managing Director", "Head of Operations", "IT Manager", "Head of Finance", "Team Lead", "Head of Legal")
CONSENTS, _CONSENT_SHARE = ("granted", "denied", "unknown"), (0.6, 0.1, 0.3)
_LANGUAGES, _LANGUAGE_SHARE = ("en", "de", "nl", "fr"), (0.7, 0.15, 0.1, 0.05)
TEAMS = ("East", "West", "North", "South")
#: At most so many people are known of an account.
_MOST = 6
#: Revenue that a rep is to win of an account in a quarter, on average.
_OF_AN_ACCOUNT = 4_000


def text(*parts: str | pa.Array) -> pa.Array:
    """Texts put together, element by element."""
    cells = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*cells, "")


def pick(words: tuple[str, ...], places: Ints) -> pa.Array:
    """The words at these places."""
    return pa.array(words).take(pa.array(places))


class People:
    """Who is at the accounts of a strand, and which of them take part in its deals.

    Args:
        rng: The strand's stream for people.
        accounts: Its accounts.
        leads: Its deals.
        customer: Numbers of the accounts.
    """

    def __init__(self, rng: np.random.Generator, accounts: Accounts, leads: Leads, customer: Ints) -> None:
        self.rng, self.accounts, self.leads, self.customer = rng, accounts, leads, customer
        self.count = 1 + np.minimum(rng.poisson(1.5, len(customer)), _MOST - 1)
        self.first = np.cumsum(self.count) - self.count
        self.account = np.repeat(np.arange(len(customer)), self.count)
        self.number = np.arange(len(self.account)) - self.first[self.account] + 1
        self.role = np.where(self.number == 1, 0, rng.integers(0, len(ROLES), len(self.account)))

    def ids(self, people: Ints) -> pa.Array:
        """Identifiers of people, by their places in the strand."""
        return text("K-", pa.array(self.customer[self.account[people]]), "-", pa.array(self.number[people]))

    def of_touches(self, account: Ints) -> pa.Array:
        """Whom each touch of an account reached; one in ten does not say."""
        person = self.first[account] + np.floor(self.rng.random(len(account)) * self.count[account]).astype(np.int64)
        return pc.if_else(pa.array(self.rng.random(len(account)) < 0.9), self.ids(person), None)

    def contacts(self, first_names: tuple[str, ...], last_names: tuple[str, ...], reps: tuple[str, ...]) -> pa.Table:
        """One row per person; the time of it is that of the account."""
        count, rng = len(self.account), self.rng
        given = pick(first_names, rng.integers(0, len(first_names), count))
        family = pick(last_names, rng.integers(0, len(last_names), count))
        owner = pa.array(self.customer[self.account])
        return pa.table(
            {
                "contact_id": self.ids(np.arange(count)),
                "customer_id": text("C", owner),
                "first_name": given,
                "last_name": family,
                "job_title": pick(_TITLES, self.role),
                "role": pick(ROLES, self.role),
                "email": pc.utf8_lower(text(given, ".", family, pa.array(self.number), "@c", owner, ".example")),
                "phone": text("+1555", pa.array(rng.integers(1_000_000, 10_000_000, count))),
                "consent": pick(CONSENTS, rng.choice(len(CONSENTS), count, p=_CONSENT_SHARE)),
                "language": pick(_LANGUAGES, rng.choice(len(_LANGUAGES), count, p=_LANGUAGE_SHARE)),
                "owner": pick(reps, self.accounts.rep[self.account]),
            }
        )

    def deal_contacts(self) -> tuple[pa.Table, Ints]:
        """One row per deal and person in it, and the deal of each row; the first person of an account is its main one."""
        of = self.leads.account
        deal = np.repeat(np.arange(len(of)), self.count[of])
        place = np.arange(len(deal)) - np.repeat(np.cumsum(self.count[of]) - self.count[of], self.count[of])
        taking_part = (place == 0) | (self.rng.random(len(deal)) < 0.4)
        deal, place = deal[taking_part], place[taking_part]
        person = self.first[of[deal]] + place
        table = pa.table(
            {
                "lead_id": self._deals(deal),
                "contact_id": self.ids(person),
                "role": pick(ROLES, self.role[person]),
                "is_primary": pick(("no", "yes"), (place == 0).astype(np.int64)),
            }
        )
        return table, deal

    def deal_products(self, product: Ints, value: Ints, products: tuple[str, ...]) -> tuple[pa.Table, Ints]:
        """One row per line item, and the deal of each; the first is the deal's product, and together they are its value."""
        count = len(self.leads.account)
        lines = self.rng.integers(1, 4, count)
        deal = np.repeat(np.arange(count), lines)
        place = np.arange(len(deal)) - np.repeat(np.cumsum(lines) - lines, lines)
        small = np.where(place > 0, value[deal] // 10, 0)
        amount = np.where(place > 0, small, value[deal] - (lines[deal] - 1) * (value[deal] // 10))
        sold = (product[deal] + place) % len(products)
        quantity = 1 + self.rng.integers(0, 5, len(deal))
        table = pa.table(
            {
                "lead_id": self._deals(deal),
                "product_id": pick(products, sold),
                "quantity": quantity,
                "unit_price": np.round(amount / quantity, 2),
                "amount": amount,
            }
        )
        return table, deal

    def _deals(self, deal: Ints) -> pa.Array:
        owner = self.customer[self.leads.account[deal]]
        return text("L-", pa.array(owner), "-", pa.array(self.leads.number[deal]))


def owners(reps: tuple[str, ...]) -> pa.Table:
    """One row per rep; the first of a team leads it, and the first of all leads these."""
    place = np.arange(len(reps))
    team = place % len(TEAMS)
    leader = np.where(place < len(TEAMS), 0, team)
    names = pa.array(reps, pa.string())
    return pa.table(
        {
            "owner_id": text("U-", pa.array(place + 1)),
            "owner_name": names,
            "email": pc.utf8_lower(text(pc.replace_substring(names, " ", "."), "@medallion.example")),
            "role": pick(("Account Executive", "Team Lead"), (place < len(TEAMS)).astype(np.int64)),
            "team": pick(TEAMS, team),
            "manager": pc.if_else(pa.array(place > 0), text("U-", pa.array(leader + 1)), None),
            "is_active": pa.array(["yes"] * len(reps), pa.string()),
        }
    )


def quotas(world: World, rng: np.random.Generator, reps: tuple[str, ...]) -> pa.Table:
    """A plain list as a sales leader keeps it: a row per rep and quarter of the world, with the headers of a spreadsheet."""
    day, quarters = world.first_day, []
    while day <= world.last_day:
        quarters.append(f"{day.year}-Q{(day.month + 2) // 3}")
        day = (day.replace(day=1) + timedelta(days=92)).replace(day=1)
    quarters = [*dict.fromkeys([*quarters, f"{world.last_day.year}-Q{(world.last_day.month + 2) // 3}"])]
    spread: Floats = np.exp(rng.normal(0, 0.2, len(reps) * len(quarters)))
    amount = (
        np.maximum(1, np.round(world.customers / len(reps) * _OF_AN_ACCOUNT * spread / 1000)).astype(np.int64) * 1000
    )
    return pa.table(
        {
            "Sales Rep": np.repeat(np.array(reps), len(quarters)),
            "Quarter": np.tile(np.array(quarters), len(reps)),
            "Quota": amount,
        }
    )
