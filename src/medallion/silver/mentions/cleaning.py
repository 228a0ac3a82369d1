"""A table's rows with every mention blanked, in one Arrow pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from medallion.silver.mentions import Mentions


def cleaner(
    mentions: Mentions, kept: Collection[str], own_names: Collection[str], file_names: Collection[str]
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """What `mapInArrow` runs over a table: its rows with mentions blanked, in `_touched` whether a row had one, and in
    `_alike` whether a name stays in it that may be somebody else's.

    Args:
        mentions: Whom to look for.
        kept: Columns that stay as they are: keys, references and times.
        own_names: Columns that may hold a name of somebody else's record: what is only a name stays there, unless the
            row has an address or number of theirs.
        file_names: Columns that hold names of files.
    """
    import pyarrow as pa

    def clean(cell: Any, name: str, same: bool) -> Any:
        if cell is None:
            return None
        if isinstance(cell, list):
            return [clean(each, name, same) for each in cell]
        if name in file_names:
            return mentions.in_file_name(cell)
        return mentions.without(cell, name not in own_names or same)

    def run(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            names = batch.schema.names
            texts = [
                name
                for name, field in zip(names, batch.schema, strict=True)
                if name not in kept and (_is_text(field.type) or (pa.types.is_list(field.type) and _is_text(field.type.value_type)))
            ]  # fmt: skip
            cells = {name: batch.column(name).to_pylist() for name in texts}
            touched, alike = [False] * batch.num_rows, [False] * batch.num_rows
            same = [False] * batch.num_rows
            for name in set(own_names) & set(texts):
                same = [is_so or (isinstance(cell, str) and mentions.is_contact(cell)) for is_so, cell in zip(same, cells[name], strict=True)]  # fmt: skip
            columns = []
            for name, declared in zip(names, batch.schema, strict=True):
                if name not in cells:
                    columns.append(batch.column(name))
                    continue
                new = [clean(cell, name, is_same) for cell, is_same in zip(cells[name], same, strict=True)]
                touched = [was or after != before for was, after, before in zip(touched, new, cells[name], strict=True)]
                if name in own_names:
                    alike = [was or (isinstance(cell, str) and mentions.names_all(cell)) for was, cell in zip(alike, new, strict=True)]  # fmt: skip
                columns.append(pa.array(new, declared.type))
            columns += [pa.array(touched, pa.bool_()), pa.array(alike, pa.bool_())]
            yield pa.RecordBatch.from_arrays(columns, names=[*names, "_touched", "_alike"])

    return run


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")
