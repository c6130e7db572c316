"""Settings: one table, read from a TOML file and the environment, checked before anything runs.

The dataclasses below are the table: each field names its default, what it must be and what it is for. What a setting
is set by, first found wins: command line (`--data`), environment (`RASD_<SECTION>_<NAME>`), file, default.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.checks import (
    Check,
    addresses,
    between,
    clean_path,
    filled_line,
    filled_path,
    listening,
    listening_or_none,
    meant,
    networks,
    one_of,
    some_of,
    sql_name,
    topic_prefix,
    web_address,
)
from pipeline.errors import ConfigError

FILE = "rasd.toml"
ENVIRONMENT = "the environment"
#: Sinks that are built in (`connectors.sinks`).
SINKS = ("jsonl", "sqlite", "postgres")

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds_of(span: str) -> float:
    """Seconds of a span of time such as "90m", "6h", "3d". Raises: ValueError."""
    found = _SPAN.fullmatch(span.strip())
    if not found:
        raise ValueError(f"{span!r} is no span of time such as 90m, 6h or 3d")
    return float(found[1]) * _SECONDS[found[2]]


def spans_of_time(values: tuple[str, ...]) -> str | None:
    try:
        spans = [seconds_of(v) for v in values]
    except ValueError as e:
        return f"must hold spans of time: {e}"
    return None if spans == sorted(set(spans)) else "must rise from one to the next"


def setting(default: Any, doc: str, check: Check, *, path: bool = False, secret: bool = False) -> Any:
    """A row of the table. path: a relative path in the file counts from the folder of the file. secret: never shown."""
    return field(
        default=default, repr=not secret, metadata={"doc": doc, "check": check, "path": path, "secret": secret}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    dir: str = setting(
        "./rasd-data", "Folder that holds the log, the outputs and everything else written.", filled_path, path=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    partitions: int = setting(
        1,
        "Partitions of a topic when it is first made; with more than one, order holds only within a partition.",
        between(1, 4096),
    )
    synchronous: str = setting(
        "full",
        "`full` survives a power cut; `normal` is faster and may lose the last moments to one, but never to a kill.",
        one_of("full", "normal"),
    )
    max_record_bytes: int = setting(
        8_000_000, "Largest message; what is larger becomes a reject.", between(1_000, 256_000_000)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    batch: int = setting(256, "Messages handled in one transaction.", between(1, 10_000))
    processes: int = setting(0, "Processes that extract; 0 means one per core, at most 8.", between(0, 256))
    window: int = setting(3, "Batches handed to those processes ahead of the one being written.", between(1, 64))
    task_seconds: float = setting(
        20.0,
        "Longest time one article may take; after a second try alone it becomes a reject.",
        between(0.1, 3600),
    )
    pause_seconds: float = setting(
        2.0, "Wait before a write is tried again while the disk is full or the file is locked.", between(0.01, 600)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    enabled: tuple[str, ...] = setting(("jsonl", "sqlite"), "Outputs that are kept up to date.", some_of(*SINKS))
    batch: int = setting(2000, "Messages that a sink on Kafka writes at once, at most.", between(1, 100_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeSettings:
    window_days: float = setting(
        30.0,
        "Texts published further apart are not compared word by word; exact copies are always known.",
        between(0.1, 3650),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    gazetteer: str = setting(
        "", "Imported gazetteer used besides the built-in one; empty for the built-in one alone.", clean_path, path=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    page_seconds: float = setting(
        5.0, "CPU seconds that reading one page or feed may take; by the clock four times as long.", between(0.1, 600)
    )
    max_page_bytes: int = setting(
        2_000_000, "Largest saved page that is cleaned; what is larger becomes a reject.", between(1_000, 256_000_000)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    user_agent: str = setting(
        "rasd/0.1 (+https://example.org/rasd)",
        "How requests name themselves; put an address there where outlets can reach you.",
        filled_line,
    )
    allow_private: tuple[str, ...] = setting(
        (), "Private networks that may be dialled, as CIDR blocks such as 127.0.0.0/8.", networks
    )
    connections: int = setting(512, "Open connections in all.", between(1, 10_000))
    host_connections: int = setting(2, "Open connections to one host.", between(1, 64))
    host_delay: float = setting(
        1.0, "Seconds between two requests to one host, unless its robots.txt asks for more.", between(0, 3600)
    )
    total_seconds: float = setting(30.0, "Longest time one request may take, body included.", between(0.1, 600))
    connect_seconds: float = setting(10.0, "Longest time that connecting may take.", between(0.1, 120))
    max_page_bytes: int = setting(4_000_000, "Largest page that is read off the wire.", between(1_000, 256_000_000))
    max_feed_bytes: int = setting(16_000_000, "Largest feed or sitemap, unpacked.", between(1_000, 256_000_000))
    redirects: int = setting(5, "Redirects that are followed.", between(0, 20))
    backlog: int = setting(
        200_000,
        "On Kafka, pages that may wait to be read before no more entries are taken.",
        between(100, 1_000_000_000),
    )
    robots_hours: float = setting(24.0, "How long a host's robots.txt is remembered.", between(0.1, 168))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    file: str = setting("feeds.toml", "The list of feeds that `rasd run` polls.", clean_path, path=True)
    min_minutes: float = setting(5.0, "Shortest time between two polls of a feed.", between(0.05, 1440))
    max_minutes: float = setting(180.0, "Longest time between two polls of a feed that works.", between(1, 10_080))
    retire_days: float = setting(
        14.0, "A feed that has failed at every poll for so long is asked once a week only.", between(0.1, 3650)
    )
    recheck: tuple[str, ...] = setting(
        ("1h", "6h", "24h", "3d"), "When a page is read again, counted from its publication.", spans_of_time
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarcSettings:
    level: int = setting(1, "How hard raw answers are compressed; above 3 it costs more than cleaning.", between(0, 9))
    rotate_bytes: int = setting(500_000_000, "A file of raw answers ends at this size.", between(10_000, 1e12))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebsubSettings:
    callback: str = setting("", "Public address of the WebSub callback; empty for polling alone.", web_address)
    listen: str = setting("127.0.0.1:8089", "Address and port where the callback listens.", listening)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    servers: str = setting(
        "", "Brokers as host:port, separated by commas; empty for the log without a broker.", addresses
    )
    prefix: str = setting("rasd.", "What the names of topics and consumer groups begin with.", topic_prefix)
    partitions: int = setting(6, "Partitions of a topic when it is made.", between(1, 4096))
    replication: int = setting(1, "Copies of a topic when it is made.", between(1, 9))
    min_insync: int = setting(1, "Copies that must have a message before it counts as written.", between(1, 9))
    retention_days: float = setting(30.0, "How long a topic keeps messages; 0 for ever.", between(0, 36_500))
    compression: str = setting("zstd", "How messages are packed.", one_of("none", "gzip", "snappy", "lz4", "zstd"))
    session_seconds: float = setting(
        12.0, "A consumer that is silent for so long has its work given to others.", between(6, 300)
    )
    security: str = setting(
        "plaintext",
        "How brokers are spoken to.",
        one_of("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
    )
    sasl_mechanism: str = setting(
        "SCRAM-SHA-512", "How to log in, with sasl.", one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    )
    username: str = setting("", "User, with sasl.", clean_path)
    password: str = setting("", "Its password; better in a file.", clean_path, secret=True)
    password_file: str = setting("", "File that holds the password.", clean_path, path=True)
    ca_file: str = setting("", "Certificates (PEM) that brokers are checked against.", clean_path, path=True)
    cert_file: str = setting("", "Certificate (PEM) that we show.", clean_path, path=True)
    key_file: str = setting("", "Its key (PEM).", clean_path, path=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    instance: str = setting(
        "", "Name that a worker keeps over restarts, so that it goes on at once; empty for the host's.", clean_path
    )
    health: str = setting(
        "",
        "Address and port that answer /live, /ready and /metrics, such as 127.0.0.1:8090; empty for none.",
        listening_or_none,
    )
    drain_seconds: float = setting(
        6.0, "How long a process that is told to stop may finish what is under way.", between(0.5, 300)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings:
    dsn: str = setting(
        "",
        "The database, such as postgresql://rasd@db/rasd; a password is better in a file.",
        clean_path,
        secret=True,
    )
    password_file: str = setting("", "File that holds the password.", clean_path, path=True)
    schema: str = setting("rasd", "Schema that holds the tables; made if it is not there.", sql_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, checked. `origins` says by name where each value comes from ("default" where nobody set it)."""

    data: DataSettings = field(default_factory=DataSettings)
    log: LogSettings = field(default_factory=LogSettings)
    run: RunSettings = field(default_factory=RunSettings)
    sinks: SinkSettings = field(default_factory=SinkSettings)
    dedupe: DedupeSettings = field(default_factory=DedupeSettings)
    extract: ExtractSettings = field(default_factory=ExtractSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    feeds: FeedSettings = field(default_factory=FeedSettings)
    warc: WarcSettings = field(default_factory=WarcSettings)
    websub: WebsubSettings = field(default_factory=WebsubSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    file: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return Path(self.data.dir)

    @property
    def log_file(self) -> Path:
        return self.data_dir / "log.sqlite"

    def value(self, name: str) -> Any:
        """The value of "section.name"."""
        section, key = name.split(".")
        return getattr(getattr(self, section), key)

    def origin(self, name: str) -> str:
        return self.origins.get(name, "default")


SECTIONS: Mapping[str, type[Any]] = {
    "data": DataSettings,
    "log": LogSettings,
    "run": RunSettings,
    "sinks": SinkSettings,
    "dedupe": DedupeSettings,
    "extract": ExtractSettings,
    "archive": ArchiveSettings,
    "fetch": FetchSettings,
    "feeds": FeedSettings,
    "warc": WarcSettings,
    "websub": WebsubSettings,
    "kafka": KafkaSettings,
    "worker": WorkerSettings,
    "postgres": PostgresSettings,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table, by its full name `section.key`."""

    section: str
    key: str
    type: Any
    default: Any
    doc: str
    check: Check
    path: bool
    secret: bool

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"RASD_{self.section}_{self.key}".upper()

    @property
    def kind(self) -> str:
        """The type in a person's words."""
        return _KINDS[self.type]


_KINDS: dict[Any, str] = {int: "a whole number", float: "a number", str: "a text", tuple[str, ...]: "a list of texts"}


def _rows() -> Iterator[Setting]:
    for section, cls in SECTIONS.items():
        hints = get_type_hints(cls)
        for f in dataclasses.fields(cls):
            yield Setting(section, f.name, hints[f.name], f.default, **f.metadata)


#: The table, by full name.
SETTINGS: Mapping[str, Setting] = {row.name: row for row in _rows()}


def load(path: Path | None = None, *, data: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The settings in force.

    path: the file to read, else RASD_CONFIG, else ./rasd.toml if there is one. data: the data folder, before all else.
    Raises: ConfigError with file and line, or the name of the environment variable.
    """
    environ = os.environ if environ is None else environ
    file = path or (Path(environ["RASD_CONFIG"]) if environ.get("RASD_CONFIG") else None)
    if file is None and Path(FILE).is_file():
        file = Path(FILE)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is not None:
        for row, value, line in _from_file(file):
            values[row.name] = value
            origins[row.name] = f"{file}:{line}" if line else str(file)
    for row, value, variable in _from_environment(environ):
        values[row.name] = value
        origins[row.name] = variable
    if data is not None:
        values["data.dir"], origins["data.dir"] = str(data), "--data"
    sections = {
        name: cls(
            **{row.key: values[row.name] for row in SETTINGS.values() if row.section == name and row.name in values}
        )
        for name, cls in SECTIONS.items()
    }
    return Config(**sections, file=file, origins=origins)


def secret(config: Config, name: str, file: str) -> str:
    """The value of the secret setting `name`, else what stands in the file that setting `file` names; "" if neither.

    Raises: ConfigError if the file cannot be read.
    """
    value, path = str(config.value(name)), str(config.value(file))
    if value or not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(config.origin(file), None, f"{file} names {path}, which cannot be read: {e}") from e


def check_files(config: Config) -> None:
    """Raises: ConfigError naming the setting whose file is not there."""
    name, file = "extract.gazetteer", config.extract.gazetteer
    if file and not Path(file).is_file():
        origin = config.origin(name)
        raise ConfigError(origin, None, f"{name} names {file}, which is no file")


# -- the file --------------------------------------------------------------------------------------------------------


def _from_file(file: Path) -> Iterator[tuple[Setting, Any, int | None]]:
    text = _text_of(file)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise _syntax_error(file, text, e) from e
    except RecursionError as e:
        raise ConfigError(file, None, "nested too deep") from e
    for section, keys in tree.items():
        if section not in SECTIONS:
            line = _line_of(text, section, None)
            raise ConfigError(file, line, f"unknown section [{section}]{meant(section, SECTIONS)}")
        if not isinstance(keys, dict):
            raise ConfigError(file, _line_of(text, None, section), f"{section} must be a section: [{section}]")
        for key, value in keys.items():
            line = _line_of(text, section, key)
            row = SETTINGS.get(f"{section}.{key}")
            if row is None:
                known = [r.key for r in SETTINGS.values() if r.section == section]
                raise ConfigError(file, line, f"unknown setting {section}.{key}{meant(key, known)}")
            try:
                yield row, _located(row, _typed(row, value), file.parent), line
            except ValueError as e:
                raise ConfigError(file, line, f"{row.name} {e}{_instead(row, value)}") from e


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError as e:
        raise ConfigError(file, None, "no such file") from e
    except OSError as e:
        raise ConfigError(file, None, f"cannot be read: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(file, e.object[: e.start].count(b"\n") + 1, "is not UTF-8") from e
    except ValueError as e:  # a NUL in the file's name
        raise ConfigError(repr(str(file)), None, "no such file") from e


def _syntax_error(file: Path, text: str, e: tomllib.TOMLDecodeError) -> ConfigError:
    said = str(e)
    at = re.search(r" \(at line (\d+), column \d+\)$", said)
    line = int(at[1]) if at else text.rstrip("\n").count("\n") + 1
    return ConfigError(file, line, f"not TOML: {said[: at.start()] if at else said}")


_HEADER = re.compile(r"\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]")
_KEY = re.compile(r"\s*[\"']?([\w.-]+)[\"']?\s*(?:=|\.)")


def _line_of(text: str, section: str | None, key: str | None) -> int | None:
    """Line (from 1) where a section or a key of it begins, as far as a look at the lines tells (tomllib does not)."""
    current: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            current = header[1]
            if key is None and current.split(".")[0] == section:
                return number
        elif found := _KEY.match(line):
            name = f"{current}.{found[1]}" if current else found[1]
            if key is None and name.split(".")[0] == section:
                return number
            if key is not None and (
                name in (f"{section}.{key}" if section else key, section) or name.startswith(f"{section}.{key}.")
            ):
                return number
    return None


# -- the environment -------------------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[Setting, Any, str]]:
    """Empty variables count as unset. A variable of a known section with an unknown name is an error, not a silence."""
    rows = {row.variable: row for row in SETTINGS.values()}
    prefixes = tuple(f"RASD_{section.upper()}_" for section in SECTIONS)
    for variable in sorted(environ):
        text = environ[variable]
        if not text or not variable.startswith(prefixes):
            continue
        row = rows.get(variable)
        if row is None:
            raise ConfigError(ENVIRONMENT, None, f"unknown variable {variable}{meant(variable, rows)}")
        yield row, _from_text(row, text, variable), variable
    if environ.get("RASD_DATA"):
        row = SETTINGS["data.dir"]
        yield row, _from_text(row, environ["RASD_DATA"], "RASD_DATA"), "RASD_DATA"


def _from_text(row: Setting, text: str, variable: str) -> Any:
    value: Any = text
    try:
        if row.type is int:
            value = int(text)
        elif row.type is float:
            value = float(text)
        elif row.type == tuple[str, ...]:
            value = [word.strip() for word in text.split(",") if word.strip()]
    except ValueError as e:
        raise ConfigError(ENVIRONMENT, None, f"{variable} must be {row.kind}{_instead(row, text)}") from e
    try:
        return _located(row, _typed(row, value), None)
    except ValueError as e:
        raise ConfigError(ENVIRONMENT, None, f"{variable} {e}{_instead(row, text)}") from e


# -- values ----------------------------------------------------------------------------------------------------------


def _typed(row: Setting, value: object) -> Any:
    """The value in its setting's type. Raises: ValueError saying what it must be."""
    typed: Any
    if row.type is int and isinstance(value, int) and not isinstance(value, bool):
        typed = value
    elif row.type is float and isinstance(value, int | float) and not isinstance(value, bool):
        typed = float(value) if abs(value) < 1e300 else math.inf
    elif row.type is str and isinstance(value, str):
        typed = value
    elif row.type == tuple[str, ...] and isinstance(value, list) and all(isinstance(v, str) for v in value):
        typed = tuple(value)
    else:
        raise ValueError(f"must be {row.kind}")
    if fault := row.check(typed):
        raise ValueError(fault)
    return typed


def _located(row: Setting, value: Any, folder: Path | None) -> Any:
    if not row.path or not value:
        return value
    path = Path(value).expanduser() if value.startswith("~") else Path(value)
    return str(folder / path) if folder else str(path)


def _instead(row: Setting, value: object) -> str:
    return "" if row.secret else f", not {_short(value)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
