"""What the model may know of an open deal: each signal a small function, its docstring the definition.

A signal is computed for a deal and a cutoff from what had happened and was known before the cutoff. None of them holds
an outcome of the deal itself or who a customer is. `SIGNALS` lists them in the order of `gold.lead_snapshots`; `Own` are
those that a contract adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import pi
from typing import Any, Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.contracts import Column as Declared
from medallion.contracts import Entity
from medallion.errors import ContractError
from medallion.features import AsOf, Feature, Features, ScoreWeights, account
from medallion.features.engagement import is_positive

#: Days in which a touch loses half its weight in the fading sums.
FADING_DAYS = 30.0
#: Days after which a touch no longer counts.
LOOK_BACK_DAYS = 365
#: Deals that the average weighs in shrunken win rates.
PRIOR_DEALS = 5.0
_YEAR = 365.25


@dataclass(frozen=True)
class Cutoff(AsOf):
    """The as-of time of each row, its column `cutoff`, which is the end of a day."""

    def __init__(self, weights: ScoreWeights) -> None:
        object.__setattr__(self, "weights", weights)

    @property
    def instant(self) -> Column:
        """The row's cutoff."""
        return F.col("cutoff")

    @property
    def today(self) -> Column:
        """The last day before the row's cutoff."""
        return F.date_sub(F.col("cutoff").cast("date"), 1)


DEAL = Features("the deal")
ACCOUNT = Features("its account")
TOUCHES = Features("touches of the last year")
HISTORY = Features("earlier deals")
STAGES = Features("stage changes")
SEASON = Features("the calendar")


@DEAL.add("string")
def source(as_of: AsOf) -> Column:
    """What brought the deal."""
    return F.col("source")


@DEAL.add("bigint", "days")
def days_open(as_of: AsOf) -> Column:
    """Days since the deal was opened."""
    return as_of.days_since(F.col("created_at"))


@DEAL.add("string")
def product(as_of: AsOf) -> Column:
    """Product that the deal is about."""
    return F.col("product_id")


@DEAL.add("double", "money")
def amount_at_entry(as_of: AsOf) -> Column:
    """Value of the deal in the first version that was delivered; later changes of it do not count."""
    return F.col("entry_value").cast("double")


@DEAL.add("string")
def owner(as_of: AsOf) -> Column:
    """Owner of the deal; only where the owner is trusted, since many a CRM hands a deal over when it is won."""
    return F.col("owner")


@DEAL.add("bigint", "days")
def days_overdue(as_of: AsOf) -> Column:
    """Days since the expected close date, 0 while it lies ahead; null before a delivery says the date."""
    return _positive(F.datediff(as_of.today, F.col("told_close_date")))


@DEAL.add("bigint", "days")
def days_to_close_date(as_of: AsOf) -> Column:
    """Days until the expected close date, 0 once it has passed; null before a delivery says the date."""
    return _positive(F.datediff(F.col("told_close_date"), as_of.today))


def _positive(days: Column) -> Column:
    """Days, 0 where they are negative; null stays null, which `greatest` would leave out."""
    return F.when(days.isNotNull(), F.greatest(F.lit(0), days))


@DEAL.add("bigint", "changes")
def close_date_pushes(as_of: AsOf) -> Column:
    """How often a delivery moved the expected close date to a later day; null before a delivery says the date."""
    return F.when(F.col("told_close_date").isNotNull(), F.col("pushes"))


@ACCOUNT.add("string")
def industry(as_of: AsOf) -> Column:
    """Industry of the account."""
    return F.col("industry")


@ACCOUNT.add("string")
def country(as_of: AsOf) -> Column:
    """Country of the account."""
    return F.col("country")


@ACCOUNT.add("string")
def size_band(as_of: AsOf) -> Column:
    """Company size: 1-50, 51-200, 201-1000, 1000+ or unknown."""
    return account.size_band(as_of)


@ACCOUNT.add("string")
def segment(as_of: AsOf) -> Column:
    """Industry and company size together; null without an industry."""
    return F.concat(F.col("industry"), F.lit(", "), account.size_band(as_of))


@ACCOUNT.add("bigint", "people")
def employee_count(as_of: AsOf) -> Column:
    """Number of employees."""
    return F.col("employee_count")


@ACCOUNT.add("bigint", "days")
def account_age_days(as_of: AsOf) -> Column:
    """Days since the account was added to the CRM."""
    return as_of.days_since(F.col("account_created_at"))


def _own() -> Column:
    return F.col("touch_lead") == F.col("lead_id")


def _age(as_of: AsOf) -> Column:
    return as_of.days_since(F.col("occurred_at"))


def _fading(as_of: AsOf, which: Column) -> Column:
    """Sum of weights that halve every `FADING_DAYS`; in whole millionths, so that the order of rows does not matter."""
    weight = F.pow(F.lit(2.0), -_age(as_of).cast("double") / F.lit(FADING_DAYS))
    micro = F.sum(F.when(which, rounded(weight * F.lit(1e6)).cast("bigint")))
    return F.coalesce(micro, F.lit(0)).cast("double") / F.lit(1e6)


@TOUCHES.add("bigint", "touches")
def touches_30d(as_of: AsOf) -> Column:
    """Touches of the account in the last 30 days."""
    return F.count_if(_age(as_of) < 30)


@TOUCHES.add("bigint", "touches")
def touches_90d(as_of: AsOf) -> Column:
    """Touches of the account in the last 90 days."""
    return F.count_if(_age(as_of) < 90)


@TOUCHES.add("bigint", "touches")
def touches_365d(as_of: AsOf) -> Column:
    """Touches of the account in the last year."""
    return F.count("occurred_at")


@TOUCHES.add("bigint", "touches")
def positive_365d(as_of: AsOf) -> Column:
    """Touches of the account in the last year that went well: a positive answer or a booked meeting."""
    return F.count_if(is_positive())


@TOUCHES.add("bigint", "touches")
def negative_365d(as_of: AsOf) -> Column:
    """Touches of the account in the last year with a negative outcome."""
    return F.count_if(F.col("outcome") == "negative")


@TOUCHES.add("bigint", "touches")
def unanswered_365d(as_of: AsOf) -> Column:
    """Touches of the account in the last year without an answer."""
    return F.count_if(F.col("outcome") == "no_answer")


@TOUCHES.add("bigint", "days")
def days_since_touch(as_of: AsOf) -> Column:
    """Days since the account was last touched; null without a touch in the last year."""
    return F.min(_age(as_of))


@TOUCHES.add("bigint", "days")
def days_since_positive(as_of: AsOf) -> Column:
    """Days since a touch of the account last went well; null without one in the last year."""
    return F.min(F.when(is_positive(), _age(as_of)))


@TOUCHES.add("bigint", "touches")
def deal_touches(as_of: AsOf) -> Column:
    """Touches about this deal."""
    return F.count_if(_own())


@TOUCHES.add("bigint", "touches")
def deal_touches_30d(as_of: AsOf) -> Column:
    """Touches about this deal in the last 30 days."""
    return F.count_if(_own() & (_age(as_of) < 30))


@TOUCHES.add("bigint", "days")
def days_since_deal_touch(as_of: AsOf) -> Column:
    """Days since the last touch about this deal; null without one."""
    return F.min(F.when(_own(), _age(as_of)))


@TOUCHES.add("double", "fading touches")
def deal_meetings_booked(as_of: AsOf) -> Column:
    """Meetings booked over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("outcome") == "meeting_booked"))


@TOUCHES.add("double", "fading touches")
def deal_positive(as_of: AsOf) -> Column:
    """Positive answers over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("outcome") == "positive"))


@TOUCHES.add("double", "fading touches")
def deal_neutral(as_of: AsOf) -> Column:
    """Neutral answers over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("outcome") == "neutral"))


@TOUCHES.add("double", "fading touches")
def deal_negative(as_of: AsOf) -> Column:
    """Negative answers over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("outcome") == "negative"))


@TOUCHES.add("double", "fading touches")
def deal_meetings(as_of: AsOf) -> Column:
    """Meetings held over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("channel") == "meeting"))


@TOUCHES.add("double", "fading touches")
def deal_calls(as_of: AsOf) -> Column:
    """Calls over this deal, each fading by half every 30 days."""
    return _fading(as_of, _own() & (F.col("channel") == "call"))


@TOUCHES.add("bigint", "people")
def deal_people(as_of: AsOf) -> Column:
    """Contacts who took part in touches about this deal."""
    return F.countDistinct(F.when(_own(), F.col("contact_id")))


@TOUCHES.add("double", "-1 to 1")
def deal_trend(as_of: AsOf) -> Column:
    """Touches about this deal in the last 30 days against the 30 days before: 1 when all are recent, -1 when none is."""
    recent = F.count_if(_own() & (_age(as_of) < 30)).cast("double")
    earlier = F.count_if(_own() & (_age(as_of) >= 30) & (_age(as_of) < 60)).cast("double")
    return rounded((recent - earlier) / (recent + earlier + F.lit(1.0)), 6)


@HISTORY.add("bigint", "deals")
def account_closed(as_of: AsOf) -> Column:
    """Other deals of the account that had been won or lost."""
    return F.count_if(F.col("other_status") != "open")


@HISTORY.add("bigint", "deals")
def account_open(as_of: AsOf) -> Column:
    """Other deals of the account that were open."""
    return F.count_if(F.col("other_status") == "open")


RATES = Features("earlier deals")


@RATES.add("double", "share")
def account_win_lift(as_of: AsOf) -> Column:
    """How far the share of the account's other closed deals that had been won lies above everyone's, shrunk by the weight
    of 5 deals; 0 without such deals.
    """
    return _lift(F.col("account_won"), F.col("account_closed"))


@RATES.add("double", "share")
def owner_win_lift(as_of: AsOf) -> Column:
    """How far the share of the owner's closed deals that were won lies above everyone's, shrunk by the weight of 5
    deals; only where the owner is trusted, since many a CRM hands a deal over when it is won.
    """
    return F.when(F.col("owner").isNotNull(), _lift(F.col("owner_won"), F.col("owner_ended")))


def _lift(won: Column, ended: Column) -> Column:
    """`(won + k*p) / (ended + k) - p`, with `p` the share of all."""
    won, ended = F.coalesce(won, F.lit(0)).cast("double"), F.coalesce(ended, F.lit(0)).cast("double")
    everyone = F.coalesce((F.col("all_won") + F.lit(0.5)) / (F.col("all_ended") + F.lit(1.0)), F.lit(0.5))
    prior = F.lit(PRIOR_DEALS)
    return rounded((won + prior * everyone) / (ended + prior) - everyone, 6)


@STAGES.add("string")
def stage(as_of: AsOf) -> Column:
    """Stage that the deal was in; null where no export tells when stages were entered."""
    return F.col("stage")


@STAGES.add("bigint", "days")
def days_in_stage(as_of: AsOf) -> Column:
    """Days since the deal entered its stage."""
    return as_of.days_since(F.col("stage_entered_at"))


@STAGES.add("bigint", "changes")
def stage_moves(as_of: AsOf) -> Column:
    """How often the deal had entered a stage."""
    return F.col("stage_moves")


@SEASON.add("double", "-1 to 1")
def season_cos(as_of: AsOf) -> Column:
    """Time of year, 1 in mid-winter and -1 in mid-summer; only with a year of snapshots or more."""
    return rounded(F.cos(_angle(as_of)), 6)


@SEASON.add("double", "-1 to 1")
def season_sin(as_of: AsOf) -> Column:
    """Time of year, 1 in spring and -1 in autumn; only with a year of snapshots or more."""
    return rounded(F.sin(_angle(as_of)), 6)


@SEASON.add("double", "-1 to 1")
def half_season_cos(as_of: AsOf) -> Column:
    """Time of half-year, 1 in mid-winter and mid-summer, -1 in spring and autumn; only with a year of snapshots or more."""
    return rounded(F.cos(_angle(as_of) * F.lit(2.0)), 6)


@SEASON.add("double", "-1 to 1")
def half_season_sin(as_of: AsOf) -> Column:
    """Time of half-year, 1 in February and August, -1 in May and November; only with a year of snapshots or more."""
    return rounded(F.sin(_angle(as_of) * F.lit(2.0)), 6)


def _angle(as_of: AsOf) -> Column:
    return F.dayofyear(as_of.instant).cast("double") * F.lit(2 * pi / _YEAR)


SIGNALS: tuple[Feature, ...] = (*DEAL, *ACCOUNT, *TOUCHES, *HISTORY, *RATES, *STAGES, *SEASON)

Kind = Literal["category", "amount", "share"]
#: Names that columns of a snapshot in the making have.
_TAKEN = {
    *("lead_id", "customer_id", "cutoff", "won", "outcome", "outcome_days", "observed_days", "lead_score"),
    *("account_created_at", "account_has_email", "account_has_phone", "told_close_date", "pushes", "entry_value"),
    *("product_id", "created_at"),
}
#: Signals that a first delivery of closed deals tells as they were at the end: a check leaves out those that give it away.
LATEST = ("product", "amount_at_entry", "owner")


def kind(signal: Feature) -> Kind:
    """How a signal enters a model: a category, an amount (on a log scale where lines are fitted), or a share."""
    if signal.type == "string":
        return "category"
    return "share" if signal.unit in ("share", "-1 to 1") else "amount"


@dataclass(frozen=True)
class Own:
    """A signal that a contract adds: a column of the deal or of its account.

    Attributes:
        name: Of the column.
        entity: `leads` or `customers`.
        type: Of the column in silver.
        known: `opening`, when the value is that of the day on which the deal was opened; `delivery`, when it changes, so
            that it is only known from the delivery that says it.
        label: What people read.
    """

    name: str
    entity: str
    type: str
    known: str
    label: str

    @property
    def is_time(self) -> bool:
        """Whether it holds days or times; what counts are the days from the cutoff until then."""
        return self.type in ("date", "timestamp")

    @property
    def kind(self) -> Kind:
        """How it enters a model."""
        return "category" if self.type in ("string", "boolean") else "amount"

    @property
    def declared(self) -> Declared:
        """Its column in `gold.lead_snapshots`."""
        kind = "string" if self.kind == "category" else "double"
        return Declared(self.name, kind, f"{self.label}, as the contract says.", unit="days" if self.is_time else "")

    def column(self, as_of: AsOf) -> Column:
        """Its value at the row's cutoff."""
        value = F.col(self.name)
        if self.is_time:
            value = F.datediff(value.cast("date"), as_of.today)
        return value.cast(self.declared.type).alias(self.name)

    def dump(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


def own(entities: Mapping[str, Entity]) -> tuple[Own, ...]:
    """The signals that the contracts in use add, those of deals first.

    Raises:
        ContractError: One has the name of a signal that every lakehouse has, or two have the same.
    """
    added: dict[str, Own] = {}
    for name in ("leads", "customers"):
        for column in entities[name].columns:
            if not column.signal:
                continue
            if column.name in kinds() or column.name in _TAKEN or column.name in added:
                raise ContractError(
                    f"{name}.{column.name}: signal: there is a signal of that name already", "Rename your column."
                )
            added[column.name] = Own(column.name, name, column.type, column.signal, column.shown)
    return tuple(added.values())


def kinds(added: Iterable[Own] = ()) -> dict[str, Kind]:
    """How each signal enters a model, by name."""
    return {signal.name: kind(signal) for signal in SIGNALS} | {signal.name: signal.kind for signal in added}


def loaded(document: Mapping[str, Any]) -> tuple[Own, ...]:
    """The signals of a contract that a registered model has learned from."""
    return tuple(Own(**fields) for fields in document.get("own_signals", ()))
