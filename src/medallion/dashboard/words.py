"""Every English text of the dashboard that is not a metric's own, in one place."""

from __future__ import annotations

TITLE = "Medallion"

#: Pages in their order: path, name, what they answer.
PAGES = {
    "today": ("Today", "Whom to contact, why now, and how to begin."),
    "pipeline": ("Lead Scoring & Pipeline", "Who to call now and why, and what the open deals are worth."),
    "forecast": ("Forecast", "What the period brings beside its quota, and what stands in the way."),
    "changes": ("What changed", "How the open pipeline of one day became that of another."),
    "customers": ("Customer Analytics", "Who the customers are, how they score and who brings the revenue."),
    "interactions": ("Interaction Analytics", "Which channels, hours and days get answers."),
    "sales": ("Sales Performance", "Revenue, win rate, velocity and cycle, by month, rep and customer."),
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
    "bad_request": "This address does not work",
    "missing": "Not found",
    "unavailable": "No data to show yet",
    "broken": "Something went wrong",
    "broken_more": "The page could not be made. The server's terminal says why.",
    "sign_in_failed": "This is not the password.",
    "too_many": "Too many attempts. Wait a minute and try again.",
    "no_user": "This dashboard opens through its sign-in proxy alone.",
    "not_declared": "You are signed in, and no file declares what you may see. Ask whoever keeps this dashboard.",
    "of_everyone": "This page is about everyone's data, and you see your own.",
    "no_such_owner": "{owner}: no owner of an open deal has this name. Choose one from the list.",
    "no_scores": "There is no score yet, so there is nothing to forecast from. `medallion run` scores open deals.",
    "no_such_split": "This page is not split by {name!r}. It is split by: {known}.",
    "no_such_show": "There is no way to show it called {name!r}; there are chart and table.",
    "no_changes": "There is no history of deals yet. `medallion run` makes it.",
    "after_the_data": "{day} is after {last}, the last day of the data. Choose a day up to that one.",
    "no_such_step": "There is no part {name!r}. There are: {known}.",
    "no_such_part": "The forecast has no figure {name!r}. It has: {known}.",
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


def say(key: str, /, **values: object) -> str:
    """A text with its values."""
    return TEXTS[key].format(**values)
