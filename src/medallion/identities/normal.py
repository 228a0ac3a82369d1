"""Normal forms in which names, addresses and numbers of one company or person come out alike."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяієїґ",
        ["a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
         "kh", "ts", "ch", "sh", "shch", "", "y", "", "e", "yu", "ya", "i", "e", "i", "g"],
        strict=True,
    )
)  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        ["a", "v", "g", "d", "e", "z", "i", "th", "i", "k", "l", "m", "n", "x", "o", "p", "r", "s", "s", "t", "y", "f",
         "ch", "ps", "o"],
        strict=True,
    )
)  # fmt: skip
_LETTERS = str.maketrans(
    {
        **_CYRILLIC,
        **_GREEK,
        "ß": "ss",
        "æ": "ae",
        "ø": "o",
        "œ": "oe",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
    }
)
#: Spellings that exports use for one sound: umlauts written out, and the ways of writing Cyrillic and Greek in Latin letters.
_SOUNDS = (
    (re.compile("ae|ä"), "a"), (re.compile("oe|ö"), "o"), (re.compile("ue|ü"), "u"), (re.compile("kh"), "h"),
    (re.compile("ph"), "f"), (re.compile("shch|sch"), "sh"), (re.compile("ks"), "x"), (re.compile("tz|ts"), "c"),
    (re.compile("iy|yi|ij|y|j"), "i"), (re.compile("ou"), "u"), (re.compile("w"), "v"), (re.compile(r"([^\W\d])\1+"), r"\1"),
)  # fmt: skip
#: Words of a name that say in which legal form a company is, in the forms that `plain` gives.
_LEGAL = _words(
    "sp spolka z komandytowa akcyjna jawna ad ead eod ood eood see ee abee monoprosopi responsabilite limitee a l.t.d stichting "
    "ag ab aps as asa bhd bv bvba co company corp corporation cv cyf doo dba eood eg ehf ek ev fzc fze fzco fzllc gbr ges "
    "gesellschaft gie gmbh gmbhcokg ggmbh holding holdings hf inc incorporated int jsc kft kg kgaa kk lda limited limitada "
    "llc llp lp lt ltd ltda mbh nl nv nyrt oao ohg ooo oy oyj oü ood pjsc plc pao pt pte pty pvt private public sa sab sae "
    "saoc sarl sas sasu sca scs sci sc se sicav sl slu slp sme snc sp spa spk spol spzoo sprl srl srls sro stg sti tov ug "
    "ultd ulc vof zao zoo zrt ae epe ike oe eirl eurl rl cia societe anonyme sociedad anonima limitata aktiengesellschaft "
    "aktiebolag aktieselskab aktsionernoe obshchestvo besloten vennootschap naamloze oyakeyhtio the und and et y e i & "
    "group gruppe groupe grupo gruppo haftungsbeschrankt"
)
_SHORT = {
    "intl": "international", "mfg": "manufacturing", "mfrs": "manufacturers", "bros": "brothers", "assoc": "associates",
    "assn": "association", "svcs": "services", "svc": "services", "tech": "technologies", "techs": "technologies",
    "technology": "technologies", "sys": "systems", "system": "systems", "sol": "solutions", "solution": "solutions",
    "mgmt": "management", "eng": "engineering", "engr": "engineering", "ind": "industries", "inds": "industries",
    "industry": "industries", "industrie": "industries", "natl": "national", "dept": "department", "univ": "university",
    "labs": "laboratories", "lab": "laboratories", "pharma": "pharmaceuticals", "mktg": "marketing", "dist": "distribution",
    "comm": "communications", "telecom": "telecommunications", "fin": "financial", "ins": "insurance", "hosp": "hospital",
    "constr": "construction", "log": "logistics", "logistic": "logistics", "logistik": "logistics", "cons": "consulting",
    "consult": "consulting", "prod": "products", "elec": "electric", "equip": "equipment", "auto": "automotive",
    "service": "services", "product": "products", "partner": "partners", "netw": "networks", "network": "networks",
    "ctr": "center", "centre": "center", "ent": "enterprises", "enterprise": "enterprises", "med": "medical",
    "grp": "group", "hldgs": "holdings", "st": "saint",
}  # fmt: skip
#: Providers whose domain says nothing about a company.
FREE_MAIL = _words(
    "gmail.com googlemail.com outlook.com outlook.de hotmail.com hotmail.co.uk hotmail.fr live.com msn.com yahoo.com yahoo.de "
    "yahoo.fr yahoo.co.uk yahoo.it yahoo.es ymail.com icloud.com me.com mac.com aol.com gmx.de gmx.net gmx.at gmx.ch gmx.com "
    "web.de t-online.de freenet.de arcor.de mail.com mail.ru bk.ru list.ru inbox.ru yandex.ru yandex.com ya.ru rambler.ru "
    "proton.me protonmail.com pm.me tutanota.com orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it "
    "alice.it tiscali.it seznam.cz wp.pl o2.pl onet.pl interia.pl bluewin.ch ziggo.nl kpnmail.nl xs4all.nl telenet.be "
    "skynet.be terra.es telefonica.net uol.com.br bol.com.br qq.com 163.com 126.com naver.com rediffmail.com zoho.com "
    "fastmail.com hushmail.com btinternet.com sky.com virginmedia.com comcast.net verizon.net att.net sbcglobal.net "
    "cox.net bellsouth.net example.com"
)
_SECOND_LEVEL = _words("co com org net ac gov edu or ne")
_STREETS = (
    (re.compile(r"str(asse|\.|)\b"), "st"), (re.compile(r"\b(street|strasse|calle|rue|via|ulica|ul)\b"), "st"),
    (re.compile(r"\b(avenue|avenida|av)\b"), "ave"), (re.compile(r"\b(road)\b"), "rd"), (re.compile(r"\b(boulevard)\b"), "blvd"),
    (re.compile(r"\b(square|platz|plaza|place)\b"), "sq"),
)  # fmt: skip


@lru_cache(maxsize=1 << 18)
def plain(text: str) -> str:
    """A text in lower-case Latin letters, figures and single spaces.

    >>> plain("  Ölwerke & Söhne, G.m.b.H.")
    'olwerke & sohne gmbh'
    >>> plain("ООО «Ромашка»")
    'ooo romashka'
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    folded = folded.translate(_LETTERS)  # letters that carried an accent
    folded = re.sub(r"(?<=\b\w)[./](?=\w\b)|(?<=\w)'(?=\w)", "", folded)  # S.A. and A/S are words; O'Neil is one
    folded = re.sub(r"[^\w&]+|_", " ", folded)
    folded = re.sub(r"\b((?:\w )+\w)\b(?= |$)", _joined, folded)
    return re.sub(r" +", " ", folded).strip()


def _joined(match: re.Match[str]) -> str:
    """Single letters in a row as one word where that is a legal form, such as `g m b h`."""
    together = match[1].replace(" ", "")
    return together if together in _LEGAL or together in ("gmbh", "mbh") else match[0]


@lru_cache(maxsize=1 << 18)
def sound(word: str) -> str:
    """A plain word with the spellings of one sound made alike: `mueller` and `muller`."""
    for pattern, instead in _SOUNDS:
        word = pattern.sub(instead, word)
    return word


@lru_cache(maxsize=1 << 18)
def company(text: str) -> str:
    """The name of a company without its legal form, with short forms written out.

    >>> company("The Müller Mfg. Co., Inc."), company("MUELLER MANUFACTURING")
    ('muler manufacturing', 'muler manufacturing')
    """
    words = plain(text.replace("(", " ").replace(")", " ")).split()
    kept = [word for word in words if word not in _LEGAL] or words
    return " ".join(sound(_SHORT.get(word, word)) for word in kept)


#: Legal forms that are written in several ways, each in one; words that say nothing about the form are none.
_FORMS = {
    "incorporated": "inc", "corporation": "corp", "limited": "ltd", "limitada": "lda", "ltda": "lda", "aktiengesellschaft": "ag",
    "aktiebolag": "ab", "aktieselskab": "as", "public": "plc", "pte": "ltd", "pty": "ltd", "spolka": "sp", "zoo": "sp",
}  # fmt: skip
_NO_FORM = _words(
    "the und and et y e i & co company cie cia group gruppe groupe grupo gruppo holding holdings private pvt mbh int a z l "
    "haftungsbeschrankt societe sociedad gesellschaft ltd besloten vennootschap naamloze kg anonyme anonima responsabilite limitee"
) - _words("ltd kg")


@lru_cache(maxsize=1 << 18)
def legal_form(text: str) -> str:
    """The legal form that a name of a company says, in one spelling; empty where it says none.

    >>> legal_form("Acme Limited"), legal_form("Acme Ltd."), legal_form("Acme")
    ('ltd', 'ltd', '')
    """
    forms = {_FORMS.get(word, word) for word in plain(text).split()[1:] if word in _LEGAL - _NO_FORM}
    return " ".join(sorted(forms - {"ltd"} if "plc" in forms else forms))


@lru_cache(maxsize=1 << 12)
def country(text: str) -> str:
    """The name of a country in one spelling.

    >>> country("Deutschland"), country("U.S.A.")
    ('germany', 'united states')
    """
    name = plain(text)
    return _COUNTRIES.get(name, name)


@lru_cache(maxsize=1 << 16)
def city(text: str) -> str:
    """The name of a city as it sounds, those with a name in English by that.

    >>> city("Den Haag") == city("The Hague")
    True
    """
    name = plain(text)
    return sound(_CITIES.get(name, name))


_COUNTRIES = {
    spelling: name
    for name, spellings in {
        "germany": "de deu deutschland allemagne alemania", "united states": "us usa united_states_of_america america estados_unidos",
        "united kingdom": "uk gb gbr great_britain england scotland wales", "france": "fr fra frankreich",
        "netherlands": "nl nld the_netherlands nederland holland", "poland": "pl pol polska polen", "spain": "es esp espana spanien",
        "italy": "it ita italia italien", "austria": "at aut osterreich", "switzerland": "ch che schweiz suisse svizzera",
        "belgium": "be bel belgie belgique", "bulgaria": "bg bgr balgariya balgaria", "greece": "gr grc ellada hellas",
        "sweden": "se swe sverige", "norway": "no nor norge", "denmark": "dk dnk danmark", "finland": "fi fin suomi",
        "portugal": "pt prt", "ireland": "ie irl eire", "czechia": "cz cze czech_republic cesko", "hungary": "hu hun magyarorszag",
        "romania": "ro rou", "russia": "ru rus rossiya russian_federation", "ukraine": "ua ukr ukraina", "turkey": "tr tur turkiye",
        "canada": "ca can", "mexico": "mx mex", "brazil": "br bra brasil", "japan": "jp jpn nippon", "china": "cn chn",
        "india": "in ind", "australia": "au aus",
    }.items()
    for spelling in (each.replace("_", " ") for each in spellings.split())
}  # fmt: skip
_CITIES = {
    "munchen": "munich", "koln": "cologne", "nurnberg": "nuremberg", "wien": "vienna", "den haag": "the hague", "s gravenhage": "the hague",
    "praha": "prague", "warszawa": "warsaw", "krakow": "cracow", "bruxelles": "brussels", "brussel": "brussels", "antwerpen": "antwerp",
    "geneve": "geneva", "genf": "geneva", "milano": "milan", "roma": "rome", "torino": "turin", "firenze": "florence", "napoli": "naples",
    "sevilla": "seville", "lisboa": "lisbon", "kobenhavn": "copenhagen", "athina": "athens", "thessaloniki": "salonica", "sofiya": "sofia",
    "moskva": "moscow", "nyc": "new york", "new york city": "new york", "sf": "san francisco", "la": "los angeles",
}  # fmt: skip


@lru_cache(maxsize=1 << 18)
def person(text: str) -> str:
    """A name of a person, its words as they sound, without titles.

    >>> person("Dr. Jürgen  Müller-Lüdenscheidt")
    'iurgen muler ludensheidt'
    """
    written = plain(text).split()
    words = [word for word in written if word not in _TITLES] or written
    return " ".join(sound(word) for word in words)


_TITLES = _words("dr prof mr mrs ms miss herr frau sir dipl ing mag phd md jr sr ii iii mme mlle dott ssa sra")


def domain(text: str) -> str | None:
    """The domain of an e-mail address or website that is a company's own; None for those of providers.

    >>> domain("info@mail.acme.co.uk"), domain("https://www.Acme.com/en"), domain("ann@gmail.com")
    ('acme.co.uk', 'acme.com', None)
    """
    host = text.strip().lower().rpartition("@")[2]
    host = re.sub(r"^[a-z]+://", "", host).split("/")[0].split(":")[0].strip(".")
    parts = host.split(".")
    if len(parts) < 2 or not all(parts):
        return None
    size = 3 if len(parts) > 2 and parts[-2] in _SECOND_LEVEL and len(parts[-1]) == 2 else 2
    own = ".".join(parts[-size:])
    return None if own in FREE_MAIL else own


def phone(text: str) -> str | None:
    """The last nine figures of a telephone number without its extension; None where there are fewer than six.

    >>> phone("+49 (0)30 123 45 67"), phone("0049 30 1234567"), phone("030/1234567 ext. 12")
    ('301234567', '301234567', '301234567')
    """
    number = re.split(r"(?i)\s*(?:ext|x|durchwahl|poste|#|;)\.?\s*", text)[0].replace("(0)", "")
    figures = re.sub(r"\D", "", number).lstrip("0")
    return figures[-9:] if len(figures) >= 6 else None


def street(text: str) -> str | None:
    """An address in plain words, with the words for street alike.

    >>> street("Hauptstraße 12"), street("Haupt Str. 12")
    ('hauptst 12', 'haupt st 12')
    """
    words = plain(text)
    for pattern, instead in _STREETS:
        words = pattern.sub(instead, words)
    return words or None


def email(text: str) -> str | None:
    """An e-mail address in lower case, without what is added after a plus; None for what is none.

    >>> email(" Ann.Lee+crm@Acme.com ")
    'ann.lee@acme.com'
    """
    name, at, host = text.strip().lower().partition("@")
    return f"{name.split('+')[0]}@{host}" if at and name and "." in host else None
