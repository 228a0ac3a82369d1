"""Accounts and contacts with planted duplicates, and with look-alikes that must stay apart.

A company has one record, or several that differ as those of a CRM do: typos, abbreviations, legal forms, letters of
another script, a domain that has moved, a number written otherwise, another spelling of the street, cells left empty.
Look-alikes are subsidiaries (some at their parent's address, domain and number), namesakes in another place, branches
of a franchise with one website, companies whose mail is with a public provider; and people of one name in one company,
or with one mailbox. The truth is the entity of each record.

    PYTHONPATH=tests python -m worlds.duplicates --seed 1 --accounts 20000 --contacts 60000 --out world
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from worlds import names
from worlds.crm import load, write_rows

ACCOUNT = (
    *("account_id", "account_name", "industry", "country", "city", "street", "postal_code", "website", "email"),
    *("phone", "employee_count", "created_at", "updated_at"),
)
CONTACT = (
    *("contact_id", "account_id", "first_name", "last_name", "job_title", "email", "phone", "mobile", "language"),
    *("created_at", "updated_at"),
)
COUNTRY_NAMES = {
    "DE": ("Germany", "Deutschland", "DE"),
    "US": ("United States", "USA", "US"),
    "GB": ("United Kingdom", "UK", "Great Britain"),
    "FR": ("France", "FR", "FRANCE"),
    "NL": ("Netherlands", "NL", "The Netherlands"),
    "PL": ("Poland", "Polska", "PL"),
    "BG": ("Bulgaria", "България", "BG"),
    "GR": ("Greece", "Ελλάδα", "GR"),
}
SHORTER = {
    "International": "Intl", "Solutions": "Sol.", "Manufacturing": "Mfg", "Technologies": "Tech", "Technology": "Tech",
    "Technologie": "Tech.", "Systems": "Sys", "Systeme": "Syst.", "Construction": "Constr.", "Engineering": "Eng.",
    "Maschinenbau": "Masch.bau", "Elektrotechnik": "E-Technik", "Gebrüder": "Gebr.", "Brothers": "Bros.", "and": "&",
    "und": "&", "Pharmaceuticals": "Pharma", "Consulting": "Consult.", "Services": "Svcs", "Logistics": "Log.",
    "Logistik": "Log.", "Holding": "Hldg.", "Associates": "Assoc.", "Électronique": "Élec.", "Medizintechnik": "Med.technik",
}  # fmt: skip
JOBS = ("CEO", "CFO", "Head of IT", "Buyer", "Head of Purchasing", "Project Manager", "Office Manager", "Plant Manager", "Sales Director", "Controller", "Managing Director", "Assistant")  # fmt: skip
ROLES = ("info", "office", "sales", "kontakt", "contact", "einkauf", "mail")
NEAR = {"a": "s", "s": "a", "d": "f", "e": "r", "r": "t", "t": "r", "i": "o", "o": "p", "n": "m", "m": "n", "l": "k"}


@dataclass(frozen=True)
class Params:
    """Shares are of entities where nothing else is said."""

    seed: int = 1
    accounts: int = 2000
    contacts: int = 6000
    copied_accounts: float = 0.2  # companies with more than one record
    copied_contacts: float = 0.18  # people with more than one record
    families: float = 0.05  # parent and subsidiaries
    namesakes: float = 0.05
    franchises: float = 0.01
    mailboxes: float = 0.08  # companies with a public provider's mail and no website
    moved_domains: float = 0.12  # of copies
    thin: float = 0.05  # of copies, with little more than a name
    missing: float = 0.15  # of cells of a copy
    other_phone: float = 0.15  # of copies
    other_address: float = 0.1  # of copies: the company has moved
    form_changed: float = 0.02  # of copies: from one legal form to another
    changes: tuple[float, ...] = (0.15, 0.45, 0.3, 0.1)  # of copies: how many changes to the name
    same_name: float = 0.004  # people who share company and name with another
    role_mailbox: float = 0.04  # people whose e-mail is that of an office
    changed_jobs: float = 0.01  # people with a record at another company too
    first_day: str = "2022-01-01"
    days: int = 1200


@dataclass
class Company:
    """An entity. `words` are in the letters of its country."""

    entity: int
    kind: str
    group: int
    country: str
    words: list[str]
    form: list[str]
    industry: str
    city: tuple[list[str], str, str]
    street: str
    house: int
    domain: str
    mail: str
    phone: tuple[str, str, str]  # dial, area, number
    employees: int
    records: list[int] = field(default_factory=list)


@dataclass
class Person:
    """An entity."""

    entity: int
    kind: str
    company: Company
    first: str
    last: str
    job: str
    email: str
    phone: tuple[str, str, str]
    mobile: tuple[str, str, str]


def slug(text: str) -> str:
    """Letters and digits of a name, for a domain or an address."""
    return re.sub(r"[^a-z0-9]+", "", names.latin(text).lower())


class World:
    """Records and their truth: `accounts`, `contacts` as rows, `account_truth`, `contact_truth` beside them."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.rng = random.Random(f"duplicates-{params.seed}")  # noqa: S311, a simulation
        self.brands = names.Names(names.BRANDS, 0.6)
        self.entities = itertools.count(1)
        self.first = date.fromisoformat(params.first_day)
        self.domains: set[str] = set()
        self.companies: list[Company] = []
        rows: list[tuple[Company, list[Any]]] = []
        while len(rows) < params.accounts:
            for company in self._group():
                self.companies.append(company)
                rows += [(company, row) for row in self._records(company)]
        del rows[params.accounts :]
        self.rng.shuffle(rows)
        self.accounts, self.account_truth = [], []
        for number, (company, row) in enumerate(rows, 1):
            company.records.append(number)
            self.accounts.append((f"A{number:07d}", *row))
            self.account_truth.append(
                (f"A{number:07d}", f"E{company.entity:07d}", company.kind, f"G{company.group:07d}")
            )
        self.companies = [company for company in self.companies if company.records]
        self._contacts()

    def _flip(self, share: float) -> bool:
        return self.rng.random() < share

    # Companies

    def _group(self) -> list[Company]:
        """One company, or several that look alike."""
        p, u = self.params, self.rng.random()
        one = self._company("plain")
        if u < p.families:
            return [one, *(self._subsidiary(one) for _ in range(self.rng.randint(1, 3)))]
        if u < p.families + p.namesakes:
            other = self._company("namesake", one.country if self._flip(0.6) else None)
            if other.city[0] == one.city[0]:
                other.city = self._district(next(c for c in names.CITIES[other.country] if c[0] != one.city[0]))
                other.phone = self._phone(other.country, other.city)
            other.words = list(one.words)
            if self._flip(0.5) or other.country != one.country:
                other.domain = (
                    f"{slug(' '.join(one.words[:1]))}-{slug(other.city[0][-1])}.{names.DOMAINS[other.country]}"
                )
                other.mail = f"{self.rng.choice(ROLES)}@{other.domain}"
            one.kind = "namesake"
            return [one, other]
        if u < p.families + p.namesakes + p.franchises:
            return [self._branch(one, n) for n in range(self.rng.randint(3, 7))]
        if u < p.families + p.namesakes + p.franchises + p.mailboxes:
            one.kind, one.domain = "mailbox", ""
            one.mail = f"{slug(''.join(one.words))[:18]}@{self.rng.choice(names.MAILBOXES)}"
        return [one]

    def _company(self, kind: str, country: str | None = None) -> Company:
        rng = self.rng
        country = country or rng.choices(names.COUNTRIES, names.SHARES)[0]
        trade, u = rng.choice(names.TRADES[country]), rng.random()
        surname = names.surnames(country).draw(rng) if u < 0.55 else ""
        brand = self.brands.draw(rng)
        if u < 0.2:
            words = [surname, trade]
        elif u < 0.3:
            words = [surname, "&", names.surnames(country).draw(rng)]
        elif u < 0.36:
            words = {"DE": ["Gebrüder", surname], "US": [surname, "Brothers"], "GB": [surname, "and", "Sons"], "FR": [surname, "et", "Fils"]}.get(country, [surname, trade])  # fmt: skip
        elif u < 0.45:
            words = [names.given(country).draw(rng), surname, trade]
        elif u < 0.55:
            words = [brand, surname]
        elif u < 0.62:
            words = [brand, self.brands.draw(rng)]
        elif u < 0.68:
            words = ["".join(rng.choices("ABCDEFGHIKLMNPRSTVW", k=3)), trade]
        else:
            words = [brand, trade]
        if rng.random() < 0.08:
            words.append("International")
        city = self._district(rng.choice(names.CITIES[country]))
        domain = self._domain(f"{self._stem(words)}.{names.DOMAINS[country] if rng.random() < 0.75 else 'com'}")
        entity = next(self.entities)
        return Company(
            entity,
            kind,
            entity,
            country,
            [names.native(word, country) for word in words],
            rng.choices(names.FORMS[country], [6, 3, 2, 1, 1][: len(names.FORMS[country])])[0],
            trade,
            city,
            self._street(country),
            rng.randint(1, 180),
            domain,
            f"{rng.choice(ROLES)}@{domain}",
            self._phone(country, city),
            int(rng.lognormvariate(3.8, 1.4)) + 1,
        )

    def _domain(self, wanted: str) -> str:
        """The domain, or one like it where it is taken."""
        stem, _, end = wanted.partition(".")
        for number in itertools.count(2):
            if wanted not in self.domains:
                break
            wanted = f"{stem}{number}.{end}"
        self.domains.add(wanted)
        return wanted

    def _stem(self, words: list[str]) -> str:
        """First part of a domain."""
        parts = [slug(word) for word in words if slug(word)]
        u = self.rng.random()
        return parts[0] + (f"-{parts[-1]}" if u < 0.3 else parts[-1][:4] if u < 0.55 else parts[-1] if u < 0.8 else "")

    def _district(self, city: tuple[list[str], str, str]) -> tuple[list[str], str, str]:
        """The city with the postal code of one of its districts."""
        spelled, code, area = city
        digits = [at for at, sign in enumerate(code) if sign.isdigit()][-2:]
        number = f"{self.rng.randint(0, 79):02d}"[-len(digits) :]
        letters = list(code)
        for at, digit in zip(digits, number, strict=True):
            letters[at] = digit
        return spelled, "".join(letters), area

    def _street(self, country: str) -> str:
        """A street everyone has, or one named after someone."""
        if self._flip(0.5):
            return self.rng.choice(names.STREETS[country])
        person = names.native(names.surnames(country).draw(self.rng), country)
        kinds = {
            "DE": "{p}{s}",
            "US": "{p} {S}",
            "GB": "{p} {R}",
            "FR": "{R} {p}",
            "NL": "{p}{s}",
            "PL": "{U} {p}",
            "BG": "{U} {p}",
        }
        return kinds.get(country, "{p}").replace("{p}", person)

    def _phone(self, country: str, city: tuple[list[str], str, str]) -> tuple[str, str, str]:
        digits = 7 if country in ("US", "GB", "NL", "PL", "GR", "BG") else 8
        return names.DIAL[country], city[2], str(self.rng.randint(2 * 10 ** (digits - 1), 10**digits - 1))

    def _subsidiary(self, parent: Company) -> Company:
        """Another legal entity of the parent's name, some with its address, website or number."""
        rng, child = self.rng, self._company("subsidiary", parent.country if self._flip(0.6) else None)
        child.group, u = parent.group, rng.random()
        spare = [t for t in names.TRADES[child.country] if t != child.industry]
        head = parent.words[0] if parent.country == child.country else names.latin(parent.words[0])
        if u < 0.45:
            child.words = [head, names.native(rng.choice(spare), child.country)]
        elif u < 0.6:
            child.words = [head, "Holding"]
        elif u < 0.75 and child.country == "DE":
            child.words = [*(parent.words if parent.country == "DE" else [head]), "Verwaltungs"]
        else:
            child.words = [
                head,
                *([names.latin(w) for w in parent.words[1:]]),
                COUNTRY_NAMES[child.country][0],
                "Services",
            ]
        if self._flip(0.6) and parent.domain:
            child.domain, child.mail = parent.domain, f"{rng.choice(ROLES)}@{parent.domain}"
        if self._flip(0.3):
            child.country, child.city, child.street, child.house = (
                parent.country,
                parent.city,
                parent.street,
                parent.house,
            )
            child.form = rng.choice(names.FORMS[child.country])
            child.phone = parent.phone if self._flip(0.5) else self._phone(child.country, child.city)
        return child

    def _branch(self, brand: Company, number: int) -> Company:
        """A branch of a franchise: one name and website, another owner, place and number."""
        branch = self._company("franchise", brand.country)
        branch.group, branch.domain, branch.form = brand.group, brand.domain, brand.form
        branch.city = self._district(names.CITIES[brand.country][number % len(names.CITIES[brand.country])])
        branch.phone = self._phone(brand.country, branch.city)
        branch.words = [*brand.words, branch.city[0][0]] if self._flip(0.7) else list(brand.words)
        branch.mail = f"info@{brand.domain}" if self._flip(0.4) else f"{slug(branch.city[0][-1])}@{brand.domain}"
        return branch

    # Records of companies

    def _copies(self, share: float) -> int:
        u = self.rng.random()
        return 0 if u >= share else 1 if u < 0.75 * share else 2 if u < 0.95 * share else 3

    def _records(self, company: Company) -> list[list[Any]]:
        first = self._row(
            company, company.words, company.form[0], company.domain, company.mail, company.phone, copy=False
        )
        return [first, *(self._copy(company) for _ in range(self._copies(self.params.copied_accounts)))]

    def _row(self, company: Company, words: list[str], form: str, domain: str, mail: str, phone: tuple[str, str, str] | None, *, copy: bool) -> list[Any]:  # fmt: skip
        rng, p = self.rng, self.params

        def cell(value: Any, share: float = 1.0) -> Any:
            return "" if copy and rng.random() < p.missing * share else value

        name = " ".join(words) + ("" if not form else form if form.startswith(",") else f" {form}")
        city, street, house = company.city[0], company.street, company.house
        if copy and rng.random() < p.other_address:
            street, house = self._street(company.country), rng.randint(1, 180)
        way = rng.random() if copy else 0.0
        day = rng.randint(0, p.days - 1)
        later = day + int(rng.random() ** 3 * (p.days - day))
        web = f"{rng.choice(('www.', 'https://www.', 'http://', '', 'https://')) if copy else 'www.'}{domain}{'/' if copy and way > 0.8 else ''}"
        return [
            name,
            company.industry if rng.random() < 0.8 else "",
            rng.choice(COUNTRY_NAMES[company.country]) if copy and way > 0.7 else COUNTRY_NAMES[company.country][0],
            cell(city[0] if way < 0.7 else city[-1], 0.5),
            cell(self._place(company.country, street, house, way)),
            cell(company.city[1] if way < 0.9 else company.city[1].replace(" ", "")),
            cell(web) if domain else "",
            cell(mail, 2),
            cell(self._number(phone, copy)) if phone else "",
            company.employees if rng.random() < 0.5 else "",
            f"{self.first + timedelta(days=day)} 09:00:00",
            f"{self.first + timedelta(days=later)} 17:00:00",
        ]

    def _place(self, country: str, street: str, house: int, way: float) -> str:
        spelled = street
        for mark, kinds in names.KINDS[country].items():
            kind = kinds[0] if way < 0.4 else self.rng.choice(kinds)
            spelled = spelled.replace("{" + mark + "}", kind)
        if way > 0.85:
            spelled = names.latin(spelled)
        if country in ("US", "GB", "FR"):
            return f"{house} {spelled}"
        return f"{spelled} {house}{'' if way < 0.9 else ' a'}"

    def _number(self, phone: tuple[str, str, str], copy: bool) -> str:
        dial, area, number = phone
        way = self.rng.randint(0, 6) if copy else 0
        if way == 0:
            return f"+{dial} {area} {number[:3]} {number[3:]}"
        if way == 1:
            return f"00{dial}{area}{number}"
        trunk = "" if dial in ("1", "48", "30") else "0"
        if way == 2:
            return f"{trunk}{area}/{number}"
        if way == 3:
            return f"({trunk}{area}) {number[:3]}-{number[3:]}"
        if way == 4:
            return f"+{dial}-{area}-{number}"
        if way == 5:
            return f"{trunk}{area} {number} ext. {self.rng.randint(10, 99)}"
        return f"+{dial}{'(0)' if trunk else ''}{area}{number}"

    def _copy(self, company: Company) -> list[Any]:
        """A further record of a company."""
        rng, p = self.rng, self.params
        words, form = list(company.words), rng.choice(company.form) if self._flip(0.75) else ""
        for _ in range(rng.choices(range(len(p.changes)), p.changes)[0]):
            words = self._renamed(words)
        if self._flip(p.form_changed):
            form = rng.choice(names.FORMS[company.country])[0]
        if self._flip(0.06):
            form = f"{form} ({rng.choice((company.city[0][0], COUNTRY_NAMES[company.country][0]))})".strip()
        domain, mail = company.domain, company.mail
        if domain and self._flip(p.moved_domains):
            stem, _, _ = domain.partition(".")
            moved = rng.choice((f"{stem}.com", f"{stem}.eu", f"{stem}-group.com", f"{slug(''.join(words[:2]))}.net"))
            domain = self._domain(moved)
            mail = f"{rng.choice(ROLES)}@{domain}"
        elif domain and self._flip(0.3):
            mail = f"{rng.choice(ROLES)}@{domain}"
        phone = self._phone(company.country, company.city) if self._flip(p.other_phone) else company.phone
        row = self._row(company, words, form, domain, mail, phone, copy=True)
        if self._flip(p.thin):
            row[3:9] = [row[3] if self._flip(0.5) else "", "", "", "", "", ""]
        return row

    def _renamed(self, words: list[str]) -> list[str]:
        """One change to a name."""
        rng, u = self.rng, self.rng.random()
        at = rng.randrange(len(words))
        if u < 0.22:
            longest = max(range(len(words)), key=lambda i: len(words[i]))
            return [self._typo(word) if i == longest else word for i, word in enumerate(words)]
        if u < 0.4:
            return [SHORTER.get(word, word) for word in words]
        if u < 0.58:
            way = rng.randint(0, 1)
            return [names.latin(word, way) for word in words]
        if u < 0.7:
            return [word.upper() for word in words]
        if u < 0.76:
            return [word.lower() for word in words]
        if u < 0.84 and len(words) > 1:
            at = min(at, len(words) - 2)
            return [
                *words[:at],
                rng.choice((f"{words[at]}-{words[at + 1]}", words[at] + words[at + 1].lower())),
                *words[at + 2 :],
            ]
        if u < 0.9 and len(words) > 2:
            return words[:-1]
        if u < 0.95 and len(words) == 2:
            return words[::-1]
        return [re.sub(r"[.\-&']", " ", word).strip() or "+" for word in words]

    def _typo(self, word: str) -> str:
        rng, at = self.rng, 0
        if len(word) < 4:
            return word
        at, u = rng.randrange(1, len(word) - 1), rng.random()
        if u < 0.3:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if u < 0.55:
            return word[:at] + word[at + 1 :]
        if u < 0.8:
            return word[:at] + word[at] + word[at:]
        return word[:at] + NEAR.get(word[at], "e") + word[at + 1 :]

    # People

    def _contacts(self) -> None:
        p, rng = self.params, self.rng
        rows: list[tuple[Person, list[Any]]] = []
        people = itertools.count(1)
        mean = p.contacts / max(1, len(self.companies)) / (1 + 1.3 * p.copied_contacts)
        turn = 0
        while len(rows) < p.contacts:
            company = self.companies[turn % len(self.companies)]
            turn += 1
            here: list[Person] = []
            for _ in range(max(0 if turn > len(self.companies) else 1, round(rng.expovariate(1 / mean)))):
                person = self._person(next(people), company)
                if here and self._flip(p.same_name):
                    twin = rng.choice(here)
                    person.first, person.last, person.kind = twin.first, twin.last, "same name"
                    person.email = re.sub("@", f"{rng.randint(2, 9)}@", twin.email)
                    twin.kind = "same name"
                here.append(person)
            for person in here:
                first = self._contact(person, company, copy=False)
                rows.append((person, first))
                for _ in range(self._copies(p.copied_contacts)):
                    rows.append((person, self._contact(person, company, copy=True)))
                if self._flip(p.changed_jobs):
                    person.kind, first[6] = "changed job", self._number(person.mobile, False)
                    rows.append((person, self._moved(person)))
        del rows[p.contacts :]
        rng.shuffle(rows)
        self.contacts = [(f"C{n:07d}", *row) for n, (_, row) in enumerate(rows, 1)]
        self.contact_truth = [
            (f"C{n:07d}", f"P{person.entity:07d}", person.kind) for n, (person, _) in enumerate(rows, 1)
        ]

    def _person(self, entity: int, company: Company) -> Person:
        rng, country = self.rng, company.country
        origin = country if rng.random() < 0.88 else rng.choice(names.COUNTRIES)
        first, last = names.given(origin).draw(rng), names.surnames(origin).draw(rng)
        kind = "plain"
        email = self._address(first, last, company.domain)
        if company.domain and self._flip(self.params.role_mailbox):
            kind, email = "role mailbox", company.mail
        elif not company.domain:
            email = company.mail if self._flip(0.3) else email
            kind = "role mailbox" if email == company.mail else kind
        dial, area, number = company.phone
        direct = (dial, area, number[:-3] + f"{rng.randint(0, 999):03d}") if rng.random() < 0.6 else company.phone
        mobile = (dial, str(rng.randint(150, 179)), str(rng.randint(10**6, 10**7 - 1)))
        script = country if origin == country else "US"
        spelled = names.native(first, script), names.native(last, script)
        return Person(entity, kind, company, *spelled, rng.choice(JOBS), email, direct, mobile)

    def _address(self, first: str, last: str, domain: str) -> str:
        rng, given, family = self.rng, slug(first), slug(last)
        if not domain:
            return f"{given}.{family}{rng.randint(1, 99)}@{rng.choice(names.MAILBOXES)}"
        # One company writes all of its addresses alike.
        way = sum(map(ord, domain)) % 4
        return (f"{given}.{family}", f"{given[:1]}.{family}", f"{given[:1]}{family}", f"{family}.{given}")[
            way
        ] + f"@{domain}"

    def _contact(self, person: Person, company: Company, *, copy: bool) -> list[Any]:
        rng, p = self.rng, self.params
        first, last, email, job = person.first, person.last, person.email, person.job
        phone: str = self._number(person.phone, copy)
        mobile = self._number(person.mobile, copy) if rng.random() < 0.5 or person.kind == "same name" else ""
        account = f"A{rng.choice(company.records):07d}"
        if copy:
            first, last = self._person_renamed(first, last)
            u = rng.random()
            if u < 0.12:
                email = ""
            elif u < 0.2:
                email = f"{slug(person.first)}.{slug(person.last)}{rng.randint(1, 99)}@{rng.choice(names.MAILBOXES)}"
            elif u < 0.28 and company.domain:
                email = f"{slug(person.first)}.{slug(person.last)}@{company.domain}"
            elif u < 0.33:
                email = email.upper()
            phone = "" if self._flip(p.missing) else phone
            mobile = mobile or (self._number(person.mobile, True) if self._flip(0.4) else "")
            job = rng.choice(JOBS) if self._flip(0.2) else "" if self._flip(p.missing) else job
            account = "" if self._flip(0.03) else account
        day = rng.randint(0, p.days - 1)
        later = day + int(rng.random() ** 3 * (p.days - day))
        return [
            account,
            first,
            last,
            job,
            email,
            phone,
            mobile,
            names.LANGUAGES[company.country] if rng.random() < 0.6 else "",
            f"{self.first + timedelta(days=day)} 09:00:00",
            f"{self.first + timedelta(days=later)} 17:00:00",
        ]

    def _person_renamed(self, first: str, last: str) -> tuple[str, str]:
        rng, u = self.rng, self.rng.random()
        if u < 0.3:
            return first, last
        if u < 0.42:
            return names.NICKNAMES.get(names.latin(first), f"{first[0]}."), last
        if u < 0.54:
            way = rng.randint(0, 1)
            return names.latin(first, way), names.latin(last, way)
        if u < 0.68:
            return first, self._typo(last)
        if u < 0.76:
            return self._typo(first), last
        if u < 0.84:
            return last, first
        if u < 0.9:
            return f"{first[0]}.", last
        return first.upper(), last.upper()

    def _moved(self, person: Person) -> list[Any]:
        """The person's record at another company, known by the mobile number."""
        company = self.rng.choice(self.companies)
        row = self._contact(person, company, copy=False)
        row[4] = self._address(person.first, person.last, company.domain)
        row[5], row[6] = self._number(company.phone, True), self._number(person.mobile, True)
        return row


# Truth


def pairs(truth: Iterable[tuple[str, ...]]) -> set[tuple[str, str]]:
    """Pairs of records of one entity, the smaller key first."""
    records = defaultdict(list)
    for key, entity, *_ in truth:
        records[entity].append(key)
    return {pair for keys in records.values() for pair in itertools.combinations(sorted(keys), 2)}


def quality(found: Iterable[tuple[str, str]], truth: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Precision and recall of pairs that were found, and of which kinds the wrong and the missed ones are."""
    rows = list(truth)
    kinds = {row[0]: row[2] for row in rows}
    right, said = pairs(rows), {(min(a, b), max(a, b)) for a, b in found}
    return {
        "pairs": len(right),
        "found": len(said),
        "precision": len(said & right) / len(said) if said else 1.0,
        "recall": len(said & right) / len(right) if right else 1.0,
        "wrong": dict(Counter(" / ".join(sorted((kinds[a], kinds[b]))) for a, b in said - right)),
        "missed": dict(Counter(kinds[a] for a, _ in right - said)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write accounts and contacts with planted duplicates, and their truth."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; `export` holds the CSV files")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--params", type=Path, help="JSON of further parameters")
    given = parser.parse_args()
    params = load(Params, given.params, seed=given.seed, accounts=given.accounts, contacts=given.contacts)
    world = World(params)
    write_rows(given.out / "export" / "accounts.csv", ACCOUNT, world.accounts)
    write_rows(given.out / "export" / "contacts.csv", CONTACT, world.contacts)
    write_rows(given.out / "truth_accounts.csv", ("account_id", "entity_id", "kind", "group_id"), world.account_truth)
    write_rows(given.out / "truth_contacts.csv", ("contact_id", "entity_id", "kind"), world.contact_truth)
    (given.out / "world.json").write_text(json.dumps(asdict(params), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
