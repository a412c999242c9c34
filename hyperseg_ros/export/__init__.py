"""From a checkpoint to the model file: one self-describing ONNX, pixels in and labels out."""
