"""Who may see what: people, their roles, and whether they may see personal data, declared once in a file of your own."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from medallion.contracts import yaml
from medallion.errors import ContractError

#: Each role with what it has to name, and what it sees.
ROLES = {
    "rep": ("owner", "deals and accounts of these owners"),
    "manager": ("team", "deals and accounts of these teams"),
    "analyst": ("", "all deals and accounts"),
    "admin": ("", "all deals and accounts, and what others may see"),
}
_WORDS = ("user", "role", "owner", "team", "personal")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Person:
    """Someone who looks at a lakehouse.

    Attributes:
        user: The name that a consumer knows the person by, such as an e-mail address; compared without regard to case.
        role: One of `ROLES`.
        owners: Whose deals a rep sees, each by identifier, e-mail address or name.
        teams: Whose deals a manager sees.
        personal: Whether the person sees names, addresses and numbers of contacts, and notes.
        line: Where in the file it is said.
    """

    user: str
    role: str
    owners: tuple[str, ...]
    teams: tuple[str, ...]
    personal: bool
    line: int

    @property
    def sees_all(self) -> bool:
        """Whether the person sees everyone's deals and accounts."""
        return not ROLES[self.role][0]

    @property
    def scope(self) -> str:
        """What the person sees, in words."""
        whose = ", ".join(self.owners or self.teams)
        return f"{ROLES[self.role][1]}: {whose}" if whose else ROLES[self.role][1]


def read(path: Path) -> tuple[Person, ...]:
    """The people that a file declares, in its order.

    Raises:
        ContractError: The file cannot be read or understood; the message names file and line.
    """
    try:
        root = yaml.nodes(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "Check `access` in config.yaml.") from error
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: is not valid YAML: {error}", "Correct the file at that place.") from error
    place = _Place(path)
    words = place.words(root, ("people",), "the file") if root is not None else {}
    if "people" not in words:
        raise ContractError(f"{path}: line 1: names no people", "Begin it with `people:` and a list of them.")
    listed = words["people"]
    if not isinstance(listed, SequenceNode):
        raise place.wrong(listed, "people is no list", "Begin each of them with `- user:`.")
    by_user: dict[str, Person] = {}
    for node in listed.value:
        person = place.person(node)
        before = by_user.setdefault(person.user.casefold(), person)
        if before is not person:
            raise place.wrong(node, f"{person.user} is declared on line {before.line} too", "Keep one of the two.")
    return tuple(by_user.values())


def who(path: Path, user: str | None) -> Person:
    """The person of that name in a declaration.

    Raises:
        ContractError: The declaration cannot be read, nobody is named, or nobody of that name is declared.
    """
    people = read(path)
    if not (user or "").strip():
        raise ContractError(
            f"{path} declares who may see what, and nothing says who you are",
            "Add `--me USER`, or set `me: USER` in config.yaml.",
        )
    person = named(people, user)
    if person is None:
        raise ContractError(f"{path}: declares no user {user!r}", "See `medallion access`.")
    return person


def named(people: Iterable[Person], user: str | None) -> Person | None:
    """The person of that user name; None where nobody is declared under it."""
    asked = (user or "").strip().casefold()
    return next((person for person in people if person.user.casefold() == asked), None)


class _Place:
    """A file whose nodes are read, with refusals that name the line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wrong(self, node: Node, problem: str, remedy: str) -> ContractError:
        return ContractError(f"{self.path}: line {node.start_mark.line + 1}: {problem}", remedy)

    def words(self, node: Node, known: Collection[str], what: str) -> dict[str, Node]:
        """The values of a mapping by their keys, each of which must be known."""
        if not isinstance(node, MappingNode):
            raise self.wrong(node, f"{what} is no mapping", f"Words here: {', '.join(known)}.")
        values: dict[str, Node] = {}
        for key, value in node.value:
            word = str(key.value)
            if word not in known:
                near = difflib.get_close_matches(word, known, 1)
                raise self.wrong(
                    key, f"{word!r} is not known", f"Nearest: {near[0]}." if near else f"Known: {', '.join(known)}."
                )
            if word in values:
                raise self.wrong(key, f"{word} is said twice", "Say it once.")
            values[word] = value
        return values

    def person(self, node: Node) -> Person:
        words = self.words(node, _WORDS, "an entry")
        user, role = (self.text(node, words, word) for word in ("user", "role"))
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, 1, 0.4)
            remedy = f"Nearest: {near[0]}." if near else f"Roles: {', '.join(ROLES)}."
            raise self.wrong(words["role"], f"{role!r} is no role", remedy)
        needed = ROLES[role][0]
        for word in ("owner", "team"):
            if word == needed and word not in words:
                raise self.wrong(
                    node, f"{user} has the role {role} and no {word}", f"Add `{word}:`, or a list of them."
                )
            if word != needed and word in words:
                sees = f"sees {ROLES[role][1]}" if not needed else f"goes by {needed}"
                raise self.wrong(
                    words[word],
                    f"{user} has the role {role}, which {sees}",
                    f"Leave {word} out, or choose another role.",
                )
        personal = words.get("personal")
        if personal is not None and not (isinstance(personal, ScalarNode) and personal.value in _TRUTH):
            raise self.wrong(personal, f"personal is {personal.value!r}", "Write true or false.")
        return Person(
            user, role, self.texts(words.get("owner")), self.texts(words.get("team")),
            _TRUTH[personal.value] if personal is not None else False, node.start_mark.line + 1,
        )  # fmt: skip

    def text(self, node: Node, words: dict[str, Node], word: str) -> str:
        """The text of a word that has to be there."""
        if word not in words:
            raise self.wrong(node, f"has no {word}", f"Add `{word}:`.")
        return self._scalar(words[word], word)

    def texts(self, node: Node | None) -> tuple[str, ...]:
        """One text, or a list of them."""
        if node is None:
            return ()
        if isinstance(node, SequenceNode):
            if not node.value:
                raise self.wrong(node, "the list is empty", "Name at least one.")
            return tuple(self._scalar(each, "an entry of the list") for each in node.value)
        return (self._scalar(node, "it"),)

    def _scalar(self, node: Node, word: str) -> str:
        text = str(node.value).strip() if isinstance(node, ScalarNode) else ""
        if not text or text == "~" or text.lower() == "null":
            raise self.wrong(node, f"{word} is no text", "Write a name.")
        return text


def unknown(
    people: Iterable[Person], owners: Mapping[str, int], teams: Collection[str]
) -> Iterator[tuple[Person, str]]:
    """Owners and teams in declarations that match nobody, or several owners.

    Args:
        people: Those of `read`.
        owners: Identifiers, addresses and names of owners, in lower case, each with the number of owners it matches.
        teams: Names of teams, in lower case.
    """
    for person in people:
        for owner in person.owners:
            count = owners.get(" ".join(owner.split()).lower(), 0)
            if not count:
                yield person, f"no owner is called {owner!r}"
            elif count > 1:
                yield (
                    person,
                    f"{count} owners are called {owner!r}, and the deals of none are seen; name the identifier",
                )
        for team in person.teams:
            if " ".join(team.split()).lower() not in teams:
                yield person, f"no owner is in a team {team!r}"
