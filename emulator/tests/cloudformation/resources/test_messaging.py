"""Topics, subscriptions and queues are made, changed, read and deleted by the APIs of SNS and SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import sns, sqs

if TYPE_CHECKING:
    from conftest import Desk

KINDS = {kind.name.rpartition("::")[2]: kind for kind in (*sns.TYPES, *sqs.TYPES)}


def allow(principal: str, action: str, resource: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": action,
        "Resource": resource,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_topic_has_subscriptions_and_a_policy(desk: Desk) -> None:
    mail = {"Endpoint": "ops@example.com", "Protocol": "email"}
    hook = {"Endpoint": "https://example.com/hook", "Protocol": "https"}
    topic = desk.create(KINDS["Topic"], DisplayName="alarms", Subscription=[mail])
    assert topic.attributes["TopicName"].startswith("samjhadoo-test-Resource")
    assert topic.drifted() == {}
    topic.update(DisplayName="all alarms", Subscription=[hook], Tags=[{"Key": "a", "Value": "b"}])
    assert topic.drifted() == {}
    listed = desk.client("sns").list_subscriptions_by_topic(TopicArn=topic.id)["Subscriptions"]
    assert [each["Protocol"] for each in listed] == ["https"]
    policy = desk.create(
        KINDS["TopicPolicy"],
        Topics=[topic.id],
        PolicyDocument=allow("cloudwatch.amazonaws.com", "sns:Publish", topic.id),
    )
    assert policy.drifted() == {}
    policy.update(PolicyDocument=allow("events.amazonaws.com", "sns:Publish", topic.id))
    assert policy.drifted() == {}
    for each in (policy, topic):
        each.delete()
        assert each.read() is None
        each.delete()


def test_a_queue_subscribes_to_a_topic(desk: Desk) -> None:
    dead = desk.create(KINDS["Queue"])
    queue = desk.create(
        KINDS["Queue"],
        VisibilityTimeout=60,
        MessageRetentionPeriod=86400,
        RedrivePolicy={"deadLetterTargetArn": dead.attributes["Arn"], "maxReceiveCount": 3},
    )
    assert queue.id.endswith(queue.attributes["QueueName"])
    assert queue.drifted() == {}
    queue.update(VisibilityTimeout=None, DelaySeconds=5)
    assert queue.drifted() == {}
    assert queue.read()["VisibilityTimeout"] == 30
    topic = desk.create(KINDS["Topic"])
    policy = desk.create(
        KINDS["QueuePolicy"],
        Queues=[queue.id],
        PolicyDocument=allow("sns.amazonaws.com", "sqs:SendMessage", queue.attributes["Arn"]),
    )
    subscription = desk.create(
        KINDS["Subscription"],
        TopicArn=topic.id,
        Protocol="sqs",
        Endpoint=queue.attributes["Arn"],
        RawMessageDelivery=True,
        FilterPolicy={"kind": ["alarm"]},
    )
    assert policy.drifted() == {} == subscription.drifted()
    subscription.update(FilterPolicy={"kind": ["ok"]}, RawMessageDelivery=None)
    assert subscription.drifted() == {}
    for each in (subscription, policy, topic, queue, dead):
        each.delete()
        assert each.read() is None, each.kind.name
        each.delete()


def test_names_of_fifo_topics_and_queues_end_so(desk: Desk) -> None:
    topic = desk.create(KINDS["Topic"], FifoTopic=True, ContentBasedDeduplication=True)
    queue = desk.create(KINDS["Queue"], FifoQueue=True)
    assert topic.id.endswith(".fifo")
    assert queue.id.endswith(".fifo")
    assert topic.drifted() == {} == queue.drifted()
    topic.delete()
    queue.delete()
