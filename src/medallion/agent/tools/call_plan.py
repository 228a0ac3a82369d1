"""Whom to contact on a day, on which channel and at which hour, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from medallion.agent import consent, countries
from medallion.agent.facts import Field, Found
from medallion.agent.rules import FRESH_DAYS, Suppressed, due
from medallion.agent.tools.findings import Findings
from medallion.agent.tools.prepared import (
    CALL_LIST,
    CHANGES,
    CONTACTABLE,
    DEALS,
    FEATURES,
    OPEN_ACCOUNTS,
    SCORES,
    TOUCHES,
)
from medallion.errors import MedallionError

#: Touches over all accounts that an hour needs before it is recommended.
LEAST_TOUCHES = 20
#: Accounts per rep that a query gives at most.
_MOST_ROWS = 999_999


class CallPlan(Findings):
    """Whom to contact."""

    def call_plan(self, owner: str | None = None, capacity: int | None = None, day: date | None = None) -> Found:
        """Accounts to contact on a day, those with most expected value first, at most `capacity` for each rep.

        One row per account with an open deal: the rep of its best deal, the next step, channel and hour of the account's own
        day, the expected value (sum of value times probability of its open deals), reasons for and against, whether the deal
        is overdue or was moved later, and what happened last. Accounts that were
        touched within the days of rest, those that someone has dealt with on an earlier plan, and those that must not be
        contacted are left out and counted in the note. Where people of the account are known, `contact_id` is one who may
        be contacted on the channel.

        Args:
            owner: Only this rep's accounts.
            capacity: Accounts per rep; the setting without it.
            day: The day of the calls, gold's last or a later one; the day after gold's last without it.

        Raises:
            MedallionError: There is no such rep, the capacity is not positive, or the day is before gold's last.
        """
        most = self.rules.capacity if capacity is None else capacity
        if most < 1:
            raise MedallionError(f"capacity {most} is not at least 1", "Give a whole number from 1.")
        # last touches and reasons are prepared for many lists only: for one, looking up its rows is less work
        self._prepare("owners", "open_accounts", "hours")
        known = [row["owner"] for row in self.serving.rows("select owner from owners order by 1")]
        if owner is not None and owner.casefold() not in {str(name).casefold() for name in known}:
            names = ", ".join(str(name) for name in known[:20])
            raise MedallionError(f"no deal belongs to {owner!r}", f"Owners: {names}.")
        end = self.day
        on = day or end + timedelta(days=1)
        if on < end:
            raise MedallionError(
                f"{on.isoformat()} is before {end.isoformat()}, the last day of the data: who was to be contacted then is not known",
                f"Give a day from {end.isoformat()}; `medallion replay {on.isoformat()}` gives the state of a past day.",
            )
        blocked = consent.in_force(self.rules.suppressed, on)
        listed = {entry.customer_id for entry in blocked if entry.customer_id and entry.channel is None}
        denied = sorted({*consent.silent(self.serving, blocked)} - listed)
        nobody = sorted({*listed, *denied})
        away = sorted({key for key, day in self.rules.put_off.items() if day > on} - {*nobody})
        bindings = [on, min(most, _MOST_ROWS), owner, owner, [*nobody, *away], on, self.rules.rest_days]
        rows = self.serving.rows(CALL_LIST, bindings)
        hours, last, why, pushes = self._hours(), self._last(rows), self._reasons(rows), self._pushes()
        people = consent.people(self.serving, [row["customer_id"] for row in rows], [row["lead_id"] for row in rows])
        for row in rows:
            known = people.get(row["customer_id"], [])
            row["channel"] = self._channel(row, blocked, known)
            person = consent.first(known, row["channel"], blocked) if row["channel"] else None
            row["contact_id"], row["contact_role"] = (person["contact_id"], person["role"]) if person else (None, None)
            zone = countries.place(row["country"])
            row["local_hour"], row["time_zone"] = hours.get(row["channel"]), zone.city
            row["hour"] = None if row["local_hour"] is None else countries.in_utc(on, row["local_hour"], zone.zone)
            row["reasons"], row["against"] = why.get(row["position"], ([], []))
            row |= last.get(row.pop("position"), dict.fromkeys(("last_channel", "last_outcome", "last_direction")))
            closes = row["expected_close_date"]
            row["overdue_days"] = (on - closes).days if due(closes, self.day) == "passed" else None
            row["pushes"] = pushes.get(row["lead_id"])
            row["deal_step"] = deal_step(row, self.day)
        cut = len(rows)
        rows = [row for row in rows if row["channel"]]
        total = len(rows)
        if cut:  # those beyond the capacity, whom nothing but that leaves out
            whole = f"open_accounts where {CONTACTABLE}"
            total += self._count(whole, [owner, owner, [*nobody, *away], on, self.rules.rest_days]) - cut
        left = self.serving.rows(
            "select count(*) filter (last_interaction_at >= cast(? as date) - cast(? as integer)) as resting, "
            "count(*) filter (customer_id in (select unnest(?))) as refused, "
            "count(*) filter (customer_id in (select unnest(?))) as denied, "
            "count(*) filter (customer_id in (select unnest(?))) as away "
            "from open_accounts where ? is null or lower(owner) = lower(?)",
            [on, self.rules.rest_days, sorted(listed), denied, away, owner, owner],
        )[0]
        dealt_with = f", {left['away']:,} done or put off" if left["away"] else ""
        return self.found(
            "call_plan",
            f"Who to contact on {on.isoformat()}",
            (
                Field("rank", "Rank", "number"),
                Field("owner", "Owner"),
                Field("customer_id", "Account key"),
                Field("customer_name", "Account"),
                Field("lead_id", "Deal"),
                Field("country", "Country"),
                Field("product_name", "Product"),
                Field("deal_step", "Next step of the deal"),
                Field("next_step", "Next step"),
                Field("channel", "Channel"),
                Field("local_hour", "Best hour, local time", "number"),
                Field("time_zone", "Time zone"),
                Field("hour", "Best hour (UTC)", "number"),
                Field("contact_id", "Contact"),
                Field("contact_role", "Role of the contact"),
                Field("expected_value", "Expected value", "money"),
                Field("at_stake", "At stake", "money"),
                Field("probability", "Probability of the best deal", "percent", 1),
                Field("lead_score", "Lead score", "number"),
                Field("lead_quality", "Band"),
                Field("reasons", "Why", "list"),
                Field("against", "Against it", "list"),
                Field("expected_close_date", "Expected close", "date"),
                Field("overdue_days", "Days overdue", "number"),
                Field("pushes", "Times moved later", "number"),
                Field("last_interaction_at", "Last contact", "timestamp"),
                Field("last_channel", "Last channel"),
                Field("last_direction", "Last direction"),
                Field("last_outcome", "Last outcome"),
                Field("days_silent", "Days since", "number"),
            ),
            ("customer_id",),
            rows,
            (DEALS, FEATURES, SCORES, CHANGES, TOUCHES, consent.PEOPLE, consent.LINKS),
            f"with open_accounts as ({OPEN_ACCOUNTS}){CALL_LIST}",
            bindings,
            f"Left out: {left['resting']:,} with a contact in the last {self.rules.rest_days} days, "
            f"{left['refused']:,} not to be contacted"
            + (f", {left['denied']:,} where everyone known has denied consent" if left["denied"] else "")
            + f"{dealt_with}.",
            total,
        )

    def _hours(self) -> dict[str, int]:
        """Per channel the working hour with the best smoothed rate of positive outcomes, among those with enough touches."""
        rows = self.serving.rows(
            "select * from hours where n >= ? and hour >= ? and hour < ? order by channel, (well + 1) / (n + 2) desc, hour",
            [LEAST_TOUCHES, *countries.WORKING],
        )
        best: dict[str, int] = {}
        for row in rows:
            best.setdefault(row["channel"], row["hour"])
        return best

    def _last(self, accounts: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Channel and outcome of each account's last touch, by the account's position."""
        places = {row["customer_id"]: row["position"] for row in accounts}
        if "last_touches" in self.serving.prepared:
            rows = self.serving.rows("from last_touches where position in (select unnest(?))", [list(places.values())])
            return {row.pop("position"): row for row in rows}
        rows = self.serving.rows(
            f"select customer_id, channel as last_channel, outcome as last_outcome, direction as last_direction from {TOUCHES} "
            "where occurred_at in (select unnest(?::timestamptz[])) and customer_id in (select unnest(?)) "
            "qualify row_number() over (partition by customer_id order by occurred_at desc, interaction_id) = 1",
            [[row["last_interaction_at"] for row in accounts], list(places)],
        )
        return {places[row.pop("customer_id")]: row for row in rows}

    def _reasons(self, accounts: list[dict[str, Any]]) -> Mapping[int, tuple[list[str], list[str]]]:
        """Why each account's best deal may be won, and why not, by the account's position."""
        if SCORES not in self.serving.versions:
            return {}
        places = {row["lead_id"]: row["position"] for row in accounts}
        if "reasons" in self.serving.prepared:
            rows = self.serving.rows("from reasons where position in (select unnest(?))", [list(places.values())])
            return {row["position"]: (row["reasons"] or [], row["against"] or []) for row in rows}
        rows = self.serving.rows(
            f"select lead_id, reasons_up[:3] as reasons, reasons_down[:3] as against from {SCORES} where lead_id in (select unnest(?)) and as_of = ? "
            "qualify row_number() over (partition by lead_id order by known_as_of desc) = 1",
            [list(places), self.serving.as_of],
        )
        return {places[row["lead_id"]]: (row["reasons"] or [], row["against"] or []) for row in rows}

    def _pushes(self) -> dict[str, int]:
        """How often the expected close of each account's best deal was moved later; of those moved at all."""
        if CHANGES not in self.serving.versions:
            return {}
        self._prepare("pushes")
        return {row["lead_id"]: row["pushes"] for row in self.serving.rows("from pushes")}

    @staticmethod
    def _channel(row: Mapping[str, Any], blocked: list[Suppressed], people: list[consent.Person]) -> str | None:
        """The preferred channel, or the next one on which the account can be reached and has not refused.

        Where people of the account are known, one of them has to be free to be contacted on it.
        """
        refused = {entry.channel for entry in blocked if entry.customer_id == row["customer_id"]}
        reachable = {"call": row["has_phone"], "whatsapp": row["has_phone"], "email": row["has_email"], "meeting": True}
        wanted = [row["preferred_channel"], "call", "email", "whatsapp", "meeting"]
        free = (channel for channel in wanted if channel and channel not in refused and reachable.get(channel))
        return next((channel for channel in free if not people or consent.first(people, channel, blocked)), None)


def deal_step(row: Mapping[str, Any], as_of: date) -> str:
    """What is next for a deal, from its dates as of a day and what happened last, in a few words."""
    silent, outcome, closes = row["days_silent"], row["last_outcome"], due(row["expected_close_date"], as_of)
    fresh = silent is not None and silent <= FRESH_DAYS
    if silent is None:
        return "Make first contact"
    if outcome == "meeting_booked" and fresh:
        return "Confirm the meeting and prepare it"
    if row["last_direction"] == "inbound" and outcome == "no_answer" and fresh:
        return "Get back to them: they tried to reach us"
    if closes == "passed":
        return "Agree on a new date for the decision"
    if outcome == "negative" and fresh:
        return "Address their concerns"
    if closes == "near":
        return "Ask for the decision"
    if not fresh:
        return "Pick up the thread"
    return "Try again at another hour" if outcome == "no_answer" else "Agree on the next step"
