"""What a question takes over from the one before it: whether it goes on from it, what of it is kept, and what is not."""

from __future__ import annotations

from dataclasses import replace

from medallion import metrics
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.slots import (
    INTENTS,
    OF_DEED,
    OF_LIFE,
    OF_OPEN,
    OF_RECORD,
    Rank,
    Rows,
    Slots,
    Threshold,
    left_out_owner,
    names_of,
)
from medallion.metrics.conditions import Condition, Test

#: The states of deals to which something happened.
_STATE_OF = {"win": ("won",), "sell": ("won",), "lose": ("lost",), "close": ("closed",)}


def _ranks_as(slots: Slots, before: Slots) -> bool:
    """Whether the best values of a split are asked for by the figure before, which was split in the same way."""
    own = slots.metrics or slots.entity or slots.goal not in ("", "list")
    return bool(slots.ranks_values and before.metrics and not own and {*slots.by} <= {*before.by})


def of_those(slots: Slots, before: Slots) -> Slots:
    """Value alone, after deals were asked for, is what they come to: `total value?`."""
    worth = slots.metrics == ("total_deal_value",) or (slots.fields == ("deal_value",) and not slots.rank)
    bare = worth and not (slots.entity or slots.about or slots.by or slots.rank or slots.goal in ("average", "median"))
    of_deals = before.entity == "deals" or (before.deed and not before.entity)
    cut = before.rank is not None and before.rank.limit is not None
    if bare and cut:
        return replace(slots, refers=True)
    if not bare or not of_deals:
        return slots
    return replace(slots, metrics=(), fields=(), goal="amount", refers=True)


def _measures(slots: Slots, before: Slots) -> bool:
    """Whether it names a figure alone that is one of the deals which were asked for before, as a list or in number."""
    alone = slots.is_bare and len(slots.metrics) == 1 and not (slots.where or slots.me or slots.compare or slots.turn)
    listed = before.entity == "deals" and not (before.metrics or before.by or before.rank)
    if not alone or not listed:
        return False
    metric = metrics.metrics()[slots.metrics[0]]
    states = {state for state, is_in in before.states if is_in} & {"open", "won", "lost"}
    states |= {"open"} if before.deed == "due" else OF_DEED.get(before.deed, set())
    return metric.view.entity == "deals" and not metrics.contradicted(
        metric, [metrics.Filter("status", tuple(states))] if states else []
    )


def widens(slots: Slots, before: Slots) -> bool:
    """Whether it names a figure or records alone, and what was asked before was of some rows only."""
    worth = slots.goal == "amount" and slots.deed != "" and replace(slots, goal="").is_bare
    alone = not (slots.where or slots.me) and (worth or slots.nounless or (slots.is_bare and bool(slots.metrics)))
    own = {name for condition in slots.where for name in names_of(condition)} <= OF_RECORD
    alone |= (
        slots.fragment and own and bool(slots.entity) and slots.entity != before.entity and not (slots.me or slots.by)
    )
    cut = before.rank is not None and before.rank.limit is not None
    return alone and bool(before.where or before.times or before.states or before.thresholds or before.me or cut)


def of_owner(slots: Slots, before: Slots) -> Slots | None:
    """A fragment as one about the owner of the question before, or who asks: `win rate?`, `calls?`; None where it is none."""
    owners = [part for part in before.where if names_of(part) == ["owner"]]
    others = (
        slots.by or slots.about or slots.me or slots.team or slots.follows or slots.refers or before.by or before.about
    )
    conditions = {name for condition in slots.where for name in names_of(condition)}
    overview = before.goal == "overview" and len(owners) == len(before.where)
    subject = (overview and slots.metrics) or (
        slots.entity in ("deals", "interactions") and slots.entity != before.entity
    )
    of_one_owner = (len(owners) == 1) != before.me and not before.team
    if not (slots.fragment and subject and of_one_owner) or others or not conditions <= OF_RECORD or slots.is_of_quotas:
        return None
    times = slots.times or (before.times if overview and slots.metrics else ())
    return replace(slots, where=(*owners, *slots.where), me=before.me, asker=slots.asker or before.asker, times=times)


def of_record(slots: Slots, before: Slots) -> Slots | None:
    """A fragment as a question about the one account or deal of the question before: `last 3 touches?`; None where it is none."""
    record = before.record
    worth = slots.goal == "amount"
    subject = (
        slots.metrics or slots.entity in ("deals", "interactions") or (not slots.entity and (slots.states or worth))
    )
    others = (
        slots.by or slots.me or slots.team or slots.compare or slots.versus or slots.share or slots.turn or slots.deed
    )
    conditions = {name for condition in slots.where for name in names_of(condition)}
    if record is None or not (slots.fragment and subject) or slots.about or others or not conditions <= OF_RECORD:
        return None
    counts = {metrics.metrics()[name].measure.unit for name in slots.metrics} == {"accounts"}
    if slots.is_of_quotas or counts or (not before.is_of_record and goes_on(slots, before)):
        return None
    of_people = "contacts" in slots.metrics
    entity = slots.entity or ("" if slots.metrics else "deals")
    if record.kind == "deal" and not (of_people or entity == "interactions"):
        return None
    return replace(slots, about=(record,), entity=entity, follows=False, refers=False, narrows=False)


def leans(slots: Slots, named: Slots | None) -> bool:
    """Whether it cannot be answered after a question that was not, of which nothing is known but whom it named."""
    if named is not None and (of_record(slots, named) or slots.refers):
        return False
    open_ended = (
        slots.fragment
        and slots.goal not in INTENTS
        and not (slots.times or slots.by or slots.me or slots.states or slots.thresholds)
    )
    open_ended &= {name for part in slots.where for name in names_of(part)} <= OF_RECORD
    return not slots.has_subject or (slots.fragment and slots.follows) or (open_ended and not slots.about)


def of_everything(slots: Slots, before: Slots) -> bool:
    """Whether it is a whole question about the records of all accounts, after one about a single account or deal."""
    own = slots.about or slots.where or slots.me or slots.team or "customer_name" in slots.by
    subject = slots.entity in ("deals", "interactions") or ((slots.metrics or slots.deed) and not slots.entity)
    return len(before.about) == 1 and bool(subject) and not (own or slots.goal in INTENTS or slots.is_of_quotas)


def drops(slots: Slots, before: Slots) -> str:
    """The conditions of the question before that a whole question with none of its own is not of, in words; empty for none."""
    own = slots.where or slots.me or slots.team or slots.about or slots.goal in INTENTS or slots.is_of_quotas
    subject = slots.metrics or slots.entity in ("deals", "accounts", "interactions") or slots.deed
    left = [part for part in before.where if not {*names_of(part)} <= {*slots.by}]
    if own or not subject or before.about or not (left or (before.me and "owner" not in slots.by)):
        return ""
    return ", ".join(map(str, left)) or "whose it is"


def goes_on(slots: Slots, before: Slots | None) -> bool:
    """Whether it goes on from what was asked before: it has no subject, says so, or is but another kind of touch."""
    if before is None:
        return False
    if _restricts(slots, before) or slots.narrows or _ranks_as(slots, before) or _measures(slots, before):
        return True
    ordered = (
        slots.rank is not None and bool(slots.fields) and not (slots.entity or slots.metrics or slots.about or slots.by)
    )
    kind = slots.is_bare and slots.entity == before.entity == "interactions" and len(slots.where) == 1
    return (
        not slots.has_subject
        or (bool(before.bands) and slots.by == ("size_band",))
        or slots.follows
        or slots.refers
        or kind
        or ordered
        or (slots.nounless and _is_of_worth(before) and not _is_open_after_closed(slots, before))
        or (slots.goal == "why" and not slots.metrics)
    )


def _is_open_after_closed(slots: Slots, before: Slots) -> bool:
    """Whether it asks for what open deals alone are, after deals that were closed: `how much is overdue`, after revenue."""
    closed = {state for state, is_in in before.states if is_in} | OF_DEED.get(before.deed, set())
    closed |= {state for state in map(_state_of_measure, before.metrics) if state}
    return bool(closed & {"won", "lost", "closed"} and {state for state, _ in slots.states} & {"open", *OF_OPEN})


def lacks_time_of(slots: Slots, before: Slots) -> bool:
    """Whether it asks for quotas of no time, after a question of one: `did he hit his quota`."""
    timed = len(before.times) == 1 and not before.times[0].edge and not (before.compare or slots.compare)
    return slots.is_of_quotas and not slots.times and timed and not any(name.startswith("time:") for name in slots.by)


def _restricts(slots: Slots, before: Slots) -> bool:
    """Whether it names but the records that what was asked before is to be of: `for deals above 50k`."""
    return slots.restricted and slots.names_records_only and bool(before.metrics or before.by or before.goal)


def picks_of(slots: Slots, before: Slots) -> bool:
    """Whether it is of some of the rows of a list that a ranking had cut: `just the ones due in May`."""
    cut = before.rank is not None and before.rank.limit is not None and before.entity and not before.by
    restricts = slots.where or slots.times or slots.states or slots.thresholds
    alone = not (slots.rank or slots.metrics or slots.by or slots.about or slots.goal not in ("", "list"))
    return bool(slots.picks and cut and restricts and alone and slots.entity in ("", before.entity))


def cuts(slots: Slots, before: Slots) -> bool:
    """Whether it is about the first rows of an order, which what goes on from it would lose."""
    cut = before.rank is not None and before.rank.limit is not None
    if cut and slots.by and not (slots.rank or before.by or slots.has_own_deals):
        return True  # who owns it, after the biggest deal
    if slots.rank is not None:
        return cut and slots.rank.sorts
    if cut and measures_first(slots, before):
        return True
    return cut and (slots.refers or slots.goal in ("count", "amount", "list"))


def of_others(slots: Slots) -> bool:
    """Whether it names another owner or splits by owner, so that what was mine before is everybody's or theirs."""
    return "owner" in slots.by or any("owner" in names_of(part) for part in slots.where)


def measures_first(slots: Slots, before: Slots) -> bool:
    """Whether another figure is asked for after the first values of a split: `and the win rate`, after the best seller."""
    alone = not (slots.by or slots.rank or slots.about or slots.entity or slots.share or slots.turn)
    figure = before.metrics or before.ranks_values or before.deed
    cut = before.rank is not None and before.rank.limit is not None and figure and before.by
    return bool(cut and alone and slots.follows and slots.metrics and slots.metrics != before.metrics)


def _ranks_split_of(slots: Slots, before: Slots) -> bool:
    """Whether it asks for the first of the values that the figure before was split by: `which is worst this year`."""
    other_split = slots.by and slots.by != before.by
    own = slots.metrics or slots.entity or slots.fields or other_split or slots.about or slots.turn or slots.deed
    split = before.metrics and before.by and not before.rank
    return bool(slots.rank and slots.rank.way in ("best", "worst", "desc", "asc") and split) and not own


def _ranks_deals_of(slots: Slots, before: Slots) -> bool:
    """Whether it asks for the biggest or newest deal of those whose value or number was asked for."""
    alone = not (
        slots.metrics or slots.entity or slots.fields or slots.by or slots.about or slots.goal not in ("", "list")
    )
    ranks = (slots.rank is None and slots.refers and slots.goal == "list") or (
        slots.rank is not None and not slots.rank.sorts and (slots.rank.sized or slots.rank.way in ("newest", "oldest"))
    )
    whole = not (
        before.by or before.rank or before.entity or before.deed or before.compare or before.turn or before.versus
    )
    measured = len(before.metrics) == 1 and _state_of_measure(before.metrics[0]) is not None
    return alone and ranks and whole and measured and len(before.times) < 2


def of_person(slots: Slots, before: Slots) -> bool:
    """Whether a pronoun stands for the one value that the answer before found: `his win rate`."""
    rows = before.rows
    return rows is not None and not rows.entity and Test(rows.name, "=", rows.keys) in slots.where


def of_rows(slots: Slots, rows: Rows, before: Slots) -> Slots:
    """The same of the rows of the answer before, which a ranking had cut."""
    test = Test(rows.name, "=", rows.keys)
    where = slots.where if test in slots.where else (*slots.where, test)
    if measures_first(slots, before):
        named = {name for part in slots.where for name in names_of(part)}
        conditions = tuple(part for part in before.where if not named & {*names_of(part)})
        times, me, asker = slots.times or before.times, slots.me or before.me, slots.asker or before.asker
        whole = replace(slots, where=(*conditions, *where), times=times, by=before.by, me=me, asker=asker)
        return replace(whole, refers=False, follows=False)
    worth = slots.goal == "amount" and before.metrics and rows.entity != "deals"
    counts = _counts(before.metrics) if slots.goal == "count" and slots.refers and slots.entity == "deals" else ()
    if counts and rows.entity != "deals":  # how many deals was that, after which rep won the most
        return of_rows(replace(slots, goal="", entity="", metrics=counts), rows, replace(before, metrics=counts))
    entity = slots.entity or ("" if slots.metrics or worth else rows.entity)
    counted = slots.metrics and slots.metrics == before.metrics and slots.refers
    if not (worth or counted or not (slots.metrics or slots.by or slots.fields or entity)):
        return replace(slots, entity=entity, where=where, refers=False, follows=False)
    kept = {name: getattr(before, name) for name in ("metrics", "times", "states", "thresholds", "deed", "me", "asker")}
    own = {name: getattr(slots, name) or value for name, value in kept.items()}
    return replace(slots, where=(*before.where, *where), refers=False, follows=False, **own)


def lost(slots: Slots, before: Slots) -> str:
    """What of the question before could not be kept, in words, so that this one would answer another; empty for nothing."""
    if before.number_of and slots.goal == "amount" and not (slots.metrics or slots.entity or slots.by):
        return "the question before counted how many there are, and what those are worth is another figure of each"
    if ("bought", True) in slots.states and not slots.entity and before.metrics and not _is_of_accounts(before):
        return "accounts buy, and the question before was not about accounts"
    if reason := _unlike_limits(slots, before):
        return reason
    if before.bands and (slots.thresholds or slots.share):
        return "the question before is of several bands"
    if before.other_way and slots.rank is None and (slots.goal in ("count", "amount", "list") or slots.by):
        return "the question before asked for both ends of an order"
    if slots.against:
        values = not slots.times and _beside_values(before.where, slots.where) is None
        if (
            values
            or (slots.times and len(before.times) != 1)
            or before.by
            or before.rank
            or before.share
            or before.turn
            or before.compare
        ):
            return "the question before has nothing that this can be put beside alone"
    if (
        slots.rank
        and slots.rank.sorts
        and ((slots.metrics and before.metrics and slots.metrics != before.metrics) or slots.by)
    ):
        return "what was asked before is sorted by its own figure only"
    if (
        slots.rank
        and slots.rank.sorts
        and before.by
        and (slots.metrics or slots.goal or slots.entity)
        and slots.metrics != before.metrics
    ):
        return "what was asked before is sorted by its own figure only"
    if _measures(slots, before) and before.times and slots.metrics:
        measure = metrics.metrics()[_of_state(slots.metrics[0], before)].measure
        if measure.period not in (None, _day_of(before)):
            return f"{measure.display_name.lower()} counts deals by another day than those that were asked for before"
    bare = not (slots.metrics or slots.fields or slots.entity or slots.deed or beside_mean(slots, before))
    if bare and slots.goal in ("average", "median") and before.metrics and slots.goal not in before.metrics[0]:
        return f"the {slots.goal} of {' and '.join(before.metrics).replace('_', ' ')} is another figure"
    if slots.goal == "amount" and slots.refers and bare and before.metrics and not _values(before.metrics):
        return f"{' and '.join(before.metrics).replace('_', ' ')} is no number of records that are worth something"
    done = {state for state, is_in in before.states if is_in} | OF_DEED.get(before.deed, set())
    closes = slots.deed == "close" or ("closed", True) in slots.states
    if closes and not slots.has_own_deals and done & {"won", "lost"} and not (slots.rank and "lost" not in done):
        return "closed deals are won or lost, and the question before was of some of them"
    return ""


def _is_of_accounts(slots: Slots) -> bool:
    units = {metrics.metrics()[name].measure.unit for name in slots.metrics if name in metrics.metrics()}
    return "accounts" in (slots.entity, slots.of_entity) or units == {"accounts"}


def _unlike_limits(slots: Slots, before: Slots) -> str:
    """Why a limit does not say which figure it is of: an amount after a number, or a number after limits on several figures."""
    bare = [limit for limit in slots.thresholds if not limit.column]
    columns = {limit.column for limit in before.thresholds}
    if not bare or not columns or slots.entity or slots.metrics:
        return ""
    if len(columns) > 1 and not all(limit.money or limit.percent for limit in bare):
        return "the question before has limits on several figures, and this one does not say of which it is"
    was = before.thresholds[-1]
    amounts = was.money or not was.column or was.column == "deal_value"
    if before.by and before.entity != "deals" and any(limit.money for limit in bare) and not amounts:
        measure = metrics.metrics().get(was.column)
        if measure is None or measure.measure.format.type != "currency":
            return "the limit before was no amount, and this one is"
    return ""


def _of_same_figure(slots: Slots, before: Slots) -> tuple[Threshold, ...]:
    """The limits of a question, those that name no figure as limits of the figure that was limited before: `and more than 40`."""
    columns = {limit.column for limit in before.thresholds}
    (column,) = columns if len(columns) == 1 else ("",)
    named = {"", "deal_value"} if before.entity == "deals" or not before.by else {""}
    return tuple(
        limit
        if limit.column or (limit.money and column not in named and not before.by)
        else replace(limit, column=column)
        for limit in slots.thresholds
    )


def beside_mean(slots: Slots, before: Slots) -> tuple[str, ...]:
    """The mean of the question before and its median, where `median too` is said; nothing where it is not, or there is none."""
    means = meanings()["averages"]["median"]
    median = means.get(before.metrics[0]) if len(before.metrics) == 1 else None
    too = slots.too and slots.goal == "median" and not (slots.metrics or slots.fields or slots.entity or slots.deed)
    return (before.metrics[0], median) if too and median not in (None, before.metrics[0]) else ()


def carried(slots: Slots, before: Slots) -> tuple[Slots, list[str]]:
    """The slots as a continuation of what was asked before, and what was taken over from it, in words."""
    if slots.goal == "list" and before.number_of and slots.refers and not (slots.where or slots.times or slots.by):
        return replace(before, number_of=False, goal="", rows=None), ["all"]  # which ones
    if slots.goal == "list" and not slots.by and replace(slots, by=before.by).moved:
        return carried(replace(slots, by=before.by, refers=False), before)  # which ones dropped
    if slots.goal == "list" and _ranks_split_of(slots, before):
        return carried(replace(slots, goal=""), before)  # which is the worst
    rates = slots.metrics == ("win_rate",)
    if before.bands and slots.by == ("size_band",) and (rates or not slots.metrics):
        states = tuple(state for state in before.states if not (rates and state[0] in OF_LIFE))
        bare = replace(slots, by=(), goal="" if rates else slots.goal, refers=False, entity="")
        was = replace(before, states=states, goal="" if rates else before.goal)
        was = replace(was, deed="" if rates else was.deed, entity="" if rates else was.entity)
        return carried(bare, was)  # and the win rate of each size
    if mean := beside_mean(slots, before):
        return carried(replace(slots, goal="", too=False), replace(before, metrics=mean))
    if before.of_entity and slots.refers and slots.goal in ("count", "list") and not (slots.metrics or slots.entity):
        return carried(slots, replace(before, metrics=(), goal="", entity=before.of_entity, of_entity=""))
    if slots.everyone:
        everybody = tuple(part for part in before.where if not left_out_owner(part))
        return carried(replace(slots, everyone=False), replace(before, where=everybody))
    if _ranks_deals_of(slots, before):
        state = _state_of_measure(before.metrics[0])
        states = (*before.states, *(((state, True),) if state and (state, True) not in before.states else ()))
        return carried(slots, replace(before, metrics=(), entity="deals", goal="list", states=states))
    if _restricts(slots, before):
        worth = tuple(replace(threshold, column=threshold.column or "deal_value") for threshold in slots.thresholds)
        bare = replace(
            slots, entity="", restricted=False, thresholds=worth if slots.entity == "deals" else slots.thresholds
        )
        return carried(bare, before)
    if slots.narrows and before.entity in ("", slots.entity):
        worth = tuple(replace(threshold, column=threshold.column or "deal_value") for threshold in slots.thresholds)
        bare = replace(
            slots, narrows=False, entity="", thresholds=worth if slots.entity == "deals" else slots.thresholds
        )
        only = [state for state, is_in in slots.states if is_in]
        if before.deed == "close" and only in (["won"], ["lost"]):  # of those closed
            bare = replace(bare, states=(), deed="win" if only == ["won"] else "lose")
        return carried(bare, before)
    same = slots.about and slots.about == before.about and before.entity == "interactions"
    if same and slots.metrics and metrics.metrics()[slots.metrics[0]].view.entity != before.entity:
        return slots, []  # how much they have bought, after the last meeting with them
    finer = {("won", True), ("lost", True)} & {*before.states}
    if finer and ("closed", True) in slots.states:  # who closed the largest, of those won
        states = tuple(state for state in slots.states if state != ("closed", True))
        return carried(replace(slots, states=states), before)
    if slots.deed == "close" and (finer or before.deed in ("win", "lose")):
        return carried(replace(slots, deed=""), before)
    if slots.further:
        rank = before.rank or Rank("desc")
        passed = rank.skip + (before.shown or 0)
        return replace(before, rank=replace(rank, count=slots.further, skip=passed), rows=None), ["all but the rows"]
    changes: dict[str, object] = {}
    subject = ("metrics", "fields", "entity")
    own_subject = slots.goal == "attain" or any(getattr(slots, name) for name in subject)
    kept: list[str] = []
    for name in ("goal", *subject, "states", "where", "times", "deed", "by", "rank", "thresholds", "bands", "without", "lacks", "average", "compare", "turn", "about",
                 "me", "team", "team_of", "versus", "running", "number_of"):  # fmt: skip
        own, was = getattr(slots, name), getattr(before, name)
        sorts = slots.rank is not None and bool(slots.fields) and name in ("entity", "deed")
        if own or not was or (own_subject and name in (*subject, "deed") and not sorts):
            continue
        if name == "me" and of_others(slots):
            continue  # and by rep, and Ben's
        if name == "by" and (slots.whole or (slots.share and slots.where)):
            continue  # how much in total, what share of that is in negotiation
        if (name in ("team", "team_of") and (slots.me or (slots.where and not slots.team))) or (
            name == "goal" and was == "overview" and own_subject
        ):
            continue
        ranks = name == "rank" and not (slots.goal == "amount" and before.by and slots.follows)
        if slots.goal in ("count", "amount", "list") and (ranks or (name == "by" and slots.goal == "list")):
            continue
        if slots.goal == "list" and name in ("metrics", "turn", "compare") and not slots.moved:
            continue
        if name == "number_of" and (slots.by or slots.goal == "list"):
            continue
        if slots.goal == "why" and name in ("by", "rank"):
            continue  # a change is explained whole
        changes[name] = was
        kept.append(name)
    if "metrics" in kept or "goal" in kept:
        changes["typical"] = slots.typical or before.typical
    if "me" in kept:
        changes["asker"] = slots.asker or before.asker
    if "rank" in kept:
        changes["other_way"] = before.other_way
    both = _beside_values(before.where, slots.where) if slots.versus and not slots.times else None
    if both is not None:
        changes["where"], changes["by"] = both
        kept.append("where")
    elif slots.refers and {name for part in slots.where for name in names_of(part)} & {
        name for part in before.where for name in names_of(part)
    }:
        changes["where"] = (*before.where, *(part for part in slots.where if part not in before.where))
        kept.append("where")
    elif slots.where and before.where:
        own_names = {name for part in slots.where for name in names_of(part)}
        other_conditions = tuple(part for part in before.where if not own_names & {*names_of(part)})
        changes["where"] = (*other_conditions, *slots.where)
        kept += ["where"] * bool(other_conditions)
    if slots.states and before.states and slots.entity in ("", before.entity):
        own_states = {state for state, _ in slots.states}
        other_states = tuple(
            state
            for state in before.states
            if not (own_states & OF_LIFE and state[0] in OF_LIFE) and state[0] not in own_states
        )
        changes["states"] = (*other_states, *slots.states)
        kept += ["states"] * bool(other_states)
    if slots.versus and slots.times and before.times and not slots.compare:
        changes["times"] = (*before.times, *slots.times)
        kept.append("times")
    if slots.thresholds and before.thresholds:
        limits = _of_same_figure(slots, before)
        unnamed = "" if before.by and before.entity != "deals" else "deal_value"
        columns = {limit.column or unnamed for limit in limits}
        unlike = tuple(limit for limit in before.thresholds if (limit.column or unnamed) not in columns)
        changes["thresholds"] = (*unlike, *limits)
    if slots.by and before.rank and not slots.rank:
        changes["rank"] = None
    if slots.by and before.versus and before.by and not slots.versus and len(before.by) == len(slots.by) == 1:
        changes["by"] = (*slots.by, *(name for name in before.by if name not in slots.by))  # won vs lost, by product
    if (
        slots.rank
        and not own_subject
        and changes.get("goal") in ("count", "amount")
        and before.entity
        and not (slots.by or before.by)
    ):
        changes["goal"] = "list"  # the biggest of those that were counted
    if _measures(slots, before):
        done = [(state, True) for state in _STATE_OF.get(before.deed, ())]
        changes |= {"goal": "", "states": (*before.states, *done), "deed": "" if done else before.deed}
    if slots.goal == "count" and not slots.metrics and before.metrics:
        changes["metrics"] = _counts(before.metrics)
    if slots.goal == "amount" and (slots.refers or slots.nounless) and not slots.metrics and before.metrics:
        changes["metrics"] = _values(before.metrics)
    if before.of_entity and slots.metrics in ((), before.metrics) and not slots.entity:
        changes["of_entity"] = before.of_entity
    if not slots.narrow:
        changes["narrow"] = before.narrow
        changes["of_before"] = slots.share and not slots.where and before.refers
    return replace(slots, **changes), kept  # type: ignore[arg-type]


def _is_of_worth(slots: Slots) -> bool:
    """Whether it asks for deals, their number or their value, which some of them have too."""
    return bool(_values(slots.metrics)) if slots.metrics else slots.entity == "deals"


def _day_of(slots: Slots) -> str | None:
    """The day by which a list or number of deals is meant."""
    events = (slots.deed, *(state for state, is_in in slots.states if is_in))
    return next((meanings()["days"][event] for event in events if event in meanings()["days"]), None)


def _of_state(name: str, slots: Slots) -> str:
    """The metric that one of all deals is of those in the state that slots are of: the average value of won deals."""
    family: dict[str, str] = next((of for of in meanings()["measures"]["deals"].values() if of.get("") == name), {})
    states = {*OF_DEED.get(slots.deed, ()), *(state for state, is_in in slots.states if is_in)}
    return next((str(family[state]) for state in family if state in states), name)


def _state_of_measure(name: str) -> str | None:
    """The state of the deals that a metric is the number or value of; None where it is neither."""
    of = meanings()["measures"]["deals"]
    return next((state for kind in ("value", "count") for state, metric in of[kind].items() if metric == name), None)


def _values(names: tuple[str, ...]) -> tuple[str, ...]:
    """What the records are worth that metrics are the number or the value of; nothing where one of them is neither."""
    of = meanings()["measures"]["deals"]
    worth = {number: of["value"][state] for state, number in of["count"].items()}
    values = [name if name in of["value"].values() or _is_money(name) else worth.get(name, "") for name in names]
    return tuple(dict.fromkeys(values)) if all(values) else ()


def _is_money(name: str) -> bool:
    measure = metrics.metrics()[name].measure
    return measure.additivity == "flow" and measure.format.type == "currency"


def _counts(names: tuple[str, ...]) -> tuple[str, ...]:
    """What counts the records that metrics are of; nothing where one of them is neither a number nor a value of records."""
    of = meanings()["measures"]["deals"]
    counts = [
        name
        if metrics.metrics()[name].measure.unit in ("deals", "accounts", "touches", "contacts")
        else next((of["count"][state] for state, value in of["value"].items() if value == name), "")
        for name in names
    ]
    return tuple(counts) if all(counts) else ()


def _beside_values(
    before: tuple[Condition, ...], own: tuple[Condition, ...]
) -> tuple[tuple[Condition, ...], tuple[str, ...]] | None:
    """Conditions and split that put a value beside that of the question before: `vs Kavya`; None where they are of different things."""
    (condition,) = own if len(own) == 1 else (None,)
    was = [
        part
        for part in before
        if isinstance(part, Test) and isinstance(condition, Test) and part.name == condition.name
    ]
    if not isinstance(condition, Test) or len(was) != 1 or (condition.op, was[0].op) != ("=", "="):
        return None
    both = Test(condition.name, "=", (*was[0].values, *condition.values))
    return (*(part for part in before if part is not was[0]), both), (condition.name,)
