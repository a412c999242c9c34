"""Figures of a checkpoint, or of the very model file that is deployed."""
