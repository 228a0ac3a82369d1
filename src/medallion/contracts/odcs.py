"""Read Open Data Contract Standard files into `Entity` and `Table`; refuse what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any, cast

from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from medallion.contracts import filling, yaml
from medallion.contracts.dates import formats as formats_of
from medallion.contracts.filling import Expression, Override
from medallion.contracts.model import DATE_FORMATS, PLACEHOLDERS, Column, Entity, Reference, Severity, Table
from medallion.errors import ContractError

_KINDS = {"string": "text", "integer": "integer", "number": "money", "date": "date", "timestamp": "timestamp"}
_SEMANTIC_KINDS = {"identifier", "code", "money", "email", "phone", "text", "free_text"}
_TYPES = re.compile(r"string|bigint|double|boolean|date|timestamp|decimal\(\d+,\d+\)|array<(string|double)>")
_COLUMN_PROPERTIES = {"spellings", "fallback", "default", "unit", "event", "dateFormats", "gold", "signal"}
#: When the value of a signal is known.
_KNOWN = ("opening", "delivery")
_OBJECT_PROPERTIES = {
    "filePatterns",
    "versionColumn",
    "placeholders",
    "dateFormats",
    "invariants",
    "sources",
    "survivorship",
}
_METRIC_CHECKS = {"nullValues": "null", "invalidValues": "accepted"}
_CUSTOM_CHECKS = {"readable", "range", "pattern", "future", "reference"}
_BASIS = {
    "readable": "a type other than string",
    "accepted": "an enum",
    "range": "minimum or maximum under logicalTypeOptions",
    "pattern": "pattern under logicalTypeOptions",
    "future": "the custom property event",
    "reference": "a relationship",
}
_NO_DATE_LETTERS = str.maketrans("", "", "yMdHhKkmsSaXxZzVO")
_NOT_ALWAYS_THE_SAME = (
    "Rand",
    "Randn",
    "Uuid",
    "CurrentTimestamp",
    "CurrentDate",
    "CurrentTime",
    "CurrentDatetime",
    "CurrentUser",
)
_UNORDERED = {"string", "boolean", "date", "timestamp", "array<string>", "array<double>"}
#: Figures that every engine can compare with.
_MOST = 1e18
_DATED = {"date", "timestamp"}
_HOURS = {"h": 1.0, "d": 24.0, "w": 168.0}


def code(text: str) -> str:
    """The form in which headers and spellings are compared: lower case, other characters as one underscore.

    >>> code(" Closed-Won "), code("Größe (m²)"), code("客户 编号")
    ('closed_won', 'größe_m²', '客户_编号')
    """
    return re.sub(r"[\W_]+", "_", text.strip().lower()).strip("_")


def read_objects(override: Override) -> list[tuple[SchemaObject, OpenDataContractStandard]]:
    """The schema objects of one ODCS file, each with the contract it is in.

    Raises:
        ContractError: The text is not YAML or breaks the standard; names file, place and reason.
    """
    path = override.path
    try:
        data = yaml.load(override.text)
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: is not valid YAML: {error}", "Mend the file at that place.") from error
    if not isinstance(data, dict) or data.get("kind") != "DataContract":
        raise ContractError(f"{path}: kind is not DataContract", "An ODCS file starts with kind: DataContract.")
    if not str(data.get("apiVersion", "")).startswith("v3."):
        raise ContractError(
            f"{path}: apiVersion is {data.get('apiVersion')!r}", "Write it for ODCS v3, such as v3.1.0."
        )
    try:
        contract = OpenDataContractStandard(**{str(name): value for name, value in data.items()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ContractError(f"{path}: {place}: {first['msg']}", "See the ODCS v3.1 standard for the field.") from error
    if not contract.schema_:
        raise ContractError(f"{path}: schema is empty", "Describe at least one table under schema.")
    return [(schema_object, contract) for schema_object in contract.schema_]


def custom(owner: SchemaObject | SchemaProperty, allowed: set[str], place: str) -> dict[str, Any]:
    """The custom properties of an object or column as a dict; refuses names that nothing reads."""
    values = {item.property or "": item.value for item in owner.customProperties or []}
    for name in values:
        if name not in allowed:
            raise ContractError(
                f"{place}: unknown custom property {name!r}", f"Known here: {', '.join(sorted(allowed))}."
            )
    return values


def column(
    declared: SchemaProperty, place: str, base: Column | None = None, formats: tuple[str, ...] | None = None
) -> Column:
    """One column from its declaration; with `base`, what is not declared stays as it was."""
    if not declared.name:
        raise ContractError(f"{place}: a property has no name", "Give every property a name.")
    place = f"{place}.{declared.name}"
    extra = custom(declared, _COLUMN_PROPERTIES, place)
    start = base or _blank(declared, place)
    options = declared.logicalTypeOptions or {}
    accepted = tuple(str(item.value) for item in declared.enum or []) or start.accepted
    spellings = {form: value for form, value in start.spellings.items() if not accepted or value in accepted}
    _add_spellings(spellings, {value: [] for value in accepted}, place)
    _add_spellings(spellings, extra.get("spellings") or {}, place)
    if accepted and (strange := sorted({*spellings.values(), *_given(extra.get("fallback"))} - {*accepted})):
        raise ContractError(f"{place}: {strange[0]!r} is not one of the values in enum", "Add it to enum, or drop it.")
    reference = start.reference
    for relation in declared.relationships or []:
        target = str(relation.to).split(".")
        if len(target) != 2:
            raise ContractError(f"{place}: relationship to {relation.to!r}", "Write it as entity.column.")
        reference = Reference(*target)
    kind = declared.physicalType or start.type
    # bounds of days are none for numbers or texts, and the other way round
    inherits = (start.type in _DATED) == (kind in _DATED) and kind not in _UNORDERED - _DATED
    lowest, highest = (start.minimum, start.maximum) if inherits else (None, None)
    changed = replace(
        start,
        type=declared.physicalType or start.type,
        description=declared.description or start.description,
        kind=_kind(declared, start),
        unit=str(extra.get("unit", start.unit)),
        pii=start.pii if declared.classification is None else declared.classification == "pii",
        synonyms=(*(item.synonym or "" for item in declared.synonyms or []), *start.synonyms),
        accepted=accepted,
        spellings=spellings,
        fallback=extra.get("fallback", start.fallback),
        default=extra.get("default", start.default),
        derive=declared.transformLogic or start.derive,
        date_formats=_texts(extra, "dateFormats", place) or formats or start.date_formats,
        pattern=options.get("pattern", start.pattern),
        minimum=_bound(options.get("minimum", lowest), kind),
        maximum=_bound(options.get("maximum", highest), kind),
        event=bool(extra.get("event", start.event)),
        reference=reference,
        label=declared.businessName or start.label,
        gold=_flag(extra, "gold", place) if "gold" in extra else start.gold,
        signal=_known(extra["signal"], place) if "signal" in extra else start.signal,
    )
    _validate(changed, place)
    return replace(changed, checks=_checks(declared, changed, start, place))


def _bound(value: Any, kind: str) -> Any:
    """A minimum or maximum; that of dates and times is a day, both ends count."""
    if kind in _DATED and type(value) is str:
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


def _given(value: Any) -> tuple[str, ...]:
    return () if value is None else (str(value),)


def _flag(extra: dict[str, Any], name: str, place: str) -> bool:
    if not isinstance(extra[name], bool):
        raise ContractError(f"{place}: {name} is {extra[name]!r}", "Write true or false.")
    return bool(extra[name])


def _known(value: Any, place: str) -> str:
    """When the value of a signal is known."""
    if value not in _KNOWN:
        raise ContractError(
            f"{place}: signal is {value!r}",
            "Write opening for a value that is set when the deal is opened and stays, or delivery for one that changes.",
        )
    return str(value)


def _texts(extra: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    """A custom property that is a list of texts; one text alone would be taken for a list of letters."""
    value = extra.get(name) or []
    if not isinstance(value, list):
        raise ContractError(f"{place}: {name} is {value!r}, not a list", f"Write [{value}].")
    texts = tuple(str(item) for item in value)
    if name == "dateFormats":
        _check_formats(texts, place)
    return texts


def _check_formats(formats: Iterable[str], place: str) -> None:
    for item in formats:
        if formats_of.is_special(item) and formats_of.shape(item):
            continue
        letters = re.sub(r"'[^']*'", "", item)
        strange = "'" in letters or re.search(r"[A-Za-z]", letters.translate(_NO_DATE_LETTERS))
        if strange or "y" not in letters or formats_of.shape(item) is None:
            raise ContractError(
                f"{place}: dateFormats {item!r} is not a date format",
                "Write one such as d/M/yyyy H:mm, of y M d H h m s S a, MMM and LLLL (the name of a month in English and in "
                "any language), E at its beginning (that of a weekday), X and z (an offset, a zone), other letters 'quoted'; "
                "or epoch s, epoch ms, serial 1900. What is no day, such as a week, takes an expression (`sql`).",
            )


def _expression(sql: str, names: Iterable[str], place: str) -> None:
    """Refuse a default or derived value that is not Spark SQL over the entity's columns."""
    if strange := sorted(_parsed(sql, place) - {*names}):
        raise ContractError(
            f"{place}: {sql!r} names {strange[0]!r}, which is not a column", "Quote a text: \"'text'\"."
        )


def _parsed(sql: str, place: str) -> set[str]:
    """The names of columns in a Spark SQL expression.

    Raises:
        ContractError: It is not one.
    """
    import sqlglot

    try:
        tree = sqlglot.parse_one(sql, dialect="spark")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        reason = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()[0]
        raise ContractError(f"{place}: {sql!r} is not an SQL expression: {reason}", "Mend it.") from error
    exp = sqlglot.exp
    if isinstance(tree, exp.Command | exp.Alias | exp.Drop) or tree.find(exp.Query, exp.Values, exp.Table):
        raise ContractError(f"{place}: {sql!r} is a statement, not an expression", "Write an expression over columns.")
    if forbidden := tree.find(exp.AggFunc, exp.Window, exp.UDTF, exp.Explode, exp.Star):
        raise ContractError(
            f"{place}: {sql!r} looks at more than one row: {forbidden.sql(dialect='spark')}",
            "Write an expression over the columns of one row.",
        )
    if forbidden := tree.find(*(getattr(exp, name) for name in _NOT_ALWAYS_THE_SAME if hasattr(exp, name))):
        raise ContractError(
            f"{place}: {sql!r} is not the same every time: {forbidden.sql(dialect='spark')}",
            "Leave out the clock and random functions.",
        )
    return {node.name for node in tree.find_all(sqlglot.exp.Column)}


def names_in(sql: str) -> set[str]:
    """The names of columns in a Spark SQL expression that a contract has been checked for."""
    return _parsed(sql, "sql")


def _blank(declared: SchemaProperty, place: str) -> Column:
    if not declared.physicalType:
        raise ContractError(f"{place}: has no physicalType", "Give it a Spark type such as string or decimal(18,2).")
    return Column(name=str(declared.name), type=declared.physicalType)


def _kind(declared: SchemaProperty, start: Column) -> str:
    if declared.semanticType:
        return declared.semanticType
    if declared.logicalType in _KINDS:
        return _KINDS[declared.logicalType]
    return start.kind


def _validate(changed: Column, place: str) -> None:
    digits = re.fullmatch(r"decimal\((\d+),(\d+)\)", changed.type)
    if not _TYPES.fullmatch(changed.type) or (digits and not max(int(digits[2]), 1) <= int(digits[1]) <= 38):
        raise ContractError(
            f"{place}: physicalType {changed.type!r} is not known",
            "Use string, bigint, double, boolean, date, timestamp, decimal(p,s), array<string> or array<double>.",
        )
    if changed.kind not in {*_KINDS.values(), *_SEMANTIC_KINDS}:
        raise ContractError(
            f"{place}: semanticType {changed.kind!r} is not known",
            f"Use one of {', '.join(sorted(_SEMANTIC_KINDS))}, or leave it out.",
        )
    for bound in (changed.minimum, changed.maximum):
        if bound is None or (changed.type in _DATED and type(bound) is date):
            continue
        if (
            not isinstance(bound, int | float)
            or isinstance(bound, bool)
            or not abs(bound) < _MOST
            or changed.type in _UNORDERED
        ):
            raise ContractError(
                f"{place}: minimum or maximum {bound!r} does not fit type {changed.type}",
                "Give numbers, for columns of numbers, or days such as 1980-01-01, for dates and times.",
            )
    if changed.pattern is not None:
        try:
            re.compile(str(changed.pattern))
            if changed.type != "string" or re.search(r"\(\?<?[=!]|\\[1-9]", str(changed.pattern)):
                raise re.error("only for columns of text, without looking ahead, behind or back")
        except (re.error, OverflowError, RecursionError) as error:
            raise ContractError(f"{place}: pattern {changed.pattern!r}: {error}", "Mend the pattern.") from error


def _add_spellings(target: dict[str, str], source: dict[str, Any], place: str) -> None:
    if not isinstance(source, dict):
        raise ContractError(f"{place}: spellings is not a mapping", "Write `value: [spelling, spelling]`.")
    for value, written in source.items():
        if not isinstance(written, list | None):
            raise ContractError(f"{place}: spellings of {value!r} are {written!r}, not a list", f"Write [{written}].")
        for spelling in (str(value), *(str(item) for item in written or [])):
            for form in {spelling.strip().lower(), code(spelling)} - {""}:
                if target.get(form, value) != value:
                    raise ContractError(
                        f"{place}: spelling {spelling!r} stands for {target[form]!r} and {value!r}",
                        "Keep it under one value.",
                    )
                target[form] = str(value)


def _checks(declared: SchemaProperty, changed: Column, start: Column, place: str) -> dict[str, Severity]:
    checks: dict[str, Severity] = dict(start.checks)
    if declared.required is True:
        checks["null"] = "reject"
    elif declared.required is False:
        checks.pop("null", None)
    implied = {
        "readable": changed.type != "string",
        "accepted": bool(changed.accepted),
        "range": changed.minimum is not None or changed.maximum is not None,
        "pattern": changed.pattern is not None,
        "future": changed.event,
        "reference": changed.reference is not None,
    }
    for check, applies in implied.items():
        if applies:
            checks.setdefault(check, "reject")
    if changed.kind == "phone":  # a text without a digit becomes null, and that is worth counting
        checks.setdefault("readable", "warn")
    for quality in declared.quality or []:
        check = _METRIC_CHECKS.get(quality.metric or "") or str(quality.implementation)
        if check not in {*_METRIC_CHECKS.values(), *_CUSTOM_CHECKS}:
            raise ContractError(
                f"{place}: quality check {quality.metric or quality.implementation!r} is not known",
                f"Use metric {' or '.join(_METRIC_CHECKS)}, or implementation {', '.join(sorted(_CUSTOM_CHECKS))}.",
            )
        if not implied.get(check, True):
            raise ContractError(
                f"{place}: quality check {check!r} has nothing to check by", f"Declare {_BASIS[check]}, or drop it."
            )
        severity = quality.severity or "reject"
        if severity not in ("reject", "warn"):
            raise ContractError(f"{place}: severity {severity!r} is not known", "Use reject or warn.")
        checks[check] = cast(Severity, severity)
    return checks


def entity(declared: SchemaObject, contract: OpenDataContractStandard, path: str, base: Entity | None) -> Entity:
    """An entity from its declaration; with `base`, the declaration overrides and adds.

    Raises:
        ContractError: The declaration cannot be used; names file, place and reason.
    """
    place = f"{path}: {declared.name}"
    extra = custom(declared, _OBJECT_PROPERTIES, place)
    formats = _texts(extra, "dateFormats", place)
    columns = {item.name: item for item in base.columns} if base else {}
    if formats:
        columns = {name: replace(item, date_formats=formats) for name, item in columns.items()}
    keys: list[str] = []
    described: set[str] = set()
    for item in declared.properties or []:
        if str(item.name) in described:
            raise ContractError(f"{place}.{item.name}: is described twice", "Say all of a column in one place.")
        described.add(str(item.name))
        if not re.fullmatch(r"[a-z][a-z0-9_]*", str(item.name)) or item.name == "known_at":
            raise ContractError(f"{place}.{item.name}: cannot be a column's name", "Use a name in lower_snake_case.")
        columns[str(item.name)] = column(item, place, columns.get(str(item.name)), formats or None)
        if columns[str(item.name)].type.startswith("array"):
            raise ContractError(f"{place}.{item.name}: a cell cannot be read as a list", "Use string.")
        if item.primaryKey:
            keys.append(str(item.name))
    for name, column_ in columns.items():
        if base and name in described:
            for sql in filter(None, (column_.default, column_.derive)):
                _expression(str(sql), columns, f"{place}.{name}")
    if not keys and base:
        keys = [base.key]
    if len(keys) != 1:
        raise ContractError(f"{place}: has {len(keys)} primary keys", "Mark exactly one column primaryKey: true.")
    if columns[keys[0]].checks.get("null") != "reject" or columns[keys[0]].type != "string":
        raise ContractError(
            f"{place}.{keys[0]}: is the key, so it must be required and a string", "Say required: true."
        )
    version = extra.get("versionColumn", base.version_column if base else None)
    if version is not None and (version not in columns or columns[version].type not in ("timestamp", "date")):
        raise ContractError(
            f"{place}: versionColumn {version!r} is not a timestamp column", "Name one of its timestamp columns."
        )
    placeholders = tuple(item.strip().lower() for item in _texts(extra, "placeholders", place))
    return Entity(
        name=str(declared.name),
        grain=declared.dataGranularityDescription or (base.grain if base else "one row per record"),
        description=declared.description or (base.description if base else ""),
        columns=tuple(columns.values()),
        key=keys[0],
        version_column=version,
        file_patterns=_texts(extra, "filePatterns", place)
        if "filePatterns" in extra or base is None
        else base.file_patterns,
        placeholders=tuple(dict.fromkeys((*(base.placeholders if base else PLACEHOLDERS), *placeholders))),
        freshness_hours=_freshness(contract, str(declared.name), base, place),
        sources=_sources(extra, base, columns, place, version),
        **_survivorship(extra, base, place),
    )


def _survivorship(extra: dict[str, Any], base: Entity | None, place: str) -> dict[str, Any]:
    """Whose values count where records were decided to be one: the word, and the patterns of preferred files."""
    if "survivorship" not in extra:
        return {"survivorship": base.survivorship, "preferred": base.preferred} if base else {}
    rule = extra["survivorship"]
    if isinstance(rule, list) and rule:
        return {"survivorship": "newest", "preferred": tuple(str(item).lower() for item in rule)}
    if rule not in ("newest", "complete"):
        raise ContractError(
            f"{place}: survivorship is {rule!r}",
            "Write newest, complete, or a list of patterns of files, the preferred first: [erp_*].",
        )
    return {"survivorship": rule, "preferred": ()}


def _sources(
    extra: dict[str, Any], base: Entity | None, columns: dict[str, Column], place: str, version: str | None
) -> tuple[filling.Source, ...]:
    """The files that feed the entity: those of this contract beside those of the contracts before it."""
    sources = filling.sources(extra.get("sources") or [], place)
    for source in sources:
        where = f"{place}: sources: {source.file}"
        _check_formats(source.date_formats, where)
        if source.snapshot and (version is None or version in (source.columns or {})):
            raise ContractError(
                f"{where}: snapshot says when a record was changed, and "
                + (f"so does {version}" if version else "the entity has no versionColumn for it"),
                f"Leave {version} out." if version else "Give it one, or leave snapshot out.",
            )
        for name, item in (source.columns or {}).items():
            if name not in columns:
                raise ContractError(
                    f"{where}: {name!r} is not a column of {place.rpartition(' ')[2]}",
                    f"Columns: {', '.join(columns)}.",
                )
            _check_formats(item.date_formats, f"{where}: {name}")
            if item.unit and not re.match("bigint|double|decimal", columns[name].type):
                raise ContractError(
                    f"{where}: {name}: a unit is for figures, not {columns[name].type}", "Leave it out."
                )
            if columns[name].accepted and not columns[name].fallback:
                meant = {value for _, value in item.values} | {*_given(item.otherwise), *_given(item.empty)}
                if strange := sorted(meant - {*columns[name].accepted}):
                    raise ContractError(
                        f"{where}: {name}: {strange[0]!r} is not one of {', '.join(columns[name].accepted)}",
                        "Correct it.",
                    )
            if item.sql is not None:
                _parsed(item.sql, f"{where}: {name}")
        for name, item in source.life.items():
            if item.sql is not None:
                _parsed(item.sql, f"{where}: {name.removeprefix('_')}")
        for listed in (source.merged_into.from_, source.merged_into.to) if source.merged_into else ():
            if isinstance(listed, Expression):
                _parsed(listed.sql, f"{where}: mergedInto")
    return (*(base.sources if base else ()), *sources)


def _freshness(contract: OpenDataContractStandard, name: str, base: Entity | None, place: str) -> float | None:
    for promise in contract.slaProperties or []:
        if promise.property == "latency" and str(promise.element).split(".")[0] == name:
            try:
                return float(str(promise.value)) * _HOURS[str(promise.unit)]
            except (ValueError, KeyError) as error:
                raise ContractError(
                    f"{place}: latency {promise.value!r} {promise.unit!r} is not a time",
                    "Write value: 2, unit: h, d or w.",
                ) from error
    return base.freshness_hours if base else None


def table(declared: SchemaObject, path: str) -> Table:
    """A table that the pipeline makes (gold, ops, quarantine) from its declaration."""
    place = f"{path}: {declared.name}"
    extra = custom(declared, _OBJECT_PROPERTIES, place)
    columns = tuple(column(item, place) for item in declared.properties or [])
    keys = sorted(
        (item for item in declared.properties or [] if item.primaryKey),
        key=lambda p: p.primaryKeyPosition or 0,
    )
    return Table(
        name=str(declared.physicalName),
        grain=str(declared.dataGranularityDescription),
        description=str(declared.description),
        key=tuple(str(item.name) for item in keys),
        columns=columns,
        invariants=tuple(extra.get("invariants") or ()),
    )


__all__ = ["DATE_FORMATS", "code", "entity", "names_in", "read_objects", "table"]
