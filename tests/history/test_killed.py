"""Processes that die, and processes that work on one mirror at once."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from history.generator import history, write
from history.lists import List, Mirrored, ids_of, order
from support.live import TOKEN, LiveGunbot, serving

from gunbot_mcp.history.mirror import Home
from gunbot_mcp.history.place import Folder
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.history.store import load, paths_of
from gunbot_mcp.paper.app import PaperGateway

_DAY = 1440
KEY = "binance/USDT-BTC"


def start(script: str, environment: dict[str, str], *arguments: object) -> "subprocess.Popen[str]":
    path = f"{environment['PYTHONPATH']}:{environment['PYTHONPATH']}/tests"
    command = [sys.executable, "-m", f"history.{script}", *map(str, arguments)]
    return subprocess.Popen(command, env={**environment, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)


def before_and_after() -> tuple[List, List]:
    """A list over four months, and the same with new, edited and removed records."""
    old = List([order(n * _DAY) for n in reversed(range(120))])
    new = List([dict(one) for one in old.orders])
    new.orders[5]["fees"] = 3
    del new.orders[70]
    new.add(*(order((120 + n) * _DAY) for n in range(10)))
    return old, new


def killed_at(steps: Sequence[int], folder: Path, environment: dict[str, str]) -> None:
    old, new = before_and_after()
    listed = folder / "list.json"
    listed.write_text(json.dumps(new.orders), encoding="utf-8")
    for step in steps:
        mirrored = Mirrored(folder / str(step), size=100)
        mirrored.sync(old)
        with start("dying", environment, folder / str(step), listed, step) as child:
            assert child.wait() == -9, step
        # Whatever was done, each record is there once and can be read.
        found = mirrored.ids()
        assert len(found) == len(set(found))
        assert (
            set(ids_of(old.orders)) & set(ids_of(new.orders))
            <= set(found)
            <= {
                *ids_of(old.orders),
                *ids_of(new.orders),
            }
        )
        mirrored.sync(new)
        assert mirrored.ids() == ids_of(new.orders), step
        assert [row[0] for row in mirrored.rows("fees") if row[0] > 1] == [3]
        assert mirrored.manifest.complete


def steps_of(folder: Path, environment: dict[str, str]) -> int:
    old, new = before_and_after()
    Mirrored(folder / "whole", size=100).sync(old)
    (folder / "whole.json").write_text(json.dumps(new.orders), encoding="utf-8")
    with start("dying", environment, folder / "whole", folder / "whole.json", 10_000) as child:
        return int(child.communicate()[0])


def test_a_sync_killed_on_its_way_leaves_a_mirror_that_the_next_one_completes(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    killed_at([5], tmp_path, child_environment)


@pytest.mark.slow
def test_a_sync_killed_at_any_step_leaves_a_mirror_that_the_next_one_completes(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    steps = steps_of(tmp_path, child_environment)
    assert steps > 10

    killed_at(range(1, steps + 1), tmp_path, child_environment)


@pytest.mark.slow
def test_two_processes_that_sync_one_key_at_once_read_it_once(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    made = history(KEY, "grid", count=1_200)
    write({KEY: made}, tmp_path / "orders.jsonl")
    gateway = PaperGateway(token=TOKEN, market="manual", orders=tmp_path / "orders.jsonl")
    with serving(LiveGunbot(_gateway=gateway)) as gunbot:
        home = Home(folder=tmp_path, instance="main", url=gunbot.url, live=True)
        children = [start("syncing", child_environment, tmp_path, gunbot.url, KEY) for _ in range(2)]
        said = sorted(child.communicate()[0] for child in children)

    assert [one.split()[0] for one in said] == ["1200", "1200"]
    # The second finds what the first has just read, or asks for one small page.
    assert said[0].split()[1] in {"0", "1"}
    place = Folder(home.path)
    manifest = load(place, KEY)
    assert (manifest.complete, manifest.records) == (True, 1_200)
    with Reader(paths_of(place, [manifest])).connect() as connection:
        assert connection.sql("SELECT count(DISTINCT id) FROM orders").fetchall() == [(1_200,)]
