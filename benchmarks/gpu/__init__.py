"""What half an hour on a GPU can prove without TensorRT: `run` is one command, one report."""
