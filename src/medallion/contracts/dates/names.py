"""Names of months and weekdays in the languages that are known."""

from __future__ import annotations

import calendar
import re

ANY_ENGLISH_MONTH = "|".join((*calendar.month_name[1:], *calendar.month_abbr[1:]))
ENGLISH_MONTHS = frozenset(name.lower() for name in ANY_ENGLISH_MONTH.split("|"))
#: Names of months: the first three letters of English ones, and others that are not these.
_NAMES = {
    1: "january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari sty stycznia ledna",
    2: "february feb februar feber février févr fév fevrier fevr febrero febbraio fevereiro fev februari lut lutego února",
    3: "march mar märz mär mrz maerz mars marzo março marco maart mrt marca března",
    4: "april apr avril avr abril abr aprile kwi kwietnia dubna",
    5: "may mai mayo maggio mag maio mei maj maja května",
    6: "june jun juni juin junio giugno giu junho cze czerwca června",
    7: "july jul juli juillet juil julio luglio lug julho lip lipca července",
    8: "august aug août aout aoû agosto ago augustus augusti sie sierpnia srpna",
    9: "september sep sept septembre septiembre settembre set setembro wrz września září",
    10: "october oct oktober okt octobre octubre ottobre ott outubro out paź października října",
    11: "november nov novembre noviembre novembro lis listopada",
    12: "december dec dezember dez décembre déc decembre diciembre dic dicembre dezembro gru grudnia prosince",
}
#: The month of each name; a name that is another month elsewhere (`listopadu`) is not here.
MONTHS = {name: month for month, names in _NAMES.items() for name in names.split()}
#: Names of weekdays from Monday on; those that are two days in two languages are not here.
_DAYS = (
    "monday mon montag mo lundi lun lunes lunedì lunedi maandag ma poniedziałek pon pondělí segunda segunda-feira seg 月",
    "tuesday tue tues dienstag di mardi martes martedì martedi dinsdag wtorek wt úterý terça terça-feira ter 火",
    "wednesday wed mittwoch mi mercredi mer miércoles miercoles mié mie mercoledì mercoledi woensdag wo środa śr středa "
    "quarta quarta-feira qua 水",
    "thursday thu thur thurs donnerstag do jeudi jeu jueves jue giovedì giovedi gio donderdag czwartek czw čtvrtek quinta "
    "quinta-feira qui 木",
    "friday fri freitag fr vendredi ven viernes vie venerdì venerdi vrijdag vr piątek pt pátek sexta sexta-feira sex 金",
    "saturday sat samstag sonnabend sa samedi sam sábado sabado sáb sab sabato zaterdag za sobota sob 土",
    "sunday sun sonntag so dimanche dim domingo dom domenica zondag zo niedziela niedz neděle 日",
)
WEEKDAYS = {name: day for day, names in enumerate(_DAYS) for name in names.split()}
#: The name of a weekday before a date, and after one of Japan.
WEEKDAY = re.compile(rf"({'|'.join(sorted(WEEKDAYS, key=len, reverse=True))})\.?(?:, ?| )(?=[^\W_])", re.IGNORECASE)
WEEKDAY_AFTER = re.compile(r"(?<=[0-9日]) ?[(（]([月火水木金土日])(?:曜日?)?[)）]")


def without_weekday(text: str) -> tuple[int | None, str]:
    """The weekday that a text names before or after a date, from 0 for Monday on, and the text without it.

    >>> without_weekday("Mon, 20 Jan 2025"), without_weekday("2025年3月5日(水)"), without_weekday("20 Jan 2025")
    ((0, '20 Jan 2025'), (2, '2025年3月5日'), (None, '20 Jan 2025'))
    """
    if match := WEEKDAY.match(text):
        return WEEKDAYS[match[1].lower()], text[match.end() :]
    if match := WEEKDAY_AFTER.search(text):
        return WEEKDAYS[match[1]], text[: match.start()] + text[match.end() :]
    return None, text


def month_in(text: str) -> int | None:
    """The month that is named in a text, in any of the languages that are known."""
    return MONTHS.get(next((word for word in re.findall(r"[^\W\d_]+", text.lower()) if word in MONTHS), ""))
