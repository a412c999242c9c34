"""Recordings: bags in, bags out, on one machine or many, without a ROS installation."""
