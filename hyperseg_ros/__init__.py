"""Real-time semantic segmentation for ROS 2 with HyperSeg (Nirkin, Wolf, Hassner, CVPR 2021).

Importing the package loads none of its layers: each is imported where it is used, so a robot
needs neither PyTorch nor the training dependencies.
"""

__version__ = "0.1.0"
