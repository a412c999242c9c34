"""Training and evaluation: images and labels in, a network and its mIoU out."""
