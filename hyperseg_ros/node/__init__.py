"""The ROS 2 lifecycle node: camera topics in, label images for planners out."""
