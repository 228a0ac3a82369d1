"""How people say values, times and filters, in four languages."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from asking.world import Truth

LANGUAGES = ("en", "de", "fr", "es")

#: How each value is said; after "in" and the like, so with the word before it.
COUNTRIES = {
    "Germany": {"en": ["in Germany"], "de": ["in Deutschland"], "fr": ["en Allemagne"], "es": ["en Alemania"]},
    "Netherlands": {"en": ["in the Netherlands", "in Holland"], "de": ["in den Niederlanden"], "fr": ["aux Pays-Bas"],
                    "es": ["en los Países Bajos", "en Holanda"]},
    "United Kingdom": {"en": ["in the UK", "in the United Kingdom", "in Britain"], "de": ["in Großbritannien", "in UK"],
                       "fr": ["au Royaume-Uni"], "es": ["en el Reino Unido"]},
    "United States": {"en": ["in the US", "in the United States", "in the States"], "de": ["in den USA"],
                      "fr": ["aux États-Unis", "aux USA"], "es": ["en Estados Unidos", "en EE.UU."]},
}  # fmt: skip
INDUSTRIES = {
    "Healthcare": {"en": ["in healthcare"], "de": ["im Gesundheitswesen"], "fr": ["dans la santé"], "es": ["en sanidad"]},
    "Finance": {"en": ["in finance", "in the finance sector"], "de": ["im Finanzsektor"], "fr": ["dans la finance"],
                "es": ["en el sector financiero"]},
    "Manufacturing": {"en": ["in manufacturing"], "de": ["in der Fertigung"], "fr": ["dans la fabrication"],
                      "es": ["en manufactura"]},
    "Education": {"en": ["in education"], "de": ["im Bildungsbereich"], "fr": ["dans l'éducation"], "es": ["en educación"]},
    "Logistics": {"en": ["in logistics"], "de": ["in der Logistik"], "fr": ["dans la logistique"], "es": ["en logística"]},
    "Retail": {"en": ["in retail"], "de": ["im Einzelhandel"], "fr": ["dans le commerce de détail"],
               "es": ["en el comercio minorista"]},
    "Hospitality": {"en": ["in hospitality"], "de": ["im Gastgewerbe"], "fr": ["dans l'hôtellerie"],
                    "es": ["en hostelería"]},
    "Media": {"en": ["in media"], "de": ["in der Medienbranche"], "fr": ["dans les médias"], "es": ["en medios"]},
}  # fmt: skip
SOURCES = {
    "website": {"en": ["from the website"], "de": ["von der Website"], "fr": ["venant du site web"], "es": ["del sitio web"]},
    "event": {"en": ["from events"], "de": ["von Events"], "fr": ["venant d'événements"], "es": ["de eventos"]},
    "cold_call": {"en": ["from cold calls", "from cold calling"], "de": ["aus Kaltakquise"],
                  "fr": ["venant du démarchage téléphonique"], "es": ["de llamadas en frío"]},
    "linkedin": {"en": ["from LinkedIn"], "de": ["von LinkedIn"], "fr": ["venant de LinkedIn"], "es": ["de LinkedIn"]},
    "referral": {"en": ["from referrals", "by referral"], "de": ["aus Empfehlungen"], "fr": ["venant de recommandations"],
                 "es": ["de referidos", "por recomendación"]},
}  # fmt: skip
OWNER = {"en": ["for {0}", "of {0}"], "de": ["von {0}"], "fr": ["de {0}"], "es": ["de {0}"]}
MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}
IN = {"en": "in", "de": "im", "fr": "en", "es": "en"}
RELATIVE = {
    "this month": {"en": ["this month"], "de": ["diesen Monat", "in diesem Monat"], "fr": ["ce mois-ci"], "es": ["este mes"]},
    "last month": {"en": ["last month"], "de": ["letzten Monat", "im letzten Monat"], "fr": ["le mois dernier"],
                   "es": ["el mes pasado"]},
    "this quarter": {"en": ["this quarter"], "de": ["dieses Quartal", "in diesem Quartal"], "fr": ["ce trimestre"],
                     "es": ["este trimestre"]},
    "last quarter": {"en": ["last quarter"], "de": ["letztes Quartal", "im letzten Quartal"], "fr": ["le trimestre dernier"],
                     "es": ["el trimestre pasado"]},
    "this year": {"en": ["this year", "so far this year", "YTD"], "de": ["dieses Jahr", "in diesem Jahr"],
                  "fr": ["cette année"], "es": ["este año"]},
    "last year": {"en": ["last year"], "de": ["letztes Jahr", "im letzten Jahr"], "fr": ["l'année dernière", "l'an dernier"],
                  "es": ["el año pasado"]},
    "last week": {"en": ["last week"], "de": ["letzte Woche"], "fr": ["la semaine dernière"], "es": ["la semana pasada"]},
    "last 30 days": {"en": ["in the last 30 days", "over the past 30 days"], "de": ["in den letzten 30 Tagen"],
                     "fr": ["ces 30 derniers jours", "au cours des 30 derniers jours"], "es": ["en los últimos 30 días"]},
    "last 3 months": {"en": ["in the last 3 months"], "de": ["in den letzten 3 Monaten"],
                      "fr": ["au cours des trois derniers mois"], "es": ["en los últimos tres meses"]},
    "next month": {"en": ["next month"], "de": ["nächsten Monat"], "fr": ["le mois prochain"], "es": ["el mes que viene"]},
    "next week": {"en": ["next week"], "de": ["nächste Woche"], "fr": ["la semaine prochaine"], "es": ["la próxima semana"]},
    "next 30 days": {"en": ["in the next 30 days"], "de": ["in den nächsten 30 Tagen"], "fr": ["dans les 30 prochains jours"],
                     "es": ["en los próximos 30 días"]},
}  # fmt: skip
POLITE = {
    "en": ["", "", "", "", "please, ", "hey, ", "quick question: ", "can you tell me: "],
    "de": ["", "", "", "bitte: ", "kurze Frage: "],
    "fr": ["", "", "", "bonjour, ", "dis-moi : "],
    "es": ["", "", "", "por favor, ", "hola, "],
}


@dataclass(frozen=True)
class Said:
    """A phrase and what it restricts.

    Attributes:
        text: As it is said; empty for nothing.
        where: Column and value.
        first: Of a time, the first day.
        last: Of a time, the last.
    """

    text: str = ""
    where: tuple[tuple[str, str], ...] = ()
    first: date = date.min
    last: date = date.max


def pick(rng: random.Random, text: str) -> str:
    """One of the alternatives in each pair of brackets: `[show|list] deals`."""
    while match := re.search(r"\[([^\[\]]*)\]", text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    return text


def written(rng: random.Random, language: str, text: str) -> str:
    """A question as somebody types it: polite or not, in small letters or not, with a question mark or not."""
    text = " ".join(pick(rng, text).split()).replace(" ,", ",").replace(" ?", "?")
    if rng.random() < 0.25:
        text = text.lower()
    before = rng.choice(POLITE[language])
    text = before + text if before else text[:1].upper() + text[1:] if rng.random() < 0.5 else text
    return text + rng.choice(["", "?" if not text.endswith("?") else ""])


def restricted(rng: random.Random, language: str, truth: Truth, *kinds: str) -> Said:
    """A filter of one of some kinds: `country`, `industry`, `source`, `owner`, or `` for none."""
    kind = rng.choice(kinds)
    if kind == "owner":
        name = rng.choice(sorted(truth.deals["owner"].unique()))
        return Said(rng.choice(OWNER[language]).format(name), (("owner", name),))
    values = {"country": COUNTRIES, "industry": INDUSTRIES, "source": SOURCES}.get(kind)
    if values is None:
        return Said()
    value = rng.choice([one for one in values if (truth.deals[kind] == one).any()])
    return Said(rng.choice(values[value][language]), ((kind, value),))


def bare(rng: random.Random, language: str, values: dict[str, dict[str, list[str]]], value: str) -> str:
    """A value without the word before it."""
    text = rng.choice(values[value][language])
    return re.sub(r"^(in the|in den|en los|en el|en la|in der|in|im|en|aux|au|dans la|dans le|dans les|dans l'|from the|from|"
                  r"von der|von|aus|venant du|venant de|venant d'|del|de|by|por) ?", "", text)  # fmt: skip


def when(rng: random.Random, language: str, truth: Truth, *kinds: str) -> Said:
    """A time of one of some kinds: `month`, `quarter`, `year`, `since`, `` for none, or a relative one by its name."""
    kind, today = rng.choice(kinds), truth.today
    first_day = truth.deals["created"].min()
    if kind == "month":
        back = rng.randrange(12)
        first = date(today.year + (today.month - 1 - back) // 12, (today.month - 1 - back) % 12 + 1, 1)
        name = MONTHS[language][first.month - 1]
        of = {"en": "", "de": "", "fr": "", "es": "de "}[language]
        year = f" {of}{first.year}" if back >= today.month or rng.random() < 0.5 else ""
        return Said(f"{IN[language]} {name}{year}", (), first, _next_month(first) - timedelta(days=1))
    if kind == "quarter":
        number, year = rng.choice([(1, today.year), (2, today.year), (4, today.year - 1), (3, today.year - 1)])
        first = date(year, 3 * number - 2, 1)
        last = _next_month(_next_month(_next_month(first))) - timedelta(days=1)
        ordinal = {
            "en": ["first", "second", "third", "fourth"], "de": ["ersten", "zweiten", "dritten", "vierten"],
            "fr": ["premier", "deuxième", "troisième", "quatrième"], "es": ["primer", "segundo", "tercer", "cuarto"],
        }[language][number - 1]  # fmt: skip
        text = {"en": f"in [Q{number} {year}|the {ordinal} quarter of {year}]",
                "de": f"[im {ordinal} Quartal {year}|in Q{number} {year}]",
                "fr": f"[au {ordinal} trimestre {year}|au T{number} {year}]",
                "es": f"[en el {ordinal} trimestre de {year}|en el T{number} de {year}]"}[language]  # fmt: skip
        return Said(pick(rng, text), (), first, last)
    if kind == "year":
        year = rng.choice([today.year, today.year - 1])
        return Said(f"{'' if language == 'de' else IN[language]} {year}", (), date(year, 1, 1), date(year, 12, 31))
    if kind == "since":
        month = rng.randrange(1, today.month + 1)
        word = {"en": "since", "de": "seit", "fr": "depuis", "es": "desde"}[language]
        return Said(f"{word} {MONTHS[language][month - 1]}", (), date(today.year, month, 1), today)
    if not kind:
        return Said("", (), first_day, today)
    return Said(rng.choice(RELATIVE[kind][language]), (), *relative(kind, today))


def relative(kind: str, today: date) -> tuple[date, date]:
    """First and last day of `last month` and the like."""
    month = today.replace(day=1)
    quarter = date(today.year, today.month - (today.month - 1) % 3, 1)
    monday = today - timedelta(days=today.weekday())
    day = timedelta(days=1)
    over = (today + day).replace(day=1)  # the first day after the last month that is over
    return {
        "this month": (month, _next_month(month) - day),
        "last month": ((month - day).replace(day=1), month - day),
        "next month": (_next_month(month), _next_month(_next_month(month)) - day),
        "this quarter": (quarter, _next_month(_next_month(_next_month(quarter))) - day),
        "last quarter": ((pd.Timestamp(quarter) - pd.DateOffset(months=3)).date(), quarter - day),
        "this year": (date(today.year, 1, 1), date(today.year, 12, 31)),
        "last year": (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
        "last week": (monday - 7 * day, monday - day),
        "next week": (monday + 7 * day, monday + 13 * day),
        "last 30 days": (today - 29 * day, today),
        "next 30 days": (today + day, today + 30 * day),
        "last 3 months": ((pd.Timestamp(over) - pd.DateOffset(months=3)).date(), over - day),
    }[kind]


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
