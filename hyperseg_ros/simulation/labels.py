"""The CamVid class ids that the painted things carry."""

from hyperseg_ros.classes import CAMVID

SKY = CAMVID.index("sky")
BUILDING = CAMVID.index("building")
POLE = CAMVID.index("pole")
ROAD = CAMVID.index("road")
PAVEMENT = CAMVID.index("pavement")
TREE = CAMVID.index("tree")
SIGN = CAMVID.index("sign")
FENCE = CAMVID.index("fence")
CAR = CAMVID.index("car")
PEDESTRIAN = CAMVID.index("pedestrian")
BICYCLIST = CAMVID.index("bicyclist")
