"""One account on a page, its score, the best accounts, and which is meant by a key or name."""

from __future__ import annotations

import re
from typing import Any

from medallion.agent import briefing
from medallion.agent.facts import Field, Found
from medallion.agent.tools.findings import Findings
from medallion.agent.tools.prepared import BANDS, DEALS, FEATURES, IDENTITIES, SCORES, TOUCHES
from medallion.errors import MedallionError

#: Rows that gold.top_customers has at most.
MOST_TOP = 50


class Accounts(Findings):
    """One account, the best ones, and which is meant by a name."""

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
        sql = f"select {', '.join(field.name for field in facts)} from {FEATURES} where customer_id = ?"
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
            (FEATURES, *([IDENTITIES] if made_of else [])),
            sql,
            [key],
        )
        sql_deals = (
            f"select lead_id, stage, product_name, source, owner, deal_value, probability_to_convert, weighted_value, age_days, "
            f"expected_close_date from {DEALS} where customer_id = ? and status = 'open' "
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
            (DEALS,),
            sql_deals,
            [key],
            total=self._count(f"{DEALS} where customer_id = ? and status = 'open'", [key]),
        )  # fmt: skip
        sql_touches = (
            f"select interaction_id, occurred_at, channel, outcome, direction from {TOUCHES} where customer_id = ? "
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
            (TOUCHES,),
            sql_touches,
            [key],
            total=self._count(f"{TOUCHES} where customer_id = ?", [key]),
        )  # fmt: skip
        from_notes = briefing.said(self, key)
        products, stages = briefing.products(self, key), briefing.stages(self, [row["lead_id"] for row in deals.rows])
        plan = briefing.agenda(self, deals, touches, from_notes, products)
        return [account, deals, touches, from_notes, *([products] if products else []), stages, plan]

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
            total=self._count(f"{FEATURES} where won_value > 0"),
        )

    def explain_score(self, key: str) -> list[Found]:
        """Why a deal or an account has its score: parts of the rule score, and the reasons of each open deal.

        Raises:
            MedallionError: There is neither a deal nor an account of that key or name.
        """
        deal = self.serving.rows(f"select customer_id from {DEALS} where upper(lead_id) = upper(?)", [key.strip()])
        customer = deal[0]["customer_id"] if deal and deal[0]["customer_id"] else self.one_customer(key)
        fields: tuple[Field, ...] = (
            Field("customer_id", "Account key"), Field("customer_name", "Account"),
            Field("lead_score", "Lead score", "number"), Field("lead_quality", "Band"),
            Field("score_fit", "Fit", "percent"), Field("score_engagement", "Engagement", "percent"),
            Field("score_recency", "Recency", "percent"), Field("score_intent", "Intent", "percent"),
        )  # fmt: skip
        shown, source = ", ".join(field.name for field in fields), FEATURES
        if BANDS in self.serving.versions:
            fields = (*fields, Field("band_win_rate", "Win rate of the band", "percent", 1))
            shown = f"{shown}, b.win_rate as band_win_rate"
            source = f"{FEATURES} left join (select lead_quality, win_rate from {BANDS}) b using (lead_quality)"
        sql = f"select {shown} from {source} where customer_id = ?"
        rows = self.serving.rows(sql, [customer])
        parts = self.found(
            "explain_score", "Rule score", fields, ("customer_id",), rows, (FEATURES, BANDS), sql, [customer]
        )
        if SCORES not in self.serving.versions:
            return [parts]
        sql_scores = (
            f"select lead_id, probability, probability_low, probability_high, probability_source, model_version, "
            f"horizon_days, reasons_up, reasons_down, trend from {SCORES} where customer_id = ? and as_of = ? "
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
            (SCORES,),
            sql_scores,
            bindings,
        )  # fmt: skip
        return [parts, scores]

    def find_customer(self, text: str, count: int = 10) -> Found:
        """Accounts whose key is, or whose name holds, a text; the nearest names when none does."""
        words = " ".join(text.split())
        sql = (
            f"select customer_id, customer_name, industry, country, lead_score from {FEATURES} "
            "where upper(customer_id) = upper(?) or contains(lower(customer_name), lower(?)) "
            "order by upper(customer_id) = upper(?) desc, lower(customer_name) = lower(?) desc, customer_name, customer_id limit ?"
        )
        bindings: list[Any] = [words, words, words, words, max(1, min(int(count), 50))]
        rows = self.serving.rows(self._over_names(sql), bindings) if words else []
        note, total = "", None
        if rows:
            like = f"{FEATURES} where upper(customer_id) = upper(?) or contains(lower(customer_name), lower(?))"
            total = self._count(like, [words, words])
        else:
            sql = (
                f"select customer_id, customer_name, industry, country, lead_score from {FEATURES} "
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
            "find_customer", "Accounts", fields, ("customer_id",), rows, (FEATURES,), sql, bindings, note, total
        )

    def one_customer(self, text: str) -> str:
        """The key of the one account that a key or name means.

        Raises:
            MedallionError: None or several; the message names the nearest.
        """
        exact = self.serving.rows(f"select customer_id from {FEATURES} where customer_id = ?", [text.strip()])
        if not exact and IDENTITIES in self.serving.versions:  # one that was merged
            sql = f"select entity_key as customer_id from {IDENTITIES} where entity = 'customers' and source_key = ?"
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
        if IDENTITIES not in self.serving.versions:
            return []
        sql = f"select source_key from {IDENTITIES} where entity = 'customers' and entity_key = $1 and source_key <> $1 order by 1"
        return [row["source_key"] for row in self.serving.rows(sql, [key])]

    def _over_names(self, sql: str) -> str:
        """A query of names over the prepared ones, which are small letters already; the receipt keeps the first form."""
        if "names" not in self.serving.prepared:
            return sql
        return sql.replace(f"from {FEATURES}", "from names").replace("lower(customer_name)", "name_lower")


def _has_whole_numbers(text: str, name: str) -> bool:
    """Whether a text is part of a name without cutting a number of it: `Depot 1` is no part of `Depot 12`."""
    phrase = re.escape(" ".join(text.split()))
    return bool(re.search(rf"(?<!\d(?=\d)){phrase}(?!(?<=\d)\d)", name, re.IGNORECASE))
