"""Names of this lakehouse: values of dimensions, accounts and keys, as a question may say them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from medallion import contracts, metrics
from medallion.agent.planner.lexicon import Phrase, Sense, meanings, plain_words
from medallion.agent.serving import Serving
from medallion.errors import ContractError
from medallion.metrics.compilers.duckdb import facts_of
from medallion.metrics.meaning import Facts

#: Accounts that are offered where a question names several in part.
MOST_OFFERED = 5
#: A dimension with more values than this has none that are words.
MOST_VALUES = 2000
#: Letters of a word that stands for a product of which it is a part.
_PART = 5
_OWNERS = "silver.owners_clean"
_ACCOUNTS = "gold.customer_features"
#: Signs at which a question is parted.
_SIGNED = re.compile(r"[^\w\s'’.&-]")
_KEY = re.compile(r"(?=[^\s]*\d)[A-Za-z0-9][\w-]*")


@dataclass(frozen=True)
class Team:
    """A team, and the owners who are in it."""

    name: str
    owners: tuple[str, ...]


@dataclass
class Names:
    """What is called how, read once from what is served.

    Attributes:
        serving: The lakehouse.
        phrases: Senses of the values of dimensions.
        longest: Words of the longest of them.
        words: All of their words.
        signed: Senses of the values that hold signs which a question is parted at, such as `R+D`, in small letters.
        facts: What is known of the data; None before it is read.
        parts: Products by a word that only one of them has in its name, where the word means nothing else.
    """

    serving: Serving
    phrases: dict[Phrase, list[Sense]] = field(default_factory=dict)
    longest: int = 1
    words: frozenset[str] = frozenset()
    signed: dict[str, list[Sense]] = field(default_factory=dict)
    facts: Facts | None = None
    parts: dict[Phrase, Sense] = field(default_factory=dict)

    def read(self) -> None:
        """Read the values; once."""
        if self.facts is not None:
            return
        with self.serving.lock:
            self.facts = facts_of(self.serving.connection)
            views = metrics.views()
            for entity, concepts in meanings()["values"].items():
                for concept in concepts if entity in views else ():
                    self._read(views[entity], concept)
        self._parts_of_names()
        self._parts_of_products()
        self.words = frozenset(word for phrase in self.phrases for word in phrase)

    def _read(self, view: metrics.MetricView, concept: str) -> None:
        assert self.facts is not None  # noqa: S101 - set by `read`
        names = meanings()["concepts"].get(concept, [concept])
        dimension = next((column for name in names if (column := view.field(name))), None)
        joins = [join for join in view.joins if dimension and f"{join.name}." in dimension.expr]
        needed = (*view.tables, *(join.source for join in joins))
        if dimension is None or not all(map(self.facts.there, needed)):
            return
        values = dimension.values
        with suppress(
            ContractError
        ):  # it cannot be computed: whoever asks for it is told, other questions are answered
            values = tuple(dict.fromkeys((*values, *self.facts.known(view, dimension, ()))))
        for value in values if len(values) <= MOST_VALUES else ():
            self._add(value, Sense("value", concept, value))
        for spelling, value in _spellings(dimension.name).items():
            if value in values:
                self._add(spelling, Sense("value", concept, value))

    def _add(self, text: str, sense: Sense) -> None:
        if _SIGNED.search(text):
            self.signed.setdefault(text.casefold(), []).append(sense)
            return
        phrase = tuple(plain_words(text))
        if phrase and sense not in self.phrases.setdefault(phrase, []):
            self.phrases[phrase].append(sense)
            self.longest = max(self.longest, len(phrase))

    def _parts_of_names(self) -> None:
        """First and last names of owners that only one owner has."""
        owners = [
            sense for senses in self.phrases.values() for sense in senses if sense.name in ("owner", "account_manager")
        ]
        parts: dict[str, set[str]] = {}
        for sense in owners:
            words = plain_words(sense.value)
            for word in words if len(words) > 1 else ():
                parts.setdefault(word, set()).add(sense.value)
        for word, values in parts.items():
            for sense in owners:
                if len(values) == 1 and sense.value in values and len(word) > 2 and (word,) not in self.phrases:
                    self.phrases[(word,)] = [other for other in owners if other.value == sense.value]

    def _parts_of_products(self) -> None:
        """Words that one product alone has in its name, and plurals of names of one word: `trackers`, `operations`."""
        products = [sense for senses in self.phrases.values() for sense in senses if sense.name == "product"]
        words = {sense: plain_words(sense.value) for sense in products}
        taken = {word for phrase in self.phrases for word in phrase if phrase not in map(tuple, words.values())}
        for sense, parts in words.items():
            others = {word for other in products if other.value != sense.value for word in words[other]}
            forms = [word for word in parts if len(parts) > 1] + [f"{parts[0]}s"] * (len(parts) == 1)
            for form in forms:
                if len(form) >= _PART and form not in others | taken and (form,) not in self.phrases:
                    self.parts[(form,)] = sense

    def abbreviated(self, phrase: Phrase) -> Sense | None:
        """The product whose words a phrase has, one or more of them written short: `ops suite`; None for none or several."""
        near = {
            sense
            for words, senses in self.phrases.items()
            for sense in senses
            if sense.name == "product"
            and len(words) == len(phrase)
            and {*words} & {*phrase}
            and all(map(_is_short_for, phrase, words))
        }
        return near.pop() if len(near) == 1 else None

    def team(self, me: str | None) -> Team | None:
        """The team of an owner with who is in it; None where it is not known."""
        columns = {row["column_name"] for row in self.serving.rows("describe gold.deals")}
        if me is None or "owner_team" not in columns:
            return None
        members = "select owner_team, owner from gold.deals"
        if self.facts is not None and self.facts.there(_OWNERS):  # who owns no deal is in a team too
            members += f" union select team, owner_name from {_OWNERS}"
        rows = self.serving.rows(
            f"with members as ({members}) select distinct owner_team, owner from members where owner_team in "
            "(select owner_team from members where owner = ? and owner_team is not null) and owner is not null order by 1, 2",
            [me],
        )
        teams = {str(row["owner_team"]) for row in rows}
        return Team(teams.pop(), tuple(str(row["owner"]) for row in rows)) if len(teams) == 1 else None

    def of_teams(self, teams: tuple[str, ...]) -> tuple[str, ...]:
        """The owners of some teams."""
        columns = {row["column_name"] for row in self.serving.rows("describe gold.deals")}
        if "owner_team" not in columns:
            return ()
        members = "select owner_team, owner from gold.deals"
        if self.facts is not None and self.facts.there(_OWNERS):
            members += f" union select team, owner_name from {_OWNERS}"
        rows = self.serving.rows(
            f"with members as ({members}) select distinct owner from members "
            "where list_contains(?, owner_team) and owner is not null order by 1",
            [list(teams)],
        )
        return tuple(str(row["owner"]) for row in rows)

    def in_part(self, phrase: str) -> tuple[int, tuple[str, ...]]:
        """How many accounts have all words of a phrase in their names, and the first of them."""
        words = [word for word in plain_words(phrase) if len(word) > 2 or word.isdigit()]
        if not words:
            return 0, ()
        parts = " and ".join(
            "list_contains(regexp_split_to_array(replace(lower(strip_accents(customer_name)), 'ß', 'ss'), '[^\\p{L}\\p{N}]+'), ?)"
            for _ in words
        )
        rows = self.serving.rows(f"select customer_name from {_ACCOUNTS} where {parts} order by 1, customer_id", words)
        return len(rows), tuple(dict.fromkeys(str(row["customer_name"]) for row in rows))[:MOST_OFFERED]

    def in_part_of(self, phrase: str, accounts: tuple[str, ...]) -> tuple[str, ...]:
        """The keys of some accounts that have all words of a phrase in their names."""
        words = {word for word in plain_words(phrase) if len(word) > 2}
        some = "select customer_id, customer_name from gold.customer_features where list_contains(?, customer_id)"
        rows = self.serving.rows(some, [list(accounts)]) if words else []
        return tuple(str(row["customer_id"]) for row in rows if words <= {*plain_words(str(row["customer_name"]))})

    def owners_like(self, name: str) -> tuple[str, ...]:
        """The owners whose names are most like one that nobody has."""
        owners = dict.fromkeys(
            sense.value for senses in self.phrases.values() for sense in senses if sense.name == "owner"
        )
        near = process.extract(name, owners.keys(), scorer=fuzz.WRatio, limit=3)
        return tuple(owner for owner, _, _ in near)

    def keys(self, text: str) -> list[Sense]:
        """What a word with a digit is the key of: an account, a deal, a product."""
        if not _KEY.fullmatch(text):
            return []
        rows = self.serving.rows(
            f"select 'account' as kind, customer_id as key from {_ACCOUNTS} where customer_id in ($1, upper($1)) "
            "union all select 'deal', lead_id from gold.deals where lead_id in ($1, upper($1)) "
            "union all select distinct 'product', product_id from gold.deals where product_id in ($1, upper($1))",
            [text],
        )
        kinds = [(row["kind"], str(row["key"])) for row in rows]
        return [
            Sense("value", "product_id", key) if kind == "product" else Sense(kind, key, key) for kind, key in kinds
        ]

    def accounts(self, question: str) -> tuple[dict[Phrase, list[Sense]], dict[str, list[Sense]]]:
        """The accounts whose whole names stand in a question, by their words; by the name itself where it has signs."""
        rows = self.serving.rows(
            f"select customer_id, customer_name from {_names(self.serving)} "
            "where contains($1, lower(customer_name)) order by customer_id limit 200",
            [question.casefold()],
        )
        phrases: dict[Phrase, list[Sense]] = {}
        signed: dict[str, list[Sense]] = {}
        for row in rows:
            if _SIGNED.search(row["customer_name"]) and any(letter.isalnum() for letter in row["customer_name"]):
                sense = Sense("account", str(row["customer_id"]), row["customer_name"])
                signed.setdefault(row["customer_name"].casefold(), []).append(sense)
                continue
            phrase = tuple(plain_words(row["customer_name"]))
            if phrase:
                phrases.setdefault(phrase, []).append(Sense("account", str(row["customer_id"]), row["customer_name"]))
        return phrases, signed


def _is_short_for(short: str, word: str) -> bool:
    """Whether a word is another one, or begins as it does and has its letters in their order: `ops` for operations."""
    letters = iter(word)
    return short == word or (
        1 < len(short) < len(word) and short[:2] == word[:2] and all(letter in letters for letter in short)
    )


def _names(serving: Serving) -> str:
    """Where names are looked up: in what was prepared, if it was."""
    return "names" if "names" in serving.prepared else _ACCOUNTS


def _spellings(name: str) -> dict[str, str]:
    """Other spellings of the values of an open list, such as countries, which silver unifies."""
    columns = [column for entity in contracts.entities().values() for column in entity.columns if column.name == name]
    return {
        form.replace("_", " "): value
        for column in columns
        if not column.accepted
        for form, value in column.spellings.items()
    }
