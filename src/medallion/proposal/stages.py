"""Tables of stages: what a CRM itself says of the stages that its deals name, such as which of them are won."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import vocabulary
from medallion.proposal.profile import Column, Table

#: More rows than a table of stages has.
_MOST = 400
_PLAIN_YES = ("true", "1", "yes", "y", "t")
FLAG_WORDS = frozenset().union(*(vocabulary.flag_words(word) for word in ("won", "lost", "closed")))
_PARTICLES = {
    "is",
    "ist",
    "es",
    "est",
    "e",
    "jest",
    "flag",
    "stage",
    "phase",
    "deal",
    "opportunity",
    "etapa",
    "as",
    "yn",
}
_PROBABILITY = {"probability", "prob", "wahrscheinlichkeit", "probabilidad", "probabilite", "probabilita", "probabilidade",
                "prawdopodobienstwo", "percent", "likelihood", "chance"}  # fmt: skip
_ORDER = {
    "order",
    "position",
    "sequence",
    "sort",
    "sortorder",
    "reihenfolge",
    "orden",
    "ordre",
    "ordine",
    "ordem",
    "kolejnosc",
    "nr",
}
_PIPELINE = {"pipeline", "pipelines", "process", "prozess", "proceso", "funnel", "embudo", "lejek"}
_LABEL = {
    "name",
    "label",
    "title",
    "bezeichnung",
    "nombre",
    "nom",
    "nome",
    "nazwa",
    "stage",
    "phase",
    "etapa",
    "etape",
    "etap",
    "fase",
}
_IDENTIFIERS = {
    "id",
    "ids",
    "uuid",
    "guid",
    "key",
    "code",
    "kennung",
    "schlussel",
    "clave",
    "identifier",
    "identificador",
}
_KINDS = {"type", "category", "forecast", "status", "state", "semantics", "art", "kategorie", "zustand", "tipo", "categoria",
          "estado", "statut", "etat", "stato", "rodzaj", "outcome", "result"}  # fmt: skip


#: What Bitrix24 writes as the semantics of a stage: success, failure, in process.
_SEMANTICS = {"s": "won", "f": "lost", "p": "open"}


@dataclass(frozen=True)
class Stages:
    """What a table says of stages: the SQL of a stage's state, and by each name that a stage has there its state."""

    table: Table
    sql: str
    basis: str
    states: tuple[str, ...]
    pipeline: Column | None
    label: Column | None
    position: Column | None
    probability: Column | None
    names: tuple[Column, ...]
    doubt: str = ""

    def state_of(self, column: Column) -> dict[str, set[str]]:
        """The states of what stands in a column, in comparable form."""
        by_text: dict[str, set[str]] = {}
        for record, state in zip(self.table.as_records, self.states, strict=True):
            by_text.setdefault(code(record[column.name]), set()).add(state)
        return by_text


@dataclass(frozen=True)
class Use:
    """How a column of deals names the stages of a table: by which column of it, with the pipeline where names repeat."""

    stages: Stages
    column: Column
    by: Column
    pipeline: Column | None
    share: float
    missing: tuple[tuple[str, int], ...]


def number(text: str) -> float | None:
    """A probability as written.

    >>> number("100%"), number("0,5"), number("n/a")
    (100.0, 0.5, None)
    """
    bare = re.sub(r"[^0-9.,]", "", text).replace(",", ".")
    return float(bare) if re.fullmatch(r"\d+(\.\d+)?", bare) else None


def _words(header: str) -> set[str]:
    return set(vocabulary.tokens(header)) | set(vocabulary.words_of(header))


def _headed(table: Table, words: set[str], fits: Callable[[Column], bool]) -> Column | None:
    named = [column for column in table.columns if column.filled and fits(column) and _words(column.header) & words]
    return min(named, key=lambda column: len(_words(column.header)), default=None)


def _is_flag(column: Column) -> bool:
    return all(vocabulary.says_yes(text) is not None for text in column.counts)


def _is_number(column: Column) -> bool:
    return all(number(text) is not None for text in column.counts)


def flag(table: Table, word: str) -> Column | None:
    """The flag of that meaning; not a word for the other, as in `is_closed_won`."""

    def names(column: Column) -> bool:
        words = _words(column.header)
        joined = "".join(vocabulary.words_of(column.header)).removeprefix("is")
        if joined in ("closedwon", "closedlost"):
            return joined == f"closed{word}"
        return bool(words & vocabulary.flag_words(word)) and words <= vocabulary.flag_words(word) | _PARTICLES

    return next((c for c in table.columns if c.filled and c.distinct <= 2 and _is_flag(c) and names(c)), None)


def _truth(column: Column) -> str:
    seen = {text.strip().lower() for text in column.counts if vocabulary.says_yes(text)}
    listed = ", ".join(map(_quoted, (*_PLAIN_YES, *sorted(seen - {*_PLAIN_YES}))))
    return f"lower(trim(`{column.name}`)) IN ({listed})"


def _figure(column: Column) -> str:
    return f"try_cast(regexp_replace(replace(`{column.name}`, ',', '.'), '[^0-9.]', '') as double)"


def _yes(record: dict[str, str], column: Column) -> bool:
    return bool(vocabulary.says_yes(record[column.name]))


def by_two_flags(table: Table) -> tuple[str, str, int] | None:
    """The state of deals by a flag of winning and one of closing: the SQL of it, which these are, and how many deals are
    won and not closed.
    """
    won, closed = (flag(table, word) for word in ("won", "closed"))
    if not won or not closed:
        return None
    sql = f"CASE WHEN {_truth(won)} THEN 'won' WHEN {_truth(closed)} THEN 'lost' ELSE 'open' END"
    pairs = table.counted(won, closed)
    odd = sum(
        n
        for (is_won, is_closed), n in pairs.items()
        if vocabulary.says_yes(is_won) and not vocabulary.says_yes(is_closed)
    )
    return sql, f"{won.header} and {closed.header}", odd


def of_flags(won: str, closed: str) -> str:
    """The state that a flag of winning and one of closing tell together."""
    return "won" if vocabulary.says_yes(won) else "lost" if vocabulary.says_yes(closed) else "open"


def of_records(table: Table) -> tuple[str, str] | None:
    """The state of deals by their own flags of winning, losing and closing: the SQL of it, and what is asked; None without
    such flags.
    """
    won, lost, closed = (flag(table, word) for word in ("won", "lost", "closed"))
    other = lost or closed
    if won and other:
        sql = f"CASE WHEN {_truth(won)} THEN 'won' WHEN {_truth(other)} THEN 'lost' ELSE 'open' END"
        return (
            sql,
            f"{won.header} says won, {other.header} {'lost' if lost else 'lost where it is not won'}, and neither open: is that so?",
        )
    if won:
        denied = sorted(text for text in {text.strip().lower() for text in won.counts} if not vocabulary.says_yes(text))
        both = bool(denied) and won.filled < won.rows
        says = f"WHEN lower(trim(`{won.name}`)) IN ({', '.join(map(_quoted, denied))}) THEN 'lost' " if both else ""
        sql = f"CASE WHEN {_truth(won)} THEN 'won' {says}ELSE 'open' END"
        rest = "no says lost, and an empty cell open" if both else "all others are open, none lost"
        return sql, f"{won.header} says won, {rest}: is that so?"
    return None


def of_chances(table: Table) -> tuple[str, str] | None:
    """The state of deals by a probability of all or nothing: the SQL of it, and what is asked; None where none has both."""
    chance = _headed(table, _PROBABILITY, _is_number)
    ends = {_end(number(text), _top(chance)) for text in chance.counts} if chance else set()
    if chance and {"won", "lost"} <= ends:
        top = _top(chance)
        sql = (
            f"CASE WHEN {_figure(chance)} >= {top:g} THEN 'won' WHEN {_figure(chance)} = 0 THEN 'lost' ELSE 'open' END"
        )
        return sql, f"{chance.header} {top:g} says won, 0 lost, and all between open: is that so?"
    return None


def of(table: Table) -> Stages | None:
    """What a table says of stages; None when it says nothing of them."""
    if not 2 <= table.rows <= _MOST or len(table.columns) < 2:
        return None
    probability = _headed(table, _PROBABILITY, _is_number)
    order = _headed(table, _ORDER, lambda c: _is_number(c) and c is not probability)
    ruled = _by_flags(table, probability) or _by_category(table) or _by_probability(table, probability, order)
    if ruled is None:
        return None
    sql, basis, states, used, doubt = ruled
    pipeline = _headed(table, _PIPELINE, lambda c: c.distinct < c.filled)
    taken = {column.name for column in (*used, probability, order, pipeline) if column}
    names = tuple(
        c
        for c in table.columns
        if c.name not in taken and c.filled >= 0.98 * c.rows and not _is_flag(c) and c.share("date") < 0.5
        and c.distinct > 1 and (c.is_unique or (pipeline is not None and _is_unique_with(table, c, pipeline)))
    )  # fmt: skip
    worded = [c for c in names if c.share("number") < 0.5]
    label = max(worded, key=lambda c: (*_says_label(c.header), -table.columns.index(c)), default=None)
    if not names or {*states} == {"open"}:
        return None
    doubt = doubt or _contradicted(table, label, states)
    return Stages(table, sql, basis, tuple(states), pipeline, label, order, probability, names, doubt)


def _says_label(header: str) -> tuple[bool, bool]:
    """How likely a header is that of the names of stages: that of their identifiers least."""
    words = _words(header)
    return not words & _IDENTIFIERS, bool(words & _LABEL)


def _is_unique_with(table: Table, column: Column, pipeline: Column) -> bool:
    return len({(record[column.name], record[pipeline.name]) for record in table.as_records}) == table.rows


def _contradicted(table: Table, label: Column | None, states: list[str]) -> str:
    """The first stage whose name says won or lost while the table says another state."""
    for record, state in zip(table.as_records, states, strict=True):
        meant = vocabulary.value("leads.status", record[label.name]) if label else None
        if meant and meant.confidence > 0.9 and meant.value in ("won", "lost") and meant.value != state:
            return f"{record[label.name] if label else ''!r} is {state} there, though its name says {meant.value}"
    return ""


_Ruled = tuple[str, str, list[str], tuple[Column, ...], str]


def _by_flags(table: Table, probability: Column | None) -> _Ruled | None:
    won, lost, closed = (flag(table, word) for word in ("won", "lost", "closed"))
    records = table.as_records
    other = lost or closed
    if won and other:
        sql = f"CASE WHEN {_truth(won)} THEN 'won' WHEN {_truth(other)} THEN 'lost' ELSE 'open' END"
        states = ["won" if _yes(r, won) else "lost" if _yes(r, other) else "open" for r in records]
        return sql, f"{won.header} and {other.header}", states, (won, other, *([closed] if closed else [])), ""
    if closed and probability:
        top = _top(probability)
        sql = (
            f"CASE WHEN NOT coalesce({_truth(closed)}, false) THEN 'open' WHEN {_figure(probability)} >= {top:g} "
            f"THEN 'won' WHEN {_figure(probability)} = 0 THEN 'lost' END"
        )
        row_states = [_end(number(r[probability.name]), top) if _yes(r, closed) else "open" for r in records]
        if None not in row_states:
            states = [state for state in row_states if state]
            return sql, f"{closed.header} and {probability.header}", states, (closed,), ""
    if won:
        sql = f"CASE WHEN {_truth(won)} THEN 'won' ELSE 'open' END"
        states = ["won" if _yes(r, won) else "open" for r in records]
        return sql, won.header, states, (won,), f"{won.header} tells which are won; is none of the others lost?"
    return None


def _top(probability: Column) -> float:
    return 1.0 if max(number(text) or 0 for text in probability.counts) <= 1 else 100.0


def _end(value: float | None, top: float) -> str | None:
    return "won" if value is not None and value >= top else "lost" if value == 0 else None


def _by_category(table: Table) -> _Ruled | None:
    for column in table.columns:
        few = column.distinct < column.rows or _words(column.header) & _KINDS
        if not column.filled or column.distinct > 8 or not few:
            continue
        meant = {text: vocabulary.value("leads.status", text) for text in column.counts}
        states = {text: meaning.value for text, meaning in meant.items() if meaning and meaning.confidence > 0.8}
        if "semantics" in _words(column.header) and {text.lower() for text in meant} <= {*_SEMANTICS}:
            states = {text: _SEMANTICS[text.lower()] for text in meant}
        if len(states) < len(meant) or not {"won", "lost"} <= set(states.values()):
            continue
        cases = " ".join(
            f"WHEN lower(trim(`{column.name}`)) IN ({', '.join(_quoted(t) for t, s in states.items() if s == state)}) THEN '{state}'"
            for state in dict.fromkeys(states.values())
        )
        row_states = [states.get(record[column.name], "open") for record in table.as_records]
        if column.filled < column.rows:
            cases += f" WHEN coalesce(trim(`{column.name}`), '') = '' THEN 'open'"
        return f"CASE {cases} END", column.header, row_states, (column,), ""
    return None


def _quoted(text: str) -> str:
    return "'" + text.strip().lower().replace("\\", "\\\\").replace("'", "\\'") + "'"


def _by_probability(table: Table, probability: Column | None, order: Column | None) -> _Ruled | None:
    """A probability of all is won, of none lost; where a stage of none may also be the first, it is asked."""
    if probability is None:
        return None
    values = [number(record[probability.name]) for record in table.as_records]
    top = _top(probability)
    ends = [_end(value, top) for value in values]
    between = [value for value in values if value is not None and 0 < value < top]
    if None in values or "won" not in ends or "lost" not in ends or not between:
        return None
    sql = f"CASE WHEN {_figure(probability)} >= {top:g} THEN 'won' WHEN {_figure(probability)} = 0 THEN 'lost' ELSE 'open' END"
    doubt = ""
    if order is not None:
        places = {state: [number(r[order.name]) or 0 for r, end in zip(table.as_records, ends, strict=True) if end == state]
                  for state in ("won", "lost", None)}  # fmt: skip
        if min(places["lost"]) < max(places[None]):
            doubt = f"a stage of {probability.header} 0 comes before others that are open; is it lost or a first stage?"
    elif ends.count("lost") > 1:
        doubt = f"several stages have {probability.header} 0; are all of them lost?"
    return sql, probability.header, [end or "open" for end in ends], (probability,), doubt


def used(candidates: Iterable[Stages], deals: Table, first: Iterable[str]) -> Use | None:
    """The table of stages and the column of deals that names its stages; columns that `first` has win a tie."""
    preferred = set(first)
    offers: list[tuple[float, bool, bool, int, Use]] = []
    for place, stages in enumerate(candidates):
        if stages.table is deals:
            continue
        for column in deals.columns:
            named = column.header in preferred
            texts = {text: code(text) for text in column.counts}
            if not texts or column.distinct > _MOST or column.is_unique or column.share("date") > 0.5:
                continue
            for by in stages.names:
                known = stages.state_of(by)
                good = sum(count for text, count in column.counts.items() if texts[text] in known)
                share = good / column.filled
                plain = not named and (all(len(form) < 3 for form in known) or not _related(column, by, stages))
                if share < (0.5 if named else 0.8) or (plain and (share < 1 or _is_number(by))):
                    continue
                missing = tuple((t, n) for t, n in column.counts.most_common() if texts[t] not in known)
                pipeline = None
                if not by.is_unique and stages.pipeline:
                    pipeline = _pipeline(stages.pipeline, deals, column)
                use = Use(stages, column, by, pipeline, round(share, 4), missing)
                offers.append((round(share, 2), named, by is not stages.label, -place, use))
    return max(offers, key=lambda offer: offer[:4])[4] if offers else None


def _related(column: Column, by: Column, stages: Stages) -> bool:
    """Whether the header of a deal's column says that it is a stage."""
    words = _words(column.header)
    about = {"stage", "phase", "etapa", "etape", "etap", "fase", "step", "stadium", "status"}
    names = {word.removesuffix("s") for stem in stages.table.stems for word in vocabulary.words_of(stem)}
    return bool(
        words & (about | (_words(by.header) - {"id", "name", "label"}) | (names - {"deal", "lead", "opportunity"}))
    )


def _pipeline(pipeline: Column, deals: Table, stage: Column) -> Column | None:
    known = {code(text) for text in pipeline.counts}
    fitting = [c for c in deals.columns if c is not stage and c.filled and {code(t) for t in c.counts} <= known]
    return max(fitting, key=lambda c: bool(_words(c.header) & _PIPELINE), default=None)


def explained(use: Use) -> tuple[float, str]:
    """How sure the states are, and why, with what is to be said where it is not."""
    listed = ", ".join(f"{text!r} ({count})" for text, count in use.missing[:6])
    file = use.stages.table.file.name
    reason = f"{percent(use.share, 0)} of its values are stages in {file}, whose {use.stages.basis} tells their state"
    if use.missing:
        known = next(iter(use.by.counts))
        reason += (
            f"; not there: {listed}; name the stage that each counts as: values: {{{use.missing[0][0]!r}: {known!r}}}"
        )
        return 0.7, reason
    if use.stages.doubt:
        return 0.7, f"{reason}; {use.stages.doubt}"
    return 0.95, reason
