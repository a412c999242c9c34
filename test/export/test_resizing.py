"""The card of a model that was made for another size."""

import models
from hyperseg_ros.export.resizing import resized_card


def test_scores_name_the_size_that_they_were_measured_at():
    card = models.card(
        input_size=(384, 512),
        miou={"camvid/val": 0.75},
        iou={"camvid/val": {}},
        calibration={"camvid/val": 0.02},
        robustness={"camvid/val": {"fog": 0.5}},
    )
    wide = resized_card(card, "wide", (384, 640))
    assert wide.miou == {"camvid/val at 384 x 512": 0.75}
    assert wide.iou == {"camvid/val at 384 x 512": {}}
    assert wide.calibration == {"camvid/val at 384 x 512": 0.02}
    assert wide.robustness == {"camvid/val at 384 x 512": {"fog": 0.5}}
    measured = models.card(input_size=(384, 640), miou={**wide.miou, "camvid/val": 0.76})
    tall = resized_card(measured, "tall", (576, 512))
    assert tall.miou == {"camvid/val at 384 x 512": 0.75, "camvid/val at 384 x 640": 0.76}
    assert resized_card(tall, "own", (384, 512)).miou == {
        "camvid/val": 0.75,
        "camvid/val at 384 x 640": 0.76,
    }
