import threading

import pytest

from hyperseg_ros.runtime.deadline import within


def test_a_result_in_time_is_given():
    assert within(60, lambda: 3, abandon=print) == 3


def test_an_error_in_time_is_raised():
    def fail():
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        within(60, fail, abandon=print)


def test_work_without_end_is_given_up_and_a_late_result_abandoned():
    released, abandoned = threading.Event(), threading.Event()

    def hang():
        released.wait(60)
        return "late"

    with pytest.raises(TimeoutError, match=r"not come back within 0\.05 s"):
        within(0.05, hang, abandon=lambda result: abandoned.set() if result == "late" else None)
    released.set()
    assert abandoned.wait(60)
