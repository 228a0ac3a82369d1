"""What tells the records of a table apart, and how keys that two files write differently are made alike."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping, Set

from rapidfuzz import fuzz

from medallion.contracts import CONFIDENT, Entity, Filling
from medallion.contracts.filling import Expression, Merged, joined
from medallion.contracts.odcs import code
from medallion.proposal import asking, closing_dates, evidence, match, profile, repeats, vocabulary, worth
from medallion.proposal.draft import Draft
from medallion.proposal.feeds import Feed, feed_of
from medallion.proposal.profile import Column, Table

_PLAIN_KEY = re.compile(r"[A-Z0-9][A-Z0-9_.:-]*")
#: Digits of a number that counts things as often as it names a record.
_SMALL = 3
#: A number with letters before it, as CRMs give them.
_CODE = re.compile(r"[^\W\d_]{1,4}[-_/#]?\d+")
_NUMBER_WORDS = {"number", "id", "key", "code", "ref", "no", "nr", "nummer", "numero", "numer", "codigo", "codice", "n"}
#: What no number of a record has: a decimal point, a thousands mark, a percent sign, a sign of a currency.
_NO_NUMBER = re.compile(r"[.,%$€£¥₹\s]")


def _repeated(draft: Draft, feed: Feed, header: str | None = None) -> repeats.Repeated | None:
    """Ask about a key that several rows share; `header` is the key's header in another file of the same kind."""
    entity = draft.entities[feed.entity]
    repeated = None if draft.is_derived(feed) else repeats.own(feed, entity, draft.system, header)
    if repeated is None:
        return None
    others = {name: item for name, item in feed.fillings.items() if item.column != repeated.column.header}
    others.pop(entity.key, None)
    feed.fillings = {entity.key: repeats.key(feed, repeated), **others}
    feed.key = ()
    feed.comments = [each for each in feed.comments if not each.startswith(f"perhaps {entity.key}:")]
    if feed.entity in draft.keys:
        draft.keys[feed.entity] |= repeated.column.forms
    written = [text for (text,) in feed.table.together(repeated.column)]
    if not all(_PLAIN_KEY.fullmatch(text.upper()) for text in written if text) or _differ_by_case(written):
        draft.as_written(feed.entity, entity.key)
    return repeated


def as_beside(draft: Draft, feeds: list[Feed]) -> None:
    """Give files of one kind the same key: a column that is the key of one is that of the others, even if it repeats there."""
    for feed in feeds:
        own = feed.fillings.get(draft.entities[feed.entity].key) if feed.entity in draft.entities else None
        if own is None or not str(own.sql).startswith(("md5(", "concat(nullif(")) or "?" in own.reason:
            continue
        headers = {column.header for column in feed.table.columns}
        alike = (f for f in feeds if f.entity == feed.entity and {c.header for c in f.table.columns} == headers)
        keys = [item.column for f in alike if (item := f.fillings.get(draft.entities[f.entity].key)) and item.column]
        if keys:
            hashed = feed.fillings.pop(draft.entities[feed.entity].key)
            if _repeated(draft, feed, keys[0]) is None:
                feed.fillings = {draft.entities[feed.entity].key: hashed, **feed.fillings}


def settle(draft: Draft, feed: Feed) -> None:
    """The key of a table: a column of that name, one that numbers its rows, its names, two columns, or a hash of all cells."""
    entity = draft.entities[feed.entity]
    key = entity.key
    if _repeated(draft, feed):
        return
    name = {"customers": "customer_name", "products": "product_name"}.get(feed.entity)
    if key not in feed.fillings and name and (reference := _referred_to(draft, feed)):
        own, other, table = reference
        reason = f"every row has its own, and {other.header} of {table.file.name} refers to it"
        feed.fillings = {key: Filling(column=own.header, confidence=0.9, reason=reason), **feed.fillings}
        draft.keys[feed.entity] |= own.forms
        for deals in (item for item in draft.feeds if item.table is table and item.entity == "leads"):
            deals.fillings.setdefault(
                key, Filling(column=other.header, confidence=0.9, reason="as the accounts call it")
            )
    if key not in feed.fillings and name in feed.fillings:
        item, reason, sure = feed.fillings[name], "no other identifier; names are keys", 1.0
        column = feed.table.column(item.column) if item.column else None
        if column and (often := [(text, count) for text, count in column.counts.most_common() if count > 1]):
            text, count = often[0]
            reason += f", and {len(often):,} of them stand in several rows, such as {text[:40]!r} in {count}: each becomes one"
            sure = 0.6
        update = {"reason": reason, "confidence": min(item.confidence or 0, sure)}
        feed.fillings = {key: item.model_copy(update=update), **feed.fillings}
    elif name and name not in feed.fillings and key in feed.fillings:
        feed.fillings[name] = feed.fillings[key].model_copy(update={"reason": "no name; the identifier is used"})
    if key not in feed.fillings and (column := _own_number(feed)):
        words = {*vocabulary.tokens(column.header), *vocabulary.words_of(column.header)}
        named = bool(words & _NUMBER_WORDS)
        reason = "every row has its own, and nothing else tells them apart"
        coded = all(map(_CODE.fullmatch, column.counts))
        if feed.table.of is not None:
            named, coded, reason = False, False, f"{reason}, in the first {column.rows:,} rows"
        if not named and not coded:
            reason += ": is it a number that the CRM gives, or happens none to stand twice?"
        item = Filling(column=column.header, confidence=0.88 if named else 0.8 if coded else 0.7, reason=reason)
        feed.fillings = {key: item, **feed.fillings}
        if feed.entity in draft.keys:
            draft.keys[feed.entity] |= column.forms
    if key not in feed.fillings and (pair := evidence.key_of_two(feed)):
        of_lines = [own for own, line in (pair, pair[::-1]) if repeats.numbers_lines(line)]
        if of_lines and _repeated(draft, feed, of_lines[0].header):
            return
        feed.key = tuple(column.header for column in pair)
        sure = 0.85 if feed.table.rows <= profile.COMPARED else 0.7
        reason = f"{' and '.join(feed.key)} tell the rows apart together, neither does alone"
        feed.fillings = {
            key: Filling(sql=joined(column.name for column in pair), confidence=sure, reason=reason),
            **feed.fillings,
        }
        written = [":".join(cells) for cells in feed.table.together(*pair)]
        if not all(_PLAIN_KEY.fullmatch(text.upper()) for text in written) or _differ_by_case(written):
            draft.as_written(feed.entity, key)
        return
    if key not in feed.fillings:
        cells = ", ".join(f"`{column.name}`" for column in feed.table.columns)
        feed.fillings = {
            key: Filling(
                sql=f"md5(concat_ws('|', {cells}))", confidence=0.65, reason="no identifier; a hash of all cells"
            ),
            **feed.fillings,
        }
        return
    filling = feed.fillings[key]
    if filling.column is None:
        return
    own = feed.table.column(filling.column)
    if asking.is_asked(filling) and _numbers_rows(feed.table, own):
        filling = feed.fillings[key] = filling.model_copy(update={"confidence": 0.85})
    dated = "updated_at" in feed.fillings or draft.is_derived(feed)
    if not dated and (several := _in_several_rows(feed, own)):
        keys = "1 key" if len(several) == 1 else f"{len(several):,} keys"
        reason = (
            f"{filling.reason}; {keys}, such as {several[0]!r}, in several rows that differ, and no column says which is the "
            "newest: the last row counts"
        )
        feed.fillings[key] = filling.model_copy(
            update={"confidence": min(filling.confidence or 0, 0.7), "reason": reason}
        )
    texts = own.counts
    upper = {re.sub(r"\s+", "", text).upper() for text in texts}
    plain = all(_PLAIN_KEY.fullmatch(text) for text in upper)
    if plain and len(upper) >= 0.999 * len(texts) and not _differ_by_case(texts):
        return
    why = "has other characters than a code" if not plain else "differs by case alone"
    feed.comments.append(f"{key} {why}, so it is compared as written")
    draft.as_written(feed.entity, key)


def _referred_to(draft: Draft, feed: Feed) -> tuple[Column, Column, Table] | None:
    """The column that numbers the rows of a table without a known key: a column of deals refers to it."""
    used = {item.column for item in feed.fillings.values()}
    for column in feed.table.columns:
        is_coded = column.share("code") + column.share("number") > 0.9 and column.share("date") < 0.5
        if not column.is_unique or column.header in used or not is_coded or worth.says_amount(column):
            continue
        small = all(text.isdigit() and len(text) < 4 for text in column.counts)  # are among any that count from one
        few = column.distinct < 5
        for item in draft.matches:
            own = item.columns.get(item.entity.key)
            for other in item.table.columns if item.entity.name == "leads" else ():
                alike = fuzz.ratio(vocabulary.bare(column.header), vocabulary.bare(other.header)) >= 85
                if (own and other is own[0]) or (few and (small or not alike)):
                    continue
                if (alike or not small) and (
                    other.among(column.forms, 0.9) or (alike and _but_for_zeros(other, column))
                ):
                    return column, other, item.table
    return None


def _without_zeros(draft: Draft, feed: Feed, owners: list[Feed]) -> Column | None:
    """The one column of a table whose numbers are those of the accounts but for leading zeros.

    Accounts that are numbered from one have the numbers that quantities have too: small numbers count only under a header that says
    the account.
    """
    keys = [key for owner in owners if owner.entity == "customers" and (key := owner.column_of("customer_id"))]
    declared = {column.name for column in draft.entities[feed.entity].columns}
    if not keys or "customer_id" not in declared:
        return None
    columns = [
        column
        for column in feed.table.columns
        if not column.is_unique
        and any(_but_for_zeros(column, key) for key in keys)
        and (
            evidence.says_account(column, draft.entities["leads"])
            or min(len(text.lstrip("0")) for text in column.counts) > _SMALL
        )
    ]
    return columns[0] if len(columns) == 1 else None


def _but_for_zeros(refers: Column, key: Column) -> bool:
    """Whether a column has the numbers of another, all of one length, without the zeros before them."""
    lengths, bare = {*map(len, key.counts)}, {text.lstrip("0") for text in key.counts}
    if not refers.counts or not all(map(str.isdecimal, (*key.counts, *refers.counts))) or len(lengths) != 1:
        return False
    known = sum(text.lstrip("0") in bare for text in refers.counts)
    return lengths.pop() > 3 and len(bare) == key.distinct and known >= 0.9 * refers.distinct


def likely(table: Table, entities: Mapping[str, Entity]) -> set[str]:
    """The headers of the columns that may be the key of a table: those that say so, and those with another code in every row
    that are no dates and no amounts.
    """
    entity = max(
        (match.assign(table, entities[name], None) for name in match.TELLING), key=lambda m: m.confidence
    ).entity

    def may_be(column: Column) -> bool:
        says = vocabulary.header(column.header, entity, entity.key)
        if says and says.confidence >= CONFIDENT:
            return column.filled > 0
        coded = column.is_unique and column.share("code") + column.share("number") > 0.9
        return coded and not closing_dates.is_date(column) and not worth.says_amount(column)

    return {column.header for column in table.columns if may_be(column)}


def cut_short(draft: Draft, feed: Feed, header: str, forms: Set[str]) -> bool:
    """Cut identifiers to 15 characters where the accounts have 18 and what refers to them 15, or the reverse."""
    accounts = feed_of(draft.feeds, "customers")
    key = draft.own(accounts) if accounts else None
    if accounts is None or key is None or accounts.table is feed.table:
        return False
    lengths = {len(text) for text in key.counts}, {len(form) for form in forms}
    cut = {text[:15] for text in key.counts}
    known = forms & key.forms or {form[:15] for form in forms} & {code(text) for text in cut}
    if lengths not in (({18}, {15}), ({15}, {18})) or len(cut) < key.distinct or len(known) < 0.9 * len(forms):
        return False
    why = "Salesforce identifiers of 15 characters in one file and 18 in the other: the first 15 are the same"
    for other, column in ((accounts, key), (feed, feed.table.column(header))):
        expression = accounts.fillings["customer_id"].sql if other is accounts else None
        sql = f"substring({expression or f'`{column.name}`'}, 1, 15)"
        other.fillings["customer_id"] = Filling(sql=sql, confidence=0.92, reason=why)
    draft.as_written("customers", "customer_id")
    draft.keys["customers"] |= {code(text) for text in cut}
    return True


def find_padded(draft: Draft, feeds: list[Feed]) -> None:
    """Numbers of records that one file writes with leading zeros and another without: the same but for these."""
    for entity in ("customers", "leads", "products"):
        name = draft.entities[entity].key
        owners = [feed for feed in feeds if feed.entity == entity and draft.own(feed)]
        texts = {text for feed in owners for text in feed.column_of(name).counts}  # type: ignore[union-attr]
        bare = {text.lstrip("0") for text in texts}
        if not texts or "" in bare or len(bare) < len(texts) or not all(map(str.isdecimal, texts)):
            continue
        for feed in (other for other in feeds if other.entity != entity):
            refers = feed.column_of(name)
            if refers is None and name not in feed.fillings and (refers := _without_zeros(draft, feed, owners)):
                reason = f"its numbers are those of {owners[0].table.file.name} but for leading zeros"
                feed.fillings[name] = Filling(column=refers.header, confidence=0.9, reason=reason)
            written = {*refers.counts} if refers else set()
            known = {text for text in written if text.lstrip("0") in bare}
            if refers and len(written & texts) < 0.5 * len(written) and len(known) >= 0.9 * len(written):
                draft.padded[entity] = (
                    f"{refers.header} of {feed.table.file.name} and {owners[0].column_of(name).header} of "  # type: ignore[union-attr]
                    f"{owners[0].table.file.name} are the same but for leading zeros"
                )
                draft.keys[entity] |= {code(text) for text in known}
                for each in owners:
                    each.confidence = max(each.confidence, 0.9)


def without_zeros(draft: Draft) -> None:
    """Keys that one file writes with leading zeros are read without them, and so is what refers to them."""
    for entity, why in draft.padded.items():
        _rewrite(draft, entity, "regexp_replace(trim({}), '^0+', '')", why)


def all_short(draft: Draft) -> None:
    """What refers to accounts whose identifiers are cut is cut too."""
    accounts = feed_of(draft.feeds, "customers")
    key = accounts.fillings.get("customer_id") if accounts else None
    if key is not None and str(key.sql).startswith("substring("):
        _rewrite(draft, "customers", "substring({}, 1, 15)")


def _rewrite(draft: Draft, entity: str, form: str, why: str = "") -> None:
    """Write whatever holds a key of an entity, or refers to one, in another form, also in lists of merges.

    Args:
        draft: The proposal.
        entity: Whose keys.
        form: The expression that gives the other form, with `{}` in place of the key.
        why: What is added to the reasons.
    """
    key = draft.entities[entity].key

    def rewritten(header: str | None, sql: str | None, table: Table | None) -> str | None:
        text = f"`{table.column(header).name}`" if table and header else sql
        return form.format(text) if text and not text.startswith(form.partition("{}")[0]) else None

    for feed in draft.feeds:
        for name, item in feed.fillings.items():
            if not ((name == key and not item.lookup) or (item.lookup == entity and item.by == key)):
                continue
            if sql := rewritten(item.column, item.sql, feed.table):
                reason = "; ".join(filter(None, (item.reason, why)))
                feed.fillings[name] = item.model_copy(update={"column": None, "sql": sql, "reason": reason})
        merged = feed.life.get("mergedInto") if feed.entity == entity else None
        if not isinstance(merged, Merged):
            continue
        if not merged.is_listed and (sql := rewritten(merged.column, merged.sql, feed.table)):
            feed.life["mergedInto"] = merged.model_copy(update={"column": None, "sql": sql})
        elif merged.is_listed:
            table = next((table for table in draft.tables if glob.escape(table.stems[-1]) == merged.file), None)
            update = {
                name: Expression(sql=sql)
                for name, item in (("from_", merged.from_), ("to", merged.to))
                if isinstance(item, str) and (sql := rewritten(item, None, table))
            }
            feed.life["mergedInto"] = merged.model_copy(update=update)


def tell_apart(draft: Draft, feeds: list[Feed]) -> None:
    """Put a mark before the number where several tables each number their touches from one."""
    for feed in feeds:
        filling = feed.fillings.get("interaction_id")
        if filling is None or filling.column is None or len(feeds) < 2:
            continue
        forms = feed.table.column(filling.column).forms
        for other in feeds:
            theirs = other.fillings.get("interaction_id")
            if other is feed or theirs is None or (theirs.column is None and theirs.sql is None):
                continue
            column = theirs.column or next(
                (c.header for c in other.table.columns if f"`{c.name}`" in str(theirs.sql)), None
            )
            if column and forms & other.table.column(column).forms:
                mark = re.sub(r"[^A-Z0-9]+", "-", feed.table.stems[0].upper())[:12].strip("-")
                name = feed.table.column(filling.column).name
                feed.fillings["interaction_id"] = Filling(
                    sql=f"concat('{mark}-', `{name}`)",
                    confidence=0.85,
                    reason=f"the same numbers are used in {other.table.file.name}",
                )
                break


def _differ_by_case(texts: Iterable[str]) -> bool:
    """Whether two identifiers differ by case alone, and not because one was typed in another case throughout."""
    spelled: dict[str, set[str]] = {}
    for text in {re.sub(r"\s+", "", text) for text in texts}:
        spelled.setdefault(text.upper(), set()).add(text)
    alike = (text for forms in spelled.values() if len(forms) > 1 for text in forms)
    return any(text not in (text.upper(), text.lower()) for text in alike)


def stems(forms: Set[str]) -> set[str]:
    """The first 15 characters of identifiers of 15 or 18 characters."""
    return {form[:15] for form in forms if len(form) in (15, 18)}


def _in_several_rows(feed: Feed, key: Column) -> list[str]:
    """Keys of which several rows say different things."""
    if key.distinct == key.filled or any(f.header != key.header for f in feed.table.columns if f.name == key.name):
        return []
    place = feed.table.columns.index(key)
    met: dict[str, set[tuple[str, ...]]] = {}
    for record in feed.table.together(*feed.table.columns):
        if key.counts[record[place]] > 1:
            met.setdefault(record[place], set()).add(record)
    return [text for text, records in met.items() if len(records) > 1]


def _numbers_rows(table: Table, column: Column) -> bool:
    """Whether each row has a code of its own, such as OP-17, or a number under a header that says number or code."""
    if not column.is_unique or column.rows < 2 or table.of is not None or any(map(_NO_NUMBER.search, column.counts)):
        return False
    plain = column.share("number") > 0.9 and bool({*vocabulary.tokens(column.header)} & _NUMBER_WORDS)
    return plain or all(map(_CODE.fullmatch, column.counts))


def _own_number(feed: Feed) -> Column | None:
    """The first column that numbers the rows, of those that fill nothing yet; never an amount, a share, a date or a name."""
    used = {item.column for item in feed.fillings.values()}
    for column in feed.table.columns:
        number = column.share("code") + column.share("number") > 0.9 and not any(map(_NO_NUMBER.search, column.counts))
        other = column.share("date") > 0.5 or column.share("email") > 0.5 or column.share("phone") > 0.9
        other = other or worth.says_amount(column) or bool({*vocabulary.words_of(column.header)} & match.OF_PERSONS)
        if column.is_unique and column.rows > 1 and number and not other and column.header not in used:
            return column
    return None
