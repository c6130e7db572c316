"""docker-compose.yml, Dockerfile and what they mount: read by the real parsers, and held to what is promised."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import SETTINGS, load
from pipeline.runtimes.kafka.health import ABOUT
from tests.compose.composed import (
    HADOLINT,
    context_files,
    copy_in,
    dockerfile,
    documented,
    environment,
    in_order,
    ours,
    project,
    run_compose,
    services,
)
from tests.conftest import ROOT
from tests.test_docs import understood

ALL = sorted(services())
LASTING = sorted(name for name, s in services().items() if s.get("restart") != "no")
PROFILES = {"live", "debug", "observability"}
EXAMPLE = ROOT / ".env.example"
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.mark.parametrize("profile", ["", "live", "debug", "observability", "*"])
@pytest.mark.parametrize("env_file", [None, EXAMPLE], ids=["bare", "example"])
def test_the_compose_parser_takes_it_without_a_warning(profile: str, env_file: Path | None) -> None:
    done = run_compose(*(("--profile", profile) if profile else ()), "config", "--quiet", env_file=env_file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_profiles_are_those_that_are_documented() -> None:
    assert set(run_compose("config", "--profiles").stdout.split()) == PROFILES
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    assert [p for p in PROFILES if f"--profile {p}" not in page] == []


def test_the_commands_of_the_page_name_services_and_options_that_there_are() -> None:
    assert len(documented()) > 15
    for words in documented():
        place = next(n for n, w in enumerate(words) if not w.startswith("-") and words[n - 1] != "--profile")
        usage = usage_of(words[place])
        options = [w for w in words[place + 1 :] if w.startswith("-")]
        if words[place] in ("exec", "run", "restart", "stop"):
            rest = [w for w in words[place + 1 :] if not w.startswith("-")]
            assert not rest or rest[0] in services(), words
            options = options[: next((n for n, w in enumerate(words[place + 1 :]) if w == (rest or [""])[0]), 0)]
        assert [o for o in options if o not in usage] == [], words


@functools.cache
def usage_of(command: str) -> str:
    done = run_compose(command, "--help")
    assert done.returncode == 0, command
    return done.stdout


def test_a_bare_up_starts_the_whole_flow() -> None:
    flow = {"kafka", "topics", "replay", "poller", "fetcher", "worker", "sink", "password", "postgres"}
    assert set(services("")) == flow
    assert set(in_order("")) == flow


def test_dockerfile_is_clean_to_the_linter() -> None:
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


# -- what every service promises -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_service_is_no_root_and_can_do_little(name: str) -> None:
    service = services()[name]
    assert int(str(service.get("user", "0")).split(":")[0]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices"} & set(service)
    assert int(service["mem_limit"]) <= 2 * 2**30
    assert service["pids_limit"] > 0


@pytest.mark.parametrize("name", ALL)
def test_a_service_can_run_several_times_and_fills_no_disk_with_its_log(name: str) -> None:
    service = services()[name]
    assert "container_name" not in service
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", ALL)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert {p["host_ip"] for p in services()[name].get("ports", [])} <= {"127.0.0.1"}


def test_what_can_be_scaled_has_no_port_and_no_shared_folder_to_write_to() -> None:
    service = services()["worker"]
    assert "ports" not in service
    assert [(v["type"], v.get("source", ""), v["target"]) for v in service["volumes"]] == [("volume", "", "/data")]
    assert "RASD_WORKER_INSTANCE" not in environment(service)  # the container's own name


@pytest.mark.parametrize("name", sorted(set(LASTING) - {"tail"}))
def test_a_service_that_lasts_is_asked_how_it_fares(name: str) -> None:
    check = services()[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


def test_who_waits_waits_for_health_or_for_the_end() -> None:
    for name, service in services().items():
        for on, how in (service.get("depends_on") or {}).items():
            wanted = "service_healthy" if on in LASTING else "service_completed_successfully"
            assert how["condition"] == wanted, f"{name} waits for {on}"


def test_images_are_pinned() -> None:
    for name, service in services().items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?", tag), f"{name}: {service['image']}"
    for base in (i.rest.split()[0] for i in dockerfile() if i.word == "FROM"):
        assert re.search(r":\d+\.\d+\.\d+-[a-z]+", base), base


def test_no_secret_stands_in_any_file() -> None:
    named = [k for s in services().values() for k in environment(s)] + EXAMPLE.read_text("utf-8").split("=")
    secret = re.compile(r"(?i)(password|secret|token|credential)s?$")
    assert [name for name in named if secret.search(name)] == []
    assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", TEXT)  # user:password@ in an address


def test_workers_and_sinks_have_no_way_to_the_world() -> None:
    assert project()["networks"]["inside"]["internal"] is True
    for name in ("worker", "sink", "topics", "replay", "password", "tail"):
        assert list(services()[name]["networks"]) == ["inside"]


def test_our_services_have_ten_seconds_and_need_fewer() -> None:
    for service in ours().values():
        assert service["stop_grace_period"] == "10s"
        assert service["init"] is True
    assert SETTINGS["worker.drain_seconds"].default <= 8


# -- what goes into our processes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_variable_of_ours_is_a_setting_with_a_fitting_value(name: str) -> None:
    given = environment(ours()[name])
    assert {k for k in given if k.startswith("RASD_")} <= {row.variable for row in SETTINGS.values()}
    load(environ=given)


@pytest.mark.parametrize("name", sorted(set(ours()) - {"password"}))
def test_every_command_is_one_that_rasd_understands(name: str) -> None:
    service = ours()[name]
    assert not service.get("entrypoint")
    assert understood(" ".join(service["command"])) is None
    check = service.get("healthcheck", {}).get("test")
    assert check is None or (check[:2] == ["CMD", "rasd"] and understood(" ".join(check[2:])) is None)


def test_messages_of_the_largest_size_pass_the_broker() -> None:
    given = environment(services()["kafka"])
    largest = SETTINGS["log.max_record_bytes"].default
    assert int(given["KAFKA_MESSAGE_MAX_BYTES"]) >= largest + 500_000
    assert int(given["KAFKA_REPLICA_FETCH_MAX_BYTES"]) >= largest + 500_000


def test_every_variable_of_the_compose_file_is_explained_in_the_example_with_its_default() -> None:
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    text = EXAMPLE.read_text("utf-8")
    shown = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert set(shown) == set(used)
    assert {k: v for k, v in shown.items() if f"\n# {k}=" not in text} == {k: v for k, v in used.items() if v}
    for block in text.strip().split("\n\n")[1:]:
        assert block.startswith("# "), f"no comment above {block}"


def test_what_is_mounted_from_the_project_is_there_and_cannot_be_written() -> None:
    for name, service in services().items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), f"{name}: {volume['source']}"
                assert volume["read_only"] is True


def test_the_default_list_of_feeds_is_an_empty_list() -> None:
    from connectors.feedlist import load_feeds

    assert load_feeds(ROOT / "deploy" / "no-feeds.toml") == []


# -- Prometheus and Grafana ------------------------------------------------------------------------------------------


def test_prometheus_asks_the_services_that_answer() -> None:
    read = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    found = next(job for job in read["scrape_configs"] if job["job_name"] == "rasd")["dns_sd_configs"][0]
    asked = {name for name, s in ours().items() if "healthcheck" in s}
    assert set(found["names"]) == asked
    for name in asked:
        assert environment(ours()[name])["RASD_WORKER_HEALTH"] == f"0.0.0.0:{found['port']}"


def test_grafana_finds_its_dashboards_and_its_source() -> None:
    folder = ROOT / "deploy" / "grafana"
    providers = yaml.safe_load((folder / "provisioning" / "dashboards" / "rasd.yml").read_text("utf-8"))["providers"]
    sources = yaml.safe_load((folder / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    mounted = {v["target"] for v in services()["grafana"]["volumes"]}
    assert {p["options"]["path"] for p in providers} <= mounted
    source = sources["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    home = Path(environment(services()["grafana"])["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (folder / "dashboards" / home.name).is_file()
    for panel in panels():
        assert panel["datasource"]["uid"] == source["uid"]


def panels() -> list[dict[str, Any]]:
    boards = [json.loads(p.read_text("utf-8")) for p in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")]
    return [panel for board in boards for panel in board["panels"]]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def metric_names(expression: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"rasd_[a-z_]+", expression)}


def test_every_metric_on_a_dashboard_is_one_that_is_declared() -> None:
    assert expressions()
    assert {name for e in expressions() for name in metric_names(e)} <= set(ABOUT)


def test_panels_stand_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        g = panel["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


# -- the image -------------------------------------------------------------------------------------------------------


def test_the_image_is_built_by_one_service_that_all_others_wait_for() -> None:
    """Builds of one name at the same time fail: `image "...": already exists`."""
    assert [name for name, s in services("*").items() if "build" in s] == ["topics"]
    waiting = [name for name, s in ours().items() if "topics" in s.get("depends_on", {})]
    assert {*waiting, "topics", "password"} == set(ours())


def test_a_list_of_feeds_that_is_not_there_is_not_made_as_a_folder() -> None:
    binds = {name: [v for v in s.get("volumes", []) if v["type"] == "bind"] for name, s in ours().items()}
    assert [name for name, found in binds.items() if found] == ["poller"]
    assert not binds["poller"][0]["bind"].get("create_host_path")


def test_the_build_sees_what_the_package_needs_and_nothing_else() -> None:
    seen = {str(p) for p in context_files()}
    assert {"pyproject.toml", "README.md", "LICENSE", "pipeline/cli/__init__.py"} <= seen
    assert not [p for p in seen if p.startswith(("tests", "bench", "docs", ".", "rasd-data")) or p.endswith(".pyc")]
    assert not [p for p in seen if os.path.basename(p).startswith(".env")]


def test_the_image_is_built_from_what_the_wheel_is_built_from(tmp_path: Path) -> None:
    for copy in (i for i in dockerfile() if i.word == "COPY" and "--from" not in i.rest):
        copy_in(copy.rest, tmp_path)
    read = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    wheel = read["tool"]["hatch"]["build"]["targets"]["wheel"]
    for folder in (*wheel["packages"], *wheel["force-include"], read["project"]["readme"]):
        assert (tmp_path / folder).exists(), folder
    for data in ("connectors/data/feeds.toml", "connectors/sinks/schema.sql", "examples/archive"):
        assert (tmp_path / data).exists(), data


def test_the_image_ends_as_no_root_and_without_tools_to_build_with() -> None:
    last = [i for i in dockerfile() if i.stage == max(i.stage for i in dockerfile())]
    user = next(i.rest for i in last if i.word == "USER")
    assert {s["user"] for s in ours().values()} == {user}
    assert not [i for i in last if "pip" in i.rest and i.word == "RUN"]
    assert [i.rest for i in last if i.word == "ENTRYPOINT"] == ['["rasd"]']


def test_the_packages_of_the_image_are_those_of_the_extras() -> None:
    done = subprocess.run(
        ["python3", "deploy/requirements.py", "kafka", "postgres"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert done.stdout.splitlines() == [*project["dependencies"], *extras["kafka"], *extras["postgres"]]
