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

from medallion.scoring.evaluation import figures, losses
from medallion.scoring.models import PENALTIES, Boosted, Logistic, sigmoid

SEED = 7
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
    loss = {}
    for penalty in PENALTIES:
        model = Logistic.fit(train, won[:tune], penalty, kinds)
        loss[penalty] = losses(won[tune:cut], sigmoid(model.margins(later))).mean()
    penalty = min(PENALTIES, key=lambda p: loss[p])
    stopped = Boosted.fit(train, won[:tune], SEED, None, (later, won[tune:cut]), kinds)
    whole = table.slice(0, cut)
    models = {
        "logistic": Logistic.fit(whole, won[:cut], penalty, kinds),
        "xgboost": Boosted.fit(whole, won[:cut], SEED, stopped.rounds, None, kinds),
    }
    base = np.full(len(won) - cut, won[:cut].mean())
    print(
        json.dumps(
            {
                "rows": len(won),
                "split": f"by {given.time}" if given.time else "at random",
                "columns": kinds,
                "left_out": left,
                "settings": {"penalty": penalty, "rounds": stopped.rounds},
                "base_rate": asdict(figures(won[cut:], base)),
                **{name: asdict(figures(won[cut:], sigmoid(m.margins(test)))) for name, m in models.items()},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
