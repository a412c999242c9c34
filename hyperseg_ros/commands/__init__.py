"""The commands of `hyperseg`, a file each: arguments in, the layer called, results printed."""
