from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.environment.view import rows

if TYPE_CHECKING:
    from tests.environment.conftest import Project


def test_every_setting_is_shown_once_with_its_source(project: Project) -> None:
    shown = rows(project.load("production", {"SAMJHADOO_DEPLOYMENT__POLL": "30s"}))
    keys = [key for key, _, _ in shown]
    assert len(keys) == len(set(keys)) > 90
    assert ("deployment.poll", "30s", "SAMJHADOO_DEPLOYMENT__POLL") in shown
    assert ("aws.account", "111122223333", "environments/production.toml") in shown
    assert {source for _, _, source in shown} == {
        "environments/base.toml",
        "environments/production.toml",
        "SAMJHADOO_DEPLOYMENT__POLL",
        "default",
    }


def test_references_are_shown_and_what_may_be_a_secret_is_not(project: Project) -> None:
    project.append("local", '\n[build.args]\nDB_PASSWORD = "hunter2"\nTOKEN = "env:TOKEN"\n')
    shown = {key: value for key, value, _ in rows(project.load("local"))}
    assert shown["build.args.DB_PASSWORD"] == "***"
    assert shown["build.args.TOKEN"] == "env:TOKEN"
    assert shown["payments.secret_key"] == "secretsmanager:samjhadoo/local/stripe#secret_key"


def test_the_policy_of_a_gate_is_shown_whatever_the_gate_is_called(project: Project) -> None:
    variables = {"SAMJHADOO_GATES__POLICY__SECRETS": "warn"}
    shown = {key: value for key, value, _ in rows(project.load("local", variables))}
    assert shown["gates.policy.secrets"] == "warn"


def test_the_rows_are_plain_data(project: Project) -> None:
    assert msgspec.json.encode(rows(project.load("local")))
