from __future__ import annotations

import threading

from hyperseg_ros.node.mailbox import Mailbox


def test_the_newest_wins_and_the_replaced_is_told():
    mailbox: Mailbox[str] = Mailbox()
    assert mailbox.take() is None
    assert mailbox.put("old") is False
    assert mailbox.put("new") is True
    assert mailbox.take() == "new"
    assert mailbox.take() is None
    assert mailbox.put("next") is False


def test_between_threads_nothing_is_lost_twice_or_out_of_order():
    mailbox: Mailbox[int] = Mailbox()
    last = 20_000
    dropped = 0
    taken: list[int] = []

    def consume() -> None:
        while not taken or taken[-1] != last:
            item = mailbox.take()
            if item is not None:
                taken.append(item)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for item in range(last + 1):
        dropped += mailbox.put(item)
    consumer.join(30)
    assert taken[-1] == last
    assert taken == sorted(set(taken))
    assert len(taken) + dropped == last + 1
