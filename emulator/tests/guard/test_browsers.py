"""Pages of a foreign site, opened in a real Chromium, get nothing done and read nothing."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from requirements import refuse_or_skip
from samjhadoo_emulator.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
COMMANDS = """<!doctype html><script>
const edge = new URLSearchParams(location.search).get('edge');
const report = text => fetch('/report', {method: 'POST', body: text});
const json = {'Content-Type': 'application/x-amz-json-1.1'};
const send = (name, path, options) => fetch(edge + path, options).then(
  async answer => report(`${name} ${answer.type} ${answer.status} ${await answer.text()}`),
  () => report(`${name} failed`));
const call = (target, body) => send(target, '/', {
  method: 'POST', headers: {...json, 'X-Amz-Target': target}, body: JSON.stringify(body)});
(async () => {
  await call('AmazonEC2ContainerServiceV20141113.CreateCluster', {clusterName: 'evil'});
  await call('AmazonEC2ContainerRegistry_V20150921.CreateRepository', {repositoryName: 'evil'});
  await send('queue', '/?Action=CreateQueue&QueueName=evil&Version=2012-11-05', {mode: 'no-cors'});
  await send('image', '/?Action=CreateTopic&Name=evil&Version=2010-03-31',
    {mode: 'no-cors', referrerPolicy: 'no-referrer'});
  await send('blob', '/v2/ours/blobs/uploads/', {method: 'POST', mode: 'no-cors', body: 'x'});
  await send('fault', '/_emulator/faults', {method: 'POST', mode: 'no-cors',
    body: '{"kind": "throttle", "service": "ecs", "operation": "*"}'});
  await send('reset', '/moto-api/reset', {method: 'POST', mode: 'no-cors'});
  await send('health', '/_emulator/health', {});
  await report('done');
})();
</script>"""
FORM = """<!doctype html><form id=form method=post></form><script>
const asked = new URLSearchParams(location.search), form = document.getElementById('form');
form.action = asked.get('edge') + asked.get('path');
form.enctype = asked.get('type');
for (const [name, value] of Object.entries(JSON.parse(asked.get('fields')))) {
  const area = document.createElement('textarea');
  area.name = name; area.value = value; form.append(area);
}
form.submit();
</script>"""
FORMS = {
    "target-group": (
        "/",
        "application/x-www-form-urlencoded",
        {
            "Action": "CreateTargetGroup",
            "Version": "2015-12-01",
            "Name": "from-a-form",
            "Protocol": "HTTP",
            "Port": "80",
            "VpcId": "vpc-1",
            "TargetType": "ip",
        },
    ),
    "fault": ("/_emulator/faults", "text/plain", {'{"kind":"throttle","service":"ecs","x":"': '"}'}),
    "reset": ("/moto-api/reset", "text/plain", {"a": "b"}),
}


class Site(http.server.ThreadingHTTPServer):
    """The foreign site; it collects what its pages report."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SitePages)
        self.reports: list[str] = []
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class SitePages(http.server.BaseHTTPRequestHandler):
    """Serves the pages, and takes their reports."""

    server: Site

    def do_GET(self) -> None:
        self._answer(FORM if "path" in parse_qs(urlsplit(self.path).query) else COMMANDS)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.reports.append(text)
        self._answer("")
        if text == "done":
            self.server.done.set()

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _answer(self, page: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page.encode())


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@contextmanager
def browsing(url: str, folder: Path) -> Iterator[None]:
    """Open a page in Chromium, without a window, until the block ends."""
    command = next(filter(None, map(shutil.which, NAMES)), None)
    if command is None:
        refuse_or_skip("Chromium is not installed")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [command, *options, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", url],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(),  # noqa: PLW1509
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_a_foreign_page_gives_no_orders_and_reads_no_answer(noop_emulator, site, tmp_path):
    noop_emulator.client("ecr").create_repository(repositoryName="ours")
    with browsing(f"{site.url}/?edge={noop_emulator.url}", tmp_path):
        assert site.done.wait(60), (tmp_path / "chromium.log").read_text()
    assert [each for each in site.reports if " failed" not in each and " opaque 0 " not in each] == ["done"]
    assert len(site.reports) == 9
    assert noop_emulator.client("ecs").list_clusters()["clusterArns"] == []
    found = noop_emulator.client("ecr").describe_repositories()["repositories"]
    assert [each["repositoryName"] for each in found] == ["ours"]
    assert "QueueUrls" not in noop_emulator.client("sqs").list_queues()
    assert noop_emulator.client("sns").list_topics()["Topics"] == []
    assert noop_emulator.faults.in_force() == []


@pytest.mark.parametrize("name", FORMS)
def test_a_foreign_form_changes_nothing(noop_emulator, site, tmp_path, eventually, name):
    path, kind, fields = FORMS[name]
    noop_emulator.client("ecs").create_cluster(clusterName=name)
    asked = {"edge": noop_emulator.url, "path": path, "type": kind, "fields": json.dumps(fields)}
    before = noop_emulator.log.read_text()
    with browsing(f"{site.url}/?{urlencode(asked)}", tmp_path):
        eventually(lambda: f"refused origin {site.url}" in noop_emulator.log.read_text()[len(before) :])
    assert noop_emulator.client("elbv2").describe_target_groups()["TargetGroups"] == []
    assert noop_emulator.faults.in_force() == []
    assert len(noop_emulator.client("ecs").list_clusters()["clusterArns"]) >= 1
