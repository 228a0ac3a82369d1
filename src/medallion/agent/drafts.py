"""Drafts in the tone of the settings: templates filled with an account's facts, for you to finish and send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.agent import consent
from medallion.agent.facts import Found
from medallion.agent.tools import Tools
from medallion.config import AgentSettings
from medallion.errors import MedallionError

KINDS = ("email", "whatsapp", "call-script")
_GREETING = {"friendly": "Hi [first name],", "formal": "Dear [title and name],", "brief": "[First name],"}
_CLOSING = {"friendly": "Best wishes", "formal": "Yours sincerely", "brief": "Regards"}


def draft(tools: Tools, settings: AgentSettings, customer: str, kind: str) -> str:
    """A draft to an account, with places in brackets for what the CRM's personal data would say.

    Args:
        tools: What is known.
        settings: Tone and signature.
        customer: Key or name.
        kind: email, whatsapp or call-script.

    It is for the first person of the account who may be contacted, by key and role; who may not is named with the reason.

    Raises:
        MedallionError: There is no such kind or account, or it must not be contacted this way.
    """
    if kind not in KINDS:
        raise MedallionError(f"{kind!r} is no kind of draft", f"Kinds: {', '.join(KINDS)}.")
    account, deals, touches = tools.account_brief(customer)
    facts = account.rows[0]
    channel = {"call-script": "call"}.get(kind, kind)
    name, blocked = facts["customer_name"], consent.in_force(tools.rules.suppressed, tools.serving.as_of)
    for one in blocked:
        if one.customer_id == facts["customer_id"] and one.channel in (None, channel):
            raise MedallionError(
                f"{name} is not to be contacted by {channel}{': ' + one.reason if one.reason else ''}",
                "It is on the suppression list of the settings.",
            )
    known = consent.people(tools.serving, [facts["customer_id"]], [row["lead_id"] for row in deals.rows]).get(
        facts["customer_id"], []
    )
    person = consent.first(known, channel, blocked)
    not_to = [f"{one['contact_id']} {why}" for one in known if (why := consent.why_not(one, channel, blocked))]
    if known and person is None:
        raise MedallionError(
            f"Nobody at {name} may be contacted by {channel}: {'; '.join(not_to)}",
            "Ask for consent in another way, or correct it in the CRM.",
        )
    text = _text(account, deals, touches, settings, kind)
    heads = [f"To: {consent.called(person)}"] if person else []
    heads += [f"Not to: {'; '.join(not_to)}"] if not_to else []
    return "\n".join([*heads, text])


def _text(account: Found, deals: Found, touches: Found, settings: AgentSettings, kind: str) -> str:
    facts, last = account.rows[0], touches.rows[0] if touches.rows else None
    situation, ask = opening(facts["customer_name"], last, is_open=bool(facts["open_leads"]))
    if kind == "call-script":
        return _script(account, deals, touches, situation, ask)
    if kind == "whatsapp":
        return f"{_GREETING[settings.tone]} {situation} {ask}\n{settings.signature or '[your name]'}"
    subject, body = letter(settings, facts["customer_name"], last, is_open=bool(facts["open_leads"]))
    return f"Subject: {subject}\n\n{body}"


def letter(
    settings: AgentSettings, name: Any, last: Mapping[str, Any] | None, *, is_open: bool, first_name: str = ""
) -> tuple[str, str]:
    """Subject and text of an e-mail to an account; `last` is its last touch, as in `opening`."""
    situation, ask = opening(name, last, is_open=is_open)
    greeting = _GREETING[settings.tone]
    if first_name:
        greeting = greeting.replace("[first name]", _one_line(first_name)).replace(
            "[First name]", _one_line(first_name)
        )
    subject = f"Next steps for {_one_line(name)}" if is_open else f"How are things at {_one_line(name)}?"
    body = f"{greeting}\n\n{situation}\n\n{ask}\n\n{_CLOSING[settings.tone]},\n{settings.signature or '[your name]'}"
    return subject, body


def opening(name: Any, last: Mapping[str, Any] | None, *, is_open: bool) -> tuple[str, str]:
    """What to say first and what to ask for, from what happened last.

    Args:
        name: The account's.
        last: `channel`, `outcome` and `occurred_at` of its last touch; None where there was none.
        is_open: Whether it has an open deal.
    """
    name = _one_line(name)
    if last is None:
        return (
            f"we have not spoken yet, and I would like to learn what matters to {name}.",
            "Would you have a quarter of an hour this week?",
        )
    spoke = {"call": "our call", "email": "your e-mail", "whatsapp": "your message", "meeting": "our meeting"}
    when = f"{spoke.get(last['channel'], 'our last contact')} on {last['occurred_at']:%d %B}"
    if last["outcome"] == "meeting_booked":
        return (
            f"thank you for {when}; I look forward to our meeting.",
            "Is there anything you would like me to prepare?",
        )
    if last["outcome"] == "positive":
        ask = "Shall we agree on the next step?" if is_open else "Is there something new we can help with?"
        return f"thank you for {when}, it was good to hear from you.", ask
    if last["outcome"] == "no_answer":
        return (
            f"I tried to reach you on {last['occurred_at']:%d %B} and will keep this short.",
            "When would a call suit you?",
        )
    if last["outcome"] == "negative":
        return f"I have thought about what you said at {when}.", "May I show you what we can do about it?"
    return f"I am coming back to {when}.", "Do you have questions that I can answer?"


def _script(account: Found, deals: Found, touches: Found, situation: str, ask: str) -> str:
    facts = account.rows[0]
    lines = [
        f"CALL SCRIPT: {_one_line(facts['customer_name'])} ({facts['customer_id']})",
        f"Goal: {account.written(facts, 'next_step')}",
        "",
        f'Open: "{situation[0].upper()}{situation[1:]}"',
        f'Ask: "{ask}"',
        "",
        "Know before you call:",
        f"- {account.written(facts, 'lead_quality')}, score {account.written(facts, 'lead_score')}; "
        f"revenue so far {account.written(facts, 'won_value')}, open {account.written(facts, 'open_value')}",
    ]
    for row in deals.rows[:3]:
        lines.append(
            f"- deal {row['lead_id']}: {deals.written(row, 'stage')}, {deals.written(row, 'deal_value')}, "
            f"expected to close {deals.written(row, 'expected_close_date')}"
        )
    for row in touches.rows[:3]:
        lines.append(f"- {touches.written(row, 'occurred_at')}: {row['channel']}, {touches.written(row, 'outcome')}")
    lines += [
        "",
        "If they hesitate: ask what would have to be true for them to say yes.",
        "If no one answers: leave your name, no details, and write a short message.",
        "After the call: note outcome and next step in the CRM.",
    ]
    return "\n".join(lines)


def _one_line(text: Any) -> str:
    """Text of the CRM without line breaks or control signs: it is not ours."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text or "your company")).split())[:120]
