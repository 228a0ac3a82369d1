"""The declaration of who may see what: read as it says, or refused with file and line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from medallion import access
from medallion.cli.app import app
from medallion.errors import ContractError

DECLARED = """
people:
  - {user: ann@us.example, role: rep, owner: Ann Lee}
  - user: max@us.example
    role: manager
    team: [East, West]
    personal: true
  - {user: kim@us.example, role: analyst}
  - {user: root@us.example, role: admin, personal: true}
"""


@pytest.fixture
def read(tmp_path):
    def of(text):
        path = tmp_path / "access.yaml"
        path.write_text(text)
        return access.read(path)

    return of


def test_people_are_read_with_role_scope_and_permission(read):
    people = read(DECLARED)
    assert [(one.user, one.role, one.owners, one.teams, one.personal, one.line) for one in people] == [
        ("ann@us.example", "rep", ("Ann Lee",), (), False, 3),
        ("max@us.example", "manager", (), ("East", "West"), True, 4),
        ("kim@us.example", "analyst", (), (), False, 8),
        ("root@us.example", "admin", (), (), True, 9),
    ]
    assert people[1].scope == "deals and accounts of these teams: East, West"
    assert [said for _, said in access.unknown(people, {"ann lee": 1}, {"east"})] == ["no owner is in a team 'West'"]
    assert "2 owners are called 'Ann Lee'" in next(
        said for _, said in access.unknown(people, {"ann lee": 2}, {"east", "west"})
    )


@pytest.mark.parametrize(
    ("text", "line", "problem", "remedy"),
    [
        ("", 1, "names no people", "people:"),
        ("people: ann", 1, "no list", "- user:"),
        ("peple: []", 1, "'peple' is not known", "people"),
        ("people:\n  - ann", 2, "no mapping", "user, role"),
        ("people:\n  - {user: a, role: analyst}\n  - {user: A, role: admin}", 3, "declared on line 2 too", "Keep one"),
        ("people:\n  - user: a\n    rolle: rep", 3, "'rolle' is not known", "Nearest: role"),
        ("people:\n  - user: a\n    role: manger", 3, "'manger' is no role", "Nearest: manager"),
        ("people:\n  - role: admin", 2, "has no user", "user:"),
        ("people:\n  - {user: a, role: rep}", 2, "a has the role rep and no owner", "owner:"),
        ("people:\n  - {user: a, role: rep, owner: []}", 2, "the list is empty", "at least one"),
        (
            "people:\n  - user: a\n    role: analyst\n    team: East",
            4,
            "a has the role analyst, which sees all",
            "Leave team out",
        ),
        (
            "people:\n  - user: a\n    role: rep\n    owner: x\n    team: East",
            5,
            "which goes by owner",
            "Leave team out",
        ),
        ("people:\n  - {user: a, role: admin, personal: maybe}", 2, "personal is 'maybe'", "true or false"),
        ("people:\n  - {user: a, user: b, role: admin}", 2, "user is said twice", "once"),
        ("people:\n  - {user: , role: admin}", 2, "user is no text", "name"),
    ],
)
def test_what_is_not_understood_is_refused_by_line(read, text, line, problem, remedy):
    with pytest.raises(ContractError) as error:
        read(text)
    assert f"access.yaml: line {line}: " in error.value.problem
    assert problem in error.value.problem
    assert remedy in error.value.remedy


def test_broken_yaml_and_a_missing_file_are_refused_in_words(read, tmp_path):
    with pytest.raises(ContractError, match="is not valid YAML"):
        read("people: [")
    with pytest.raises(ContractError, match="cannot be read"):
        access.read(tmp_path / "none.yaml")


def test_the_command_tells_who_may_see_what(tmp_path, sample):
    (tmp_path / "access.yaml").write_text(DECLARED)
    config = tmp_path / "config.yaml"
    config.write_text(f"access: {tmp_path / 'access.yaml'}\n")
    result = CliRunner().invoke(app, ["access", "--config", str(config), "--lakehouse", sample.root, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert [(one["user"], one["personal data"]) for one in told["people"]][1] == ("max@us.example", "yes")
    assert not told["unknown"]  # this lakehouse has no owners to compare with
    config.write_text("{}\n")
    result = CliRunner().invoke(app, ["access", "--config", str(config), "--lakehouse", sample.root])
    assert result.exit_code == 1
