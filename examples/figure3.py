"""Averaging the gradient moves evidence: the idea of Figure 3 of the HiResCAM paper.

One feature map, one gradient, small integers of our own. Grad-CAM can only show the feature
map's own pattern, here an upside-down L; HiResCAM shows what each place added to the score.
Draelos and Carin, arXiv:2011.08891.
"""

import torch
from torch import nn

from hirescam import methods

FEATURES = [
    [2.0, 2.0, 2.0],
    [-1.0, -1.0, 2.0],
    [-1.0, -1.0, 2.0],
]
GRADIENT = [
    [4.0, 1.0, -2.0],
    [1.0, -2.0, 3.0],
    [0.0, 0.0, 4.0],
]


def network() -> nn.Module:
    """An identity as the explained layer, then one linear layer whose weights are GRADIENT."""
    head = nn.Linear(9, 1, bias=False)
    head.weight = nn.Parameter(torch.tensor(GRADIENT).reshape(1, 9))
    return nn.Sequential(nn.Identity(), nn.Flatten(), head)


x = torch.tensor(FEATURES)[None, None]
hirescam = methods.hirescam(network(), x, layer="0")[0, 0]
gradcam = methods.gradcam(network(), x, layer="0")[0, 0]

if __name__ == "__main__":
    for name, values in (
        ("feature map", x[0, 0]),
        ("gradient", torch.tensor(GRADIENT)),
        ("Grad-CAM: the feature map times the mean gradient, 1", gradcam),
        ("HiResCAM: the feature map times the gradient, place by place", hirescam),
    ):
        print(name)
        for row in values.tolist():
            print("".join(f"{value:5.0f}" for value in row))
    print(f"score {network()(x).item():.0f}")
    print(f"sum of HiResCAM {hirescam.sum():.0f}, sum of Grad-CAM {gradcam.sum():.0f}")
