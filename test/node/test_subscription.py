"""A subscription follows publishers that come, go and offer other qualities."""

from __future__ import annotations

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.subscription import FollowingSubscription

TYPES = {"std_msgs/msg/String": String}


def qos(reliability: str) -> QoSProfile:
    return QoSProfile(depth=10, reliability=ReliabilityPolicy[reliability.upper()])


class Listener:
    """A subscription under test, and what it gave."""

    def __init__(self, graph, reliability: str = "auto") -> None:
        self.graph = graph
        self.topic = f"{graph.namespace}/talk"
        self.messages: list[object] = []
        self.lost = 0
        self.subscription = FollowingSubscription(
            graph.node,
            Endpoints(graph.node),
            self.topic,
            TYPES,
            self.messages.append,
            reliability,
            depth=10,
            on_lost=self.count,
        )

    def count(self, lost: int) -> None:
        self.lost += lost

    def hears(self, publisher, message) -> None:
        """Follows and publishes until the message has arrived."""
        before = len(self.messages)

        def heard() -> bool:
            self.subscription.follow()
            publisher.publish(message)
            return len(self.messages) > before

        self.graph.wait(heard, "a message")

    @property
    def requested(self) -> ReliabilityPolicy:
        (info,) = self.graph.node.get_subscriptions_info_by_topic(self.topic)
        return info.qos_profile.reliability


@pytest.fixture
def listener(graph):
    made = Listener(graph)
    yield made
    made.subscription.close()


@pytest.mark.parametrize("first", ["best_effort", "reliable"])
def test_the_reliability_follows_the_publishers(graph, listener, first):
    other = {"best_effort": "reliable", "reliable": "best_effort"}[first]
    listener.subscription.open()
    for reliability in (first, other):
        publisher = graph.node.create_publisher(String, listener.topic, qos(reliability))
        listener.hears(publisher, String(data=reliability))
        expected = ReliabilityPolicy[reliability.upper()]
        graph.wait(lambda expected=expected: listener.requested == expected, reliability)
        assert listener.subscription.troubles() == []
        graph.node.destroy_publisher(publisher)
        graph.wait(lambda: not graph.node.count_publishers(listener.topic), "it to go")


def test_one_best_effort_publisher_makes_the_subscription_best_effort(graph, listener):
    publishers = [
        graph.node.create_publisher(String, listener.topic, qos(reliability))
        for reliability in ("reliable", "best_effort")
    ]
    graph.wait(lambda: graph.node.count_publishers(listener.topic) == 2, "both")
    listener.subscription.open()
    assert listener.requested == ReliabilityPolicy.BEST_EFFORT
    for publisher in publishers:
        listener.hears(publisher, String(data="heard"))


def test_a_mismatch_that_is_asked_for_is_a_trouble(graph):
    listener = Listener(graph, "reliable")
    publisher = graph.node.create_publisher(String, listener.topic, qos("best_effort"))
    listener.subscription.open()
    graph.wait(lambda: listener.subscription.troubles() != ["nobody publishes it"], "discovery")
    (trouble,) = listener.subscription.troubles()
    assert "it offers reliability best_effort, this node requests reliable" in trouble
    listener.subscription.close()
    graph.node.destroy_publisher(publisher)


def test_gaps_in_the_numbers_of_one_publisher_are_losses(graph, listener):
    publisher = graph.node.create_publisher(String, listener.topic, qos("reliable"))
    listener.subscription.open()
    listener.hears(publisher, String())
    give = listener.subscription._on_message  # what DDS loses cannot be told beforehand
    for number in (1, 2, 5, 6, 10):
        give(String(), {"publication_sequence_number": number})
    give(String(), {"publication_sequence_number": 1})  # it has restarted
    give(String(), {"publication_sequence_number": 2})
    give(String(), {})  # Humble
    listener.lost = 0
    listener.subscription.follow()
    assert listener.lost == 2 + 3
    listener.subscription.follow()
    assert listener.lost == 5


def test_losses_come_with_a_remedy(graph):
    for reliability, advice in (("best_effort", "input_reliability to auto"), ("auto", "fastdds")):
        listener = Listener(graph, reliability)
        listener.subscription.open()
        assert advice in listener.subscription.remedy
        listener.subscription.close()
