"""The DuckDB target stores what it is given: every row, every value, whole batches."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from helpers.strategies import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from target_duckdb_file import DuckDBFileSink, TargetDuckDBFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("target-duckdb-file")

STRING = {"type": ["string", "null"]}
INTEGER = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}
BOOLEAN = {"type": ["boolean", "null"]}
NESTED = {"type": ["object", "array", "null"]}
ANYTHING = {"type": ["object", "array", "string", "number", "boolean", "null"]}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
DATE = {"type": ["string", "null"], "format": "date"}
TIME = {"type": ["string", "null"], "format": "time"}

# Rows as they are sent, with nothing added.
PLAIN = {"add_record_metadata": False}

Message = dict[str, Any]
Row = dict[str, Any]


def schema_of(
    properties: dict[str, Any], keys: Iterable[str] = (), stream: str = "rows"
) -> Message:
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": [*keys],
    }


def records(*rows: Row, stream: str = "rows") -> list[Message]:
    return [{"type": "RECORD", "stream": stream, "record": row} for row in rows]


def state(value: int) -> Message:
    return {"type": "STATE", "value": {"n": value}}


def lines(messages: Iterable[Message]) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


def write_config(path: Path, /, **config: Any) -> Path:
    file = path.with_suffix(".config.json")
    file.write_text(json.dumps({"path": str(path), **PLAIN, **config}))
    return file


def run(
    path: Path,
    messages: Iterable[Message],
    /,
    environment: dict[str, str] | None = None,
    **config: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the command on these messages."""
    return subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "--config", write_config(path, **config)],
        input=lines(messages),
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=os.environ | (environment or {}),
    )


def load(path: Path, *messages: Message, **config: Any) -> None:
    """Load these messages in this process, which is faster."""
    target = TargetDuckDBFile(config={"path": str(path), **PLAIN, **config})
    target.listen(io.StringIO(lines(messages)))


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def columns(path: Path, table: str = "rows") -> dict[str, str]:
    return {name: kind for name, kind, *_ in query(path, f'describe "{table}"')}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


# Every row


def test_streams_that_look_like_headers_keep_all_rows(file: Path) -> None:
    one = {"name": "only"}
    headers: list[Row] = [{"a": "a", "b": "b"}, {"a": "x", "b": "y"}]
    mixed: list[Row] = [{"id": "id", "n": None}, {"id": "1", "n": 1}, {"id": "2", "n": 2}]
    keys = [{"k": "k", "l": "l"}, {"k": "1", "l": "2"}, {"k": "1", "l": "3"}, {"k": "1", "l": "2"}]
    result = run(
        file,
        [
            schema_of({"name": STRING}, stream="one"),
            *records(one, stream="one"),
            schema_of({"a": STRING, "b": STRING}, stream="texts"),
            *records(*headers, stream="texts"),
            schema_of({"id": STRING, "n": INTEGER}, ["id"], stream="mixed"),
            *records(*mixed, stream="mixed"),
            schema_of({"k": STRING, "l": STRING}, ["k", "l"], stream="all_keys"),
            *records(*keys, stream="all_keys"),
            schema_of({"x": STRING}, stream="empty"),
            state(1),
        ],
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"n": 1}
    assert query(file, "from one") == [("only",)]
    assert query(file, "from texts") == [("a", "b"), ("x", "y")]
    assert query(file, "from mixed order by id") == [("1", 1), ("2", 2), ("id", None)]
    assert query(file, "from all_keys order by all") == [("1", "2"), ("1", "3"), ("k", "l")]
    assert query(file, "from empty") == []


def test_tables_say_when_a_row_was_read_and_loaded(file: Path) -> None:
    read_at = "2026-11-24T05:15:02+00:00"
    message = {**records({"id": "a"})[0], "time_extracted": read_at}
    load(file, schema_of({"id": STRING}, ["id"]), message, add_record_metadata=True)
    load(file, schema_of({"id": STRING}, ["id"]), message, add_record_metadata=True)

    ((extracted, is_loaded, deleted),) = query(
        file,
        "select _sdc_extracted_at, _sdc_batched_at >= _sdc_extracted_at, _sdc_deleted_at from rows",
    )
    assert extracted == dt.datetime.fromisoformat(read_at)
    assert is_loaded
    assert deleted is None


def test_they_do_so_by_default(file: Path) -> None:
    target = TargetDuckDBFile(config={"path": str(file)})
    target.listen(io.StringIO(lines([schema_of({"id": STRING}, ["id"]), *records({"id": "a"})])))
    assert columns(file).keys() >= {
        "id",
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_batched_at",
    }


AWKWARD = [
    "", " ", "a", "c0", "c1", "id", "NULL", " NULL ", "null", "\\N", "NaN", "nan", "inf",
    "0", "007", "1", "1.0", "1e3", "-0", "true", "2024-02-30", "2024-01-01", "2024-01-01T00:00:00Z",
    "[]", "{}", '{"a": 1}', '"', '""', "'", "''", '"quoted"', "a,b", "a;b", "a\tb", "line\nbreak",
    "\r\n", "\\", "\\n", "\x00", "a\x00b", "\x1f", "\x7f", "\u2028", "\ufeff", "é", "e\u0301",
    "😀", "\U0001f469\u200d\U0001f467", "مرحبا", "%s", "$1", "?", "; drop table rows; --",
    "x" * 100_000,
]  # fmt: skip

cells = st.none() | st.sampled_from(AWKWARD[:-1]) | st.text(max_size=5)


@settings(max_examples=at_most(30))
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(1, 3).flatmap(
                lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6)
            ),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([1, 2, 10_000]),
)
def test_rows_out_are_rows_in(
    streams: list[tuple[bool, list[list[str | None]]]], batch_size: int
) -> None:
    messages: list[Message] = []
    for number, (keyed, rows) in enumerate(streams):
        names = [f"c{index}" for index in range(len(rows[0]) if rows else 1)]
        name = f"s{number}"
        properties = dict.fromkeys(names, STRING)
        if keyed:
            properties["n"] = INTEGER
        messages.append(schema_of(properties, ["n"] if keyed else [], name))
        for n, row in enumerate(rows):
            record: Row = dict(zip(names, row, strict=True)) | ({"n": n} if keyed else {})
            messages += records(record, stream=name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.duckdb")
        load(path, *messages, batch_size_rows=batch_size)
        for number, (keyed, rows) in enumerate(streams):
            stored = query(path, f"from s{number}")
            expected = [(*row, n) if keyed else tuple(row) for n, row in enumerate(rows)]
            assert sorted(stored, key=repr) == sorted(expected, key=repr)


# Every value


def test_awkward_texts_survive(file: Path) -> None:
    rows = [{"n": n, "text": text, "json": text} for n, text in enumerate([*AWKWARD, None])]
    properties = {"n": INTEGER, "text": STRING, "json": ANYTHING}
    result = run(file, [schema_of(properties, ["n"]), *records(*rows)])
    assert result.returncode == 0, result.stderr
    stored = query(file, "select text, json from rows order by n")
    assert [text for text, _ in stored] == [*AWKWARD, None]
    assert [text and json.loads(text) for _, text in stored] == [*AWKWARD, None]


texts = st.text(st.characters(codec="utf-8"))
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**80), 2**80)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=12,
)
timestamps = st.datetimes(
    dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30),  # noqa: DTZ001 - zones come below
    timezones=st.just(dt.UTC) | st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
    ),
)  # fmt: skip


@settings(max_examples=at_most(60))
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | texts,
                "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
                "number": st.none() | numbers,
                "boolean": st.none() | st.booleans(),
                "anything": values,
                "moment": st.none() | timestamps.map(dt.datetime.isoformat),
                "date": st.none() | st.dates().map(dt.date.isoformat),
                "time": st.none() | st.times().map(dt.time.isoformat),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_value_comes_back(rows: list[Row]) -> None:
    properties = {
        "n": INTEGER, "text": STRING, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN,
        "anything": ANYTHING, "moment": MOMENT, "date": DATE, "time": TIME,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.duckdb")
        numbered = [{"n": n, **row} for n, row in enumerate(rows)]
        load(path, schema_of(properties, ["n"]), *records(*numbered))
        stored = query(path, "from rows order by n")
    assert len(stored) == len(rows)
    for row, (_, text, integer, number, boolean, anything, moment, date, time_) in zip(
        rows, stored, strict=True
    ):
        assert text == row["text"]
        assert integer == row["integer"]
        assert number == (None if row["number"] is None else float(row["number"]))
        assert boolean is row["boolean"]
        assert (None if anything is None else json.loads(anything)) == row["anything"]
        assert moment == (row["moment"] and dt.datetime.fromisoformat(row["moment"]))
        assert date == (row["date"] and dt.date.fromisoformat(row["date"]))
        assert time_ == (row["time"] and dt.time.fromisoformat(row["time"]))


def test_types_follow_the_schema(file: Path) -> None:
    properties = {
        "text": {"type": "string"}, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN,
        "moment": MOMENT, "date": DATE, "time": TIME, "mail": STRING | {"format": "email"},
        "object": {"type": "object"}, "array": {"type": ["null", "array"]},
        "mixed": {"type": ["string", "integer"]}, "untyped": {}, "null": {"type": "null"},
        "any_of": {"anyOf": [MOMENT, {"type": "null"}]},
        "one_of": {"oneOf": [{"type": "integer"}, {"type": "null"}]},
        "many_of": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    }  # fmt: skip
    load(file, schema_of(properties))
    assert columns(file) == {
        "text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
        "moment": "TIMESTAMP WITH TIME ZONE", "date": "DATE", "time": "TIME", "mail": "VARCHAR",
        "object": "JSON", "array": "JSON", "mixed": "JSON", "untyped": "JSON", "null": "JSON",
        "any_of": "TIMESTAMP WITH TIME ZONE", "one_of": "BIGINT", "many_of": "JSON",
    }  # fmt: skip


def test_timestamps_are_utc_in_any_session_time_zone(file: Path) -> None:
    rows = [
        {"at": "2024-07-01T12:00:00Z"},
        {"at": "2024-07-01T12:00:00"},
        {"at": "2024-07-01T08:00:00-04:00"},
        {"at": "2024-07-01T17:30:00.000000+05:30"},
    ]
    clocks = [{"clock": "14:00:00+02:00"}, {"clock": "12:00:00Z"}, {"clock": "12:00:00"}]
    result = run(
        file,
        [schema_of({"at": MOMENT, "clock": TIME}), *records(*rows, *clocks)],
        environment={"TZ": "America/New_York"},
    )
    assert result.returncode == 0, result.stderr
    assert query(file, 'select distinct epoch("at"), clock from rows order by all') == [
        (1719835200.0, None),
        (None, dt.time(12)),
    ]


def test_half_a_surrogate_pair_costs_no_row(file: Path) -> None:
    broken = {"text": "a\ud800b", "json": {"\udc00": ["\ud83d\ude00\ud83d"]}}
    load(file, schema_of({"text": STRING, "json": NESTED}), *records(broken))
    assert query(file, "from rows") == [("a\ufffdb", '{"\ufffd":["😀\ufffd"]}')]


def test_bodies_of_several_megabytes(file: Path) -> None:
    body = '<p>é"\\\n</p>' * 800_000
    load(
        file, schema_of({"body": STRING, "json": NESTED}), *records({"body": body, "json": [body]})
    )
    ((text, nested),) = query(file, "from rows")
    assert text == body
    assert json.loads(nested) == [body]


def test_numbers_keep_their_digits_inside_json(file: Path) -> None:
    message = (
        '{"type": "RECORD", "stream": "rows", "record": {"json": [1.10, 12345678901234567890123]}}'
    )
    target = TargetDuckDBFile(config={"path": str(file), **PLAIN})
    target.listen(io.StringIO(lines([schema_of({"json": NESTED})]) + message))
    assert query(file, "from rows") == [("[1.10,12345678901234567890123]",)]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_over_64_bits_is_refused(file: Path, number: int) -> None:
    messages = [schema_of({"n": INTEGER}), *records({"n": 12345}, {"n": number}), state(1)]
    result = run(file, messages)
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"Stream 'rows': Conversion Error: Could not convert string '{number}'" in result.stderr
    assert "from source column n\n" in result.stderr
    assert "12345" not in result.stderr.replace(str(number), "")  # no other row's values
    assert query(file, "from rows") == []


# Keys


def test_upsert_across_loads_and_within_a_batch(file: Path) -> None:
    schema = schema_of({"id": INTEGER, "v": STRING, "w": STRING}, ["id"])
    first: list[Row] = [{"id": 1, "v": "a", "w": "a"}, {"id": 2, "v": "b"}, {"id": 1, "v": "c"}]
    second: list[Row] = [{"id": 2, "v": None}, {"id": 3, "v": "d"}, {"id": 2, "v": "e"}]
    assert run(file, [schema, *records(*first)]).returncode == 0
    assert query(file, "from rows order by id") == [(1, "c", None), (2, "b", None)]
    assert run(file, [schema, *records(*second)]).returncode == 0
    assert query(file, "select id, v from rows order by id") == [(1, "c"), (2, "e"), (3, "d")]


@settings(max_examples=at_most(30))
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 2), cells), max_size=30),
    st.integers(1, 7),
    st.integers(0, 30),
)
def test_composite_keys_keep_the_last_row(
    rows: list[tuple[str, int | None, str | None]], batch_size: int, split: int
) -> None:
    schema = schema_of({"k": STRING, "v": STRING, "m": INTEGER}, ["k", "m"])
    messages = records(*({"k": k, "m": m, "v": v} for k, m, v in rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.duckdb")
        for part in messages[:split], messages[split:]:
            load(path, schema, *part, batch_size_rows=batch_size)
        stored = query(path, "select k, m, v from rows")
    assert len(stored) == len({(k, m) for k, m, _ in stored})
    assert {(k, m): v for k, m, v in stored} == {(k, m): v for k, m, v in rows}


def test_equal_moments_are_one_key(file: Path) -> None:
    rows: list[Row] = [
        {"at": "2024-01-01T00:00:00Z", "v": 1},
        {"at": "2024-01-01T01:00:00+01:00", "v": 2},
    ]
    load(file, schema_of({"at": MOMENT, "v": INTEGER}, ["at"]), *records(*rows))
    assert query(file, "select v from rows") == [(2,)]


def test_streams_without_keys_append(file: Path) -> None:
    for _ in range(2):
        load(file, schema_of({"v": STRING}), *records({"v": "x"}, {"v": "x"}))
    assert query(file, "from rows") == [("x",)] * 4


# Schemas


def test_schema_grows_and_shrinks(file: Path) -> None:
    load(file, schema_of({"id": INTEGER, "old": STRING}, ["id"]), *records({"id": 1, "old": "x"}))
    grown = schema_of({"id": INTEGER, "new": MOMENT}, ["id"])
    load(file, grown, *records({"id": 2, "new": "2024-01-01T00:00:00Z"}))
    assert list(columns(file)) == ["id", "old", "new"]
    new = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert query(file, "from rows order by id") == [(1, "x", None), (2, None, new)]


def test_changed_column_type_keeps_old_and_new_values(file: Path) -> None:
    def rows_of(kind: Row, *values: Any) -> list[Message]:
        schema = schema_of({"id": kind, "v": kind, "w": INTEGER}, ["id"])
        return [schema, *records(*({"id": value, "v": value, "w": 0} for value in values))]

    load(file, *rows_of(INTEGER, 1, 2**62))
    load(file, *rows_of(ANYTHING, "x", 2, [3]), *rows_of(NUMBER, 0.1), *rows_of(INTEGER, 1, 2**62))
    assert columns(file) == {"id": "VARCHAR", "v": "VARCHAR", "w": "BIGINT"}
    expected = {"1", str(2**62), "x", "2", "[3]", "0.1"}
    assert {v for (v,) in query(file, "select v from rows")} == expected
    assert query(file, "select count(*) from rows") == [(len(expected),)]


def test_a_name_in_another_case_is_the_same_column(file: Path) -> None:
    load(file, schema_of({"Email": STRING}), *records({"Email": "a"}))
    load(file, schema_of({"email": STRING}), *records({"email": "b"}))
    assert columns(file) == {"Email": "VARCHAR"}
    assert query(file, "from rows order by all") == [("a",), ("b",)]


def test_rows_of_the_former_schema_go_in_before_newer_ones(file: Path) -> None:
    before = schema_of({"id": INTEGER, "v": STRING}, ["id"])
    after = schema_of({"id": STRING, "v": STRING}, ["id"])
    old, new = records({"id": 1, "v": "old"}), records({"id": "1", "v": "new"}, {"id": "2"})
    load(file, before, *old, after, *new, batch_size_rows=2)
    assert query(file, "from rows order by id") == [("1", "new"), ("2", None)]


@pytest.mark.parametrize("metadata", [False, True])
def test_a_repeated_schema_costs_no_batch(
    file: Path, monkeypatch: pytest.MonkeyPatch, *, metadata: bool
) -> None:
    batches = []
    process_batch = DuckDBFileSink.process_batch

    def counted(sink: DuckDBFileSink, context: Row) -> None:
        batches.append(sink.stream_name)
        process_batch(sink, context)

    monkeypatch.setattr(DuckDBFileSink, "process_batch", counted)
    messages = [
        message
        for parent in range(100)
        for message in (schema_of({"parent": INTEGER}), *records({"parent": parent}))
    ]
    load(file, *messages, add_record_metadata=metadata)
    assert batches == ["rows"]
    assert query(file, "select count(distinct parent) from rows") == [(100,)]
    assert any(name.startswith("_sdc_") for name in columns(file)) is metadata


def test_names_of_any_characters(tmp_path: Path) -> None:
    # The file gives the database its name: here the same as the schema's.
    path = tmp_path / 'we"ird.duckdb'
    names = ["group by", 'quo"ted', "ümläut", "Case", "t", "s", "n", "c0", "c1", "a.b", "'", "$1"]
    for stream in ('or"der', "select", "tables", "a.b", "Contacts", "t"):
        properties = dict.fromkeys(names, STRING)
        for _ in range(2):
            row = {name: name for name in names}
            messages = [schema_of(properties, names[:2], stream), *records(row, stream=stream)]
            load(path, *messages, schema='we"ird')
        quoted = stream.replace('"', '""')
        table = f'"we""ird"."we""ird"."{quoted}"'
        assert query(path, f"from {table}") == [tuple(names)]
        assert [name for name, *_ in query(path, f"describe {table}")] == names


# Batches


def test_activate_version_is_ignored(file: Path) -> None:
    version = {"type": "ACTIVATE_VERSION", "stream": "rows", "version": 1}
    result = run(file, [schema_of({"v": STRING}), version, *records({"v": "x"}), version])
    assert result.returncode == 0, result.stderr
    assert query(file, "from rows") == [("x",)]


def test_batch_files_are_loaded(file: Path, tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": 1, "at": "2024-01-01T00:00:00Z", "v": {"a": 1}},
        {"id": 2},
        {"id": 1, "v": []},
    ]
    batch = tmp_path / "batch.jsonl.gz"
    batch.write_bytes(gzip.compress(lines(rows).encode()))
    message = {
        "type": "BATCH",
        "stream": "rows",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": [batch.as_uri()],
    }
    load(file, schema_of({"id": INTEGER, "at": MOMENT, "v": NESTED}, ["id"]), message)
    assert query(file, "from rows order by id") == [(1, None, "[]"), (2, None, None)]


def test_large_rows_fill_a_batch_sooner(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DuckDBFileSink, "max_characters", 1000)
    sizes = []
    process_batch = DuckDBFileSink.process_batch

    def measured(sink: DuckDBFileSink, context: Row) -> None:
        sizes.append(sink.current_size)
        process_batch(sink, context)

    monkeypatch.setattr(DuckDBFileSink, "process_batch", measured)
    load(file, schema_of({"v": STRING}), *records(*({"v": "x" * 400} for _ in range(8))))
    assert sizes == [3, 3, 2]


def test_state_comes_after_its_rows(file: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Watched(TargetDuckDBFile):
        _MAX_RECORD_AGE_IN_MINUTES = 0  # the SDK drains, and writes the state, at every record

        def _write_state_message(self, state: dict[str, Any]) -> None:
            ((count,),) = self.connection.execute("select count(*) from rows").fetchall()
            seen.append((state["n"], count))

    messages = [schema_of({"n": INTEGER})]
    for n in range(1, 6):
        messages += [*records({"n": n}), state(n)]
    Watched(config={"path": str(file)}).listen(io.StringIO(lines(messages)))
    assert seen[-1] == (5, 5)
    assert len(seen) >= 5
    assert all(count >= n for n, count in seen)


BATCH = 500
BATCHES = 30


def feed(tmp_path: Path) -> Path:
    """Return a file of messages: whole batches of rows, and after each its state."""
    messages = [schema_of({"id": INTEGER, "text": STRING}, ["id"])]
    for batch in range(BATCHES):
        first = batch * BATCH
        messages += records(*({"id": first + n, "text": "x" * 500} for n in range(BATCH)))
        messages.append(state(batch + 1))
    path = tmp_path / "messages.jsonl"
    path.write_text(lines(messages))
    return path


@contextlib.contextmanager
def opened(file: Path, /, **config: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the command, with its input and both its outputs in pipes."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "--config", write_config(file, **config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield process


def interrupt(file: Path, messages: Path, number: int, batch: int) -> tuple[int, str]:
    """Send a signal as soon as a batch begins; return the exit code and the output."""
    with opened(file, batch_size_rows=BATCH) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        # It is not told that this is all, so it cannot come to its end before the signal.
        sent = "".join(messages.read_text().splitlines(keepends=True)[: batch * (BATCH + 1) + 1])
        feeding = threading.Thread(target=process.stdin.write, args=(sent,))
        feeding.start()
        for line in process.stderr:
            batch -= "draining" in line
            if not batch:
                break
        process.send_signal(number)
        process.stderr.read()
        code = process.wait()
        feeding.join()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        return code, process.stdout.read()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_a_killed_load_leaves_whole_batches(file: Path, tmp_path: Path) -> None:
    messages = feed(tmp_path)
    for batch in (1, 3, 5, 9):
        assert interrupt(file, messages, signal.SIGKILL, batch) == (-signal.SIGKILL, "")
        ((count, highest),) = query(file, "select count(*), max(id) + 1 from rows")
        assert count % BATCH == 0
        assert count >= (batch - 1) * BATCH
        assert highest == (count or None)
    load(file, *map(json.loads, messages.read_text().splitlines()))
    assert query(file, "select count(*), count(distinct id), min(length(text)) from rows") == [
        (BATCH * BATCHES, BATCH * BATCHES, 500)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_load_that_gets_a_signal_stores_all_that_the_tap_has_sent(
    file: Path, tmp_path: Path, number: int
) -> None:
    messages = feed(tmp_path).read_text().splitlines(keepends=True)
    first, rest = messages[: len(messages) // 2], messages[len(messages) // 2 :]
    with opened(file, batch_size_rows=BATCH) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write("".join(first))
        process.stdin.flush()
        next(line for line in process.stderr if "draining" in line)
        process.send_signal(number)
        next(line for line in process.stderr if "then ending" in line)
        process.send_signal(number)  # By Meltano, on top of a terminal's.
        output, _ = process.communicate("".join(rest))
    assert process.returncode == 0
    assert json.loads(output.splitlines()[-1]) == {"n": BATCHES}
    assert query(file, "select count(*) from rows") == [(BATCH * BATCHES,)]


def test_second_signal_ends_a_load_at_once(file: Path, tmp_path: Path) -> None:
    with opened(file, batch_size_rows=BATCH) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write("".join(feed(tmp_path).read_text().splitlines(keepends=True)[:600]))
        process.stdin.flush()
        next(line for line in process.stderr if "draining" in line)
        process.send_signal(signal.SIGTERM)
        next(line for line in process.stderr if "then ending" in line)
        while process.poll() is None:  # A second later, one of them ends it.
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
    assert process.returncode == -signal.SIGTERM


def test_input_that_does_not_end_after_a_signal_is_ended(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TargetDuckDBFile, "patience", 0.05)
    reading, writing = os.pipe()
    messages = [schema_of({"n": INTEGER}), *records({"n": 1}), state(1)]
    os.write(writing, lines(messages).encode())
    target = TargetDuckDBFile(config={"path": str(file)})
    process_state = target._process_state_message  # noqa: SLF001 - the last message

    def stop(message: dict[str, Any]) -> None:
        process_state(message)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(target, "_process_state_message", stop)
    with os.fdopen(reading, encoding="utf-8") as file_input:
        target.listen(file_input)
    os.close(writing)
    assert query(file, "select n from rows") == [(1,)]


# Settings and errors


def test_a_memory_database_is_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(Path(":memory:"), schema_of({"v": STRING}), *records({"v": "x"}))
    assert query(tmp_path / ":memory:", "from rows") == [("x",)]


@pytest.mark.parametrize("schema", ["main", "raw", "warehouse", "", None])
def test_the_schema_is_created(file: Path, schema: str | None) -> None:
    load(file, schema_of({"v": STRING}), *records({"v": "x"}), schema=schema)
    assert query(file, f'from warehouse."{schema or "main"}".rows') == [("x",)]


def error_of(path: Path, /, **config: Any) -> str:
    """Run the command, which must fail without a traceback; return what it logs."""
    result = run(path, [schema_of({"v": STRING})], **config)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_errors_of_the_settings_are_one_line(file: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 1000)
    assert "is not a valid DuckDB database file" in error_of(text)
    assert "notes.txt" in error_of(file, path=str(text / "x.duckdb"))
    with duckdb.connect(file):
        assert "Could not set lock on file" in error_of(file, lock_timeout=0.5)
    result = subprocess.run([COMMAND], input="", capture_output=True, check=False, text=True)  # noqa: S603
    assert result.returncode == 1
    assert "'path' is a required property" in result.stderr
    assert "Traceback" not in result.stderr


def test_load_waits_until_another_process_has_closed_the_file(file: Path) -> None:
    with opened(file) as process:
        process.communicate(lines([schema_of({"n": INTEGER}), *records({"n": 1})]))
    other = duckdb.connect(file)
    with opened(file) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(lines([schema_of({"n": INTEGER}), *records({"n": 2})]))
        process.stdin.close()
        line = next(line for line in process.stderr if "Another process" in line)
        assert "Waiting for up to 300 seconds (`lock_timeout`)" in line
        assert process.poll() is None
        other.close()
        process.stderr.read()  # A closed pipe would be an error of the target's.
    assert process.returncode == 0
    assert query(file, "select n from rows order by n") == [(1,), (2,)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_load_that_waits_for_the_file(file: Path, number: int) -> None:
    with duckdb.connect(file), opened(file) as process:
        assert process.stderr
        next(line for line in process.stderr if "Another process" in line)
        process.send_signal(number)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode != 0


KEY = {"type": "string"}


def primary_key(file: Path) -> list[str]:
    query_text = """
        select unnest(constraint_column_names) from duckdb_constraints()
        where constraint_type = 'PRIMARY KEY'
    """
    return [name for (name,) in query(file, query_text)]


def test_tables_have_primary_keys(file: Path) -> None:
    schema = schema_of({"a": KEY, "b": {"type": "integer"}, "v": STRING}, ["a", "b"])
    load(file, schema, *records({"a": "x", "b": 1, "v": "old"}))
    load(file, schema, *records({"a": "x", "b": 1, "v": "new"}, {"a": "x", "b": 2, "v": "new"}))
    assert primary_key(file) == ["a", "b"]
    assert query(file, "from rows order by all") == [("x", 1, "new"), ("x", 2, "new")]


@pytest.mark.parametrize(
    ("first", "then", "key"),
    [
        # A table of a loader without primary keys, which allowed null in a key.
        (({"a": STRING}, ["a"]), ({"a": KEY}, ["a"]), ["a"]),
        # The type of a key changes.
        (({"a": {"type": "integer"}}, ["a"]), ({"a": KEY}, ["a"]), ["a"]),
        # The key changes.
        (({"a": KEY, "b": KEY}, ["a"]), ({"a": KEY, "b": KEY}, ["a", "b"]), ["a", "b"]),
        (({"a": KEY, "b": KEY}, ["a", "b"]), ({"a": KEY, "b": KEY}, ["b"]), ["b"]),
        (({"a": KEY}, ["a"]), ({"a": STRING}, ["a"]), []),
        (({"a": KEY}, ["a"]), ({"a": KEY}, []), []),
        # Earlier rows have no value in the new key.
        (({"a": KEY}, ["a"]), ({"a": KEY, "c": KEY}, ["a", "c"]), []),
    ],
)
def test_primary_key_follows_the_schema(
    file: Path,
    first: tuple[dict[str, Any], list[str]],
    then: tuple[dict[str, Any], list[str]],
    key: list[str],
) -> None:
    def row(properties: dict[str, Any], number: int) -> Row:
        return {
            n: number if each["type"] == "integer" else str(number)
            for n, each in properties.items()
        }

    load(file, schema_of(*first), *records(*(row(first[0], n) for n in range(3))))
    load(file, schema_of(*then), *records(*(row(then[0], n) for n in range(3, 6))))
    assert primary_key(file) == key
    assert query(file, 'select cast("a" as integer) from rows order by all') == [
        (n,) for n in range(6)
    ]


def test_tables_and_columns_have_the_comments_of_the_schema(file: Path) -> None:
    schema = schema_of({"a": {**STRING, "description": "The contact's name."}, "b": STRING})
    schema["schema"]["description"] = "One 'row'."
    load(file, schema, *records({"a": "x"}))
    schema["schema"]["properties"]["b"] = {**STRING, "description": "Later."}
    load(file, schema, *records({"a": "x"}))
    assert query(file, "select comment from duckdb_tables()") == [("One 'row'.",)]
    assert query(file, "select column_name, comment from duckdb_columns() where not internal") == [
        ("a", "The contact's name."),
        ("b", "Later."),
    ]


def test_new_files_can_be_opened_by_older_versions(file: Path) -> None:
    load(file, schema_of({"a": KEY}, ["a"]), *records({"a": "x"}))
    ((tags,),) = query(
        file, "select tags from duckdb_databases() where database_name = 'warehouse'"
    )
    assert tags == {"storage_version": "v1.4.0+"}


def test_command_has_help_and_logs_no_metrics(file: Path) -> None:
    result = subprocess.run([COMMAND, "--help"], capture_output=True, check=True, text=True)  # noqa: S603
    assert "Load Singer messages from stdin into one DuckDB file" in result.stdout
    result = run(file, [schema_of({"a": KEY}, ["a"]), *records({"a": "x"})])
    assert "METRIC" not in result.stderr


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    file = tmp_path / "not" / "there" / "x.duckdb"
    TargetDuckDBFile(config={"path": str(file)}).listen(
        io.StringIO(lines([schema_of({"a": STRING})]))
    )
    assert file.exists()


def test_settings_are_described() -> None:
    result = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "--about", "--format=json"], capture_output=True, check=True, text=True
    )
    properties = json.loads(result.stdout)["settings"]["properties"]
    assert "load_method" not in properties
    for name in "path", "schema":
        assert properties[name]["title"]
        assert properties[name]["description"]
