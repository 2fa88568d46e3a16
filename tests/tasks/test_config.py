from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from invoke.program import Program

from samjhadoo_ops import ns

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    for name in ("SAMJHADOO_STACK", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def config(*arguments: str) -> int:
    try:
        Program(namespace=ns).run(["invoke", "config", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_config_shows_each_setting_with_its_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMJHADOO_DEPLOYMENT__CANARY_TIME", "5m")
    assert config("--env", "production") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["Key", "Source", "Value"]
    assert ["aws.account", "production.toml", "111122223333"] in rows
    assert ["deployment.canary_time", "SAMJHADOO_DEPLOYMENT__CANARY_TIME", "5m"] in rows


def test_config_in_json_is_one_object_a_setting_and_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert config("--json") == 0
    *settings, result = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {
        "event": "setting",
        "key": "stack.edge_port",
        "value": 4566,
        "source": "environments/local.toml",
    } in settings
    assert all(set(setting) == {"event", "key", "value", "source"} for setting in settings)
    assert (result["event"], result["outcome"], result["exit_code"]) == ("result", "succeeded", 0)


def test_a_planted_secret_appears_nowhere(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMJHADOO_PAYMENTS__SECRET_KEY", "sk_live_planted")
    path = project / "environments/local.toml"
    path.write_text(path.read_text().replace('webhook_url = ""', 'webhook_url = "http://u:planted@host/"'))
    for arguments in ((), ("--json",), ("--debug",)):
        assert config(*arguments) == 2
        shown = capsys.readouterr()
        assert "planted" not in shown.out + shown.err
        assert "payments.secret_key" in shown.out + shown.err


@pytest.mark.parametrize("arguments", [("--env", "prod"), ("--env", ""), ("--env", "../../etc/passwd")])
def test_an_unknown_environment_is_wrong_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert config(*arguments) == 2
    assert "local, production, staging" in capsys.readouterr().err


def test_outside_a_project_it_is_wrong_usage_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "environments").rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert config() == 2
    assert "no project found" in capsys.readouterr().err
