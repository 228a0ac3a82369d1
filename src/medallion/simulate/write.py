"""Exports of a strand as tables of text and figures, and the files that they are appended to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from medallion.simulate import mess as messy
from medallion.simulate import people as persons
from medallion.simulate.mess import Mess
from medallion.simulate.people import People, pick, text
from medallion.simulate.process import Accounts, Changes, Leads, Process, Touches, Truth
from medallion.simulate.world import INDUSTRIES, OUTCOMES, STAGES, WON, Floats, Ints, World

_DETAILS, _MESS, _PEOPLE = 4, 5, 6
FIRST_NAMES = (
    "Amara", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hiro", "Imogen", "Jonas", "Kavya", "Liam",
    "Marta", "Noor", "Oscar", "Priya", "Quentin", "Rosa", "Stefan", "Tess", "Uma", "Victor", "Wanda", "Yusuf",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Brandt", "Castillo", "Dunne", "Eriksen", "Fischer", "Gagnon", "Haddad", "Ito", "Jansen", "Kaur",
    "Lindqvist", "Moreau", "Nair", "Okafor", "Petrov", "Quist", "Rossi", "Stroud", "Tanaka", "Ueda", "Vance",
    "Whitlock", "Zhou",
)  # fmt: skip
_COMPANY_FIRST = (
    "Amber", "Birch", "Copper", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Iron", "Juniper", "Kestrel",
    "Lumen", "Maple", "North", "Orchard", "Pioneer", "Quarry", "River", "Summit", "Timber",
)  # fmt: skip
_COMPANY_LAST = ("Works", "Freight", "Clinics", "Stores", "Capital", "Academy", "Media", "Hotels", "Tools", "Labs")
_CITIES = (
    ("Chicago", "Denver", "Boston"), ("London", "Leeds", "Bristol"), ("Berlin", "Hamburg", "Munich"),
    ("Utrecht", "Rotterdam", "Eindhoven"),
)  # fmt: skip
_PRODUCTS = (
    ("Operations Suite", "Platform", 60000), ("Insights", "Analytics", 24000), ("Tracker", "Hardware", 4000),
    ("Onboarding", "Services", 9500), ("Routing", "Platform", 36000), ("Forecast", "Analytics", 18000),
)  # fmt: skip
_PRODUCT_IDS = tuple(f"P-{100 + place}" for place in range(len(_PRODUCTS)))
_NOTES = (
    ("Booked a meeting for next week.", "Demo is in the calendar."),
    ("Likes what we showed.", "Asked for a quote and sounded keen."),
    ("Sent the material.", "Will look at it with the team."),
    ("Not convinced by the price.", "Has other priorities now."),
    ("No answer.", "Went to voicemail."),
)
#: Minutes of a touch by channel, smallest and span; none for an e-mail.
_MINUTES = ((2, 28), (0, 0), (1, 9), (20, 50))
_WRONG_VALUE = (0.1, 0.5, 2.0, 10.0)

Tables = dict[str, tuple[pa.Table, Ints]]


class Clock:
    """From days since the beginning to calendar times: what happens on a day happens between 8:00 and 18:00."""

    def __init__(self, world: World) -> None:
        self.start = int(np.datetime64(world.first_day, "s").astype(np.int64))

    def at(self, time: Floats) -> pa.Array:
        """Calendar times, to the second; in the same order as `time`."""
        day = np.floor(time)
        seconds = self.start + (day * 86400 + 28800 + np.floor((time - day) * 36000)).astype(np.int64)
        return pa.array(seconds, pa.timestamp("s"))


class Exporter:
    """Makes the tables of a strand, each row with the number of its delivery.

    Args:
        process: The process.
        mess: What is planted.
        batches: Deliveries; the first ends that many days less one before the last day, then one comes each day.
        people: Whether there are files of people, quotas and line items.
    """

    def __init__(self, process: Process, mess: Mess, batches: int, *, people: bool = False) -> None:
        self.with_people = people
        self.world, self.process, self.mess, self.batches = process.world, process, mess, batches
        self.clock = Clock(self.world)
        self.planted: dict[str, Counter[str]] = {}
        named = [(i % len(FIRST_NAMES), (i * 7 + i // len(FIRST_NAMES)) % len(LAST_NAMES)) for i in range(300)]
        self.rep_names = tuple(f"{FIRST_NAMES[first]} {LAST_NAMES[last]}" for first, last in named[: self.world.reps])

    def delivery(self, time: Floats) -> Ints:
        """In which delivery, from 0, something that became known at a time comes."""
        return np.maximum(0, np.floor(time).astype(np.int64) - (self.world.days - self.batches))

    def products(self) -> pa.Table:
        """All products; they come with the first delivery."""
        names, categories, prices = zip(*_PRODUCTS, strict=True)
        launched = np.datetime64(self.world.first_day, "D") - 30 * (np.arange(len(names)) + 1)
        return pa.table(
            {
                "product_id": _PRODUCT_IDS,
                "product_name": names,
                "category": categories,
                "list_price": prices,
                "currency": ["USD"] * len(names),
                "launch_date": pa.array(launched),
            }
        )

    def strand(self, number: int, accounts: Accounts, leads: Leads, touches: Touches, changes: Changes) -> Tables:
        """The tables of a strand by file name without ending."""
        rng, mess = self.world.stream(_DETAILS, number), self.world.stream(_MESS, number)
        customer = accounts.first + 1 + np.arange(len(accounts.created))
        people = None
        if self.with_people:
            people = People(self.world.stream(_PEOPLE, number), accounts, leads, customer)
        tables = {"customers": self._customers(rng, mess, accounts, customer)}
        product, value = _priced(rng, accounts, leads)
        tables["leads"] = self._leads(rng, mess, accounts, leads, changes, customer, product, value)
        tables["interactions"] = self._interactions(rng, mess, leads, touches, customer, people)
        tables["stage_history"] = self._stage_history(mess, leads, changes, customer)
        return {**tables, **(self._people(people, product, value) if people else {})}

    def team(self) -> dict[str, pa.Table]:
        """Owners and their quotas; they come with the first delivery."""
        rng = self.world.stream(_PEOPLE, 1 << 40)  # no strand has that number
        return {"owners": persons.owners(self.rep_names), "quotas": persons.quotas(self.world, rng, self.rep_names)}

    def _people(self, people: People, product: Ints, value: Ints) -> Tables:
        """Contacts come with their account, what is of a deal with the deal."""
        table = people.contacts(FIRST_NAMES, LAST_NAMES, self.rep_names)
        created = people.accounts.created[people.account]
        table = table.append_column("created_at", self.clock.at(created))
        links, linked = people.deal_contacts()
        lines, sold = people.deal_products(product, value, _PRODUCT_IDS)
        opened = self.delivery(people.leads.created)
        return {
            "contacts": (table, self.delivery(created)),
            "deal_contacts": (links, opened[linked]),
            "deal_products": (lines, opened[sold]),
        }

    def _count(self, file: str, kinds: Ints, **more: int) -> None:
        counts = np.bincount(kinds, minlength=len(messy.PLANTED) + 1)[1:]
        counter = self.planted.setdefault(file, Counter())
        counter.update({name: int(count) for name, count in zip(messy.PLANTED, counts, strict=True)})
        counter.update(more, rows=len(kinds))

    def _customer_ids(self, rng: np.random.Generator, customer: Ints, kinds: Ints) -> pa.Array:
        if not (kinds == messy.UNKNOWN).any():
            return text("C", pa.array(customer))
        strangers = self.world.customers + rng.integers(1, 10**6, len(customer))
        return text("C", pa.array(np.where(kinds == messy.UNKNOWN, strangers, customer)))

    def _customers(
        self, rng: np.random.Generator, mess: np.random.Generator, accounts: Accounts, customer: Ints
    ) -> tuple[pa.Table, Ints]:
        count = len(customer)
        kinds = messy.kinds(self.mess, mess, count, strangers=False, unreadable=False)
        country, city = rng.integers(0, len(_CITIES), count), rng.integers(0, 3, count)
        revenue = np.round(accounts.employees * 150 * np.exp(rng.normal(0, 0.4, count))) * 1000
        created = self.clock.at(accounts.created)
        table = pa.table(
            {
                "customer_id": text("C", pa.array(customer)),
                "customer_name": text(
                    pick(_COMPANY_FIRST, customer % 20), " ",
                    pick(_COMPANY_LAST, customer // 20 % 10), " ", pa.array(customer),
                ),
                "industry": pick(INDUSTRIES, accounts.industry),
                "country": messy.spelled(self.mess, mess, "country", country),
                "city": pick(tuple(city for cities in _CITIES for city in cities), country * 3 + city),
                "employee_count": accounts.employees,
                "annual_revenue": revenue.astype(np.int64),
                "account_manager": pick(self.rep_names, accounts.rep),
                "email": text("office@c", pa.array(customer), ".example"),
                "phone": text("+1555", pa.array(rng.integers(1_000_000, 10_000_000, count))),
                "created_at": messy.dated(mess, created, kinds),
                "updated_at": created,
            }
        )  # fmt: skip
        self._count("customers", kinds)
        return _repeated(table, self.delivery(accounts.created), kinds)

    def _leads(
        self,
        rng: np.random.Generator,
        mess: np.random.Generator,
        accounts: Accounts,
        leads: Leads,
        changes: Changes,
        customer: Ints,
        product: Ints,
        value: Ints,
    ) -> tuple[pa.Table, Ints]:
        count = len(leads.account)
        first, last = rng.integers(0, len(FIRST_NAMES), count), rng.integers(0, len(LAST_NAMES), count)
        phone = rng.integers(1_000_000, 10_000_000, count)
        expected = np.floor(leads.created + 30 + rng.gamma(3.0, 30.0, count)).astype(np.int64)
        corrected = mess.random(count) < self.mess.correction
        wrong = np.array(_WRONG_VALUE)[mess.integers(0, len(_WRONG_VALUE), count)]
        delay = np.minimum(mess.exponential(10.0, count), 0.9 * (self.world.days - leads.created))

        # Everything that changed a deal's record, in order; a correction leaves the stage as it was.
        fixed = np.flatnonzero(corrected)
        lead = np.concatenate([changes.lead, fixed])
        time = np.concatenate([changes.time, leads.created[fixed] + delay[fixed]])
        stage = np.concatenate([changes.stage, np.full(len(fixed), -1)])
        order = np.lexsort((stage < 0, time, lead))
        lead, time, stage = lead[order], time[order], stage[order]
        fixes = stage < 0
        stage = np.where(fixes, np.roll(stage, 1), stage)
        known = self.delivery(time)
        # A delivery has the latest state of each deal that changed; a wrong value also comes before its correction.
        latest = np.append((lead[1:] != lead[:-1]) | (known[1:] != known[:-1]), True)
        row = np.flatnonzero(latest | np.append(fixes[1:], False))
        upto = np.cumsum(fixes)
        before = np.searchsorted(lead, lead)
        still_wrong = corrected[lead] & (upto == upto[before] - fixes[before])
        lead, time, stage, still_wrong, known = lead[row], time[row], stage[row], still_wrong[row], known[row]
        ended = np.full(count, np.nan)
        closing = changes.stage >= WON
        ended[changes.lead[closing]] = changes.time[closing]

        kinds = messy.kinds(self.mess, mess, len(row), strangers=True, unreadable=True)
        status = np.where(stage < WON, 0, np.where(stage == WON, 1, 2))
        account = leads.account[lead]
        owner = customer[account]
        closed = pc.if_else(pa.array(stage >= WON), self.clock.at(np.nan_to_num(ended[lead])), None)
        given, family = pick(FIRST_NAMES, first[lead]), pick(LAST_NAMES, last[lead])
        shown = np.maximum(1, np.where(still_wrong, value[lead] * wrong[lead], value[lead]).astype(np.int64))
        table = pa.table(
            {
                "lead_id": text("L-", pa.array(owner), "-", pa.array(leads.number[lead])),
                "customer_id": self._customer_ids(mess, owner, kinds),
                "product_id": pick(_PRODUCT_IDS, product[lead]),
                "lead_name": text(given, " ", family),
                "email": pc.utf8_lower(text(given, ".", family, "@c", pa.array(owner), ".example")),
                "phone": text("+1555", pa.array(phone[lead])),
                "company": text(
                    pick(_COMPANY_FIRST, owner % 20), " ", pick(_COMPANY_LAST, owner // 20 % 10), " ", pa.array(owner)
                ),
                "source": messy.spelled(self.mess, mess, "source", leads.source[lead]),
                "status": messy.spelled(self.mess, mess, "status", status),
                "stage": messy.spelled(self.mess, mess, "stage", stage),
                "deal_value": shown,
                "currency": messy.spelled(self.mess, mess, "currency", np.zeros(len(row), dtype=np.int64)),
                "created_at": messy.dated(mess, self.clock.at(leads.created[lead]), kinds),
                "updated_at": self.clock.at(time),
                "closed_at": closed,
                "expected_close_date": pa.array(np.datetime64(self.world.first_day, "D") + expected[lead]),
                "owner": pick(self.rep_names, accounts.rep[account]),
            }
        )
        self._count("leads", kinds, leads=count, corrected_leads=int(corrected.sum()))
        return _repeated(table, known, kinds)

    def _interactions(
        self,
        rng: np.random.Generator,
        mess: np.random.Generator,
        leads: Leads,
        touches: Touches,
        customer: Ints,
        people: People | None,
    ) -> tuple[pa.Table, Ints]:
        order = np.lexsort((touches.time, touches.account))
        account, lead, time, kind = (
            touches.account[order],
            touches.lead[order],
            touches.time[order],
            touches.kind[order],
        )
        count = len(account)
        channel, outcome = kind // len(OUTCOMES), kind % len(OUTCOMES)
        kinds = messy.kinds(self.mess, mess, count, strangers=True, unreadable=True)
        late = mess.random(count) < self.mess.late
        known = self.delivery(time + np.where(late, mess.exponential(3.0, count), 0.0))
        least, span = np.array(_MINUTES).T
        minutes = least[channel] + np.floor(rng.random(count) * (span[channel] + 1)).astype(np.int64)
        minutes = np.where(outcome == OUTCOMES.index("no_answer"), 0, minutes)
        number = np.arange(count) - np.searchsorted(account, account) + 1
        about = lead >= 0
        owner, which = pa.array(customer[account]), pa.array(leads.number[lead] if len(leads.number) else lead)
        notes = tuple(note for pair in _NOTES for note in pair)
        table = pa.table(
            {
                "interaction_id": text("I-", owner, "-", pa.array(number)),
                "customer_id": self._customer_ids(mess, customer[account], kinds),
                "lead_id": pc.if_else(pa.array(about), text("L-", owner, "-", which), None),
                "channel": messy.spelled(self.mess, mess, "channel", channel),
                "direction": messy.spelled(self.mess, mess, "direction", (rng.random(count) < 0.25).astype(np.int64)),
                "occurred_at": messy.dated(mess, self.clock.at(time), kinds),
                "duration_minutes": pc.if_else(pa.array(channel == 1), None, pa.array(minutes)),
                "outcome": messy.spelled(self.mess, mess, "outcome", outcome),
                "notes": pick(notes, outcome * 2 + rng.integers(0, 2, count)),
            }
        )
        if people:
            table = table.append_column("contact_id", people.of_touches(account))
        self._count("interactions", kinds, late=int(late.sum()) if self.batches > 1 else 0)
        return _repeated(table, np.minimum(known, self.batches - 1), kinds)

    def _stage_history(
        self, mess: np.random.Generator, leads: Leads, changes: Changes, customer: Ints
    ) -> tuple[pa.Table, Ints]:
        order = np.lexsort((changes.stage, changes.time, changes.lead))
        lead, time, stage = changes.lead[order], changes.time[order], changes.stage[order]
        kinds = messy.kinds(self.mess, mess, len(lead), strangers=False, unreadable=True)
        table = pa.table(
            {
                "lead_id": text("L-", pa.array(customer[leads.account[lead]]), "-", pa.array(leads.number[lead])),
                "stage": messy.spelled(self.mess, mess, "stage", stage),
                "entered_at": messy.dated(mess, self.clock.at(time), kinds),
            }
        )
        self._count("stage_history", kinds)
        return _repeated(table, self.delivery(time), kinds)

    def truth(self, accounts: Accounts, leads: Leads, touches: Touches, truth: Truth) -> pa.Table:
        """One row per open deal: its true probability and what made it."""
        open_ = np.flatnonzero(leads.stage < WON)
        account, world = leads.account[open_], self.world
        weights = np.exp(self.process.log_weights(accounts, leads, touches))
        weights = (weights / weights.sum(axis=1, keepdims=True))[account]
        given = truth.given_interest(leads.stage[open_], leads.pace[open_], leads.fit[open_], leads.engagement[open_])
        owner = pa.array(accounts.first + 1 + account)
        rep = accounts.rep[account]
        return pa.table(
            {
                "lead_id": text("L-", owner, "-", pa.array(leads.number[open_])),
                "customer_id": text("C", owner),
                "probability": np.round((weights * given).sum(axis=1), 9),
                "probability_given_interest": np.round(given[np.arange(len(open_)), leads.interest[open_]], 9),
                "interest": self.process.interest[leads.interest[open_]],
                "expected_interest": np.round(weights @ self.process.interest, 9),
                "stage": pick(STAGES, leads.stage[open_]),
                "engagement": leads.engagement[open_],
                "touches": leads.touches[open_],
                "days_open": world.days - leads.created[open_],
                "fit": leads.fit[open_],
                "size_fit": np.array(world.size_fit)[accounts.size[account]],
                "industry_fit": np.array(world.industry_fit)[accounts.industry[account]],
                "source_fit": np.array(world.source_fit)[leads.source[open_]],
                "rep_skill": self.process.reps.skill[rep],
                "rep_pace": np.array(world.rep_pace)[leads.pace[open_]],
            }
        )


def _priced(rng: np.random.Generator, accounts: Accounts, leads: Leads) -> tuple[Ints, Ints]:
    """Product and value of each deal."""
    count = len(leads.account)
    product = rng.integers(0, len(_PRODUCTS), count)
    price = np.array([price for _, _, price in _PRODUCTS])[product]
    factor = np.exp(rng.normal(0, 0.5, count)) * (1 + 0.5 * accounts.size[leads.account])
    return product, np.maximum(1, np.round(price * factor / 100)).astype(np.int64) * 100


def _repeated(table: pa.Table, delivery: Ints, kinds: Ints) -> tuple[pa.Table, Ints]:
    twice = kinds == messy.REPEATED
    if not twice.any():
        return table, delivery
    rows = np.repeat(np.arange(len(kinds)), 1 + twice)
    return table.take(pa.array(rows)), delivery[rows]


class Files:
    """The CSV files of all deliveries, appended to; no file is held open.

    Args:
        folder: Where to.
        batches: Deliveries; more than one are folders `day_001`, `day_002` and on.
    """

    def __init__(self, folder: Path, batches: int) -> None:
        width = max(3, len(str(batches)))
        self.folders = [folder] if batches == 1 else [folder / f"day_{n + 1:0{width}d}" for n in range(batches)]
        self.rows: Counter[str] = Counter()
        self._options = pacsv.WriteOptions(include_header=False, quoting_style="none")
        for place in self.folders:
            place.mkdir(parents=True, exist_ok=True)

    def append(self, name: str, table: pa.Table, delivery: Ints) -> None:
        """Append each row to its delivery's file; each file starts with a header."""
        self.rows[name] += len(table)
        if len(self.folders) == 1:
            self._append(self.folders[0] / f"{name}.csv", table)
            return
        order = np.argsort(delivery, kind="stable")
        ordered = table.take(pa.array(order))
        numbers, starts, counts = np.unique(delivery[order], return_index=True, return_counts=True)
        for number, start, count in zip(numbers, starts, counts, strict=True):
            self._append(self.folders[number] / f"{name}.csv", ordered.slice(start, count))

    def _append(self, path: Path, table: pa.Table) -> None:
        begun = path.exists()
        with path.open("ab") as file:
            if not begun:
                file.write((",".join(table.column_names) + "\n").encode())
            if len(table):
                pacsv.write_csv(table, file, self._options)
