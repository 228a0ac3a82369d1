"""Words that are no name alone: titles, particles, legal forms, given names and words of every day."""

from __future__ import annotations

import re

from medallion.silver.mentions.spelling import forms


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TITLES = _words(
    "mr mrs ms miss mx sir madam dr prof professor herr herrn frau hr fr mme mlle monsieur madame sr sra senor senora sig "
    "signora signor dhr mevr mag ing dipl phd mba さん 様 さま 氏 先生 女士 小姐 씨 님"
)
PARTICLES = _words(
    "von van vom zu zur der den de del della di da dal du des dos la le lo el al bin ibn ben ten ter af av mac mc o d st"
)
LEGAL = _words(
    "gmbh ag kg kgaa ohg gbr ug se ev inc incorporated corp corporation co company llc llp lp ltd limited plc sa sas sarl "
    "sl spa srl bv nv oy oyj ab as aps pty pte kk mbh"
)
#: Given names that often are the second of two, and so no surname.
GIVEN = _words(
    "maria marie mary ann anna anne anita antonio alexander andreas carlos carmen christian daniel david eduardo elena "
    "elisabeth elizabeth emilia enrique eva fernando francisco frank georg george grace guadalupe hans heinz helena henry "
    "ines ignacio isabel jack james jane javier jean jesus joao joachim joe john jose joseph josef juan julia karl klaus lee "
    "louis louise luis luisa lynn manuel marc marco margaret mark martin michael miguel mohamed muhammad nikolaus paul "
    "paulo pedro peter pierre rafael ray rita robert rosa rose ruth sofia sophie teresa theresa thomas uwe victoria werner "
    "wilhelm william wolfgang"
)
#: Words of every day that are names too, or titles of deals: a name of nothing else is looked for with its capitals only.
_ORDINARY = _words(
    "a able account ace act admin ads agency agent all alliance am an and annual any app april are art as ask at "
    "august autumn ball bank bar base basic bay be bear bell best big bill bird black blue board bond book booth box "
    "branch bright broad brook brown budget bull burn bush business but buy by call camp can capital care case cash "
    "center central chance change chapel charity chase check chief church city clay clear client close cloud coast "
    "cold cole contact contract cook cool core corn cost course cross crystal custom customer daily dash data dawn "
    "day deal dean deep deposit desk digital do done down draw drew drive due early earnest east easy email energy "
    "enterprise event ever every expert express extra fair faith fall farmer fast feather field final finance fire "
    "first fish fit five flat flow focus food for ford forest forms forward four frank free french fresh friend from "
    "full fund future garden gene general give glass global go gold golden good grace grand grant gray great green "
    "grey group grow guard guide gun guy hall hand hardware harmony head health heart heath help her high hill his "
    "hold home hope horn hot hotel house how hunt hunter i idea if in initial into is it jade job joy judge july june "
    "just keen key lake land lane large last law lead leads league legal level licence license life light lily line "
    "link list little live local lock long look love low main major make many march mark market master max may meet "
    "mercy mid mini mobile money moon more most mountain move must my near need network new next night noble north "
    "not now number of offer office old olive on one online open or order our out over own page paper park part "
    "partner party pat patience pay peace penny phase phone pick pilot pitch plan platform point pool power premium "
    "price prime prince prior pro process product program programme project proof proposal prospect public quarter "
    "query quick ray ready real red redesign reed referral refresh remote renewal rent report request retail review "
    "rice rich ring rise river road rob rock rollout rose round royal rush safe sales sample save sea search second "
    "see sell send senior service setup sharp shop short show side sign silver simple site six sky small smart snow "
    "social soft software solar some source south spring stack staff standard star start steel step still stock stone "
    "store storm street strong suite summer sun sunny support sure survey swift system talk tax team tech temple ten "
    "test that the third this three time to top total tour trade trial true trust two upgrade upsell urgent us user "
    "value van via video violet vision wade walker wall want ward was watch water way we web website week weekly well "
    "west white wholesale why wide wild will win winter wise with wood work workshop world worth year yes you young "
    "zone "
    "alt angebot auftrag braun bunt ernst erst fein fest frei fromm gross gut jahr jahres jung kalt klar klein klug "
    "kunde kurz lang laut neu projekt reich rot schnell schwarz stark vertrag weiss"
)
_ENDING = re.compile(
    r"\w{3,}(?:tion|sion|ment|ing|ity|ance|ence|ness|ware|ship|ized|ised|able|ible|ung|keit|heit|schaft)s?"
)
AND = frozenset(("and", "und", "et", "y", "e", "en", "og", "och"))


def is_ordinary(word: str) -> bool:
    """Whether a word is one of every day, or a number."""
    return any(
        form.isdecimal() or form in _ORDINARY or form.removesuffix("s") in _ORDINARY or bool(_ENDING.fullmatch(form))
        for form in forms(word)
    )
