"""What `hyperseg benchmark` measures: inference, the node under load, training steps."""
