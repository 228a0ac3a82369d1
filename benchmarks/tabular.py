"""The two models with their fixed parameters on any table that has the outcome of each row.

    python benchmarks/tabular.py --csv leads.csv --label converted [--time created_at] [--drop id,name] [--positive yes]

With --time the last fifth of the rows is the test and nothing is shuffled; without it the test is drawn at random, which
says nothing about the future. Columns with text become categories, columns of identifiers (all different) are left out.
Prints one JSON document: the figures of a model card for no model, logistic regression and XGBoost.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.scoring import hazards
from medallion.scoring.evaluation import figures
from medallion.scoring.hazards import Outcomes
from medallion.scoring.models import DEPTHS, PENALTIES, Boosted, Logistic

SEED = 7
#: The one period of a table without times.
PERIOD = (0, 7)
_YES = {"1", "true", "yes", "y", "won", "converted"}
#: Category columns with more values than this share of the rows are identifiers or free text.
_MOST_DISTINCT = 0.2


def fail(message: str) -> None:
    print(f"Error: {message}", file=sys.stderr)
    raise SystemExit(1)


def read(
    path: Path, label: str, time: str | None, drop: list[str], positive: str | None
) -> tuple[pa.Table, Any, dict[str, str], dict[str, str]]:
    """Rows, labels, kinds of the columns in use, and why others are not."""
    try:
        table = duckdb.sql(
            f"select * from read_csv('{str(path).replace(chr(39), chr(39) * 2)}', sample_size = -1)"
        ).to_arrow_table()
    except duckdb.Error as error:
        fail(f"{path}: {str(error).splitlines()[0]}")
    for name in (label, *([time] if time else []), *drop):
        if name not in table.column_names:
            fail(f"{path}: there is no column {name!r}; columns: {', '.join(table.column_names)}")
    texts = [str(value).strip().lower() for value in table[label].to_pylist()]
    yes = {positive.strip().lower()} if positive else _YES
    won = np.array([text in yes or (positive is None and text == "1.0") for text in texts], dtype=float)
    if not 0 < won.sum() < len(won):
        fail(f"{path}: {label} has one class only, of {sorted(set(texts))[:5]}; name the other with --positive")
    if time:
        order = pc.sort_indices(table[time], null_placement="at_start")
    else:
        order = pa.array(np.random.default_rng(SEED).permutation(table.num_rows))
    table, won = table.take(order), won[order.to_numpy()]
    kinds: dict[str, str] = {}
    left: dict[str, str] = {}
    for name in table.column_names:
        column = table[name]
        if name in (label, time, *drop):
            continue
        distinct = pc.count_distinct(column).as_py()
        if (
            pa.types.is_integer(column.type)
            or pa.types.is_floating(column.type)
            or pa.types.is_decimal(column.type)
            or pa.types.is_boolean(column.type)
        ):
            values = column.drop_null().cast(pa.float64()).to_numpy()
            kinds[name] = "amount" if len(values) and values.min() >= 0 and values.max() > 10 else "share"
        elif pa.types.is_string(column.type) and distinct <= max(50, _MOST_DISTINCT * len(column)):
            kinds[name] = "category"
        else:
            left[name] = f"{distinct} different values of type {column.type}"
    return table, won, kinds, left


def outcomes(won: Any) -> Outcomes:
    """Labels as outcomes of a single period: won in it, or still open after it."""
    return Outcomes(PERIOD, np.where(won > 0, 0, 1), won > 0, np.ones(len(won), dtype=np.int64))


def probability(model: Any, rows: pa.Table) -> Any:
    """P(label) per row."""
    return hazards.curves(model.base, model.margins(rows), PERIOD).won[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--time")
    parser.add_argument("--drop", default="")
    parser.add_argument("--positive", help="Value of the label that counts as 1.")
    given = parser.parse_args()
    drop = [name.strip() for name in given.drop.split(",") if name.strip()]
    table, won, kinds, left = read(given.csv, given.label, given.time, drop, given.positive)
    cut, tune = int(len(won) * 0.8), int(len(won) * 0.64)
    train, later, test = table.slice(0, tune), table.slice(tune, cut - tune), table.slice(cut)
    if min(part.sum() for part in (won[:tune], won[tune:cut], won[cut:])) < 5:
        fail(f"{given.csv}: too few rows with the label in one of the three parts to learn and test")
    told = outcomes(won)
    early, late = told.take(np.arange(tune)), told.take(np.arange(tune, cut))
    lines = {penalty: Logistic.fit(train, early, penalty, kinds) for penalty in PENALTIES}
    loss = {p: hazards.losses(line.base, line.margins(later), late, 1).sum() for p, line in lines.items()}
    penalty = min(PENALTIES, key=lambda p: loss[p])
    paths = {
        (depth, rounds): hazards.losses(base, margins, late, 1).sum()
        for depth in DEPTHS
        for rounds, (base, margins) in Boosted.paths(lines[penalty], train, early, later, SEED, depth).items()
    }
    depth, rounds = min(paths, key=lambda setting: (paths[setting], setting))
    whole, known = table.slice(0, cut), told.take(np.arange(cut))
    line = Logistic.fit(whole, known, penalty, kinds)
    models = {"logistic": line, "xgboost": Boosted.fit(line, whole, known, SEED, rounds, depth)}
    base = np.full(len(won) - cut, won[:cut].mean())
    print(
        json.dumps(
            {
                "rows": len(won),
                "split": f"by {given.time}" if given.time else "at random",
                "columns": kinds,
                "left_out": left,
                "settings": {"penalty": penalty, "rounds": rounds, "depth": depth},
                "base_rate": asdict(figures(won[cut:], base)),
                **{name: asdict(figures(won[cut:], probability(m, test))) for name, m in models.items()},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
