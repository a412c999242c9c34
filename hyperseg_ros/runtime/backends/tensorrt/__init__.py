"""TensorRT: from a model file to an engine, kept in a cache, and run.

`library` knows the versions, `builder` compiles, `cache` keeps, `engines` puts these together;
`cuda` makes the CUDA calls, `execution` runs an engine, `backend` is what the runtime sees.
"""
