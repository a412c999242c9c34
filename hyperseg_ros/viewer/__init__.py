"""A page in the browser that shows what the cameras see and what the network makes of it.

Two threads: rclpy's executor, with all that touches ROS (`viewer_node.py`, `feed.py`, `legend.py`),
and asyncio's loop, with all that touches the network (`site.py`, `visitor.py`). `hub.py` is between.
"""
