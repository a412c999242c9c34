"""A frame's way in and out as plain arrays: what node and recordings share. Without ROS."""
