"""A page in the browser that shows what the cameras see and what the network makes of it.

Two threads: that of rclpy's executor, with what touches ROS (`viewer_node.py`, `feed.py`,
`legend.py`), and asyncio's loop, with what touches the network (`site.py`, `page_connection.py`).
`hub.py` is between them. The page itself, plain HTML, CSS and JavaScript, is in `page/`.
"""
