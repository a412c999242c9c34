from hyperseg_ros.runtime.backends.tensorrt.progress import PhaseTree, Progress


def seen(steps):
    now = [0.0]
    moments: list[Progress] = []
    tree = PhaseTree(moments.append, clock=lambda: now[0])
    for seconds, step in steps:
        now[0] = seconds
        step(tree)
    return moments


def test_a_phase_inside_another_is_part_of_its_step():
    moments = seen(
        [
            (0, lambda t: t.start("build", None, 2)),
            (1, lambda t: t.step("build", 0)),
            (1, lambda t: t.start("tactics", "build", 4)),
            (2, lambda t: t.step("tactics", 0)),
            (3, lambda t: t.step("tactics", 1)),
            (4, lambda t: t.finish("tactics")),
            (4, lambda t: t.step("build", 1)),
            (4, lambda t: t.finish("build")),
        ]
    )
    assert [moment.share for moment in moments] == [0.5, 0.625, 0.75, 1, 1, 1]
    # Three quarters took 3 s.
    assert moments[2].remaining == 1
    assert moments[-1].remaining == 0


def test_no_estimate_too_early_and_no_step_back():
    moments = seen(
        [
            (0, lambda t: t.start("a", None, 100)),
            (1, lambda t: t.step("a", 1)),
            (2, lambda t: t.finish("a")),
            (3, lambda t: t.start("b", None, 100)),
            (4, lambda t: t.step("b", 1)),
        ]
    )
    assert moments[0].remaining is None
    assert str(moments[0]) == "2% after 1 s"
    assert [moment.share for moment in moments] == [0.02, 1, 1]


def test_phases_that_nobody_announced_are_no_error():
    assert seen([(0, lambda t: t.step("what", 3)), (0, lambda t: t.finish("what"))]) == []


def test_a_phase_that_is_its_own_parent_ends():
    (moment,) = seen([(0, lambda t: t.start("a", "a", 2)), (1, lambda t: t.step("a", 0))])
    assert moment.share == 0.5
