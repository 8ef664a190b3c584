"""With one linear layer at the end, HiResCAM is the score: the idea of Figure 7 of its paper.

Two feature maps, two labels, small integers of our own. For each label HiResCAM adds up to the
score minus the bias; Grad-CAM does not, and here it peaks where the evidence against the first
label lies. Draelos and Carin, arXiv:2011.08891, section 6.2 of its supplement.
"""

import torch
from torch import nn

from hirescam import methods

FEATURES = [
    [[1.0, 2.0], [0.0, 3.0]],
    [[2.0, 0.0], [1.0, 1.0]],
]
WEIGHTS = [  # label, feature, row, column
    [[[4.0, 1.0], [0.0, -1.0]], [[1.0, 3.0], [2.0, -2.0]]],
    [[[0.0, -1.0], [2.0, 3.0]], [[-2.0, 0.0], [1.0, 1.0]]],
]
BIAS = [7.0, -3.0]
LABELS = ("first label", "second label")


def network() -> nn.Module:
    """An identity as the explained layer, then one linear layer."""
    head = nn.Linear(8, 2)
    head.weight = nn.Parameter(torch.tensor(WEIGHTS).reshape(2, 8))
    head.bias = nn.Parameter(torch.tensor(BIAS))
    return nn.Sequential(nn.Identity(), nn.Flatten(), head)


x = torch.tensor(FEATURES)[None]
scores = network()(x)[0].detach()
hirescam = methods.hirescam(network(), x, layer="0")[0]
gradcam = methods.gradcam(network(), x, layer="0")[0]

if __name__ == "__main__":
    for number, label in enumerate(LABELS):
        print(f"{label}: score {scores[number]:.0f} = bias {BIAS[number]:.0f} + evidence")
        for name, maps in (("HiResCAM", hirescam), ("Grad-CAM", gradcam)):
            rows = ["".join(f"{value:6.1f}" for value in row) for row in maps[number].tolist()]
            print(f"  {name}{rows[0]}")
            print(f"          {rows[1]}   sum {maps[number].sum():.1f}")
