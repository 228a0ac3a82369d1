"""What lies beside the deals and is none: leads before them, accounts named otherwise, support cases, stage histories."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from medallion.contracts import Entity
from medallion.proposal import match, stages, vocabulary
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System
from medallion.proposal.vocabulary import Meaning

_SUPPORT = {"case", "cases", "ticket", "tickets", "incident", "incidents", "support", "serviceticket", "helpdesk", "reklamation",
            "reklamationen", "servicefall", "servicefalle", "stoerung", "stoerungen", "incidencia", "incidencias", "zgloszenie",
            "zgloszenia", "complaint", "complaints"}  # fmt: skip
_SUPPORT_HEADERS = {"case", "ticket", "incident", "priority", "severity", "prioritat", "prioridad", "priorite", "priorytet",
                    "escalated", "escalation", "sla", "resolution", "resolved", "solved", "requester", "helpdesk",
                    "reopened", "satisfaction", "csat"}  # fmt: skip
_CONVERTED = {"converted", "conversion", "konvertiert", "umgewandelt", "convertido", "convertida", "converti", "convertie", "convertito",
              "skonwertowany", "qualified", "qualifying"}  # fmt: skip
_BEFORE = {"lead", "leads", "prospect", "prospects", "inquiry", "inquiries", "interessent", "interessenten", "anfrage", "anfragen",
           "prospecto", "prospectos", "contatti", "enquiry", "enquiries"}  # fmt: skip
_PEOPLE = {"user", "users", "owner", "owners", "team", "teams", "employee", "employees", "mitarbeiter", "stage", "stages", "contact",
           "contacts", "person", "persons", "people", "pipeline", "pipelines", "campaign", "campaigns", "product", "products"}  # fmt: skip
_NAMES = {"name", "nombre", "nom", "nome", "naam", "firma", "company", "bezeichnung", "title", "nazwa"}
_ENTERED = {"entered", "changed", "change", "created", "timestamp", "since", "moved", "eingetreten", "seit", "geandert", "am", "entrada",
            "fecha", "depuis", "date", "time", "datum", "at"}  # fmt: skip
_NOT_ENTERED = {"close", "closed", "closing", "expected", "exited", "left", "cierre", "abschluss", "cloture", "synced", "modified", "end",
                "exit", "until", "modstamp", "bis", "hasta"}  # fmt: skip


@dataclass(frozen=True)
class Before:
    """Leads that became deals: the table, its key, its column that names the deal, or the deals' column that names it."""

    match: Match
    key: Column
    deal: Column | None
    deals: Match
    named_by: Column | None


@dataclass(frozen=True)
class Doubt:
    """What is asked of a table as a whole, and whether an answer is that it holds no records and its source is deleted."""

    text: str
    may_be_none: bool = False


@dataclass
class Settled:
    """The tables of entities, leads that are the stage before deals, and why a table is left out."""

    matches: list[Match]
    before: list[Before] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    doubts: dict[int, Doubt] = field(default_factory=dict)


def settle(matches: list[Match], tables: list[Table], entities: Mapping[str, Entity], system: System | None) -> Settled:
    """Separate deals from tables that only look like deals, and find accounts in tables that are not named so."""
    settled = Settled([])
    for item in matches:
        if item.entity.name in ("leads", "interactions") and is_support(item):
            settled.left[item.table.file.name] = "support cases, which are no deals"
        elif (over := _over_pivot(item)) and not _may_be_records(item, matches):
            settled.left[item.table.file.name] = "a pivot table, which adds up what another table has"
        elif beside := _little_beside(item, matches):
            settled.left[item.table.file.name] = f"has little of a deal beside {beside}"
        else:
            settled.matches.append(item)
            if over:
                settled.doubts[id(item.table)] = Doubt(
                    f"{over} is what a spreadsheet writes over a pivot table: is each row one of the {item.entity.name}? then delete this "
                    "confidence; if not, delete this source",
                    may_be_none=True,
                )
    for item in [m for m in settled.matches if m.entity.name == "leads"]:
        deals = next((m for m in settled.matches if m.entity.name == "leads" and _are_lines(item, m)), None)
        if deals is not None:
            settled.matches.remove(item)
            if "deal_value" in item.columns and "deal_value" not in deals.columns:
                settled.doubts[id(deals.table)] = Doubt(
                    f"no column holds the amount: {item.table.file.name} has {item.columns['deal_value'][0].header} for each line, and a "
                    "contract adds no rows up: export the deals with the sum of theirs; or delete this confidence, and they have no amount"
                )
    for item in [m for m in settled.matches if m.entity.name == "leads" and _lists_stages(m, settled.matches)]:
        settled.matches.remove(item)
    for table in [m.table for m in settled.matches if m.entity.name == "leads"]:
        ours = [m for m in settled.matches if m.table is table and m.entity.name == "leads"]
        if not ours:
            continue
        item = ours[0]
        others = [m for m in settled.matches if m.entity.name == "leads" and m is not item and _is_deals(m, item)]
        if not others:
            continue
        accounts = next((a for m in others if (a := _accounts(item, m, entities, system))), None)
        linked = next((b for m in others if (b := _before(item, m, entities, system))), None)
        place = settled.matches.index(item)
        if linked and (accounts is None or linked.deal is not None):
            settled.matches.remove(item)
            settled.before.append(linked)
            settled.matches[settled.matches.index(_same(settled.matches, linked.deals))] = linked.deals
        elif accounts is not None and all(m.entity.name != "customers" for m in settled.matches):
            settled.matches[place] = accounts
        elif not {"deal_value", "stage"} & {*item.columns}:
            main = others[0].table.file.name
            settled.doubts[id(item.table)] = Doubt(
                f"its {item.table.rows:,} rows have no amounts and no stages, as the {others[0].table.rows:,} of {main} have, and nothing "
                f"links them: are they deals? then there are {item.table.rows + others[0].table.rows:,}; if not, delete this source",
                may_be_none=True,
            )
    known = {id(m.table) for m in settled.matches} | {id(b.match.table) for b in settled.before}
    for table in [t for t in tables if id(t) not in known and (_is_converted(t) or _named_before(t))]:
        item = match.assign(table, entities["leads"], system)
        theirs = [m for m in settled.matches if m.entity.name == "leads"]
        linked = next((b for m in theirs if (b := _before(item, m, entities, system))), None)
        if linked and table.file.name not in settled.left:
            settled.before.append(linked)
            settled.matches[settled.matches.index(_same(settled.matches, linked.deals))] = linked.deals
    if all(m.entity.name != "customers" for m in settled.matches):
        used = {id(m.table) for m in settled.matches} | {id(b.match.table) for b in settled.before}
        for item in [m for m in settled.matches if m.entity.name == "leads"]:
            free = [table for table in tables if id(table) not in used]
            if account_table := _accounts_of(item, free, entities["customers"], system):
                settled.matches.append(account_table)
                break
    return settled


def _are_lines(item: Match, deals: Match) -> bool:
    """Whether the rows of a table are lines of the deals of another: they name those, several the same, and no state."""
    key = deals.columns.get("lead_id")
    if item is deals or key is None or not key[0].is_unique or {"status", "stage"} & {*item.columns}:
        return False
    named = [c for c in _refers(item.table, key[0].forms) if c.repeats > 0 and c.filled > 0.9 * c.rows]
    return bool({"status", "stage"} & {*deals.columns}) and any(
        _about_deals(c) or vocabulary.bare(c.header) == vocabulary.bare(key[0].header) for c in named
    )


#: What deals have and no list of stages does.
_OF_DEALS = {"customer_id", "company", "closed_at", "expected_close_date", "owner"}


def _lists_stages(item: Match, matches: list[Match]) -> bool:
    """Whether a table lists the stages that a column of other deals names: it says how each stands, and has nothing of a deal."""
    listed = None if _OF_DEALS & {*item.columns} else stages.of(item.table)
    if listed is None:
        return False
    for deals in (m for m in matches if m is not item and m.entity.name == "leads" and m.table is not item.table):
        named = [deals.columns[name][0].header for name in ("stage", "status") if name in deals.columns]
        if named and (use := stages.used([listed], deals.table, named)) and use.column.header in named:
            return True
    return False


def _over_pivot(item: Match) -> str | None:
    """The header that spreadsheets write over the groups of a pivot table, or over its figures in a table without a key."""
    key = item.columns.get(item.entity.key)
    over = ["groups"] if key is not None and key[0].is_unique else ["groups", "figures"]
    headers = (column.header for column in item.table.columns)
    return next((header for header in headers if any(vocabulary.heads_pivot(header, each) for each in over)), None)


def _may_be_records(item: Match, matches: list[Match]) -> bool:
    """Whether a table with a header of a pivot table may hold records all the same: no other table does, and it has a key or a
    day of opening or closing.
    """
    of_others = (m for m in matches if m.entity.name == item.entity.name and m is not item)
    return bool({item.entity.key, "created_at", "closed_at"} & {*item.columns}) and all(map(_over_pivot, of_others))


#: The aspects of a deal that a table of deals has columns for; a list of values or a summary has few of them.
_ASPECTS = (("lead_id", "lead_name"), ("status", "stage"), ("deal_value",), ("customer_id", "company"),
         ("created_at", "closed_at", "expected_close_date"))  # fmt: skip


def _little_beside(item: Match, matches: list[Match]) -> str | None:
    """The table of the same workbook that holds deals, where one of one column in common with them is no table of deals."""
    if item.entity.name != "leads" or "#" not in item.table.file.name or _aspects(item) > 1:
        return None
    book = item.table.file.name.partition("#")[0]
    others = (m for m in matches if m.entity.name == "leads" and m.table.file.name.partition("#")[0] == book)
    return next((m.table.file.name for m in others if _aspects(m) >= len(_ASPECTS) - 1), None)


def _aspects(item: Match) -> int:
    return sum(bool({*names} & {*item.columns}) for names in _ASPECTS)


def _same(matches: list[Match], wanted: Match) -> Match:
    return next(m for m in matches if m.table is wanted.table and m.entity.name == "leads")


def is_support(item: Match) -> bool:
    """Whether a table holds support cases: by its name, or by its headers where it has neither amounts nor stages.

    A name alone does not do: what has amounts is a deal, whatever it is called.
    """
    if {"deal_value", "stage"} & {*item.columns}:
        return False
    stems = {word for stem in item.table.stems for word in vocabulary.words_of(stem)}
    headers = [set(vocabulary.words_of(column.header)) for column in item.table.columns]
    support_words = {word for words in headers for word in words & _SUPPORT_HEADERS}
    numbered = any(words & {"case", "ticket", "incident"} and words & {"number", "id", "nr", "no"} for words in headers)
    if item.entity.name == "interactions" and not numbered and not stems & _SUPPORT:
        return False  # a call centre's calls have such headers too
    return (
        (bool(stems & _SUPPORT) and (bool(support_words) or len(headers) < 5))
        or len(support_words) >= 3
        or (numbered and len(support_words) >= 2)
    )


def _is_deals(item: Match, than: Match) -> bool:
    """Whether a table holds deals rather than another that was taken for deals too."""
    telling = [len({"deal_value", "stage", "closed_at"} & {*m.columns}) for m in (item, than)]
    return telling[0] > telling[1] or (telling[0] == telling[1] and bool(telling[0]) and _named_before(than.table))


def _named_before(table: Table) -> bool:
    words = {word for stem in table.stems for word in vocabulary.words_of(stem)}
    deals = {
        "deal",
        "deals",
        "opportunity",
        "opportunities",
        "verkaufschance",
        "verkaufschancen",
        "oportunidades",
        "negocios",
    }
    return bool(words & _BEFORE) and not words & deals


def _keys(table: Table) -> list[Column]:
    return [c for c in table.columns if c.is_unique and c.share("date") < 0.5 and c.share("email") < 0.5]


def _refers(table: Table, keys: Set[str], least: float = 0.9) -> list[Column]:
    """Columns whose values are among keys."""
    return [column for column in table.columns if column.among(keys, least)]


def _is_number(column: Column) -> bool:
    """Small numbers, which are among any keys that count from one."""
    return all(text.isdigit() and len(text) < 4 for text in column.counts)


def _about_deals(column: Column) -> bool:
    words = set(vocabulary.tokens(column.header))
    return bool(
        words & {"opportunity", "deal", "potential", "verkaufschance", "oportunidad", "negocio", "chance", *_CONVERTED}
    )


def _about_leads(column: Column) -> bool:
    return bool(set(vocabulary.words_of(column.header)) & {*_BEFORE, "originating", "source"})


def _before(item: Match, deals: Match, entities: Mapping[str, Entity], system: System | None) -> Before | None:
    """Leads that a column links with the deals they became, in either table."""
    if [column.name for column in item.table.columns] == [column.name for column in deals.table.columns]:
        return None  # copies or states of the same records
    if "deal_value" in item.columns and not _is_converted(item.table) and not _named_before(item.table):
        return None  # deals too, such as renewals of others
    for key in _keys(item.table):
        for theirs in _keys(deals.table):
            for column in _refers(item.table, theirs.forms):
                if column is not key and _about_deals(column) and not (_is_number(column) and not _about_leads(key)):
                    back = next(
                        (c for c in _refers(deals.table, key.forms) if c is not theirs and _about_leads(c)), None
                    )
                    return Before(item, key, column, _without(deals, back, entities, system), back)
        for column in _refers(deals.table, key.forms):
            if _about_leads(column) and (_is_converted(item.table) or column.repeats <= 0.02):
                return Before(item, key, None, _without(deals, column, entities, system), column)
    return None


def _is_converted(table: Table) -> bool:
    return any(set(vocabulary.words_of(column.header)) & _CONVERTED for column in table.columns)


def _without(deals: Match, column: Column | None, entities: Mapping[str, Entity], system: System | None) -> Match:
    """The deals with another key than the lead that they came from."""
    key = deals.columns.get("lead_id")
    if column is None or key is None or key[0] is not column:
        return deals
    rest = replace(deals.table, columns=[c for c in deals.table.columns if c is not column])
    again = match.assign(rest, entities["leads"], system)
    again.table = deals.table
    return again


def _accounts(item: Match, deals: Match, entities: Mapping[str, Entity], system: System | None) -> Match | None:
    """Accounts taken for deals by their name: several deals refer to one, or the deals repeat its name."""
    if _is_converted(item.table) or any(_about_deals(c) and _refers(deals.table, c.forms) for c in item.table.columns):
        return None
    for key in _keys(item.table):
        for column in _refers(deals.table, key.forms):
            if column.is_unique or (column.repeats < 0.05 and not _repeats_name(item.table, deals.table)):
                continue
            return _as_accounts(item.table, key, entities["customers"], system, deals, column)
    return None


def _repeats_name(table: Table, deals: Table) -> bool:
    return any(
        _refers(deals, c.forms) for c in table.columns if c.is_unique and set(vocabulary.words_of(c.header)) & _NAMES
    )


def _accounts_of(deals: Match, tables: list[Table], customers: Entity, system: System | None) -> Match | None:
    """A table that is not named as accounts, but that has names and a key that deals refer to."""
    account = deals.columns.get("customer_id") or deals.columns.get("company")
    own = deals.columns.get("lead_id")
    offers = []
    for table in tables:
        words = {word for stem in table.stems for word in vocabulary.words_of(stem)}
        if words & _PEOPLE or table is deals.table or _name_of(table, None) is None:
            continue
        for key in _keys(table):
            for column in _refers(deals.table, key.forms, 0.8):
                if (own and column is own[0]) or (column.is_unique and column.rows > 20):
                    continue
                named = account is not None and column is account[0]
                owner = deals.columns.get("owner")
                if (owner and column is owner[0]) or (not named and not _says_account(column, table)):
                    continue
                offers.append((named, len(column.forms), key, table, column))
    if not offers:
        return None
    _, _, key, table, column = max(offers, key=lambda offer: offer[:2])
    return _as_accounts(table, key, customers, system, deals, column)


def _says_account(column: Column, table: Table) -> bool:
    words = set(vocabulary.tokens(column.header))
    stems = {word for stem in table.stems for word in vocabulary.tokens(stem)}
    return any(vocabulary.kind_of_file(word, "customers") > 0 for word in words | stems) or bool(
        words & {word.removesuffix("s") for word in stems if len(word) > 4}
    )


def _name_of(table: Table, key: Column | None) -> Column | None:
    worded = [
        c
        for c in table.columns
        if c is not key and c.filled > 0.9 * c.rows and c.distinct > 0.8 * c.filled and c.share("date") < 0.5
        and c.share("number") < 0.5 and c.share("email") < 0.5 and set(vocabulary.words_of(c.header)) & _NAMES
    ]  # fmt: skip
    return min(worded, key=lambda c: len(vocabulary.words_of(c.header)), default=None)


def _as_accounts(
    table: Table, key: Column, customers: Entity, system: System | None, deals: Match, column: Column
) -> Match | None:
    accounts = match.assign(table, customers, system)
    name = accounts.columns.get("customer_name")
    named = name[0] if name else _name_of(table, key)
    if named is None:
        return None
    reason = f"{column.header} of {deals.table.file.name} has its values"
    accounts.columns = {c: pair for c, pair in accounts.columns.items() if pair[0] not in (key, named)}
    accounts.columns["customer_id"] = (key, Meaning("customer_id", 0.95, reason))
    accounts.columns["customer_name"] = name or (named, Meaning("customer_name", 0.9, "the names in it"))
    accounts.confidence, accounts.reason = max(accounts.confidence, 0.9), reason
    accounts.perhaps.pop("customer_name", None)
    return accounts


@dataclass(frozen=True)
class History:
    """A table of the stages that deals were in: the deal, the stage, when it was entered, and how sure that is."""

    table: Table
    deal: Column
    stage: Column
    entered: Column
    key: Column | None
    confidence: float


def history(table: Table, deals: Set[str], stages: Set[str]) -> History | None:
    """How a table records changes of stage; None when it does not."""
    if not stages or not table.rows:
        return None
    worded = [(c, set(vocabulary.words_of(c.header)) | set(vocabulary.tokens(c.header))) for c in table.columns]
    deal = [c for c, _ in worded if c.filled > 0.98 * c.rows and c.among(deals, 0.8)]
    deal = [c for c in deal if c.repeats > 0] or [c for c in deal if _about_deals(c)]
    stage = [c for c, _ in worded if c.repeats > 0 and c.among(stages, 0.6)]
    stage = [c for c in stage if c not in deal]
    dates = [(c, words) for c, words in worded if c.filled > 0.98 * c.rows and c.share("date") > 0.8]
    if not deal or not stage or not dates:
        return None
    old = {"old", "from", "previous", "alt", "alte", "vorher", "anterior", "avant", "ancien", "poprzedni"}
    chosen = min(stage, key=lambda c: bool(set(vocabulary.words_of(c.header)) & old))
    best = [c for c, words in dates if words & {"entered", "changed", "moved"} and not words & _NOT_ENTERED]
    best = best or [c for c, words in dates if words & _ENTERED and not words & _NOT_ENTERED] or [c for c, _ in dates]
    entered: dict[str, set[str]] = {}
    for record in table.as_records:
        entered.setdefault(record[deal[0].name], set()).add(record[chosen.name])
    moved = sum(len(stages) > 1 for stages in entered.values()) / len(entered)
    if not moved:
        return None  # a table that repeats the stage of a deal, such as its lines
    sure = len(best) == 1 and moved >= 0.2
    key = next(
        (c for c in table.columns if c.is_unique and c not in (*deal, *best, chosen) and c.share("date") < 0.5), None
    )
    return History(table, deal[0], chosen, best[0], key, 0.9 if sure else 0.7)
