"""How a stack of containers starts, ends and dies; its containers are really killed."""

from __future__ import annotations

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops import engine as docker_engine
from samjhadoo_ops import stack
from samjhadoo_ops.engine import PROJECT
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.stack import lifecycle

pytestmark = pytest.mark.containers


def in_engine(engine, project):
    return [str(each.name) for each in docker_engine.leftovers(engine, {PROJECT: project.paths.mark})]


def test_another_kind_of_stack_is_refused_until_down_which_leaves_nothing_in_the_engine(contained, engine):
    contained.up()
    engine.containers.create(  # of a stack that was lost
        contained.env.stack.images.redis,
        labels=docker_engine.labels(f"{contained.paths.mark}lost", contained.paths.mark),
    )
    variables = contained.variables | {"SAMJHADOO_STACK": "embedded"}
    other = load_environment("local", root=contained.root, variables=variables)
    with pytest.raises(ConfigurationError, match=r"stack\.kind = containers; .* has embedded"):
        stack.up(other, contained.console)
    assert in_engine(engine, contained)
    assert contained.down()
    assert in_engine(engine, contained) == []
    assert contained.processes() == []
    assert not contained.paths.engine.exists()
    assert not contained.down()


def test_the_stack_ends_when_a_container_is_killed_and_names_it(contained, engine):
    contained.up()
    victim = "redis"
    killed = next(each.id for each in contained.state.containers if each.name == victim)
    engine.containers.get(killed).kill()
    eventually(lambda: lifecycle.find(contained.env) is None and not contained.processes())
    ended = lifecycle.why_ended(contained.env)
    assert ended is not None
    assert ended.reason == f"the stack's container {victim} ({killed[:12]}) was killed by SIGKILL"
    assert in_engine(engine, contained) == []


def test_nothing_is_left_when_the_supervisor_is_killed(contained, engine):
    contained.up()
    folders = list(Path(tempfile.gettempdir()).glob(f"samjhadoo-{contained.state.id}*"))
    assert folders
    os.kill(contained.state.supervisor.pid, signal.SIGKILL)
    eventually(lambda: not contained.processes() and not in_engine(engine, contained))
    eventually(lambda: not any(folder.exists() for folder in folders))


def test_a_missing_image_is_named_with_its_setting(contained):
    variables = contained.variables | {"SAMJHADOO_STACK__IMAGES__REDIS": "127.0.0.1:1/nobody/redis:7"}
    env = load_environment("local", root=contained.root, variables=variables)
    with pytest.raises(ConfigurationError, match=r"stack\.images\.redis: .*127\.0\.0\.1:1/nobody/redis:7"):
        stack.up(env, contained.console)
    assert contained.processes() == []


def test_a_container_that_is_removed_during_the_start_is_named(contained, engine):
    def remove_postgres() -> None:
        wanted = {"label": f"{PROJECT}={contained.paths.mark}", "name": "-postgres"}
        found = eventually(lambda: engine.containers.list(all=True, ignore_removed=True, filters=wanted))
        found[0].remove(force=True)

    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(remove_postgres)
        with pytest.raises(
            lifecycle.StackFailed, match=r"container postgres \(.*\) (was|did not start).* while the stack"
        ):
            contained.up()
        removal.result()
    assert in_engine(engine, contained) == []
