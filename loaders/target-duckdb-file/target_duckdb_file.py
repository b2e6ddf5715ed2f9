"""Singer target that upserts into one DuckDB file."""  # noqa: INP001 - one module, no package

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import duckdb
import msgspec
from singer_sdk import BatchSink, Sink, Target
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError, DataError
from singer_sdk.io_base import SingerReader
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.json import deserialize_json, serialize_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    import click

# Column types by the names that DuckDB reports, so that they compare with those of a table.
TYPES = {"boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "string": "VARCHAR"}
FORMATS = {"date": "DATE", "date-time": "TIMESTAMP WITH TIME ZONE", "time": "TIME"}


#: Oldest DuckDB that can open the files of this loader.
STORAGE_VERSION = "v1.4.0"
_LOCK_POLL_SECONDS = 0.2
_SAME_SIGNAL_SECONDS = 1.0
# With one of these set, the SDK's own log lines are wanted.
_LOG_LEVELS = ("TARGET_DUCKDB_FILE_LOGLEVEL", "LOGLEVEL")

# What a schema may say of a value for it to be read at full speed; other words take more care.
PLAIN_WORDS = frozenset({"type", "properties", "items", "format", "description", "title"})
KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": None,
}
MOMENTS: dict[str, Any] = {"date": dt.date, "date-time": dt.datetime, "time": dt.time}


class NotPlainError(Exception):
    """A schema says more of a value than its type."""


def value_type(schema: dict[str, Any]) -> Any:
    """Return the type of the values of a schema, nested ones too.

    Raises:
        NotPlainError: If the schema says more than types can.
    """
    names = kinds_of(schema)
    if not names or not schema.keys() <= PLAIN_WORDS:
        raise NotPlainError
    if {"integer", "number"} <= {*names}:
        names.remove("integer")
    result: Any = None
    for name in names:
        if name == "array":
            kind: Any = list[value_type(schema["items"]) if schema.get("items") else Any]  # type: ignore[misc]
        elif name == "object":
            kind = object_type(schema)
        elif name in KINDS:
            kind = KINDS[name]
        else:
            raise NotPlainError
        result = kind if name == names[0] else result | kind
    return result


def object_type(schema: dict[str, Any]) -> Any:
    """Return the type of objects with the properties that a schema knows, and maybe others."""
    properties = schema.get("properties")
    if not properties:
        return dict[str, Any]
    fields = [
        (f"field_{number}", value_type(each) | msgspec.UnsetType, msgspec.UNSET)
        for number, each in enumerate(properties.values())
    ]
    names = {field: name for (field, *_), name in zip(fields, properties, strict=True)}
    return msgspec.defstruct("Object", fields, rename=names, gc=False)


class RowReader:
    """Reads records whose values are just as the schema says, which nearly all are.

    It checks what the SDK's validator would check, and makes the same texts of a record as that
    way, in a fraction of the time.
    """

    def __init__(self, schema: dict[str, Any], keys: Sequence[str], added: frozenset[str]) -> None:
        """Compile a schema.

        Args:
            schema: JSON schema of the stream.
            keys: Properties that a record must have.
            added: Columns that are no part of a record.

        Raises:
            NotPlainError: If the schema says more of a value than its type.
        """
        if not schema.keys() - {"required", "additionalProperties"} <= PLAIN_WORDS:
            raise NotPlainError
        fields: list[Any] = []
        names = {}
        self._converts: list[tuple[int, Callable[[Any], str]]] = []
        must = {*keys, *schema.get("required", ())}
        for place, (name, definition) in enumerate(schema["properties"].items()):
            field = f"field_{place}"
            names[field] = name
            kind, convert = (None, None) if name in added else self._field(definition)
            fields.append((field, kind) if name in must else (field, kind, None))
            if convert:
                self._converts.append((place, convert))
        try:
            row = msgspec.defstruct(
                "Row", fields, rename=names, kw_only=True, forbid_unknown_fields=True, gc=False
            )
            self._decode = msgspec.json.Decoder(row).decode
        except (TypeError, ValueError) as error:
            # Of names of odd characters, and of unions that cannot be told apart.
            raise NotPlainError from error
        self.added = [place for place, name in enumerate(schema["properties"]) if name in added]

    @staticmethod
    def _field(schema: dict[str, Any]) -> tuple[Any, Callable[[Any], str] | None]:
        """The type of a column's values, and what makes a text of them; None where they are."""
        kind = column_type(schema)
        if kind != "JSON":
            name = next(each for each in kinds_of(schema) if each != "null")
            value_type(schema)
            result = MOMENTS.get(schema.get("format", ""), str) if name == "string" else KINDS[name]
            convert = None if result is str else str if name == "string" else _encoded
            return result | None if "null" in kinds_of(schema) else result, convert
        check = msgspec.json.Decoder(value_type(schema)).decode

        def checked(raw: msgspec.Raw) -> str | None:
            check(raw)
            text = msgspec.json.format(raw, indent=-1).decode()
            return None if text == "null" else text

        return msgspec.Raw, checked  # type: ignore[return-value]

    def read(self, record: msgspec.Raw) -> list[Any]:
        """Return a record as one text per column.

        Raises:
            ValueError: If it is not just as the schema says.
        """
        row = list(msgspec.structs.astuple(self._decode(record)))
        for place, convert in self._converts:
            if (value := row[place]) is not None:
                row[place] = convert(value)
        return row


def _encoded(value: float | bool) -> str:  # noqa: FBT001 - a value like others
    return msgspec.json.encode(value).decode()


def quote(*names: str) -> str:
    """Return the SQL identifier made of these names, whatever characters they hold."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run statements in one transaction: all of them or none."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def kinds_of(schema: dict[str, Any]) -> list[str]:
    """Return the names of the types that a schema allows; none if it does not say."""
    names = schema.get("type", ())
    return [names] if isinstance(names, str) else list(names)


def possible_types(schema: dict[str, Any]) -> set[str]:
    """Return the column types that the values of a property ask for, null apart."""
    if variants := schema.get("anyOf", schema.get("oneOf")):
        return {kind for variant in variants for kind in possible_types(variant)}
    names = set(kinds_of(schema) or ["object"])
    types = {TYPES.get(name, "JSON") for name in names - {"null", "string"}}
    return types | (
        {FORMATS.get(schema.get("format", ""), "VARCHAR")} if "string" in names else set()
    )


def column_type(schema: dict[str, Any]) -> str:
    """Return the column type of a property: JSON where no single plain type will do."""
    types = possible_types(schema)
    return types.pop() if len(types) == 1 else "JSON"


def cast(expression: str, kind: str) -> str:
    """Return the SQL that turns a text into a column type."""
    if kind == "TIME":  # a plain cast would drop the offset
        return f"cast(cast({expression} as TIMETZ) at time zone 'UTC' as TIME)"
    return f"cast({expression} as {kind})"


def as_text(value: Any, kind: str) -> str | None:
    """Return a value as the text that DuckDB casts to the column type."""
    if value is None:
        return None
    if kind == "JSON" or not isinstance(value, str | dt.date | dt.time):
        value = serialize_json(value, ensure_ascii=False)
    # Half a surrogate pair, which JSON can carry, is no text: it is stored as U+FFFD.
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class DuckDBFileSink(BatchSink):
    """Loads a stream into a table, each batch with a single statement: all of it or nothing.

    A batch goes to DuckDB as one list of texts per column, cast there by the stream's schema.
    There is no file in between whose header or types would have to be guessed.
    """

    # Rows may hold megabytes, so a batch is also full when its texts have this many characters.
    max_characters = 32_000_000

    def __init__(
        self,
        target: TargetDuckDBFile,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        """Prepare the sink.

        Args:
            target: The target, which holds the connection.
            stream_name: Name of the stream and of its table.
            schema: JSON schema of the stream.
            key_properties: Properties that identify a row. Without them rows are appended.
        """
        super().__init__(target, stream_name, schema, key_properties)
        self.connection = target.connection
        self.schema_path = target.schema_path
        self.table = quote(*self.schema_path, stream_name)
        self.columns = {
            name: column_type(definition) for name, definition in self.schema["properties"].items()
        }
        self.statement = ""
        self.characters = 0
        self.reader: RowReader | None = None

    def setup(self) -> None:
        """Make the table fit the schema, and compose the statement that loads a batch.

        A new property becomes a column. A column whose property is gone stays. A column whose
        type changes becomes VARCHAR, which holds the old values as well as the new ones.
        """
        super().setup()
        definition = self._definition(self.columns, self.primary_key)
        self.connection.execute(f"create table if not exists {self.table} ({definition})")
        self._fit_table()
        self._comment()
        self.statement = self.compose()
        self.reader = self._make_reader()

    @property
    def primary_key(self) -> list[str]:
        """Columns of the primary key; none if the schema allows null in a key."""
        properties = self.schema["properties"]
        if any("null" in (kinds_of(properties[name]) or ["null"]) for name in self.key_properties):
            return []
        return list(self.key_properties)

    @staticmethod
    def _definition(columns: dict[str, str], primary_key: Sequence[str]) -> str:
        parts = [f"{quote(name)} {kind}" for name, kind in columns.items()]
        if primary_key:
            parts.append(f"primary key ({', '.join(map(quote, primary_key))})")
        return ", ".join(parts)

    def _fit_table(self) -> None:
        """Give a table of an earlier load the columns and the primary key of the schema."""
        described = self.connection.execute(f"describe {self.table}").fetchall()
        present = {name.lower(): kind for name, kind, *_ in described}  # in DuckDB Id is also id
        changed = []
        for name, kind in self.columns.items():
            stored = present.get(name.lower())
            if stored is None:
                self.connection.execute(
                    f"alter table {self.table} add column {self._definition({name: kind}, ())}"
                )
            elif stored != kind:
                self.columns[name] = "VARCHAR"
                if stored != "VARCHAR":
                    changed.append(name)
        stored_key = self._stored_primary_key()
        wanted_key = {name.lower() for name in self.primary_key}
        if stored_key not in (set(), wanted_key) or stored_key & {n.lower() for n in changed}:
            # DuckDB can neither drop a primary key nor change the type of a column in it.
            self._rebuild(changed)
            return
        for name in changed:
            self.connection.execute(
                f"alter table {self.table} alter column {quote(name)} type VARCHAR"
            )
        if wanted_key and not stored_key:
            keys = ", ".join(map(quote, self.primary_key))
            try:
                self.connection.execute(f"alter table {self.table} add primary key ({keys})")
            except duckdb.ConstraintException:
                self._warn_about_key()

    def _stored_primary_key(self) -> set[str]:
        rows = self.connection.execute(
            """
            select unnest(constraint_column_names) from duckdb_constraints()
            where constraint_type = 'PRIMARY KEY'
                and (database_name, schema_name, lower(table_name)) = ($1, $2, lower($3))
            """,
            [*self.schema_path, self.stream_name],
        ).fetchall()
        return {name.lower() for (name,) in rows}

    def _rebuild(self, changed: Sequence[str]) -> None:
        """Copy the table into one with the primary key of the schema."""
        described = self.connection.execute(f"describe {self.table}").fetchall()
        as_text = {name.lower() for name in changed}
        columns = {n: "VARCHAR" if n.lower() in as_text else kind for n, kind, *_ in described}
        try:
            self._copy(columns, self.primary_key)
        except duckdb.ConstraintException:
            self._copy(columns, ())
            self._warn_about_key()

    def _copy(self, columns: dict[str, str], primary_key: Sequence[str]) -> None:
        copy = quote(*self.schema_path, f"{self.stream_name}__copy")
        with transaction(self.connection):
            self.connection.execute(
                f"create table {copy} ({self._definition(columns, primary_key)})"
            )
            self.connection.execute(f"insert into {copy} by name from {self.table}")
            self.connection.execute(f"drop table {self.table}")
            self.connection.execute(f"alter table {copy} rename to {quote(self.stream_name)}")

    def _warn_about_key(self) -> None:
        self.logger.warning(
            "Table %s has no primary key: earlier rows have no value in it, or share one.",
            self.table,
        )

    def _comment(self) -> None:
        """Describe the table and its columns as the schema does."""
        rows = self.connection.execute(
            """
            select null, comment from duckdb_tables()
            where (database_name, schema_name, table_name) = ($1, $2, $3)
            union all
            select column_name, comment from duckdb_columns()
            where (database_name, schema_name, table_name) = ($1, $2, $3)
            """,
            [*self.schema_path, self.stream_name],
        ).fetchall()
        stored: dict[str | None, str | None] = dict(rows)
        wanted: dict[str | None, str | None] = {None: self.original_schema.get("description")}
        wanted |= {n: each.get("description") for n, each in self.schema["properties"].items()}
        for name, text in wanted.items():
            if text and name in stored and stored[name] != text:
                thing = f"column {self.table}.{quote(name)}" if name else f"table {self.table}"
                literal = "'" + text.replace("'", "''") + "'"
                self.connection.execute(f"comment on {thing} is {literal}")

    def _make_reader(self) -> RowReader | None:
        """Return what reads records at full speed; None if the schema or the table forbid it."""
        properties = self.schema["properties"]
        if self.columns != {name: column_type(each) for name, each in properties.items()}:
            return None
        added = frozenset(properties.keys() - self.original_schema["properties"].keys())
        try:
            return RowReader(self.schema, self.key_properties, added)
        except NotPlainError:
            return None

    def compose(self) -> str:
        """Return the statement that loads a batch; its parameters are the columns' texts."""
        names = {name: quote(name) for name in self.columns}
        texts = ", ".join(
            f"unnest(${number}::VARCHAR[]) as {name}"
            for number, name in enumerate(names.values(), 1)
        )
        values = ", ".join(
            f"{cast(names[name], kind)} as {names[name]}" for name, kind in self.columns.items()
        )
        if not self.key_properties:
            return f"insert into {self.table} by name select {values} from (select {texts})"  # noqa: S608 - names are quoted
        keys = [names[name] for name in self.key_properties]
        row = "n" * (max(map(len, names)) + 1)  # longer than the name of any column
        return f"""
            merge into {self.table} as t using (
                select distinct on ({", ".join(keys)}) * exclude ({row})
                from (
                    select {values}, {row}
                    from (select {texts}, generate_subscripts($1::VARCHAR[], 1) as {row})
                )
                order by {row} desc
            ) as s
            on {" and ".join(f"t.{key} is not distinct from s.{key}" for key in keys)}
            when matched then update by name
            when not matched then insert by name
        """  # noqa: S608 - names are quoted

    @property
    def is_full(self) -> bool:
        """True if the batch has enough rows, or enough text."""
        return super().is_full or self.characters >= self.max_characters

    def start_batch(self, context: dict[str, Any]) -> None:
        """Start counting the text of a new batch."""
        super().start_batch(context)
        self.characters = 0

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Add a record to the batch, as one text per column."""
        self._add([as_text(record.get(name), kind) for name, kind in self.columns.items()], context)

    def process_plain(self, message: dict[str, Any]) -> bool:
        """Add a record that is still JSON to the batch, if it is just as the schema says."""
        if self.reader is None:
            return False
        try:
            row = self.reader.read(message["record"])
        except ValueError:
            return False
        context = self._get_context({})
        if self.reader.added:
            added = dict[str, Any]()
            self._add_sdc_metadata_to_record(added, message, context)
            names = list(self.columns)
            for place in self.reader.added:
                value = added.get(names[place])
                row[place] = None if value is None else str(value)
        self._add(row, context)
        return True

    def _add(self, row: list[str | None], context: dict[str, Any]) -> None:
        self.characters += sum(len(value) for value in row if value)
        context.setdefault("rows", []).append(row)

    def process_batch(self, context: dict[str, Any]) -> None:
        """Load a batch in one transaction, which a single statement is.

        Raises:
            DataError: DuckDB rejects a value, such as an integer of more than 64 bits.
        """
        for record in context.get("records", ()):  # those of a BATCH message's files
            self.process_record(record, context)
        texts = [list(column) for column in zip(*context["rows"], strict=True)]
        try:
            self.connection.execute(self.statement, texts)
        except duckdb.Error as error:
            msg = f"Stream {self.stream_name!r}: {str(error).splitlines()[0]}"
            raise DataError(msg) from error


class Message(msgspec.Struct):
    """A Singer message, its record still being JSON."""

    type: str
    stream: str | None = None
    record: msgspec.Raw = msgspec.Raw()
    version: int | None = None
    time_extracted: str | None = None


class EndOfInputError(Exception):
    """The input ends here, although more may come."""


class Input:
    """Lines of a file, until that ends or is ended."""

    def __init__(self, file: IO[str]) -> None:
        """Take the file."""
        self._lines = iter(file)
        self._is_waiting = False
        self._has_ended = False

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> str:
        """Return the next line."""
        try:
            self._is_waiting = True
            if self._has_ended:
                raise StopIteration
            return next(self._lines)
        except EndOfInputError:
            raise StopIteration from None
        finally:
            self._is_waiting = False

    def end(self, _signum: int, _frame: FrameType | None) -> None:
        """End it, at once if a line is waited for.

        Raises:
            EndOfInputError: A line is waited for.
        """
        self._has_ended = True
        if self._is_waiting:
            raise EndOfInputError


class Reader(SingerReader):
    """Reads messages, and leaves records as they are: nearly all need no more than a check."""

    _decode = staticmethod(msgspec.json.Decoder(Message).decode)

    #: The lines that are being read; None before the first.
    lines: Input | None = None

    def process_lines(
        self, file_input: IO[str] | None, callbacks: dict[str, Callable[[dict[str, Any]], None]]
    ) -> Counter[str]:
        """Read messages to the end of the input, or for a while after a signal."""
        self.lines = Input(file_input or sys.stdin)
        lines: Any = self.lines
        return super().process_lines(lines, callbacks)

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Read a message; a record in it may be a `msgspec.Raw`."""
        try:
            message = self._decode(line)
        except ValueError:
            return super().deserialize_json(line)
        if message.type != "RECORD" or not message.record or message.stream is None:
            return super().deserialize_json(line)
        return msgspec.structs.asdict(message)


class TargetDuckDBFile(Target):
    """Loads each stream into a table of one DuckDB file, and upserts by the stream's keys."""

    name = "target-duckdb-file"
    message_reader_class = Reader
    default_sink_class = DuckDBFileSink
    config_jsonschema = th.PropertiesList(
        th.Property(
            "path",
            th.StringType(),
            required=True,
            title="Path",
            description="DuckDB file to load into. It and its folder are created if missing.",
        ),
        th.Property(
            "schema",
            th.StringType(),
            default="main",
            title="Schema",
            description="DuckDB schema that the tables go to. It is created if missing.",
        ),
        th.Property(
            "lock_timeout",
            th.NumberType(minimum=0),
            default=300,
            title="Lock timeout",
            description="Seconds to wait for another process that has the file open.",
        ),
    ).to_dict()

    def __init__(self, **kwargs: Any) -> None:
        """Open the file, before any data is read.

        Args:
            **kwargs: Those of the SDK's target.

        Raises:
            ConfigValidationError: If DuckDB cannot open the file or create the schema.
        """
        super().__init__(**kwargs)
        self._plain_sinks: dict[str, DuckDBFileSink | None] = {}
        self.max_parallelism = 1  # all sinks share one connection
        if not any(map(os.environ.get, _LOG_LEVELS)):
            self.metrics_logger.setLevel(logging.WARNING)
        # Made absolute, since DuckDB takes ":memory:" and the like for something else than a file.
        path = Path(self.config["path"]).expanduser().absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = self._open(path)
            self.connection.execute("set TimeZone = 'UTC'")  # of date-times that name no offset
            database = self.connection.execute("select current_database()").fetchall()[0][0]
            self.schema_path = (database, self.config["schema"] or "main")
            self.connection.execute(f"create schema if not exists {quote(*self.schema_path)}")
        except (duckdb.Error, OSError) as error:
            msg = str(error).splitlines()[0]
            raise ConfigValidationError(msg, errors=[msg]) from error

    def _open(self, path: Path) -> duckdb.DuckDBPyConnection:
        """Open the file, after other processes have closed it."""
        # A file keeps its version; a new one can be opened by this DuckDB and later ones.
        config: dict[str, Any] = (
            {} if path.exists() else {"storage_compatibility_version": STORAGE_VERSION}
        )
        timeout = float(self.config["lock_timeout"])
        ends = time.monotonic() + timeout
        is_waiting = False
        while True:
            try:
                return duckdb.connect(path, config=config)
            except duckdb.IOException as error:
                if "lock" not in str(error) or time.monotonic() >= ends:
                    raise
            if not is_waiting:
                self.logger.info(
                    "Another process has %s open. Waiting for up to %g seconds (`lock_timeout`).",
                    path,
                    timeout,
                )
                is_waiting = True
            time.sleep(_LOCK_POLL_SECONDS)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command, with a description of what it does."""
        command = super().get_singer_command()
        command.help = (
            "Load Singer messages from stdin into one DuckDB file, and write the state of what is"
            " stored to stdout."
        )
        return command

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, as they hold here.

        `load_method` is left out: a stream's keys alone decide how its rows go in. When a row was
        extracted and loaded is stored beside it unless that is not wanted.
        """
        super().append_builtin_config(config_jsonschema)
        config_jsonschema["properties"].pop("load_method", None)
        config_jsonschema["properties"]["add_record_metadata"] |= {
            "default": True,
            "description": "Whether tables get the columns `_sdc_extracted_at`, `_sdc_batched_at`"
            " and so on, which say when a row was read and loaded.",
        }

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> Sink:
        """Return the sink of a stream, a new one if its schema has changed.

        The SDK would keep the rows of the old sink to the end, where they replace newer ones.
        """
        if schema is not None and self.sink_exists(stream_name):
            self.drain_one(super().get_sink(stream_name))
        return super().get_sink(
            stream_name, record=record, schema=schema, key_properties=key_properties
        )

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        super()._process_schema_message(message_dict)
        self._plain_sinks.clear()

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Take a record the short way if nothing is to be done with it but to load it."""
        record = message_dict.get("record")
        if not isinstance(record, msgspec.Raw):
            super()._process_record_message(message_dict)
            return
        stream = message_dict["stream"]
        if stream not in self._plain_sinks:
            self._plain_sinks[stream] = self._plain_sink(stream)
        sink = self._plain_sinks[stream]
        if sink is None or not sink.process_plain(message_dict):
            message_dict["record"] = deserialize_json(str(record, "utf-8"))
            super()._process_record_message(message_dict)
            return
        sink.tally_record_read()
        sink.record_counter_metric.increment()
        if sink.is_full:
            self.logger.info("Stream '%s': draining %d rows", stream, sink.current_size)
            self.drain_one(sink)
        self._handle_max_record_age()

    def _plain_sink(self, stream: str) -> DuckDBFileSink | None:
        """The sink of a stream whose records go into it as they are."""
        maps = self.mapper.stream_maps.get(stream, [])
        if [type(each) for each in maps] != [SameRecordTransform]:
            return None
        flattening = maps[0].flattening_options
        if (flattening and flattening.enabled) or not self.sink_exists(maps[0].stream_alias):
            return None
        sink = self.get_sink(maps[0].stream_alias)
        return sink if isinstance(sink, DuckDBFileSink) else None

    def process_endofpipe(self) -> None:
        """Load what is left, then close the file."""
        if self._ending_since and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        super().process_endofpipe()
        self.connection.close()

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        super()._process_state_message(message_dict)
        self._handle_max_record_age()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Read on to the end of the input, load what came, and write the last state.

        The tap gets the same signal, as a rule, and ends its output gracefully. If it does not, the
        input ends here. Another signal a second later ends the load at once: what is not loaded has
        no state, so it comes again. (Ctrl-C goes to all processes of a terminal, and Meltano sends
        each a signal on top of it.)

        The SDK would load the pending rows and write the state even in the middle of a batch,
        whose rows the state then counts though they are never committed.
        """
        reader = self.message_reader
        lines = reader.lines if isinstance(reader, Reader) else None
        if self._ending_since and time.monotonic() - self._ending_since < _SAME_SIGNAL_SECONDS:
            return
        if lines is None or self._ending_since:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
            return
        self._ending_since = time.monotonic()
        self.logger.info("Loading what the tap has sent, then ending (%s).", signum)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lines.end)
            signal.setitimer(signal.ITIMER_REAL, self.patience)
        else:
            lines.end(signum, frame)

    #: Seconds that the tap has for ending its output after a signal. Containers are killed after
    #: ten.
    patience = 7.0
    #: When the first signal came, on the monotonic clock; 0 before.
    _ending_since = 0.0
    _MAX_RECORD_AGE_IN_MINUTES = 0.5
