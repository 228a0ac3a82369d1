"""What a header says an amount or a date to be besides its name: what came of it, what is expected, what is weighted."""

from __future__ import annotations

from medallion.proposal import vocabulary
from medallion.proposal.vocabulary import Tokens

ACTUAL, PLANNED, WEIGHTED = "actual", "planned", "weighted"

#: Beginnings of words, and short words as they are, in the languages of the vocabulary.
_STEMS = {
    WEIGHTED: ("weighted", "gewichtet", "ponder", "gewogen", "wazon", "vazen", "viktad", "vagtet", "vektet", "sulyozott"),
    PLANNED: ("estimat", "expect", "forecast", "planned", "plan", "project", "target", "anticipat", "geschatzt", "geplant",
              "erwartet", "voraussichtlich", "vorauss", "prognos", "prevu", "previs", "prevision", "estim", "attendu",
              "esper", "stimat", "verwacht", "geschat", "gepland", "przewid", "szacow", "planow", "oczekiw", "ocekav",
              "odhad", "forvant", "forventet", "beraknad", "tahmini", "beklenen", "varhato", "becsult"),
    ACTUAL: ("actual", "final", "closed", "realis", "realiz", "tatsachlich", "effekt", "effectif", "effective", "endgultig",
             "reell", "definit", "efectiv", "effettiv", "efetiv", "werkelijk", "rzeczywist", "faktycz", "skutecn",
             "faktisk", "gerceklesen", "tenyleges", "verklig"),
}  # fmt: skip
_SHORT = {
    "gew": WEIGHTED, "gesch": PLANNED, "gepl": PLANNED, "erw": PLANNED, "prev": PLANNED, "prevue": PLANNED,
    "soll": PLANNED, "tats": ACTUAL, "ist": ACTUAL, "real": ACTUAL, "reel": ACTUAL, "reele": ACTUAL, "reale": ACTUAL,
}  # fmt: skip


#: Nouns that begin as a role does.
_NOUNS = {"project", "projects", "projekt", "projekte"}


def _role_of(word: str) -> str:
    if word in _NOUNS:
        return ""
    if word in _SHORT:
        return _SHORT[word]
    return next((role for role, stems in _STEMS.items() if any(word.startswith(stem) for stem in stems)), "")


def of(header: str) -> tuple[str, Tokens]:
    """The role that a header names, "" where it names none, and its words without that.

    >>> of("Est. Revenue"), of("Actual Revenue"), of("Gewichteter Umsatz"), of("Tats. Abschlussdatum")
    (('planned', ('revenue',)), ('actual', ('revenue',)), ('weighted', ('umsatz',)), ('actual', ('abschlussdatum',)))
    >>> of("Montant pondéré"), of("Amount"), of("Gesch. Umsatz")
    (('weighted', ('montant',)), ('', ('amount',)), ('planned', ('umsatz',)))
    >>> of("Projected Revenue"), of("Project ID")
    (('planned', ('revenue',)), ('', ('project', 'id')))
    """
    words = vocabulary.parted(header)
    named = [_role_of(word) for word in words]
    roles = {*named} - {""}
    role = next((each for each in (WEIGHTED, PLANNED, ACTUAL) if each in roles), "")
    return role, tuple(word for word, each in zip(words, named, strict=True) if not each)
