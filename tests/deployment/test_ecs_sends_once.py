from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from samjhadoo_ops.deployment.ecs import TRIES, send_once


def refused(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "UpdateService")


THROTTLED = refused("ThrottlingException")
FAULT = refused("ServerException", 500)
CLOSED = ConnectionClosedError(endpoint_url="http://aws")
NOT_SENT = EndpointConnectionError(endpoint_url="http://aws")
WRONG = refused("InvalidParameterException")


class Aws:
    """Answers each try in turn with an error or, at last, well; shows what was carried out."""

    def __init__(self, *answers: Exception | None, shows_after: int = 0, carried_out: bool = False) -> None:
        self.answers = list(answers)
        self.tries = 0
        self.looks = 0
        self.shows_after = shows_after
        self.carried_out = carried_out
        self.waited: list[float] = []

    def send(self) -> str:
        self.tries += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return "sent"

    def look(self) -> str | None:
        self.looks += 1
        return "found" if self.carried_out and self.looks > self.shows_after else None

    def once(self) -> str:
        return send_once(self.send, self.look, wait=self.waited.append)


@pytest.mark.parametrize("lost", [FAULT, CLOSED], ids=["5xx", "closed"])
def test_a_request_whose_answer_was_lost_is_not_sent_again_when_aws_shows_its_effect(lost: Exception) -> None:
    aws = Aws(lost, carried_out=True, shows_after=1)
    assert aws.once() == "found"
    assert aws.tries == 1


@pytest.mark.parametrize("lost", [FAULT, CLOSED, NOT_SENT], ids=["5xx", "closed", "not-sent"])
def test_it_is_sent_again_when_aws_shows_nothing(lost: Exception) -> None:
    aws = Aws(lost)
    assert aws.once() == "sent"
    assert aws.tries == 2
    assert aws.looks >= 1


def test_a_throttled_request_was_not_carried_out_and_is_sent_again_ever_more_slowly() -> None:
    aws = Aws(THROTTLED, THROTTLED, THROTTLED)
    assert aws.once() == "sent"
    assert aws.looks == 0
    assert aws.waited == sorted(aws.waited)


def test_a_refusal_is_raised_at_once() -> None:
    aws = Aws(WRONG)
    with pytest.raises(ClientError, match="InvalidParameter"):
        aws.once()
    assert (aws.tries, aws.looks) == (1, 0)


def test_a_refusal_of_the_repetition_may_mean_that_the_first_was_late() -> None:
    class Late(Aws):
        def look(self) -> str | None:
            self.carried_out = self.tries > 1
            return super().look()

    aws = Late(CLOSED, WRONG)
    assert aws.once() == "found"
    assert aws.tries == 2


def test_it_gives_up_after_the_last_try() -> None:
    aws = Aws(*[THROTTLED] * (TRIES + 1))
    with pytest.raises(ClientError, match="Throttling"):
        aws.once()
    assert aws.tries == TRIES
    assert sum(aws.waited) < 60
