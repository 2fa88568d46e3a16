from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import pytest

from samjhadoo_emulator.elbv2.data_plane import discovery as discoveries
from samjhadoo_emulator.elbv2.data_plane.discovery import Discovery, Key
from samjhadoo_emulator.elbv2.data_plane.documents import CLUSTERS, ENDPOINTS

BLUE = Key(ENDPOINTS, "blue")
SOON, NEVER = 20.0, 0.05


class Subscriber:
    """A subscription of Envoy: asks with the version that it has."""

    def __init__(self, streams, key):
        self.reader, self.writer = streams
        self.key = key

    def ask(self, version=""):
        names = {"resource_names": [self.key.name]} if self.key.name else {}
        question = {"version_info": version} if version else {}
        body = json.dumps({**question, "node": {"id": "envoy"}, **names}).encode()
        head = f"POST /v3/discovery:{self.key.kind} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self, within=SOON):
        async with asyncio.timeout(within):
            head = await self.reader.readuntil(b"\r\n\r\n")
            document = json.loads(
                await self.reader.readexactly(int(head.lower().partition(b"content-length: ")[2]))
            )
        return document["version_info"], document["resources"]


def run(scenario):
    async def main():
        discovery, subscribers = Discovery(), []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "xds.sock")
            await discovery.listen(path)

            async def subscribe(key=BLUE):
                subscribers.append(Subscriber(await asyncio.open_unix_connection(str(path)), key))
                return subscribers[-1]

            try:
                await scenario(discovery, subscribe)
            finally:
                for subscriber in subscribers:
                    subscriber.writer.close()
                discovery.close()
                await asyncio.sleep(0)

    asyncio.run(main())


def test_a_question_is_answered_at_once_or_when_there_is_news():
    async def scenario(discovery, subscribe):
        known, later = await subscribe(Key(CLUSTERS)), await subscribe()
        version = discovery.publish(Key(CLUSTERS), [{"name": "blue"}])
        known.ask()
        assert await known.answer() == (version, [{"name": "blue"}])
        later.ask()
        with pytest.raises(TimeoutError):
            await later.answer(NEVER)
        news = discovery.publish(BLUE, [{"port": 1}])
        assert await later.answer() == (news, [{"port": 1}])

    run(scenario)


def test_the_next_request_confirms_that_a_version_is_in_effect():
    async def scenario(discovery, subscribe):
        envoy = await subscribe()
        version = discovery.publish(BLUE, [{"port": 1}])
        envoy.ask()
        await envoy.answer()
        assert await discovery.settle({BLUE: version}, within=NEVER) == [BLUE]
        envoy.ask(version)
        assert await discovery.settle({BLUE: version}, within=SOON) == []
        assert not discovery.refuses(BLUE)

    run(scenario)


def test_what_is_published_again_unchanged_is_no_news():
    async def scenario(discovery, _):
        assert discovery.publish(BLUE, [{"port": 1}])
        assert discovery.publish(BLUE, [{"port": 1}]) is None
        discovery.remove(BLUE)
        assert discovery.publish(BLUE, [{"port": 1}])

    run(scenario)


def test_one_that_still_has_the_version_before_has_refused_the_new_one_and_is_not_asked_again():
    async def scenario(discovery, subscribe):
        envoy = await subscribe()
        first = discovery.publish(BLUE, [{"port": 1}])
        envoy.ask()
        await envoy.answer()
        envoy.ask(first)
        wrong = discovery.publish(BLUE, [{"port": -1}])
        await envoy.answer()
        envoy.ask(first)
        assert await discovery.settle({BLUE: wrong}, within=SOON) == [BLUE]
        assert discovery.refuses(BLUE)
        with pytest.raises(TimeoutError):
            await envoy.answer(NEVER)
        right = discovery.publish(BLUE, [{"port": 2}])
        assert await envoy.answer() == (right, [{"port": 2}])
        assert not discovery.refuses(BLUE)

    run(scenario)


def test_a_first_version_that_is_refused_is_offered_again_seldom(monkeypatch):
    monkeypatch.setattr(discoveries, "REPEAT", 0.2)

    async def scenario(discovery, subscribe):
        envoy = await subscribe()
        version = discovery.publish(BLUE, [{"port": -1}])
        for _ in range(discoveries.FIRST_ANSWERS):
            envoy.ask()
            await envoy.answer()
        envoy.ask()
        assert await discovery.settle({BLUE: version}, within=SOON) == [BLUE]
        assert discovery.refuses(BLUE)
        assert (await envoy.answer())[0] == version

    run(scenario)


def test_a_subscriber_that_has_gone_is_forgotten():
    async def scenario(discovery, subscribe):
        gone, here = await subscribe(), await subscribe()
        gone.ask()
        gone.writer.close()
        here.ask()
        await asyncio.sleep(0.05)
        version = discovery.publish(BLUE, [])
        assert await here.answer() == (version, [])

    run(scenario)
