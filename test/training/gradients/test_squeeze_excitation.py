import torch

from hyperseg_ros.network.squeeze_excitation import SqueezeExcitation
from hyperseg_ros.training.gradients.squeeze_excitation import SqueezeExcitationBesideMeans


def test_training_and_evaluation_agree():
    torch.manual_seed(0)
    layer = SqueezeExcitationBesideMeans(SqueezeExcitation(6, 2)).double()
    x = torch.randn(2, 6, 5, 7, dtype=torch.double)
    gate = layer.eval()(x) / x
    torch.testing.assert_close(gate, gate[:, :, :1, :1].expand_as(gate))
    assert gate.min() > 0
    assert gate.max() < 1
    torch.testing.assert_close(layer.train()(x), gate * x)


def test_gradients_are_those_of_autograd():
    torch.manual_seed(0)
    layer = SqueezeExcitationBesideMeans(SqueezeExcitation(6, 2)).double().train()
    layer.activation = torch.nn.SiLU()
    x = torch.randn(2, 6, 3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    y = layer(x)
    weights = torch.randn_like(y)
    found = torch.autograd.grad((y * weights).sum(), (x, *layer.parameters()))
    squeezed = torch.nn.functional.silu(layer.reduce(x.mean((2, 3), keepdim=True)))
    plain = x * torch.sigmoid(layer.expand(squeezed))
    expected = torch.autograd.grad((plain * weights).sum(), (x, *layer.parameters()))
    torch.testing.assert_close(found, expected)
