"""Singer target that upserts into one DuckDB file."""  # noqa: INP001 - one module, no package

from __future__ import annotations

import datetime as dt
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from singer_sdk import BatchSink, Sink, Target
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError, DataError
from singer_sdk.singerlib.json import serialize_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Column types by the names that DuckDB reports, so that they compare with those of a table.
TYPES = {"boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "string": "VARCHAR"}
FORMATS = {"date": "DATE", "date-time": "TIMESTAMP WITH TIME ZONE", "time": "TIME"}


def quote(*names: str) -> str:
    """Return the SQL identifier made of these names, whatever characters they hold."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def possible_types(schema: dict[str, Any]) -> set[str]:
    """Return the column types that the values of a property ask for, null apart."""
    if variants := schema.get("anyOf", schema.get("oneOf")):
        return {kind for variant in variants for kind in possible_types(variant)}
    names = schema.get("type", "object")
    names = {names} if isinstance(names, str) else set(names)
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
        self.table = quote(*target.schema_path, stream_name)
        self.columns = {
            name: column_type(definition) for name, definition in self.schema["properties"].items()
        }
        self.statement = ""
        self.characters = 0

    def setup(self) -> None:
        """Make the table fit the schema, and compose the statement that loads a batch.

        A new property becomes a column. A column whose property is gone stays. A column whose
        type changes becomes VARCHAR, which holds the old values as well as the new ones.
        """
        super().setup()
        # No primary key: DuckDB would not change the type of a column in it.
        definitions = {name: f"{quote(name)} {kind}" for name, kind in self.columns.items()}
        self.connection.execute(
            f"create table if not exists {self.table} ({', '.join(definitions.values())})"
        )
        described = self.connection.execute(f"describe {self.table}").fetchall()
        present = {name.lower(): kind for name, kind, *_ in described}  # in DuckDB Id is also id
        for name, definition in definitions.items():
            stored = present.get(name.lower())
            if stored is None:
                self.connection.execute(f"alter table {self.table} add column {definition}")
            elif stored != self.columns[name]:
                self.columns[name] = "VARCHAR"
                if stored != "VARCHAR":
                    self.connection.execute(
                        f"alter table {self.table} alter column {quote(name)} type VARCHAR"
                    )
        self.statement = self.compose()

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
        """Whether the batch has enough rows, or enough text."""
        return super().is_full or self.characters >= self.max_characters

    def start_batch(self, context: dict[str, Any]) -> None:
        """Start counting the text of a new batch."""
        super().start_batch(context)
        self.characters = 0

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Add a record to the batch, as one text per column."""
        row = [as_text(record.get(name), kind) for name, kind in self.columns.items()]
        self.characters += sum(len(value) for value in row if value)
        context.setdefault("rows", []).append(row)

    def process_batch(self, context: dict[str, Any]) -> None:
        """Load a batch in one transaction, which a single statement is.

        Raises:
            DataError: If DuckDB refuses a value, as an integer of more than 64 bits.
        """
        for record in context.get("records", ()):  # those of a BATCH message's files
            self.process_record(record, context)
        texts = [list(column) for column in zip(*context["rows"], strict=True)]
        try:
            self.connection.execute(self.statement, texts)
        except duckdb.Error as error:
            msg = f"Stream {self.stream_name!r}: {str(error).splitlines()[0]}"
            raise DataError(msg) from error


class TargetDuckDBFile(Target):
    """Loads each stream into a table of one DuckDB file, and upserts by the stream's keys."""

    name = "target-duckdb-file"
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
    ).to_dict()

    def __init__(self, **kwargs: Any) -> None:
        """Open the file, before any data is read.

        Args:
            **kwargs: Those of the SDK's target.

        Raises:
            ConfigValidationError: If DuckDB cannot open the file or create the schema.
        """
        super().__init__(**kwargs)
        self.max_parallelism = 1  # all sinks share one connection
        # Made absolute, since DuckDB takes ":memory:" and the like for something else than a file.
        path = Path(self.config["path"]).expanduser().absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = duckdb.connect(path)
            self.connection.execute("set TimeZone = 'UTC'")  # of date-times that name no offset
            database = self.connection.execute("select current_database()").fetchall()[0][0]
            self.schema_path = (database, self.config["schema"] or "main")
            self.connection.execute(f"create schema if not exists {quote(*self.schema_path)}")
        except (duckdb.Error, OSError) as error:
            msg = str(error).splitlines()[0]
            raise ConfigValidationError(msg, errors=[msg]) from error

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

    def process_endofpipe(self) -> None:
        """Load what is left, then close the file."""
        super().process_endofpipe()
        self.connection.close()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Die of the signal at once: what is not loaded has no state yet, so it comes again.

        The SDK would load the pending rows and write the state even in the middle of a batch,
        whose rows the state then counts though they are never committed.
        """
        signal.signal(signum, signal.SIG_DFL)
        signal.raise_signal(signum)
