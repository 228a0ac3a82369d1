"""Pairs of records that may be about one company or person, with the probability that they are.

Fellegi and Sunter's model as Splink computes it on DuckDB: how often the fields of a true pair agree (m) is learned by
expectation maximization from the records themselves, how often those of others do (u) from random pairs, and a rare value
counts for more than a common one. No labels are needed.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from medallion.errors import MedallionError
from medallion.identities import forms

if TYPE_CHECKING:
    from splink import Linker

KINDS = ("accounts", "contacts")
#: From this probability on a pair is shown, and from that on it may be merged without being looked at.
REVIEW, AUTOMATIC = 0.5, 0.99
#: Fewer records than these are too few to learn from.
_FEW = 300
_FEW_PAIRS = 40
#: So many pairs that agree in a value the usual weights count for, and at most so many those that are there.
_AS_MANY, _AT_MOST = 200, 1000
_RANDOM_PAIRS, _AS_MANY_RANDOM, _SEED = 200_000, 20_000, 20


@dataclass(frozen=True)
class Field:
    """What a field of two records can come to: each level with its condition, what it says, and the usual m and u."""

    name: str
    unknown: str
    levels: tuple[tuple[str, str, float, float], ...]
    frequent: str | None = None
    equal: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it compares."""
        sql = " ".join((self.unknown, *(level[0] for level in self.levels)))
        return frozenset(re.findall(r'"(\w+)_l"', sql))


def _both(*columns: str) -> str:
    return " OR ".join(f'"{c}_l" IS NULL OR "{c}_r" IS NULL' for c in columns)


_TYPO = (
    'damerau_levenshtein("{0}_l", "{0}_r") <= CASE WHEN least(length("{0}_l"), length("{0}_r")) >= 8 THEN 2 ELSE 1 END'
)
_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "accounts": (
        Field(
            "name", _both("name"),
            (
                ('"name_l" = "name_r"', "same name", 0.62, 0.0002),
                ('"joined_l" = "joined_r" OR "sorted_l" = "sorted_r"', "same words", 0.06, 0.00005),
                (f'"figures_l" = "figures_r" AND {_TYPO.format("joined")}', "name but for a typing error", 0.17, 0.0001),
                ('"initials_l" = "joined_r" OR "joined_l" = "initials_r"', "one name is the initials of the other", 0.02, 0.00002),
                ('list_has_all("words_l", "words_r") OR list_has_all("words_r", "words_l")', "one name has a word more", 0.05, 0.002),
                ('list_has_any("words_l", "words_r")', "names share a word", 0.04, 0.02),
            ),
            "name", "name",
        ),
        Field(
            "domain", _both("domain"),
            (
                ('"email_l" = "email_r"', "same e-mail address", 0.45, 0.00002),
                ('"domain_l" = "domain_r"', "same domain", 0.3, 0.0001),
                ('"label_l" = "label_r"', "same domain but for its ending", 0.08, 0.0001),
            ),
            "domain", "email",
        ),
        Field(
            "phone", _both("phone"),
            (('"phone_l" = "phone_r"', "same telephone number", 0.7, 0.00003),
             ('damerau_levenshtein("phone_l", "phone_r") <= 1', "telephone number but for a figure", 0.04, 0.00002)),
            None, "phone",
        ),
        Field(
            "place", _both("country") + " OR " + _both("city"),
            (
                ('"street_l" = "street_r" AND "city_l" = "city_r"', "same address", 0.2, 0.0002),
                ('"city_l" = "city_r"', "same city", 0.6, 0.02),
                (_TYPO.format("city"), "city but for a typing error", 0.06, 0.002),
                ('"country_l" = "country_r"', "same country, another city", 0.1, 0.15),
            ),
            None, "street",
        ),
        Field(
            "deals", 'len("deals_l") = 0 OR len("deals_r") = 0',
            (('list_has_any("deals_l", "deals_r")', "a deal under both", 0.15, 0.0005),),
        ),
    ),
    "contacts": (
        Field(
            "name", _both("name"),
            (
                ('"sorted_l" = "sorted_r"', "same name", 0.65, 0.0001),
                (f'{_TYPO.format("sorted")}', "name but for a typing error", 0.14, 0.0002),
                ('"last_l" = "last_r" AND (starts_with("first_l", "first_r") OR starts_with("first_r", "first_l"))', "same surname, first name cut short", 0.08, 0.0005),
                ('"first_l" = "first_r" AND jaro_winkler_similarity("last_l", "last_r") > 0.85', "same first name, surname alike", 0.04, 0.0002),
                ('"last_l" = "last_r"', "same surname", 0.02, 0.003),
                ('"first_l" = "first_r"', "same first name", 0.04, 0.01),
            ),
            "sorted", "sorted",
        ),
        Field(
            "email", _both("email"),
            (
                ('"email_l" = "email_r"', "same e-mail address", 0.55, 0.000005),
                ('"local_l" = "local_r"', "same e-mail address but for its domain", 0.1, 0.0005),
                (f'"figures_l" = "figures_r" AND {_TYPO.format("email")}', "e-mail address but for a typing error", 0.08, 0.00001),
                ('"domain_l" = "domain_r"', "same domain, other address", 0.12, 0.0005),
            ),
            None, "email",
        ),
        Field(
            "phone", _both("phone"),
            (('"phone_l" = "phone_r"', "same telephone number", 0.7, 0.00001),
             ('damerau_levenshtein("phone_l", "phone_r") <= 1', "telephone number but for a figure", 0.04, 0.00001)),
            None, "phone",
        ),
        Field(
            "employer", _both("employer"),
            (('"employer_l" = "employer_r"', "same company", 0.8, 0.0005),
             (_TYPO.format("employer"), "company but for a typing error", 0.08, 0.0005)),
            "employer", "employer",
        ),
    ),
}  # fmt: skip
#: How many pairs agree in two things of which each is seldom shared: taken to be half of those that are one.
_CERTAIN = {
    "accounts": "select count(*) from given l join given r on l.by_name = r.by_name and l.unique_id < r.unique_id "
    "where l.domain = r.domain or l.phone = r.phone",
    "contacts": "select count(*) from given l join given r on l.by_full = r.by_full and l.unique_id < r.unique_id "
    "where l.email = r.email or l.phone = r.phone",
}
#: The columns that pairs agree in from which the other fields are learned, each with the one that leaves out common values.
_LEARNED_FROM = {
    "accounts": (("joined", "by_name"), ("domain", "by_domain")),
    "contacts": (("sorted", "by_full"), ("email", "by_email")),
}
_SPOKEN = {"joined": "name", "sorted": "name", "email": "e-mail address"}
#: What is looked at besides: something that tells two records apart, whatever their probability.
_APART: Mapping[str, tuple[tuple[str, str], ...]] = {
    "accounts": (
        ('"figures_l" <> "figures_r"', "the figures in their names differ"),
        ('"legal_l" <> "legal_r" AND "legal_l" <> \'\' AND "legal_r" <> \'\'', "their legal forms differ"),
        ('"country_l" <> "country_r"', "they are in different countries"),
        ("gamma_f_name = -1", "one has no name"),
        ("gamma_f_name between 0 and 2", "their names differ by a word"),
        ('gamma_f_place = 1 AND gamma_f_phone < 2', "they are in different cities"),
        ("gamma_f_domain < 2 AND gamma_f_phone < 2 AND gamma_f_place < 4 AND gamma_f_deals < 1", "only their names agree"),
        ("gamma_f_domain = 0 AND gamma_f_phone < 2", "their domains differ"),
        ("gamma_f_phone = 0 AND gamma_f_place < 4", "their telephone numbers differ"),
    ),
    "contacts": (
        ("gamma_f_name = -1", "one has no name"),
        ("gamma_f_name between 0 and 2", "their names differ"),
        ("gamma_f_email < 3 AND gamma_f_phone < 2 AND gamma_f_employer < 1", "only their names agree"),
        ('"figures_l" <> "figures_r" AND gamma_f_email < 4', "the figures in their e-mail addresses differ"),
        ("gamma_f_phone = 0 AND gamma_f_email < 4", "their telephone numbers differ, and no e-mail address is the same"),
        ("gamma_f_name between 3 and 5 AND gamma_f_email < 4", "their names differ, and no e-mail address is the same"),
    ),
}  # fmt: skip
#: Pairs that are two, though fields which depend on one another add up: an office and another of one company, colleagues
#: who share its number, namesakes whose addresses are made from their names.
_TWO: Mapping[str, tuple[str, ...]] = {
    "accounts": (
        "gamma_f_name BETWEEN 0 AND 2 AND gamma_f_place BETWEEN 0 AND 1 AND gamma_f_phone < 2 AND gamma_f_deals < 1",
    ),
    "contacts": (
        "gamma_f_name BETWEEN 0 AND 1 AND gamma_f_email < 4",
        "gamma_f_email = 3 AND gamma_f_phone < 1 AND gamma_f_employer = 0",
    ),
}
_BESIDE = {"accounts": ("figures", "legal", "country"), "contacts": ("figures",)}


@dataclass(frozen=True)
class Pair:
    """Two records, the probability that they are one, and why: what each field came to, with its share in the odds.

    `automatic` is false where something tells the two apart whatever the probability: `because`.
    """

    left: str
    right: str
    probability: float
    evidence: tuple[str, ...] = ()
    because: str = ""

    @property
    def automatic(self) -> bool:
        """Whether nothing forbids merging it without being looked at."""
        return not self.because


@dataclass(frozen=True)
class Weights:
    """Of two random records the probability that they are one; per field m and u of each level, the last `unlike`."""

    matching: float
    levels: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class Candidates:
    """The pairs from a probability on, the likeliest first, and how the weights were come by, in words."""

    pairs: tuple[Pair, ...]
    learned: str
    weights: Weights | None = None


def candidates(records: pa.Table, kind: str, threshold: float = REVIEW) -> Candidates:
    """Pairs of records that may be one.

    Args:
        records: What `forms.accounts` or `forms.contacts` gave.
        kind: `accounts` or `contacts`.
        threshold: Probability from which a pair counts.

    Raises:
        MedallionError: Splink is not installed.
    """
    rows = records.num_rows
    if rows < 2:
        return Candidates((), f"There are {rows} {kind}: nothing to compare.")
    with _quiet(), duckdb.connect() as connection:
        connection.register("records", records)
        connection.execute("create table given as select * from records")
        weights, learned = _learn(connection, kind, rows)
        return Candidates(_predicted(connection, kind, rows, weights, threshold), learned, weights)


def candidates_of(
    records: pa.Table, kind: str, keys: Collection[str], weights: Weights, threshold: float = REVIEW
) -> tuple[Pair, ...]:
    """The pairs of which one record at least is among some, by weights that were learned before.

    Args:
        records: All records, as `candidates` has them.
        kind: `accounts` or `contacts`.
        keys: Keys of the records that are new or have changed.
        weights: Those that `candidates` gave.
        threshold: Probability from which a pair counts.
    """
    if records.num_rows < 2 or not keys:
        return ()
    alike = " or ".join(
        f'"{column}" in (select "{column}" from records where "{column}" is not null and unique_id in (from fresh))'
        for column in forms.looked_for(kind)
    )
    with _quiet(), duckdb.connect() as connection:
        connection.register("records", records)
        connection.execute("create table fresh (key varchar)")
        connection.execute("insert into fresh select unnest(?::varchar[])", [list(keys)])
        connection.execute(
            "create table given as select *, unique_id in (from fresh) as is_fresh from records "
            f"where unique_id in (from fresh) or {alike}"
        )
        return _predicted(connection, kind, records.num_rows, weights, threshold, of_fresh=True)


def _predicted(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    rows: int,
    weights: Weights,
    threshold: float,
    of_fresh: bool = False,
) -> tuple[Pair, ...]:
    linker = _linker(connection, kind, weights, of_fresh=of_fresh)
    _tell_frequencies(linker, connection, kind, rows, weights)
    predictions = linker.inference.predict(threshold_match_probability=threshold)
    return tuple(_pairs(connection, predictions.physical_name, kind))


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink tells what it does on a logger of its own, and warns of levels that no pair reached."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _linker(
    connection: duckdb.DuckDBPyConnection, kind: str, weights: Weights, retain: bool = True, of_fresh: bool = False
) -> Linker:
    try:
        from splink import DuckDBAPI, Linker, SettingsCreator
    except ImportError as error:
        raise MedallionError(
            "duplicates are found with Splink, which is not installed",
            'Install it: pip install "medallion-crm[duplicates]"',
        ) from error
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(each, weights.levels[each.name]) for each in _FIELDS[kind]],
        blocking_rules_to_generate_predictions=[
            f'l."{column}" = r."{column}"' + " and (l.is_fresh or r.is_fresh)" * of_fresh
            for column in forms.looked_for(kind)
        ],
        retain_intermediate_calculation_columns=retain,
        retain_matching_columns=retain,
        additional_columns_to_retain=list(_BESIDE[kind]),
        max_iterations=8,
        probability_two_random_records_match=weights.matching,
    )
    return Linker("given", settings, db_api=DuckDBAPI(connection=connection), set_up_basic_logging=False)


def _tell_frequencies(
    linker: Linker, connection: duckdb.DuckDBPyConnection, kind: str, rows: int, weights: Weights
) -> None:
    """How often a value occurs besides in the two records that are compared: in small tables these are most of it."""
    for each in _FIELDS[kind]:
        if each.frequent:
            column, least = each.frequent, weights.levels[each.name][0][1]
            connection.execute(
                f'create or replace temp table others_{column} as select "{column}", greatest((count(*) - 2) / {rows}, {least}) '
                f'as "tf_{column}" from records where "{column}" is not null group by 1'
            )
            linker.table_management.register_term_frequency_lookup(f"others_{column}", column, overwrite=True)


def _comparison(each: Field, levels: Sequence[tuple[float, float]]) -> dict[str, Any]:
    declared: list[dict[str, Any]] = [
        {"sql_condition": each.unknown, "label_for_charts": "not known", "is_null_level": True}
    ]
    conditions = [(condition, says) for condition, says, *_ in each.levels] + [("ELSE", "unlike")]
    for place, ((condition, says), (m, u)) in enumerate(zip(conditions, levels, strict=True)):
        level: dict[str, Any] = {
            "sql_condition": condition,
            "label_for_charts": says,
            "m_probability": m,
            "u_probability": u,
        }
        if each.frequent and place == 0:
            level |= {"tf_adjustment_column": each.frequent}
        declared.append(level)
    return {"output_column_name": f"f_{each.name}", "comparison_levels": declared}


def _usual(kind: str, rows: int) -> Weights:
    """The weights where there is nothing to learn from: one record in five has a second one."""
    levels = {}
    for each in _FIELDS[kind]:
        known = [(m, u) for _, _, m, u in each.levels]
        rest = tuple(max(1 - sum(level[place] for level in known), 0.01) for place in (0, 1))
        levels[each.name] = (*known, (rest[0], rest[1]))
    return Weights(min(0.2 / rows, 0.5), levels)


def _learn(connection: duckdb.DuckDBPyConnection, kind: str, rows: int) -> tuple[Weights, str]:
    """The weights by the records themselves, and how they were learned, in words."""
    usual = _usual(kind, rows)
    if rows < _FEW:
        return usual, f"{rows:,} {kind} are too few to learn from: the usual weights are used."
    certain = connection.execute(_CERTAIN[kind]).fetchall()[0][0]
    matching = min(max(certain / 0.5, 0.02 * rows), 0.5 * rows) / (rows * (rows - 1) / 2)
    unlike = _of_random_pairs(connection, kind, rows, usual, matching)
    start = Weights(
        matching,
        {
            name: tuple((m, u) for (m, _), u in zip(levels, unlike[name], strict=True))
            for name, levels in usual.levels.items()
        },
    )
    learned: dict[str, list[tuple[int, Sequence[float]]]] = {}
    by = []
    for column, block in _LEARNED_FROM[kind]:
        sql = f'select coalesce(sum(n * (n - 1) / 2), 0)::bigint from (select count(*) as n from given where "{block}" is not null group by "{block}")'
        pairs = int(connection.execute(sql).fetchall()[0][0])
        if pairs < _FEW_PAIRS:
            continue
        linker = _linker(connection, kind, start, retain=False)
        rule = f'l."{column}" = r."{column}" and l."{block}" = r."{block}"'
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
        trained = {
            c["output_column_name"].removeprefix("f_"): c for c in linker.misc.save_model_to_json()["comparisons"]
        }
        for each in _FIELDS[kind]:
            if column in each.columns:
                continue
            levels = [level for level in trained[each.name]["comparison_levels"] if not level.get("is_null_level")]
            learned.setdefault(each.name, []).append((pairs, [level.get("m_probability") or 0.0 for level in levels]))
        by.append(_SPOKEN.get(column, column))
    if not by:
        return start, f"Too few of the {rows:,} {kind} agree in anything to learn from: the usual weights are used."
    mixed = {name: _mixed(levels, learned.get(name, [])) for name, levels in start.levels.items()}
    return Weights(start.matching, mixed), f"Learned from {rows:,} {kind}, by those that agree in {' and '.join(by)}."


def _mixed(
    levels: Sequence[tuple[float, float]], learned: Sequence[tuple[int, Sequence[float]]]
) -> tuple[tuple[float, float], ...]:
    """The usual m of each level and the learned ones, by how many pairs these were learned from."""
    total = _AS_MANY + sum(min(pairs, _AT_MOST) for pairs, _ in learned)
    mixed = [
        (m * _AS_MANY + sum(min(pairs, _AT_MOST) * learned_m[place] for pairs, learned_m in learned)) / total
        for place, (m, _) in enumerate(levels)
    ]
    whole = sum(mixed)
    return tuple((max(m / whole, 1e-4), u) for m, (_, u) in zip(mixed, levels, strict=True))


def _of_random_pairs(
    connection: duckdb.DuckDBPyConnection, kind: str, rows: int, usual: Weights, matching: float
) -> dict[str, tuple[float, ...]]:
    """How often fields of two records that are not one come to each level: counted for equal values, else by random pairs."""
    columns = sorted({column for each in _FIELDS[kind] for column in each.columns})
    sides = ", ".join(f'l."{c}" as "{c}_l", r."{c}" as "{c}_r"' for c in columns)
    cases = []
    for each in _FIELDS[kind]:
        whens = " ".join(f"when {level[0]} then {place}" for place, level in enumerate(each.levels))
        cases.append(f'case when {each.unknown} then -1 {whens} else {len(each.levels)} end as "{each.name}"')
    connection.execute(
        f"create or replace temp table drawn as with numbered as (select *, row_number() over (order by unique_id) - 1 as n from given), "
        f"pairs as (select hash(2 * range + {_SEED}) % {rows} as a, hash(2 * range + 1 + {_SEED}) % {rows} as b from range({_RANDOM_PAIRS})), "
        f"beside as (select {sides} from pairs join numbered l on l.n = a join numbered r on r.n = b where a <> b) "
        f"select {', '.join(cases)} from beside"
    )
    unlike = {}
    for each in _FIELDS[kind]:
        counts = dict(connection.execute(f'select "{each.name}", count(*) from drawn group by 1').fetchall())
        known = sum(count for level, count in counts.items() if level >= 0)
        before = [u for _, u in usual.levels[each.name]]
        drawn = [
            (counts.get(place, 0) + before[place] * _AS_MANY_RANDOM) / (known + _AS_MANY_RANDOM)
            for place in range(len(before))
        ]
        if each.equal:
            sql = f'select sum(n * (n - 1.0)) / greatest(sum(n) * (sum(n) - 1.0), 1) from (select count(*) as n from given where "{each.equal}" is not null group by "{each.equal}")'
            equal = float(connection.execute(sql).fetchall()[0][0] or 0)
            drawn[0] = max(equal - matching * usual.levels[each.name][0][0], 0.02 * equal, 1e-7)
        unlike[each.name] = tuple(drawn)
    return unlike


def _pairs(connection: duckdb.DuckDBPyConnection, table: str, kind: str) -> Iterator[Pair]:
    """What Splink found, in words."""
    fields = _FIELDS[kind]
    apart = " ".join(f"WHEN {condition} THEN '{says}'" for condition, says in _APART[kind])
    columns = [f"gamma_f_{each.name}, bf_f_{each.name}" for each in fields]
    columns += [f"bf_tf_adj_f_{each.name}" if each.frequent else "1.0" for each in fields]
    rows = connection.execute(
        f"SELECT unique_id_l, unique_id_r, match_probability, CASE {apart} ELSE '' END, {', '.join(columns)} FROM {table} "
        f"WHERE NOT ({' OR '.join(_TWO[kind])}) "
        "ORDER BY match_probability DESC, unique_id_l, unique_id_r"
    ).fetchall()
    for left, right, probability, because, *comparisons in rows:
        weighed = []
        for place, each in enumerate(fields):
            level, factor = (
                comparisons[2 * place],
                float(comparisons[2 * place + 1]) * float(comparisons[2 * len(fields) + place]),
            )
            if level < 0:
                continue
            says = each.levels[len(each.levels) - level][1] if level else f"{each.name} unlike"
            weighed.append((factor, f"{says} ({_weighs(factor)})"))
        evidence = tuple(says for _, says in sorted(weighed, key=lambda item: -item[0]))
        yield Pair(min(left, right), max(left, right), float(probability), evidence, because)


def _weighs(factor: float) -> str:
    """How much more often that is so of one company or person than of two, in words."""
    if factor >= 1:
        return f"{factor:,.0f} times likelier if they are one" if factor >= 1.5 else "says nothing"
    return f"{1 / factor:,.0f} times likelier if they are two" if factor < 0.67 else "says nothing"
