#!/bin/bash
# Runs a command in the workspace.
set -e
source /opt/ros/"$ROS_DISTRO"/setup.bash
source /ws/install/setup.bash
export PATH=/ws/install/hyperseg_ros/lib/hyperseg_ros:/ws/env/bin:$PATH
exec "$@"
