"""Every English text of the dashboard that is not a metric's own, in one place."""

from __future__ import annotations

import re
from datetime import date

from markupsafe import Markup, escape

from medallion import figures
from medallion.errors import MedallionError

TITLE = "Medallion"

#: Pages in their order: path, name, what they answer.
PAGES = {
    "today": ("Today", "Whom to contact, why now, and how to begin."),
    "pipeline": ("Lead scoring & pipeline", "Who to call now and why, and what the open deals are worth."),
    "forecast": ("Forecast", "What the period brings beside its quota, and what stands in the way."),
    "changes": ("What changed", "How the open pipeline of one day became that of another."),
    "customers": ("Customer analytics", "Who the customers are, how they score and who brings the revenue."),
    "interactions": ("Interaction analytics", "Which channels, hours and days get answers."),
    "sales": ("Sales performance", "Revenue, win rate, velocity and cycle, by month, rep and customer."),
    "explore": ("Explore", "Any metric, split, filtered, in any period, compared."),
    "health": (
        "Data health",
        "What the last runs did, where every row went, what waits for someone, and what the model is worth.",
    ),
}
#: Pages of Data health.
SECTIONS = {"quarantine": "Quarantine", "proof": "Proof of a reading", "duplicates": "Possible duplicates"}
FILTERS = {
    "from": "From", "to": "To", "industry": "Industry", "owner": "Owner", "band": "Band", "channel": "Channel",
}  # fmt: skip
ALL = {"industry": "All industries", "owner": "All owners", "band": "All bands", "channel": "All channels"}

#: What a metric is counted in, where its value does not say so.
UNITS = {
    "median_response_hours": "hours", "average_cycle_days": "days", "average_days_in_stage": "days",
    "average_duration_minutes": "minutes", "sales_velocity": "a day", "average_lead_score": "of 100",
    "average_engagement_score": "of 100",
}  # fmt: skip

TEXTS = {
    "unknown_parameter": "This page has no parameter {name!r}. It takes: {known}.",
    "given_twice": "The parameter {name!r} is given twice; give it once.",
    "not_text": "The value of {name!r} is not plain text of at most {longest} letters.",
    "no_figures": "No figures are shown until you change or clear this filter.",
    "no_such_place": "The address names no place in this table. Start from its first page.",
    "no_such_column": "The table has no column {name!r} to sort by. It has: {known}.",
    "nothing_to_download": "There are no rows to download.",
    "not_of_this_table": "{table} are not the rows of a metric {name!r}.",
    "nothing_waits": "No record waits with {name} {value!r}. There are: {known}.",
    "no_record": "There is no refused record {key!r}.",
    "no_values": "Values of refused records may be personal. They are shown, and corrected, where personal data is shown.",
    "no_such_kind": "There are no pairs of {name!r}. There are: {known}.",
    "no_such_account": "A row account has no part {name!r}. It has: {known}.",
    "no_such_batch": "There is no row account of {name!r}.",
    "no_such_metric": "There is no metric {name!r}.",
    "no_such_dimension": "{metric} cannot be split by {name!r}.",
    "no_such_theme": "There is no theme {name!r}; there are light, dark and system.",
    "no_such_look": "A picture is light or dark, and wide, normal or narrow.",
    "not_found": "There is no such page.",
    "no_customer": "There is no account {key!r} in gold.",
    "no_deal": "There is no deal {key!r} in gold.",
    "bad_request": "This address does not work",
    "missing": "Not found",
    "unavailable": "No data to show yet",
    "broken": "Something went wrong",
    "broken_more": "The page could not be made. The server's terminal says why.",
    "sign_in_failed": "This is not the password.",
    "sign_in_failed_by_name": "Wrong user name or password.",
    "too_many": "Too many attempts. Wait a minute and try again.",
    "no_user": "This dashboard opens through its sign-in proxy alone.",
    "not_declared": "You are signed in, and no file declares what you may see. Ask whoever keeps this dashboard.",
    "of_everyone": "This page is about everyone's data, and you see your own.",
    "no_such_owner": "{owner}: no owner of an open deal has this name. Choose one from the list.",
    "no_scores": "There is no score yet, so there is nothing to forecast from. `medallion run` scores open deals.",
    "no_deals": "There are no deals here, so there is nothing to forecast.",
    "no_such_split": "This page is not split by {name!r}. It is split by: {known}.",
    "no_such_show": "There is no way to show it called {name!r}; there are chart and table.",
    "no_changes": "There is no history of deals yet. `medallion run` makes it.",
    "after_the_data": "{day} is after {last}, the last day of the data. Choose a day up to that one.",
    "turned": "The start, {first}, is after the end, {last}. Change one of them.",
    "no_such_step": "There is no part {name!r}. There are: {known}.",
    "no_such_part": "The forecast has no figure {name!r}. It has: {known}.",
    "no_such_part_of": "There is no part {name!r} of {of}: a ratio of counts has the part above.",
    "no_such_row": "A row has a value for every split: this question has {splits}. Give one for each, or none.",
    "no_row_of": "The answer has no row of {keys}.",
    "not_split": "{part!r} is not split here, so it has no part {group!r}. Leave the group out.",
    "no_such_group": "No {by} here is called {name!r}.",
    "not_from_here": "This form was not sent from this dashboard; nothing was recorded.",
    "not_kept": "Not recorded",
    "not_planned": "There is no account {key!r} with an open deal; nothing was recorded.",
    "wrong_host": "This dashboard does not answer to that host name.",
}

#: What stands where a table has no rows.
EMPTY = {
    "today": "Nobody is left to contact: every open deal was touched lately, is done, or is put off.",
    "calls": "No deal is open, so there is nobody to call.",
    "moves": "No deal's odds moved by more than a tenth since the last score of an earlier day.",
    "quarantine": "Nothing waits in quarantine: every record was accepted.",
    "drift": "The columns of every file were those of the file before it.",
    "top": "No deal is won yet.",
    "channels": "Nobody was touched yet.",
    "": "No rows.",
}


def refused(error: MedallionError) -> str:
    """What is wrong and what to do, on a page: as sentences, and without the dashes of the command's options.

    >>> refused(MedallionError("a comparison needs a period", "Give one, such as --period ytd."))
    'A comparison needs a period. Give one, such as period ytd.'
    """
    return declined(error.problem, error.remedy)


def declined(problem: str, remedy: str) -> str:
    """What is wrong and, where known, what to do, in the form of `refused`; a command in backticks stays as it is.

    >>> declined("since when?", ""), declined("a draft is a command", "Run `medallion draft C1 --kind email`.")
    ('Since when?', 'A draft is a command. Run `medallion draft C1 --kind email`.')

    An unpaired backtick in the question would begin a command that ends within the remedy.

    >>> declined("what is `x", "See `medallion ask`.")
    "What is 'x. See `medallion ask`."
    """
    if problem.count("`") % 2:
        problem = problem.replace("`", "'")
    text = f"{problem}{'' if problem.endswith('?') else '.'} {remedy}".strip()
    return text[:1].upper() + re.sub(r"(`[^`]*`)|(?<!\S)--(?=[a-z])", lambda match: match[1] or "", text[1:])


def commands(text: str) -> Markup:
    """A text for a page with its commands, which stand in backticks, as code.

    >>> commands("Run `medallion run` <now>.")
    Markup('Run <code>medallion run</code> &lt;now&gt;.')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def age(as_of: date | None, today: date) -> str:
    """How old figures are that do not include yesterday, in words; empty for others.

    >>> [age(date(2025, 6, day), date(2025, 6, 30)) for day in (29, 28, 1)], age(date(2024, 6, 1), date(2025, 6, 30))
    (['', '2 days old', '29 days old'], '12 months old')
    """
    days = (today - as_of).days if as_of else 0
    return "" if days < 2 else figures.count(days, "day") + " old" if days < 60 else f"{days // 30.44:.0f} months old"


def ago(days: int) -> str:
    """How long ago something was.

    >>> [ago(days) for days in (0, 1, 1200)]
    ['today', '1 day ago', '1,200 days ago']
    """
    return f"{figures.count(days, 'day')} ago" if days else "today"


def hours(number: float | None) -> str:
    """An age, or the one that is promised: in hours up to two days, then in days.

    >>> hours(36.5), hours(720), hours(None)
    ('36.5 hours', '30 days', '–')
    """
    if number is None:
        return "–"
    return f"{number:,g} hours" if number < 48 else f"{number / 24:,.0f} days"


def say(key: str, /, **values: object) -> str:
    """A text with its values."""
    return TEXTS[key].format(**values)
