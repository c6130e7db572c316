"""Settings: what counts first, and what a person is told about a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import SETTINGS, load
from pipeline.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str | bytes, name: str = "some.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text), environ={})
    return str(caught.value).removeprefix(str(folder) + "/")


def test_without_a_file_the_defaults_hold(here: Path) -> None:
    c = load(environ={})
    assert (c.data.dir, c.log.partitions, c.run.batch, c.sinks.enabled) == ("./rasd-data", 1, 256, ("jsonl", "sqlite"))
    assert c.data_dir == Path("rasd-data")
    assert c.log_file == Path("rasd-data/log.sqlite")
    assert c.origin("run.batch") == "default"
    assert all(c.value(name) == row.default for name, row in SETTINGS.items())


def test_every_setting_is_documented_in_one_sentence_and_its_default_is_allowed() -> None:
    for row in SETTINGS.values():
        assert row.doc.endswith("."), row.name
        assert ". " not in row.doc, row.name
        assert row.check(row.default) is None, row.name
        assert row.kind


def test_the_option_beats_the_environment_beats_the_file(here: Path) -> None:
    written(here, '[data]\ndir = "a"\n[run]\nbatch = 10\nwindow = 5\n', "rasd.toml")
    c = load(environ={"RASD_DATA": "b", "RASD_RUN_BATCH": "20"}, data=Path("c"))
    assert (c.data.dir, c.run.batch, c.run.window) == ("c", 20, 5)
    assert c.origins == {"data.dir": "--data", "run.batch": "RASD_RUN_BATCH", "run.window": "rasd.toml:5"}
    assert load(environ={"RASD_DATA": "b", "RASD_DATA_DIR": "x"}).data.dir == "b"
    assert load(environ={"RASD_DATA_DIR": "x"}).data.dir == "x"


def test_the_file_is_the_named_one_else_the_environments_else_the_one_here(here: Path) -> None:
    named, other = written(here, "[run]\nbatch = 1\n", "n.toml"), written(here, "[run]\nbatch = 2\n", "o.toml")
    written(here, "[run]\nbatch = 3\n", "rasd.toml")
    assert load(named, environ={"RASD_CONFIG": str(other)}).run.batch == 1
    assert load(environ={"RASD_CONFIG": str(other)}).run.batch == 2
    assert load(environ={}).run.batch == 3


def test_relative_folders_in_a_file_count_from_the_file(here: Path) -> None:
    (here / "etc").mkdir()
    c = load(written(here / "etc", '[data]\ndir = "d"\n[extract]\ngazetteer = "g.tsv"\n'), environ={})
    assert (c.data.dir, c.extract.gazetteer) == (str(here / "etc/d"), str(here / "etc/g.tsv"))
    assert load(environ={"RASD_EXTRACT_GAZETTEER": "g.tsv"}).extract.gazetteer == "g.tsv"


def test_numbers_may_be_written_whole_where_fractions_are_meant(here: Path) -> None:
    assert load(written(here, "[run]\ntask_seconds = 7\n"), environ={}).run.task_seconds == 7.0


def test_lists_come_from_the_environment_with_commas(here: Path) -> None:
    assert load(environ={"RASD_SINKS_ENABLED": "sqlite, jsonl"}).sinks.enabled == ("sqlite", "jsonl")
    assert load(environ={"RASD_RUN_BATCH": ""}).run.batch == 256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\n\nbatch = = 3\n", "some.toml:3: not TOML: Invalid value"),
        ("[run]\nbatch = 3\nbatch = 4\n", "some.toml:3: not TOML: Cannot overwrite a value"),
        ("[run\n", "some.toml:1: not TOML: Expected ']' at the end of a table declaration"),
        ("[run]\n\n# why\nbatc = 3\n", "some.toml:4: unknown setting run.batc (did you mean batch?)"),
        ("[runn]\nbatch = 3\n", "some.toml:1: unknown section [runn] (did you mean run?)"),
        ("\nrun.batsh = 3\n", "some.toml:2: unknown setting run.batsh (did you mean batch?)"),
        ("run = 3\n", "some.toml:1: run must be a section: [run]"),
        (
            "zzz = 3\n",
            "some.toml:1: unknown section [zzz] (there are data, log, run, sinks, dedupe, extract, archive, "
            "fetch, feeds, warc, websub, kafka, worker, postgres)",
        ),
        ("[log]\n[run]\nbatch = 'x'\n", "some.toml:3: run.batch must be a whole number, not 'x'"),
        ("[run]\nbatch = true\n", "some.toml:2: run.batch must be a whole number, not True"),
        ("[run]\nbatch = 1.5\n", "some.toml:2: run.batch must be a whole number, not 1.5"),
        ("[run]\nbatch = 0\n", "some.toml:2: run.batch must lie between 1 and 10000, not 0"),
        ("[run]\ntask_seconds = nan\n", "some.toml:2: run.task_seconds must lie between 0.1 and 3600, not nan"),
        ("[log]\npartitions = 4097\n", "some.toml:2: log.partitions must lie between 1 and 4096, not 4097"),
        ("[log]\nsynchronous = 'off'\n", "some.toml:2: log.synchronous must be one of full, normal, not 'off'"),
        ("[sinks]\nenabled = 'jsonl'\n", "some.toml:2: sinks.enabled must be a list of texts, not 'jsonl'"),
        (
            "[sinks]\nenabled = ['jsnl']\n",
            "some.toml:2: sinks.enabled may hold jsonl, sqlite and postgres only (did you mean jsonl?), not ['jsnl']",
        ),
        ("[data]\ndir = ''\n", "some.toml:2: data.dir must name a folder, not ''"),
        ('[data]\ndir = "a\\u0000"\n', "some.toml:2: data.dir holds the NUL character, not 'a\\x00'"),
        (b"[run]\nbatch = 3 # \xff\n", "some.toml:2: is not UTF-8"),
        (
            "[websub]\ncallback = 'desk.example/hub'\n",
            "some.toml:2: websub.callback must be an http(s) address without a query, not 'desk.example/hub'",
        ),
        (
            "[websub]\nlisten = '127.0.0.1:99999'\n",
            "some.toml:2: websub.listen must be an address and a port such as 127.0.0.1:8089, not '127.0.0.1:99999'",
        ),
        (
            "[websub]\nlisten = '8089'\n",
            "some.toml:2: websub.listen must be an address and a port such as 127.0.0.1:8089, not '8089'",
        ),
    ],
)
def test_a_mistake_is_told_with_file_and_line(here: Path, text: str | bytes, said: str) -> None:
    assert fault(here, text).startswith(said)


def test_deep_nesting_is_an_error_and_no_crash(here: Path) -> None:
    assert "some.toml" in fault(here, "a = " + "[" * 5000 + "]" * 5000)


def test_a_named_file_must_be_there(here: Path) -> None:
    for kwargs in ({"path": here / "no.toml", "environ": {}}, {"environ": {"RASD_CONFIG": "no.toml"}}):
        with pytest.raises(ConfigError, match="no such file"):
            load(**kwargs)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot be read"):
        load(here, environ={})


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("RASD_RUN_BATCHES", "1", "unknown variable RASD_RUN_BATCHES (did you mean RASD_RUN_BATCH?)"),
        ("RASD_RUN_BATCH", "many", "RASD_RUN_BATCH must be a whole number, not 'many'"),
        ("RASD_RUN_BATCH", "0", "RASD_RUN_BATCH must lie between 1 and 10000, not '0'"),
        ("RASD_SINKS_ENABLED", "csv", "RASD_SINKS_ENABLED may hold jsonl, sqlite and postgres only, not 'csv'"),
    ],
)
def test_a_mistake_in_the_environment_is_told_with_the_variable(
    here: Path, variable: str, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={variable: text})
    assert str(caught.value).startswith(f"the environment: {said}")


def test_other_peoples_variables_are_left_alone(here: Path) -> None:
    assert load(environ={"RASD_HOME": "x", "RASDRUN_BATCH": "y"}) == load(environ={})
