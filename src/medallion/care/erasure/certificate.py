"""The certificate of an erasure: what was done, what was searched, how and where, and what was not."""

from __future__ import annotations

SEARCHED_IN = [
    {"where": "tables", "how": "every row, by the keys of the account, its deals and touches; other cells by the terms above. A cell that holds "
     "nothing but the name of another account's record stays, unless that record has an address or number of the account. "
     "Gold is computed again without the account instead"},
    {"where": "files", "how": "every file of the lakehouse and its name, after the rows had gone: data, column statistics, commits, "
     "checkpoints, proposals and models"},
]  # fmt: skip
OLDER_VERSIONS = (
    "All were removed from every table, without a search. That includes tables in which nothing of the account was found: states from "
    "before an erasure cannot be opened."
)
_NOT_SEARCHED = (
    "the folder of exports, and what a later delivery says of the person in notes of others",
    "copies made with `medallion export` or the dashboard, wherever they were written to, and parts of such files that a killed command left there",
    "reports, slides and Power BI files", "models that are kept outside the lakehouse", "backups and snapshots of the disk",
    "temporary folders of other users, of other machines and of versions before this one",
    "the CRM and every other system",
)  # fmt: skip


def not_searched(folders: int) -> list[str]:
    """Where an erasure has not looked; `folders` is how many temporary folders other programs still use."""
    in_use = (
        f"{folders} temporary folders that running programs hold, such as dashboards: each goes when its program ends, and a "
        "dashboard drops what it has copied after the next request"
    )
    return [*_NOT_SEARCHED, *([in_use] if folders else [])]
