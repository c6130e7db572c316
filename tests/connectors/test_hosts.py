from __future__ import annotations

from connectors.hosts import DOWN_AFTER, LONGEST_WAIT, Hosts


def test_a_host_gets_its_places_once_it_has_answered_well() -> None:
    hosts = Hosts(places=16, per_host=3)
    assert hosts.may("a.example", 0)
    assert not hosts.may("a.example", 1)
    hosts.answered("a.example", 0.2)
    assert hosts.may("a.example", 2)
    assert not hosts.may("a.example", 3)


def test_hosts_that_answer_slowly_or_never_share_a_part_of_the_places() -> None:
    hosts = Hosts(places=16, per_host=3)
    hosts.answered("good.example", 0.2)
    held = []
    for n in range(40):
        if hosts.may(f"slow{n}.example", 0):
            held.append(hosts.began(f"slow{n}.example"))
    assert len(held) == 12
    assert hosts.may("good.example", 2)
    hosts.answered("good.example", 60.0)
    assert not hosts.may("good.example", 0)
    hosts.ended(held.pop())
    assert hosts.may("good.example", 0)


def test_a_host_is_down_after_some_failures_and_longer_with_each_more() -> None:
    hosts = Hosts(places=16, per_host=3)
    for _ in range(DOWN_AFTER - 1):
        hosts.failed("a.example", 100.0)
    assert hosts.down_until("a.example") <= 100.0
    hosts.failed("a.example", 100.0)
    first = hosts.down_until("a.example")
    hosts.failed("a.example", 100.0)
    assert 100.0 < first < hosts.down_until("a.example")
    for _ in range(20):
        hosts.failed("a.example", 100.0)
    assert hosts.down_until("a.example") == 100.0 + LONGEST_WAIT
    hosts.answered("a.example", 0.1)
    assert hosts.down_until("a.example") <= 100.0


def test_a_rest_that_was_asked_for_is_not_shortened_by_a_failure() -> None:
    hosts = Hosts(places=16, per_host=3)
    hosts.rest("a.example", 9_000.0)
    for _ in range(DOWN_AFTER):
        hosts.failed("a.example", 100.0)
    assert hosts.down_until("a.example") == 9_000.0
    assert hosts.down_until("b.example") == 0.0
