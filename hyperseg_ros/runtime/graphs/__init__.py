"""The graph of a model file in another form that computes the same, rewritten with `onnx` alone.

`movement` recognises how values are laid out, `patchwise` writes a layout down, `product` turns the
decoder's grouped convolutions into what a GPU likes; `forms` names the forms.
"""
