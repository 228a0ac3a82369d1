"""The agent's tools: plain functions over PII-free gold, each of which gives findings with receipts.

They read, and they never write; what should change in a CRM is proposed (`medallion.care.proposals`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from medallion import metrics
from medallion.agent import briefing, consent, countries, sql_guard
from medallion.agent.facts import Field, Found
from medallion.agent.rules import FRESH_DAYS, Rules, Suppressed, due
from medallion.agent.serving import Serving, serve
from medallion.errors import ContractError, MedallionError
from medallion.metrics.compilers.duckdb import Answer as Answered
from medallion.metrics.compilers.duckdb import Column, answer
from medallion.metrics.conditions import Test
from medallion.metrics.question import Order, Question, Records
from medallion.metrics.understanding import Understood
from medallion.weights import ScoreWeights

_FEATURES, _DEALS, _SCORES = "gold.customer_features", "gold.deals", "gold.lead_scores"
_BANDS, _CHANGES, _ATTAINMENT = "gold.score_bands", "gold.deal_changes", "gold.attainment"
_TOUCHES, _IDENTITIES = "silver.interactions_clean", "silver.identities"
#: One row per account with an open deal, with its best one, at its position in a call list of everybody.
_OPEN_ACCOUNTS = f"""
select row_number() over (order by owner nulls last, expected_value desc nulls last, lead_score desc, customer_id) as position, *
from (
  select b.owner, f.customer_id, f.customer_name, f.country, b.lead_id, b.product_name, b.expected_close_date, f.next_step, f.preferred_channel, f.has_email, f.has_phone,
         b.expected_value, b.at_stake, b.probability_to_convert as probability, f.lead_score, f.lead_quality,
         f.last_interaction_at, f.days_since_last_interaction as days_since_last, f.as_of
  from (select *, sum(weighted_value) over (partition by customer_id) as expected_value,
               sum(deal_value) over (partition by customer_id) as at_stake,
               row_number() over (partition by customer_id order by weighted_value desc nulls last, lead_id) as place
        from {_DEALS} where status = 'open' and customer_id is not null) b
  join {_FEATURES} f using (customer_id) where b.place = 1)"""
#: Those that may be contacted: `owner` or anybody's, rested by the day, not to be left alone; so many of each rep.
_CONTACTABLE = """(? is null or lower(owner) = lower(?)) and not (customer_id in (select unnest(?)))
    and coalesce(last_interaction_at < cast(? as date) - cast(? as integer), true)"""
_CALL_LIST = f"""
select *, row_number() over (partition by owner order by position) as rank,
       days_since_last + date_diff('day', as_of, cast(? as date)) as days_silent
from open_accounts where position in (
  select unnest(min(position, ?)) from open_accounts
  where {_CONTACTABLE}
  group by owner)
order by position"""
#: Channel and outcome of each account's last touch, whose time gold knows.
_LAST_TOUCHES = f"""
select position, channel as last_channel, outcome as last_outcome, direction as last_direction from {_TOUCHES} i
join open_accounts o on i.customer_id = o.customer_id and i.occurred_at = o.last_interaction_at
qualify row_number() over (partition by position order by interaction_id) = 1 order by position"""
#: The best reasons of each account's best deal, for it and against it.
_REASONS = f"""
select position, reasons_up[:3] as reasons, reasons_down[:3] as against from {_SCORES} s join open_accounts o on s.lead_id = o.lead_id and s.as_of = o.as_of
qualify row_number() over (partition by position order by known_as_of desc) = 1 order by position"""
_ZONES = ", ".join(f"('{country}', '{place.zone}')" for country, place in countries.countries().items())
#: Touches by channel and hour of the account's own day.
_HOURS = f"""
select channel, hour(timezone(coalesce(zone, 'UTC'), occurred_at)) as hour, count(*) as n,
       count(*) filter (outcome in ('positive', 'meeting_booked')) as well
from {_TOUCHES} left join (select customer_id, zone from {_FEATURES} join (values {_ZONES}) z(country, zone) using (country))
using (customer_id) group by 1, 2"""
#: How often the expected close of each open deal was moved later.
_PUSHES = f"""
select lead_id, count(*) as pushes from (
  select lead_id, expected_close_date, lag(expected_close_date) over (partition by lead_id order by valid_from) as before
  from {_CHANGES} where known_to is null and lead_id in (select lead_id from open_accounts))
where expected_close_date > before group by 1"""
#: What the call list is made from, in the order in which one rests on another; prepared once, since it does not change.
_PREPARED = {
    "owners": f"select distinct owner from {_DEALS}",
    "open_accounts": _OPEN_ACCOUNTS,
    "last_touches": _LAST_TOUCHES,
    "reasons": _REASONS,
    "hours": _HOURS,
    "pushes": _PUSHES,
    "names": "select customer_id, customer_name, lower(customer_name) as name_lower, industry, country, lead_score "
    f"from {_FEATURES}",
}
#: What `_PREPARED` needs that not every lakehouse has.
_NEEDS = {"reasons": _SCORES, "pushes": _CHANGES}
#: Touches over all accounts that an hour needs before it is recommended.
LEAST_TOUCHES = 20
#: Rows that gold.top_customers has at most.
MOST_TOP = 50
#: Accounts per rep that a query gives at most.
_MOST_ROWS = 999_999


@dataclass
class Tools:
    """The tools of one conversation.

    Attributes:
        serving: What is read.
        rules: Capacity, rest after a contact, who must not be contacted.
        trace_content: Whether spans hold what was asked and answered.
    """

    serving: Serving
    rules: Rules
    trace_content: bool = False

    def prepare(self) -> None:
        """Compute once what the tools share, so that no call waits for it: for a process that answers many questions."""
        self._prepare(*(name for name in _PREPARED if _NEEDS.get(name, _FEATURES) in self.serving.versions))

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
        rows = self.serving.rows(_CALL_LIST, bindings)
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
            whole = f"open_accounts where {_CONTACTABLE}"
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
            (_DEALS, _FEATURES, _SCORES, _CHANGES, _TOUCHES, consent.PEOPLE, consent.LINKS),
            f"with open_accounts as ({_OPEN_ACCOUNTS}){_CALL_LIST}",
            bindings,
            f"Left out: {left['resting']:,} with a contact in the last {self.rules.rest_days} days, "
            f"{left['refused']:,} not to be contacted"
            + (f", {left['denied']:,} where everyone known has denied consent" if left["denied"] else "")
            + f"{dealt_with}.",
            total,
        )

    def account_brief(self, customer: str) -> list[Found]:
        """One account on a page: what it is worth, its open deals and their products and stages, its last touches, what was
        asked for, doubted and promised in their notes, and an agenda for the next conversation.

        Args:
            customer: Key or name.

        Raises:
            MedallionError: There is no such account, or several; the message names them.
        """
        key = self.one_customer(customer)
        facts: tuple[Field, ...] = (
            Field("customer_id", "Account key"), Field("customer_name", "Account"), Field("industry", "Industry"),
            Field("country", "Country"), Field("size_band", "Company size"), Field("account_manager", "Account manager"),
            Field("lead_score", "Lead score", "number"), Field("lead_quality", "Band"), Field("segment", "Segment"),
            Field("probability_to_convert", "Probability to convert", "percent", 1),
            Field("won_value", "Revenue", "money"), Field("open_value", "Open value", "money"),
            Field("weighted_pipeline", "Expected value", "money"), Field("open_leads", "Open deals", "number"),
            Field("won_leads", "Deals won", "number"), Field("lost_leads", "Deals lost", "number"),
            Field("interactions", "Touches", "number"), Field("calls", "Calls", "number"),
            Field("emails", "E-mails", "number"), Field("meetings", "Meetings", "number"),
            Field("whatsapps", "WhatsApp messages", "number"), Field("positive_touches", "Positive touches", "number"),
            Field("positive_rate", "Positive rate", "percent", 1), Field("preferred_channel", "Preferred channel"),
            Field("last_interaction_at", "Last contact", "timestamp"),
            Field("days_since_last_interaction", "Days since last contact", "number"),
            Field("employee_count", "Employees", "number"), Field("engagement_score", "Engagement", "number"),
            Field("next_step", "Next step"),
        )  # fmt: skip
        sql = f"select {', '.join(field.name for field in facts)} from {_FEATURES} where customer_id = ?"
        rows, made_of = self.serving.rows(sql, [key]), self._made_of(key)
        if made_of:
            facts, rows = (
                (*facts, Field("made_of", "Merged into it", "list")),
                [{**row, "made_of": made_of} for row in rows],
            )
        account = self.found(
            "account_brief",
            "The account",
            facts,
            ("customer_id",),
            rows,
            (_FEATURES, *([_IDENTITIES] if made_of else [])),
            sql,
            [key],
        )
        sql_deals = (
            f"select lead_id, stage, product_name, source, owner, deal_value, probability_to_convert, weighted_value, age_days, "
            f"expected_close_date from {_DEALS} where customer_id = ? and status = 'open' "
            "order by weighted_value desc nulls last, lead_id limit 10"
        )
        deals = self.found(
            "account_brief",
            "Open deals",
            (
                Field("lead_id", "Deal"), Field("stage", "Stage"), Field("product_name", "Product"), Field("source", "Source"),
                Field("owner", "Owner"), Field("deal_value", "Value", "money"), Field("probability_to_convert", "Probability", "percent", 1),
                Field("weighted_value", "Expected value", "money"), Field("age_days", "Days open", "number"),
                Field("expected_close_date", "Expected close", "date"),
            ),
            ("lead_id",),
            self.serving.rows(sql_deals, [key]),
            (_DEALS,),
            sql_deals,
            [key],
            total=self._count(f"{_DEALS} where customer_id = ? and status = 'open'", [key]),
        )  # fmt: skip
        sql_touches = (
            f"select interaction_id, occurred_at, channel, outcome, direction from {_TOUCHES} where customer_id = ? "
            "order by occurred_at desc, interaction_id limit 5"
        )
        touches = self.found(
            "account_brief",
            "Last touches",
            (
                Field("interaction_id", "Touch"), Field("occurred_at", "When", "timestamp"), Field("channel", "Channel"),
                Field("outcome", "Outcome"), Field("direction", "Direction"),
            ),
            ("interaction_id",),
            self.serving.rows(sql_touches, [key]),
            (_TOUCHES,),
            sql_touches,
            [key],
            total=self._count(f"{_TOUCHES} where customer_id = ?", [key]),
        )  # fmt: skip
        from_notes = briefing.said(self, key)
        products, stages = briefing.products(self, key), briefing.stages(self, [row["lead_id"] for row in deals.rows])
        plan = briefing.agenda(self, deals, touches, from_notes, products)
        return [account, deals, touches, from_notes, *([products] if products else []), stages, plan]

    def metric_value(
        self,
        metric: str,
        by: list[str] | None = None,
        where: list[str] | None = None,
        top: int | None = None,
        bottom: int | None = None,
        period: str | None = None,
        compare: str | None = None,
        having: list[str] | None = None,
        order: list[str] | None = None,
        limit: int | None = None,
        as_of: str | None = None,
    ) -> Found:
        """The value of a metric of the dictionary, total or split, filtered, in a period, compared with another.

        Args:
            metric: Its name, such as win_rate; several with commas.
            by: What to split by: dimensions, `closed_at:month`, or `month` for the metric's own time.
            where: Conditions such as `open and country in (Germany, France)`; all must hold.
            top: Only that many rows, the largest values first.
            bottom: Only that many rows, the smallest values first.
            period: Such as `2025-Q1`, `last 3 months`, `ytd` or `2025-01 to 2025-03`.
            compare: `previous` for the period before, `year-ago` for the same a year ago.
            having: Which rows are shown, such as `value > 10000 and n >= 5`.
            order: Columns to order by, `-value` for the largest first.
            limit: Only that many rows.
            as_of: Day that relative periods count from and nothing after which counts.

        Raises:
            ContractError: There is no such metric, dimension or value, or a stock is asked for by time.
        """
        if (top is not None or bottom is not None) and (top or bottom or 0) < 1:
            raise ContractError("top and bottom are at least 1", "Give a whole number from 1.")
        if top is not None and bottom is not None:
            raise ContractError("top and bottom exclude each other", "Give one of the two.")
        ranked = top if top is not None else bottom
        if ranked is not None and (order or limit):
            raise ContractError("top and bottom stand for order and limit", "Give one or the others.")
        asked = Question.read(metric, by or (), where, period, compare, having, order or (), limit, as_of)
        if ranked is not None and by:
            asked = dataclasses.replace(asked, order=(Order(asked.metrics[0], top is not None),), limit=ranked)
        return self.asked(asked, "metric_value")

    def asked(self, asked: Question | Records, tool: str = "asked") -> Found:
        """The answer to a typed question. A ranking leaves out what has nothing to rank it by, and says how many.

        Raises:
            ContractError: It is not understood whole.
        """
        if isinstance(asked, Records):
            with self.serving.reading() as connection:
                listed = answer(connection, asked)
            return self._answered(tool, listed, "", listed.total)
        first = asked.metrics[0]
        ranked = bool(asked.by and asked.limit and asked.order and asked.order[0].name == first)
        whole = asked
        if ranked:
            asked = dataclasses.replace(asked, having=(*asked.having, f"{first} is known"))
        with self.serving.reading() as connection:
            result = answer(connection, asked)
            unknown = answer(connection, dataclasses.replace(whole, limit=1)).total - result.total if ranked else 0
            nameless = [column for column in result.columns if ranked and self._is_unknown(result, column)]
            if nameless:  # nobody is the best of the reps
                known = tuple(Test(column.name, "known") for column in nameless)
                result = answer(connection, dataclasses.replace(asked, where=(*asked.where, *known)))
        note = " ".join((metrics.named(first).measure.comment, *result.notes))
        if unknown:
            note += f" {unknown:,} without a value left out."
        if nameless:
            note += f" Not ranked: what is of no known {' and '.join(column.label.lower() for column in nameless)}."
        if self.serving.currencies and any(column.type == "currency" for column in result.columns):
            note += f" {self.serving.currencies}"
        understood = result.understood
        if ranked and isinstance(understood, Understood) and not whole.having:
            result = dataclasses.replace(result, understood=dataclasses.replace(understood, having=None))
        return self._answered(tool, result, note, None if whole.limit is None else result.total)

    @staticmethod
    def _is_unknown(result: Answered, column: Column) -> bool:
        """Whether a split of an answer has a row of what it does not know."""
        named = column.name == "customer_name" and any(other.name == "customer_id" for other in result.columns)
        if column.role != "split" or ":" in column.name or named:  # an account without a name is known by its key
            return False
        return any(row[column.name] is None for row in result.rows)

    def reading(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of the metrics reads from the connection."""
        with self.serving.reading() as connection:
            return function(connection, *arguments)

    def records(
        self,
        entity: str,
        where: list[str] | None = None,
        period: str | None = None,
        order: list[str] | None = None,
        limit: int = 25,
        columns: list[str] | None = None,
        as_of: str | None = None,
        each: str | None = None,
    ) -> Found:
        """A list of records: which deals, which accounts, which touches.

        Args:
            entity: `deals`, `accounts`, `interactions`, `stage_changes` or `channels`.
            where: Conditions such as `open and days_silent > 30` or `closed_date > expected_close_date`; all must hold.
            period: When, such as `last 7 days`.
            order: Columns to order by, `-value` for the largest first.
            limit: Only that many records.
            columns: What is shown.
            as_of: Day that relative periods count from.
            each: A column of each of whose values the first `limit` records are shown: the largest deal of each owner.

        Raises:
            ContractError: There is no such entity, column or value.
        """
        asked = Records.read(entity, where, period, order or (), limit, columns or (), as_of, each=each)
        return self.asked(asked, "records")

    def _answered(self, tool: str, result: Answered, note: str, total: int | None) -> Found:
        """The answer to a question as a finding."""
        names = {column.name: column.name.replace(":", "_") for column in result.columns}
        fields = tuple(_field(column, names[column.name]) for column in result.columns)
        key = tuple(names[column.name] for column in result.columns if column.role == "split")
        rows = [{names[name]: value for name, value in row.items()} for row in result.rows]
        return Found(
            tool, str(result.understood), fields, key or tuple(field.name for field in fields[:1] if result.is_list), rows,
            self.serving.read(*result.tables), result.sql, result.bindings, self.serving.as_of, note, total,
            self.serving.currency,
        )  # fmt: skip

    def top_customers(self, count: int = 10) -> Found:
        """The customers who brought most revenue.

        Args:
            count: How many, 1 to 50.

        Raises:
            MedallionError: The count is not one of those.
        """
        if not 1 <= count <= MOST_TOP:
            raise MedallionError(
                f"{count} is not a number of top customers", f"Give a whole number from 1 to {MOST_TOP}."
            )
        sql = (
            "select rank, customer_id, customer_name, industry, won_value, revenue_share, open_value, lead_score, "
            "lead_quality, next_step from gold.top_customers order by rank limit ?"
        )
        fields = (
            Field("rank", "Rank", "number"), Field("customer_id", "Account key"), Field("customer_name", "Account"),
            Field("industry", "Industry"), Field("won_value", "Revenue", "money"),
            Field("revenue_share", "Share of all revenue", "percent", 1), Field("open_value", "Open value", "money"),
            Field("lead_score", "Lead score", "number"), Field("lead_quality", "Band"), Field("next_step", "Next step"),
        )  # fmt: skip
        bindings = [count]
        rows = self.serving.rows(sql, bindings)
        return self.found(
            "top_customers",
            "Customers by revenue",
            fields,
            ("customer_id",),
            rows,
            ("gold.top_customers",),
            sql,
            bindings,
            total=self._count(f"{_FEATURES} where won_value > 0"),
        )

    def compare_channels(self) -> Found:
        """What each channel brings: touches, positive rate with its interval, revenue shared among touches."""
        sql = (
            "select channel, interactions, positive_touches, positive_rate, positive_rate_low, positive_rate_high, attributed_revenue, "
            "average_duration_minutes from gold.channel_performance where interactions > 0 "
            "order by positive_rate desc nulls last, channel"
        )
        fields = (
            Field("channel", "Channel"), Field("interactions", "Touches", "number"),
            Field("positive_touches", "Positive touches", "number"), Field("positive_rate", "Positive rate", "percent", 1),
            Field("positive_rate_low", "at least (95%)", "percent", 1),
            Field("positive_rate_high", "at most (95%)", "percent", 1),
            Field("attributed_revenue", "Attributed revenue", "money"),
            Field("average_duration_minutes", "Minutes per touch", "number", 1),
        )  # fmt: skip
        rows = self.serving.rows(sql)
        finding = self.found(
            "compare_channels", "Channels", fields, ("channel",), rows, ("gold.channel_performance",), sql
        )
        apart = [r for r in rows[1:] if rows[0]["positive_rate_low"] > r["positive_rate_high"]] if rows else []
        note = "Intervals overlap: the differences may be chance." if rows and len(apart) < len(rows) - 1 else ""
        return Found(**{**finding.__dict__, "note": note})

    def explain_score(self, key: str) -> list[Found]:
        """Why a deal or an account has its score: parts of the rule score, and the reasons of each open deal.

        Raises:
            MedallionError: There is neither a deal nor an account of that key or name.
        """
        deal = self.serving.rows(f"select customer_id from {_DEALS} where upper(lead_id) = upper(?)", [key.strip()])
        customer = deal[0]["customer_id"] if deal and deal[0]["customer_id"] else self.one_customer(key)
        fields: tuple[Field, ...] = (
            Field("customer_id", "Account key"), Field("customer_name", "Account"),
            Field("lead_score", "Lead score", "number"), Field("lead_quality", "Band"),
            Field("score_fit", "Fit", "percent"), Field("score_engagement", "Engagement", "percent"),
            Field("score_recency", "Recency", "percent"), Field("score_intent", "Intent", "percent"),
        )  # fmt: skip
        shown, source = ", ".join(field.name for field in fields), _FEATURES
        if _BANDS in self.serving.versions:
            fields = (*fields, Field("band_win_rate", "Win rate of the band", "percent", 1))
            shown = f"{shown}, b.win_rate as band_win_rate"
            source = f"{_FEATURES} left join (select lead_quality, win_rate from {_BANDS}) b using (lead_quality)"
        sql = f"select {shown} from {source} where customer_id = ?"
        rows = self.serving.rows(sql, [customer])
        parts = self.found(
            "explain_score", "Rule score", fields, ("customer_id",), rows, (_FEATURES, _BANDS), sql, [customer]
        )
        if _SCORES not in self.serving.versions:
            return [parts]
        sql_scores = (
            f"select lead_id, probability, probability_low, probability_high, probability_source, model_version, "
            f"horizon_days, reasons_up, reasons_down, trend from {_SCORES} where customer_id = ? and as_of = ? "
            "qualify row_number() over (partition by lead_id order by known_as_of desc) = 1 "
            "order by probability desc nulls last, lead_id"
        )
        bindings = [customer, self.serving.as_of]
        scores = self.found(
            "explain_score",
            "Probability of open deals",
            (
                Field("lead_id", "Deal"), Field("probability", "Probability", "percent", 1),
                Field("probability_low", "at least (90%)", "percent", 1),
                Field("probability_high", "at most (90%)", "percent", 1),
                Field("horizon_days", "Within days", "number"), Field("probability_source", "From"),
                Field("model_version", "Model"), Field("reasons_up", "For it", "list"),
                Field("reasons_down", "Against it", "list"), Field("trend", "Trend"),
            ),
            ("lead_id",),
            self.serving.rows(sql_scores, bindings),
            (_SCORES,),
            sql_scores,
            bindings,
        )  # fmt: skip
        return [parts, scores]

    def find_customer(self, text: str, count: int = 10) -> Found:
        """Accounts whose key is, or whose name holds, a text; the nearest names when none does."""
        words = " ".join(text.split())
        sql = (
            f"select customer_id, customer_name, industry, country, lead_score from {_FEATURES} "
            "where upper(customer_id) = upper(?) or contains(lower(customer_name), lower(?)) "
            "order by upper(customer_id) = upper(?) desc, lower(customer_name) = lower(?) desc, customer_name, customer_id limit ?"
        )
        bindings: list[Any] = [words, words, words, words, max(1, min(int(count), 50))]
        rows = self.serving.rows(self._over_names(sql), bindings) if words else []
        note, total = "", None
        if rows:
            like = f"{_FEATURES} where upper(customer_id) = upper(?) or contains(lower(customer_name), lower(?))"
            total = self._count(like, [words, words])
        else:
            sql = (
                f"select customer_id, customer_name, industry, country, lead_score from {_FEATURES} "
                "where customer_name is not null "
                "order by jaro_winkler_similarity(lower(customer_name), lower(?)) desc, customer_name, customer_id limit ?"
            )
            bindings = [words, min(max(1, int(count)), 5)]
            rows = self.serving.rows(self._over_names(sql), bindings)
            note = f"No account is called {words!r}; these are the nearest."
        fields = (
            Field("customer_id", "Account key"), Field("customer_name", "Account"), Field("industry", "Industry"),
            Field("country", "Country"), Field("lead_score", "Lead score", "number"),
        )  # fmt: skip
        return self.found(
            "find_customer", "Accounts", fields, ("customer_id",), rows, (_FEATURES,), sql, bindings, note, total
        )

    def pipeline_forecast(self, period: str | None = None, by: str | None = None, owner: str | None = None) -> Found:
        """What is expected to be won: open deals by the month of their expected close, or the revenue of a period.

        Of a period: won so far, expected from open deals and from deals not opened yet, all of it with its 80% interval, and
        the quota where there is one; the figures of `medallion forecast`.

        Args:
            period: A month, quarter or year, such as `2025-Q3`; open deals by month without it.
            by: What the forecast of a period is split by: owner, product, source, industry, country, size_band, stage or
                quality.
            owner: Only this owner's part of the forecast of a period.

        Raises:
            MedallionError: The period or the split is none, or a split has no period.
        """
        if period is not None:
            return self._revenue_forecast(period, by, owner)
        if by is not None or owner is not None:
            raise MedallionError("a forecast by month is not split", "Name a period, such as 2025-Q3.")
        sql = (
            f"select coalesce(strftime(expected_close_date, '%Y-%m'), 'no date') as month, count(*) as open_deals, "
            f"sum(deal_value) as open_value, sum(weighted_value) as expected_value from {_DEALS} "
            "where status = 'open' group by 1 order by 1"
        )
        fields = (
            Field("month", "Expected to close"), Field("open_deals", "Open deals", "number"),
            Field("open_value", "Value", "money"), Field("expected_value", "Expected value", "money"),
        )  # fmt: skip
        rows = self.serving.rows(sql)
        note = "The probability is of being won within the horizon of the forecast, whatever the expected date."
        return self.found(
            "pipeline_forecast", "Forecast of the pipeline", fields, ("month",), rows, (_DEALS,), sql, (), note
        )

    def _revenue_forecast(self, period: str, by: str | None, owner: str | None = None) -> Found:
        from medallion.learning import forecasts  # numpy and pyspark, which no other tool needs

        if _SCORES not in self.serving.versions:
            raise MedallionError("there are no scores to forecast from", "Run `medallion score` first.")
        if owner is not None and by not in (None, "owner"):
            raise MedallionError("the part of one owner is not split further", "Leave out one of the two.")
        by = "owner" if owner is not None else by
        tables = tuple(name for name in (_DEALS, _SCORES, _ATTAINMENT) if name in self.serving.versions)
        self.serving.read(*tables)
        with self.serving.reading() as connection:
            forecast, _ = forecasts.read(
                connection, ScoreWeights().horizon_days, period, by, quotas=_ATTAINMENT in tables, history=False
            )
        rows = forecast.groups if by else [forecast.total]
        if owner is not None:
            rows = [row for row in rows if str(row["owner"]).casefold() == owner.casefold()]
            if not rows:
                raise MedallionError(
                    f"no open or won deal of {forecast.period.name} belongs to {owner!r}", "Check the name."
                )
        labels = {
            "won": "Won so far",
            "open": "Expected from open deals",
            "new": "From deals not opened yet",
            "expected": "Expected in all",
            "low_80": "80% interval from",
            "high_80": "80% interval to",
            "quota": "Quota",
        }
        shown = [name for name in labels if name != "quota" or any(row["quota"] is not None for row in rows)]
        fields = tuple(Field(name, labels[name], "money") for name in shown)
        key = (Field(by, by.replace("_", " ").capitalize()),) if by else ()
        shown_rows = [{name: row[name] for name in (*((by,) if by else ()), *shown)} for row in rows]
        note = (
            f"As `medallion forecast --period {forecast.period.name}` computes it: by simulation over the open deals."
        )
        if forecast.unknown:
            note += f" {forecast.unknown} open deals have no probability or value and count as nothing."
        title = f"Revenue forecast, {forecast.period.first} to {forecast.period.last}"
        return self.found(
            "pipeline_forecast",
            title,
            (*key, *fields),
            (by,) if by else (),
            shown_rows,
            tables,
            "",
            (forecast.period.name,),
            note,
        )

    def run_safe_sql(self, sql: str) -> Found:
        """Run one SELECT over the agent's tables: parsed, checked against a list of what is allowed, at most 200 rows.

        It runs in a database in which every door is shut: no files, no network, no settings.

        Raises:
            MedallionError: It is not allowed, fails, or takes too long.
        """
        text = sql_guard.checked(sql, set(self.serving.versions))
        try:
            with self._shut(text) as serving:
                rows = serving.rows(text)
        except duckdb.Error as error:
            raise MedallionError(f"the query fails: {str(error).splitlines()[0]}", "Check its columns.") from error
        total = None
        if len(rows) == sql_guard.MOST_ROWS:
            with self._shut(text) as serving:
                total = int(serving.rows(sql_guard.counting(text))[0]["n"])
        rows, names = _own_names(rows)
        fields = tuple(
            Field(name, label, _kind(rows, name), 2 * _fraction(rows, name)) for name, label in names.items()
        )
        read = tuple(sorted(sql_guard.tables(text)))
        note = f"Own calculation, no metric of the dictionary: {text}"
        return self.found("run_safe_sql", "Own calculation", fields, (), rows, read, text, (), note, total)

    @contextmanager
    def _shut(self, sql: str) -> Iterator[Serving]:
        """What a query of somebody else runs in: every door of DuckDB is shut."""
        if self.serving.locked:
            yield self.serving
        else:
            with serve(self.serving.lake, locked=True, only=sql_guard.tables(sql)) as locked:
                yield locked

    def one_customer(self, text: str) -> str:
        """The key of the one account that a key or name means.

        Raises:
            MedallionError: None or several; the message names the nearest.
        """
        exact = self.serving.rows(f"select customer_id from {_FEATURES} where customer_id = ?", [text.strip()])
        if not exact and _IDENTITIES in self.serving.versions:  # one that was merged
            sql = f"select entity_key as customer_id from {_IDENTITIES} where entity = 'customers' and source_key = ?"
            exact = self.serving.rows(sql, [text.strip().upper()])
        if exact:
            return str(exact[0]["customer_id"])
        finding = self.find_customer(text)
        named = [
            row for row in finding.rows if str(row["customer_name"]).casefold() == " ".join(text.split()).casefold()
        ]
        keyed = [row for row in finding.rows if str(row["customer_id"]).casefold() == text.strip().casefold()]
        several = keyed or named or [row for row in finding.rows if _has_whole_numbers(text, str(row["customer_name"]))]
        shown = ", ".join(f"{row['customer_name']} ({row['customer_id']})" for row in finding.rows[:5])
        if finding.note or not several:
            raise MedallionError(f"there is no account {text!r}", f"Nearest: {shown}." if shown else "There are none.")
        if len(several) > 1:
            raise MedallionError(f"{text!r} may mean several accounts", f"Say which: {shown}.")
        return str(several[0]["customer_id"])

    def _made_of(self, key: str) -> list[str]:
        """Keys of the accounts that were merged into one."""
        if _IDENTITIES not in self.serving.versions:
            return []
        sql = f"select source_key from {_IDENTITIES} where entity = 'customers' and entity_key = $1 and source_key <> $1 order by 1"
        return [row["source_key"] for row in self.serving.rows(sql, [key])]

    def _prepare(self, *names: str) -> None:
        for name in names:
            self.serving.prepare(name, _PREPARED[name])

    def _over_names(self, sql: str) -> str:
        """A query of names over the prepared ones, which are small letters already; the receipt keeps the first form."""
        if "names" not in self.serving.prepared:
            return sql
        return sql.replace(f"from {_FEATURES}", "from names").replace("lower(customer_name)", "name_lower")

    @property
    def day(self) -> date:
        """The last day of the data."""
        return self.serving.as_of or date(1970, 1, 1)

    def found(
        self,
        tool: str,
        title: str,
        fields: tuple[Field, ...],
        key: tuple[str, ...],
        rows: list[dict[str, Any]],
        tables: Iterable[str] = (),
        sql: str = "",
        bindings: Iterable[Any] = (),
        note: str = "",
        total: int | None = None,
    ) -> Found:
        """What a tool found, with the receipts of what is read now."""
        read = self.serving.read(*tables)
        return Found(
            tool,
            title,
            fields,
            key,
            rows,
            read,
            sql,
            tuple(bindings),
            self.serving.as_of,
            note,
            total,
            self.serving.currency,
        )

    def _count(self, sql: str, bindings: Any = ()) -> int:
        """How many rows there are, of which a tool gives the first."""
        return int(self.serving.rows(f"select count(*) as n from {sql}", bindings)[0]["n"])

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
            f"select customer_id, channel as last_channel, outcome as last_outcome, direction as last_direction from {_TOUCHES} "
            "where occurred_at in (select unnest(?::timestamptz[])) and customer_id in (select unnest(?)) "
            "qualify row_number() over (partition by customer_id order by occurred_at desc, interaction_id) = 1",
            [[row["last_interaction_at"] for row in accounts], list(places)],
        )
        return {places[row.pop("customer_id")]: row for row in rows}

    def _reasons(self, accounts: list[dict[str, Any]]) -> Mapping[int, tuple[list[str], list[str]]]:
        """Why each account's best deal may be won, and why not, by the account's position."""
        if _SCORES not in self.serving.versions:
            return {}
        places = {row["lead_id"]: row["position"] for row in accounts}
        if "reasons" in self.serving.prepared:
            rows = self.serving.rows("from reasons where position in (select unnest(?))", [list(places.values())])
            return {row["position"]: (row["reasons"] or [], row["against"] or []) for row in rows}
        rows = self.serving.rows(
            f"select lead_id, reasons_up[:3] as reasons, reasons_down[:3] as against from {_SCORES} where lead_id in (select unnest(?)) and as_of = ? "
            "qualify row_number() over (partition by lead_id order by known_as_of desc) = 1",
            [list(places), self.serving.as_of],
        )
        return {places[row["lead_id"]]: (row["reasons"] or [], row["against"] or []) for row in rows}

    def _pushes(self) -> dict[str, int]:
        """How often the expected close of each account's best deal was moved later; of those moved at all."""
        if _CHANGES not in self.serving.versions:
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


def _has_whole_numbers(text: str, name: str) -> bool:
    """Whether a text is part of a name without cutting a number of it: `Depot 1` is no part of `Depot 12`."""
    phrase = re.escape(" ".join(text.split()))
    return bool(re.search(rf"(?<!\d(?=\d)){phrase}(?!(?<=\d)\d)", name, re.IGNORECASE))


def _field(column: Column, name: str) -> Field:
    """A column of an answer as one of a finding."""
    kind = {"currency": "money", "percentage": "percent", "number": "number", "day": "date"}.get(column.type, "text")
    places = 0
    if column.name.endswith("weekday"):
        kind = "weekday"
    if column.format:
        kind = {"currency": "money", "percentage": "percent"}.get(column.format.type, "number")
        places = column.format.decimal_places.places
    return Field(name, column.label, kind, places)  # type: ignore[arg-type]


def _own_names(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of a query somebody wrote, with their columns and labels: none is called as a metric is."""
    taken = {
        " ".join(re.sub(r"[^a-z0-9]+", " ", term.casefold()).split())
        for name, metric in metrics.metrics().items()
        for term in (name, metric.measure.display_name, *metric.measure.synonyms)
    }
    names = {}
    for place, name in enumerate(rows[0] if rows else (), 1):
        words = " ".join(re.sub(r"[^a-z0-9]+", " ", name.casefold()).split())
        shown = any(f" {term} " in f" {words} " for term in taken) or not re.fullmatch(r"[a-z_0-9]+", name)
        names[name] = f"own_{place}" if shown else name
    labels = {short: f"own calculation, column {place}" for place, short in enumerate(names.values(), 1)}
    return [{names[name]: value for name, value in row.items()} for row in rows], labels


def _kind(rows: list[dict[str, Any]], name: str) -> Any:
    values = [row[name] for row in rows if row[name] is not None]
    numbers = values and all(not isinstance(v, (str, bool, list, date)) for v in values)
    return "list" if values and isinstance(values[0], list) else "number" if numbers else "text"


def _fraction(rows: list[dict[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], float) and row[name] != int(row[name]) for row in rows if row[name] is not None)


#: What a model or a client may call, by name.
READING: tuple[Callable[..., Any], ...] = (
    Tools.call_plan,
    Tools.account_brief,
    Tools.metric_value,
    Tools.records,
    Tools.top_customers,
    Tools.compare_channels,
    Tools.explain_score,
    Tools.find_customer,
    Tools.pipeline_forecast,
    Tools.run_safe_sql,
)
