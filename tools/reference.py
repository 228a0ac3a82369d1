"""Reference tables for the docs, made from contracts, features and metrics (see the cog blocks in docs/)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medallion import contracts, metrics
from medallion.contracts import Column, Table
from medallion.features import Feature
from medallion.gold import STEPS, Step, gold_contract
from medallion.gold.customer_features import FEATURES
from medallion.pipeline.additions import DAYS, TOTALS
from medallion.scoring.leaks import CHECKS
from medallion.scoring.signals import SIGNALS
from medallion.silver.checks import MESSAGES

#: Exit status of the command and what it means.
_EXIT_STATUS = {
    0: "The laws hold and every file was read, or there was nothing new.",
    1: "Something is wrong; the message says what, where and what to do. With unreadable files the rest was loaded.",
    2: "The command line is wrong; nothing was done.",
    3: "`medallion train` only: too little to learn from; the message says what there is and what is needed.",
}
#: What each check of a contract asks, in the order in which it is declared.
_ASKS = {
    "null": "a required cell has a value",
    "readable": "the text can be read as the column's type",
    "accepted": "the value is in the closed list, by one of its spellings",
    "range": "the number lies between minimum and maximum",
    "pattern": "the identifier is well-formed",
    "cut": "the key is no number that a spreadsheet has cut short (`<key>.cut`; always refuses)",
    "future": "the event is not later than the time of reading",
    "reference": "the key that is referred to is known",
    "lookup": "the text leads to one row of another entity (where a source says `lookup`)",
    "head": "in a column that is filled down, the record above that heads the group was read (`record.head`; always refuses)",
    "erased": "the record is not about an erased account (`record.erased`; always refuses)",
    "shape": "the record splits into the header's cells (`record.shape`; always refuses)",
}


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _checks(column: Column) -> str:
    words = {
        "null": "required",
        "readable": "readable",
        "accepted": "accepted value",
        "range": "range",
        "pattern": "well-formed",
        "future": "not in the future",
        "reference": f"known {column.reference.entity.removesuffix('s')}" if column.reference else "",
    }
    return ", ".join(f"{words[name]} ({severity})" for name, severity in column.checks.items())


def entity_columns(name: str) -> str:
    """Columns of a silver entity: type, checks, meaning, accepted values and header synonyms."""
    rows = [
        (
            _code(column.name),
            column.type,
            column.description
            + (f" One of {', '.join(map(_code, column.accepted))}." if column.accepted else "")
            + (f" Unit: {column.unit}." if column.unit else "")
            + (" PII." if column.pii else ""),
            _checks(column),
            ", ".join(column.synonyms),
        )
        for column in contracts.entities()[name].columns
    ]
    return _table(("column", "type", "meaning", "checks", "headers also read"), rows)


def checks() -> str:
    """Every kind of check: what it asks and what a refusal says."""
    rows = [(_code(name), _ASKS[name], _code(text)) for name, text in MESSAGES.items()]
    return _table(("check", "asks that", "message"), rows)


def exit_codes() -> str:
    """What the exit status of the command means."""
    return _table(("exit status", "meaning"), [(str(code), text) for code, text in _EXIT_STATUS.items()])


def commands(command: Any) -> str:
    """Every subcommand with its options and examples.

    Args:
        command: The command group that `typer.main.get_command` makes of the application.
    """
    parts = []
    for name, sub in _leaves(command.commands):
        rows = [
            (_code(", ".join(option.opts)), _option_note(option), option.help or "")
            for option in sub.params
            if option.name != "help"
        ]
        examples = (sub.epilog or "").replace("**Examples**", "").strip().split("\n\n")
        parts.append(
            "\n\n".join(
                [
                    f"## medallion {name}",
                    sub.help or "",
                    _table(("option", "", "meaning"), rows),
                    "Examples:\n\n" + "\n".join(f"- {example}" for example in examples),
                ]
            )
        )
    return "\n\n".join(parts)


def _leaves(named: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, sub in named.items():
        if hasattr(sub, "commands"):
            yield from _leaves(sub.commands, f"{before}{name} ")
        else:
            yield f"{before}{name}", sub


def _option_note(option: Any) -> str:
    words = [
        "required" if option.required else "",
        "repeatable" if option.multiple else "",
        "flag" if getattr(option, "is_flag", False) else "",
        f"default {_code(str(option.default))}" if option.default and option.default is not True else "",
    ]
    return ", ".join(word for word in words if word)


def provenance() -> str:
    """Columns that every silver row carries."""
    rows = [(_code(column.name), column.type, column.description) for column in contracts.PROVENANCE]
    return _table(("column", "type", "meaning"), rows)


def table_columns(name: str) -> str:
    """Columns of a gold, ops or quarantine table, after its grain, key and invariants."""
    table: Table = gold_contract(name) if name.startswith("gold.") else contracts.table(name)
    head = [f"{table.description} Grain: {table.grain}. Key: {', '.join(map(_code, table.key))}."]
    if table.invariants:
        head.append("Checked after every write: " + "; ".join(map(_code, table.invariants)) + ".")
    rows = [(_code(column.name), column.type, column.unit, column.description) for column in table.columns]
    return "\n\n".join([*head, _table(("column", "type", "unit", "meaning"), rows)])


def gold_tables() -> str:
    """The gold tables with their grain and inputs."""
    rows = [
        (
            f"[`{step.table}`](#{step.table.removeprefix('gold.')})",
            gold_contract(step.table).grain,
            ", ".join(_code(name) for name in step.inputs if "." in name),
        )
        for step in gold_steps()
    ]
    return _table(("table", "grain", "made from"), rows)


def gold_steps() -> list[Step]:
    """The steps of gold as a reader wants them: what only feeds the others comes last."""
    return sorted(STEPS, key=lambda step: step.table in (TOTALS, DAYS))


def features() -> str:
    """The feature dictionary, by where the feature comes from."""
    groups: dict[str, list[Feature]] = {}
    for feature in FEATURES:
        groups.setdefault(feature.source, []).append(feature)
    parts = []
    for source, members in groups.items():
        rows = [(_code(f.name), f.type, f.unit, f.definition) for f in members]
        parts.append(f"### From {source}\n\n" + _table(("feature", "type", "unit", "definition"), rows))
    return "\n\n".join(parts)


def signals() -> str:
    """What a model may know of a deal."""
    rows = [(_code(s.name), s.source, s.unit, s.definition) for s in SIGNALS]
    return _table(("signal", "about", "unit", "definition"), rows)


def leak_checks() -> str:
    """The checks that every training runs on its own data."""
    return _table(("check", "what is changed; no snapshot may differ"), CHECKS.items())


def lead_scoring(path: Path) -> str:
    """The figures that benchmarks/lead_scoring.py kept."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        (
            str(run["seed"]),
            f"{run['roc_auc']:.3f}",
            f"{run['roc_auc_of_the_oracle']:.3f}",
            f"{run['ece']:.3f}",
            f"{run['reported']:.3f}",
            f"{run['leaking']['reported']:.3f}",
            f"{run['leaking']['future']:.3f}",
        )
        for run in kept["runs"]
    ]
    header = ("seed", "AUC of ours", "AUC of the oracle", "ECE of ours", "ours says of itself")
    return "\n\n".join(
        [
            f"Worlds of {kept['customers']:,} customers over {kept['days']} days, about "
            f"{statistics.median(run['open_deals'] for run in kept['runs']):,.0f} open deals each:",
            _table((*header, "leaking recipe says of itself", "leaking recipe's AUC"), rows),
        ]
    )


def scoring_speed(path: Path) -> str:
    """The figures that benchmarks/scoring.py kept."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    built, scored = kept["snapshots"], kept["scores"]
    rows = [
        (
            "snapshots",
            f"{built['snapshots']:,} from {built['deals']:,} deals, {built['touches']:,} touches and "
            f"{built['stage_changes']:,} stage changes",
            f"{built['seconds']:.0f} s, peak {built['peak_mib']:,} MiB",
        )
    ]
    rows += [
        (f"scores with reasons, {name}", f"{scored['rows']:,} rows", f"{scored[kind]['rows_per_second']:,} rows/s")
        for kind, name in (("logistic", "logistic regression"), ("xgboost", "XGBoost"))
    ]
    return _table(("what", "how much", f"on {kept['cores']} cores"), rows)


def agent_score(path: Path) -> str:
    """The figures that benchmarks/agent.py kept."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    planner, hostile = kept["planner"], kept["hostile"]
    parts = [
        f"Of {planner['questions']} questions the planner answers **{planner['right']} rightly**, declines "
        f"{planner['declined']} and answers {planner['wrong']} wrongly. Of {hostile['runs']} runs of hostile models of "
        f"{hostile['kinds']} kinds **{len(hostile['unsafe'])} showed anything unsafe**; each was answered by the planner."
    ]
    return "\n\n".join([*parts, agent_speed(path)])


def agent_speed(path: Path) -> str:
    """Milliseconds of each tool of the agent, and what comes before the first call."""
    speed = json.loads(path.read_text(encoding="utf-8"))["speed"]
    rows = [
        (_code(name), f"{t['median_ms']:.0f}", f"{t['p95_ms']:.0f}", f"{t['first_ms']:.0f}", f"{t['cpu_ms']:.0f}")
        for name, t in speed["tools"].items()
    ]
    by_reps = ", ".join(f"{seconds:.1f} s for {name}" for name, seconds in speed["plan_process_s"].items())
    return "\n\n".join(
        [
            f"{speed['customers']:,} customers, {speed['deals']:,} deals, {speed['touches']:,} touches, two cores, "
            f"load of the machine before {speed['machine_load']}. `medallion chat` and `medallion mcp` load the tables into memory ({speed['load_s']:.0f} s) and compute what "
            f"the call list needs ({speed['prepare_s']:.0f} s) before they take the first question; peak memory "
            f"{speed['peak_mib']:,} MiB. After that:",
            _table(("tool", "median, ms", "95th percentile, ms", "first call, ms", "processor, ms"), rows),
            f"`medallion plan` as a process of its own, which loads nothing into memory: {by_reps}.",
        ]
    )


def dashboard_speed(paths: Mapping[str, Path]) -> str:
    """The figures that benchmarks/dashboard.py kept, a column for each lakehouse."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in paths.values()]
    rows = [
        ("cold start to the whole first page, median, s", *(f"{k['cold_start']:.1f}" for k in kept)),
        ("first visit, without and with live figures, kB", *(_weights(k) for k in kept)),
        ("until copies and answers of the pages are ready, s", *(f"{k['ready']:.0f}" for k in kept)),
        *(
            (
                f"{name}, p95, ms",
                *(f"{k['milliseconds'][name]['p95']:,}" if name in k["milliseconds"] else "" for k in kept),
            )
            for name in kept[0]["milliseconds"]
        ),
        ("fifty readers at once, pages as they open, p95, ms", *(f"{k['fifty_readers']['p95']:,}" for k in kept)),
        (
            "fifty readers at once, each with filters of its own, p95, ms",
            *(f"{k['fifty_readers_with_filters']['p95']:,}" for k in kept),
        ),
        ("memory, most, MiB", *(f"{k['memory_most_mib']:,}" for k in kept)),
    ]
    return _table(("what", *paths), rows)


def _weights(kept: dict[str, Any]) -> str:
    return f"{kept['first_visit_kb']}, {kept['first_visit_kb'] + kept['vega_kb']}"


def metric_dictionary() -> str:
    """Every metric with its expression and source."""
    rows = [
        (
            _code(name),
            metric.measure.display_name,
            _written_as(metric.measure.format),
            metric.measure.additivity,
            metric.measure.comment,
            _code(metric.measure.expr),
            _code(metric.view.source),
            ", ".join(dimension.name for dimension in metric.dimensions),
        )
        for name, metric in metrics.every_metric().items()
    ]
    return _table(
        ("metric", "label", "format", "over time", "definition", "expression (Spark SQL)", "source", "dimensions"), rows
    )


def _written_as(form: metrics.Format) -> str:
    unit = {"currency": form.currency_code or "currency", "percentage": "%", "number": "number"}[form.type]
    places = form.decimal_places.places
    return f"{unit}, {places} decimal{'' if places == 1 else 's'}" if places else unit


#: Contestants of benchmarks/pipeline.py, as people read them.
CONTESTANTS = {
    "medallion": "Medallion on Sail",
    "duckdb": "DuckDB by hand",
    "polars": "Polars by hand",
    "spark": "Medallion on Apache Spark",
}


def benchmark(paths: Iterable[Path]) -> str:
    """The figures that benchmarks/pipeline.py kept, one table per size."""
    parts = []
    for path in paths:
        kept = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for name, runs in kept["runs"].items():
            if not runs:
                continue
            middle = {key: statistics.median(run[key] for run in runs) for key in ("wall", "cpu", "peak_mib")}
            ratio = f"{kept['ratios'][name]:.2f}" if name in kept["ratios"] else ""
            seconds = f"{middle['wall']:.1f}"
            rows.append(
                (
                    CONTESTANTS[name],
                    str(len(runs)),
                    seconds,
                    f"{middle['cpu']:.1f}",
                    f"{middle['peak_mib']:,.0f}",
                    ratio,
                )
            )
        versions = ", ".join(f"{name} {version}" for name, version in kept["versions"].items())
        machine = f"{kept['machine']['cores']} cores, Python {kept['machine']['python']}, {versions}"
        parts.append(f"{kept['interactions']:,} interactions, {machine}; medians:")
        parts.append(_table(("", "runs", "seconds", "CPU seconds", "peak MiB", "Medallion on Sail / this"), rows))
        parts += [f"{CONTESTANTS[name]} failed: `{why.splitlines()[-1]}`" for name, why in kept["failed"].items()]
    return "\n\n".join(parts)


def per_million(paths: Iterable[Path]) -> str:
    """Seconds and peak memory of the pipeline per size, and seconds per million interactions."""
    rows = []
    for path in paths:
        kept = json.loads(path.read_text(encoding="utf-8"))
        runs, millions = kept["runs"]["medallion"], kept["interactions"] / 1e6
        wall, peak = (statistics.median(run[key] for run in runs) for key in ("wall", "peak_mib"))
        rows.append((f"{millions:,.0f} million", f"{wall:.1f}", f"{wall / millions:.2f}", f"{peak:,.0f}"))
    return _table(("interactions", "seconds", "seconds per million", "peak MiB"), rows)


def rehearsal(path: Path) -> str:
    """What each task of the job asks of the engine, per round, as `just rehearse --json` has kept it."""
    runs, rows = json.loads(path.read_text(encoding="utf-8")), []
    keys = (
        "seconds",
        "cpu_seconds",
        "executed",
        "analyzed",
        "configured",
        "round_trips",
        "sent",
        "results",
        "largest_result",
    )
    for name in dict.fromkeys(run["round"] for run in runs):
        of_round = [run for run in runs if run["round"] == name]
        total = {key: (max if key == "largest_result" else sum)(run[key] for run in of_round) for key in keys}
        for run in (*of_round, {"round": "", "task": "**together**", **total}):
            first = name if run is of_round[0] else ""
            *times, executed, analyzed, configured, trips, sent, results, largest = (run[key] for key in keys)
            bytes_ = (f"{count / 1000:,.0f}" for count in (sent, results, largest))
            asked = (str(count) for count in (trips, executed, analyzed, configured))
            rows.append((first, run["task"], *(f"{time:.0f}" for time in times), *asked, *bytes_))
    head = ("round", "task", "seconds", "CPU seconds", "round trips", "executions", "analyses", "settings")
    return _table((*head, "kB sent", "kB of rows", "largest, kB"), rows)


#: Assumptions of docs/SCALE.md: interactions, share of them that is new each night, efficiency, engine factors, prices.
_MILLIONS, _NIGHTLY, _EFFICIENCY, _FACTORS, _PRICES = 5_000, 0.001, 0.6, (2.5, 5.0), (0.15, 0.30)


def scale(paths: Iterable[Path]) -> str:
    """Core hours and cost of the first load and of a night at the size of docs/SCALE.md, from the largest benchmark."""
    kept = json.loads(list(paths)[-1].read_text(encoding="utf-8"))
    runs = kept["runs"]["medallion"]
    per_million = statistics.median(run["cpu"] for run in runs) / (kept["interactions"] / 1e6)
    gold = statistics.median(
        sum(seconds for step, seconds in run["steps"].items() if step.startswith("gold")) / sum(run["steps"].values())
        for run in runs
    )
    rows = []
    for label, millions in (
        ("first load, all of it", _MILLIONS * 1.0),
        ("a night: the new rows through bronze and silver, gold of everything", _MILLIONS * (_NIGHTLY + gold)),
    ):
        hours = [per_million * millions * factor / 3600 / _EFFICIENCY for factor in _FACTORS]
        cost = [hours[0] * _PRICES[0], hours[1] * _PRICES[1]]
        rows.append(
            (
                label,
                f"{hours[0]:,.0f} to {hours[1]:,.0f}",
                f"{hours[0] / 128 * 60:,.0f} to {hours[1] / 128 * 60:,.0f} minutes",
                f"{cost[0]:,.0f} to {cost[1]:,.0f} USD",
            )
        )
    head = (
        f"From {per_million:.1f} CPU seconds per million interactions on Sail ({kept['interactions']:,} interactions), of "
        f"which gold takes {gold:.0%} of the steps; with Photon {_FACTORS[0]:g} to {_FACTORS[1]:g} times that is assumed:"
    )
    return head + "\n\n" + _table(("", "core hours", "on 128 cores", "cost"), rows)


def skew(path: Path) -> str:
    """The figures that benchmarks/skew.py kept."""
    if not path.exists():
        return "(not measured yet)"
    kept = json.loads(path.read_text(encoding="utf-8"))
    middle = {
        name: {key: statistics.median(run[key] for run in kept[name]) for key in ("wall", "peak_mib")}
        for name in ("even", "skewed")
    }
    rows = [
        ("whole process, seconds", *(f"{middle[name]['wall']:.1f}" for name in middle)),
        ("peak MiB", *(f"{middle[name]['peak_mib']:,.0f}" for name in middle)),
    ]
    rows += [
        (step, *(f"{statistics.median(run['steps'][step] for run in kept[name]):.1f}" for name in middle))
        for step in kept["even"][0]["steps"]
    ]
    return (
        f"{kept['interactions']:,} interactions, {kept['machine']['cores']} cores, medians of {len(kept['even'])} runs:\n\n"
        + _table(("", "evenly spread", "one customer with a fifth"), rows)
    )


def incremental(path: Path) -> str:
    """The figures that benchmarks/incremental.py kept."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    middle = {
        name: {
            step: statistics.median(run["steps"].get(step, 0.0) for run in kept[name])
            for step in kept[name][0]["steps"]
        }
        for name in ("full", "batch")
    }
    whole = {name: statistics.median(run["wall"] for run in kept[name]) for name in ("full", "batch")}
    rows = [("whole process", f"{whole['full']:.1f}", f"{whole['batch']:.1f}")]
    rows += [
        (step, f"{middle['full'].get(step, 0.0):.1f}", f"{middle['batch'].get(step, 0.0):.1f}")
        for step in {**middle["full"], **middle["batch"]}
    ]
    return "\n\n".join(
        [
            f"{kept['interactions']:,} interactions, then 1% more of them with 1% of the deals changed; medians of "
            f"{len(kept['full'])} pairs, {kept['machine']['cores']} cores:",
            _table(("step", "full run, seconds", "1% batch, seconds"), rows),
            f"The batch takes **{kept['ratio_median']:.0%}** of the full run.",
        ]
    )


def incremental_in_short(path: Path) -> str:
    """Seconds of a full run and of the delivery after it, whole processes."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    full, batch = (statistics.median(run["wall"] for run in kept[name]) for name in ("full", "batch"))
    return (
        f"{kept['interactions']:,} interactions: full run {full:.1f} s, delivery {batch:.1f} s, "
        f"**{kept['ratio_median']:.0%}** of it (medians of {len(kept['full'])} pairs)."
    )


def stages(path: Path) -> str:
    """Median seconds of each step of the pipeline in a kept benchmark, on Sail and, where it ran, on Apache Spark."""
    kept = json.loads(path.read_text(encoding="utf-8"))["runs"]
    shown = {name: kept[name] for name in ("medallion", "spark") if kept.get(name)}
    rows = [
        (step, *(f"{statistics.median(run['steps'].get(step, 0.0) for run in runs):.1f}" for runs in shown.values()))
        for step in kept["medallion"][0]["steps"]
    ]
    return _table(("step", *("Sail" if name == "medallion" else "Apache Spark" for name in shown)), rows)
