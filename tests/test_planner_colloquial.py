"""Questions in German, French and Spanish as they are typed: everyday words, separable verbs, no accents."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, told

from medallion.agent.planner import Planner
from medallion.agent.planner.lexicon import lexicon, plain_words


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


UNDERSTOOD = {
    "wieviel umsatz haben wir im mai reingeholt": "revenue in 2025-05",
    "wer hat die meisten deals eingetütet": "won_leads by owner order -won_leads limit 1",
    "welche deals laufen gerade": "list deals where open",
    "welche kunden haben wir ewig nicht mehr gesprochen": "list accounts where days_silent > 30",
    "wieviel geld liegt noch in der pipeline": "open_pipeline",
    "welche deals sollten diesen monat abgeschlossen werden": "list deals where open and expected_close_date = 'this month'",
    "wieviel geld kam rein im mai": "revenue in 2025-05",
    "taux de transfo par commercial": "conversion_rate by owner",
    "qui a appelé le plus la semaine dernière": "touches by owner where channel = call in last week order -touches limit 1",
    "c quoi le plus gros deal ouvert": "list deals where open order -deal_value limit 1",
    "quelles affaires doivent se signer ce mois ci": "list deals where open and expected_close_date = 'this month'",
    "qui je dois relancer aujourd'hui": "call plan: day 2025-06-30",
    "combien de leads sont rentrés en juin": "total_leads in 2025-06",
    "affaires raflées par ben haddad en mars": "list deals where owner = 'Ben Haddad' and won and closed_date = 2025-03",
    "chiffre d'affaires des clients anglais": "revenue where country = 'United Kingdom'",
    "quien llamo mas la semana pasada": "touches by owner where channel = call in last week order -touches limit 1",
    "cuantos correos mando ben haddad en junio": "touches where owner = 'Ben Haddad' and channel = email and direction = outbound in 2025-06",
    "que sector deja mas dinero": "revenue by industry order -revenue limit 1",
    "cuantos clientes no nos han comprado nada": "total_customers where not bought",
    "que oportunidades vencen este mes": "list deals where open and expected_close_date = 'this month'",
    "negocios firmados en mayo": "list deals where won and closed_date = 2025-05",
    "cuanto ingresamos en mayo": "revenue in 2025-05",
}


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_everyday_words_are_understood(planner, question):
    assert told(planner.understand(question)) == UNDERSTOOD[question]


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("feiertage im mai", "feiertage"), ("wie viele besucher hatte die website", "besucher"),
        ("jours fériés en mai", "jours fériés"), ("devis envoyés en mai", "devis"),
        ("festivos en mayo", "festivos"), ("cotizaciones enviadas en mayo", "cotizaciones"),
    ],
)  # fmt: skip
def test_what_the_data_do_not_hold_is_declined_by_its_name(planner, question, word):
    assert told(planner.understand(question)) == f"? the data have nothing about '{word}'"


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("wieviel geld kam im mai rein", "rein"),  # money, not deals opened
        ("umsatz von ben haddad und tess nair jeweils", "jeweils"),
    ],
)
def test_a_word_that_would_change_the_answer_is_no_filler(planner, question, word):
    assert word in told(planner.understand(question))


def test_an_order_is_not_a_deal_that_was_opened(planner):
    assert told(planner.understand("aufträge im mai")) == "list deals where won and closed_date = 2025-05"
    assert told(planner.understand("wie viele aufträge haben wir im mai")).startswith("? ")


@pytest.mark.parametrize("word", ["fuer", "groesste", "waehrend", "ueberfaellig"])
def test_umlauts_may_be_two_letters(word):
    assert tuple(plain_words(word)) in lexicon("de").phrases


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_declared_figures_have_names_in_each_language(language):
    """Of the figures that English has phrases for."""
    own = {
        name: {sense.name for senses in lexicon(name).phrases.values() for sense in senses if sense.kind == "metric"}
        for name in ("en", language)
    }
    assert own["en"] - own[language] == set()


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("neukunden dieses jahr", "wieviel haben die gebracht"),
        ("nouveaux clients cette année", "ils ont rapporté combien"),
        ("clientes nuevos este año", "cuanto han facturado"),
    ],
)
def test_what_is_worth_of_all_says_that_it_is_not_of_those_before(planner, before, question):
    asked = planner.understand(question, planner.understand(before))
    assert asked.notes == ("The conditions of the question before are not carried over; add `of those` to keep them.",)


def test_others_after_a_record_are_not_those_of_the_source_called_other(planner):
    before = planner.understand("tell me about C004")
    assert told(planner.understand("other deals?", before)).startswith("? other than those before")
    assert told(planner.understand("deals from other sources")) == told(
        planner.understand("deals from other sources", before)
    )


def test_us_that_somebody_buys_from_is_no_country(planner):
    for question in ("has anyone bought anything from us", "customers who never bought anything from us"):
        assert "United States" not in told(planner.understand(question))


@pytest.mark.parametrize(
    "question",
    [
        "customers who never bought anything in the US", "revenue of paying customers from us", "paying customers from us",
        "customers who never bought, from us and Germany", "customers who never bought anything from us or Germany", "which customers who bought something are from us",
    ],
)  # fmt: skip
def test_customers_from_us_are_of_the_country_also_where_they_bought(planner, question):
    assert "United States" in told(planner.understand(question))


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("all deals in Germany, the lost ones too", "all deals in Germany"),
        ("open deals, also the overdue ones", "open deals"),
        ("offene Deals, auch die überfälligen", "offene Deals"),
        ("open deals of Ben Haddad, the hot ones too", "open deals of Ben Haddad"),
        ("all deals in Germany, the lost ones, too", "all deals in Germany"),
        ("all deals in Germany, also, the lost ones", "all deals in Germany"),
        ("all deals in Germany - the lost ones too", "all deals in Germany"),
        ("open deals in Germany, the ones over 10k too", "open deals in Germany"),
        ("affaires ouvertes, aussi celles de plus de 100k", "affaires ouvertes"),
        ("toutes les affaires en Allemagne, les perdues aussi", "toutes les affaires en Allemagne"),
        ("todos los negocios de Alemania, también los perdidos", "todos los negocios de Alemania"),
    ],
)
def test_records_beside_others_are_no_condition(planner, question, rest):
    understood = planner.understand(question)
    assert told(understood).startswith("? ")
    assert understood.closest[0] == rest


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        ("thanks, how many won deals too", "won_leads"),
        ("open deals, and also the won ones", "list deals where open or won"),
        ("number of deals won, lost too", "won_leads,lost_leads"),
        ("Deals in Deutschland, die auch überfällig sind", "list deals where country = Germany and overdue"),
        ("deals over 10k, which are hot too", "list deals where lead_quality = Hot and deal_value > 10000"),
        ("accounts in Germany, that have open deals too", "list accounts where country = Germany and open_deals > 0"),
        (
            "open deals in the UK, the ones in Germany too",
            "list deals where country in ('United Kingdom', Germany) and open",
        ),
        ("in Germany, open deals too", "list deals where country = Germany and open"),
    ],
)
def test_too_after_a_courtesy_a_like_condition_or_in_a_relative_clause_adds_no_records(planner, question, plan):
    assert told(planner.understand(question)).endswith(plan)


def test_the_next_weeks_begin_tomorrow(planner):
    for question in ("deals due in the next 2 weeks", "deals due within 2 weeks"):
        assert told(planner.understand(question)) == "list deals where open and expected_close_date = 'next 14 days'"


def test_the_address_of_a_contact_is_personal(planner):
    for question in ("the email of the contact at L-3", "correo del contacto en L-3"):
        assert "personal data" in told(planner.understand(question))


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        ("win rate in Sept 24", "win_rate in 2024-09"),
        ("Umsatz im September 24", "revenue in 2024-09"),
        ("revenue since May 24", "revenue in since 2025-05-24"),
        ("revenue between May 20 and May 24", "revenue in 2025-05-20 to 2025-05-24"),
        ("revenue on May 24", "revenue in 2025-05-24"),
        ("revenue May 24th", "revenue in 2025-05-24"),
        ("revenue May 24 2025", "revenue in 2025-05-24"),
        ("revenue May 12", "revenue in 2025-05-12"),
    ],
)
def test_a_number_after_a_month_is_its_day_or_its_year(planner, question, plan):
    assert told(planner.understand(question)) == plan


@pytest.mark.parametrize(
    "question", ["win rate Sept 24", "revenue of May 25", "win rate Sept 24 vs Oct 24", "Umsatz September 24"]
)
def test_a_day_that_may_be_a_year_is_asked_about(planner, question):
    assert "may be a day or a month of 20" in told(planner.understand(question))
