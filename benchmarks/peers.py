"""Maps of all labels, ours beside other libraries' in one run: their time and their memory.

Ours needs nothing. A library that is not installed is said to be so; to measure them all, give
them an environment of their own:

    python -m venv peers && peers/bin/pip install torch==2.13.0 captum grad-cam monai torchcam
    peers/bin/pip install --editable .
    peers/bin/python benchmarks/peers.py [rounds] [network]

Weights are random. Each round times everything once, in turn; ratios are medians over rounds of
the ratio to the forward pass of the same round. Where a library runs the whole network once per
label and would take hours, few labels are timed and their time multiplied; the table says so.
Memory is what a fresh process grew by beyond its network and input, with as many labels as were
timed; the least of three, for the allocator's luck adds up to a quarter.
"""

import copy
import importlib
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from measure import hardware, in_turn, ratios, table
from torch import Tensor, nn

from hirescam.methods import gradcam, hirescam
from hirescam.models.axialnet import AxialNet
from hirescam.models.backbone import ResNetTrunk

Maps = Callable[[nn.Module, str, Tensor, int], Tensor]
"""A network, the name of its layer, an input, how many labels → their maps."""


@dataclass(frozen=True)
class Case:
    """A network to explain; `timed` labels are asked of libraries that run once per label."""

    build: Callable[[], nn.Module]
    layer: str
    shape: tuple[int, ...]
    labels: int
    timed: int


def resnet18() -> nn.Module:
    """ResNet-18's trunk, global average pooling, one linear layer."""
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(ResNetTrunk(), *pool, nn.Linear(512, 20))


def vgg16() -> nn.Module:
    """The shape of VGG-16: 13 convolutions, then two hidden layers of 4096."""
    layers: list[nn.Module] = []
    before = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
            before = width
        layers.append(nn.MaxPool2d(2))
    features, last_pool = nn.Sequential(*layers[:-1]), layers[-1]
    hidden = (nn.Linear(512 * 49, 4096), nn.ReLU(True), nn.Linear(4096, 4096), nn.ReLU(True))
    return nn.Sequential(features, last_pool, nn.Flatten(), *hidden, nn.Linear(4096, 20))


CASES = {
    "ResNet-18": Case(resnet18, "0", (1, 3, 224, 224), labels=20, timed=20),
    "VGG-16-shaped": Case(vgg16, "0", (1, 3, 224, 224), labels=20, timed=4),
    "AxialNet, 27 slice groups": Case(
        AxialNet, "features", (1, 27, 3, 420, 420), labels=80, timed=2
    ),
}


def built(case: Case) -> tuple[nn.Module, Tensor]:
    """Network and input, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return case.build().eval(), torch.randn(case.shape)


def normalised(network: nn.Module, x: Tensor) -> nn.Module:
    """The network, its batch norms knowing the input's statistics: features of a sane size."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(x[:, :4])
    return network.eval()


def forward(network: nn.Module, _layer: str, x: Tensor, _labels: int) -> Tensor:
    with torch.inference_mode():
        return network(x)


def our_hirescam(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
    return hirescam(network, x, layer=layer, targets=range(labels))


def our_gradcam(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
    return gradcam(network, x, layer=layer, targets=range(labels))


def captum_hirescam(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
    from captum.attr import LayerGradientXActivation

    tool = LayerGradientXActivation(network, network.get_submodule(layer))
    maps = [tool.attribute(x, target=label).detach().sum(1) for label in range(labels)]
    return torch.stack(maps, dim=1)


def captum_gradcam(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
    from captum.attr import LayerGradCam

    tool = LayerGradCam(network, network.get_submodule(layer))
    maps = [tool.attribute(x, target=label).detach() for label in range(labels)]
    return torch.cat(maps, dim=1)


def gradcam_package(name: str) -> Maps:
    def maps(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        method = getattr(pytorch_grad_cam, name)
        with method(model=network, target_layers=[network.get_submodule(layer)]) as tool:
            maps = [
                torch.from_numpy(tool(x, [ClassifierOutputTarget(label)]))
                for label in range(labels)
            ]
        return torch.stack(maps, dim=1)

    return maps


def monai_gradcam(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
    from monai.visualize import GradCAM

    fresh = copy.deepcopy(network)  # its hooks stay on the network
    for module in fresh.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # its hooks fail otherwise
    tool = GradCAM(nn_module=fresh, target_layers=layer)
    maps = [tool.compute_map(x, class_idx=label).detach() for label in range(labels)]
    return torch.cat(maps, dim=1)


def torchcam(name: str) -> Maps:
    def maps(network: nn.Module, layer: str, x: Tensor, labels: int) -> Tensor:
        from torchcam import methods

        maps = []
        with getattr(methods, name)(network, network.get_submodule(layer)) as tool:
            scores = network(x)
            for label in range(labels):
                more = label < labels - 1
                (found,) = tool(label, scores, normalized=False, retain_graph=more)
                maps.append(found.detach().clone())
        return torch.stack(maps, dim=1)

    return maps


@dataclass(frozen=True)
class Tool:
    """How maps are made, the module that must be there for it, and what each label costs."""

    maps: Maps
    module: str = "hirescam"
    runs_once_per_label: bool = False


FORWARD = {"forward pass": Tool(forward)}
OURS = {
    "hirescam": Tool(our_hirescam),
    "hirescam's gradcam": Tool(our_gradcam),
}
PEERS = {
    "captum LayerGradientXActivation": Tool(captum_hirescam, "captum.attr", True),
    "captum LayerGradCam": Tool(captum_gradcam, "captum.attr", True),
    "pytorch-grad-cam HiResCAM": Tool(gradcam_package("HiResCAM"), "pytorch_grad_cam", True),
    "pytorch-grad-cam GradCAM": Tool(gradcam_package("GradCAM"), "pytorch_grad_cam", True),
    "MONAI GradCAM": Tool(monai_gradcam, "monai.visualize", True),
    "torchcam GradCAM": Tool(torchcam("GradCAM"), "torchcam.methods"),
    "torchcam LayerCAM": Tool(torchcam("LayerCAM"), "torchcam.methods"),
}
TOOLS = FORWARD | OURS | PEERS
SAME_AS = {
    "captum LayerGradientXActivation": "hirescam",
    "captum LayerGradCam": "hirescam's gradcam",
}
"""Libraries that give raw signed maps, and ours that should equal them."""


def torchvision_operators() -> torch.library.Library:
    """Operators that a torchvision built for another torch wants, so that it can be imported.

    They last as long as what is returned.
    """
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators


def why_not(tool: Tool, network: nn.Module, case: Case, x: Tensor) -> str:
    """Empty if the tool works on this network, else what stops it."""
    try:
        importlib.import_module(tool.module)
    except ImportError as error:
        return f"not installed: {error.name}"
    try:
        tool.maps(network, case.layer, x, 1)
    except Exception as error:  # whatever a library fails with is its result here
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return ""


def measure(title: str, rounds: int) -> None:
    """Print what each tool costs on one network."""
    case = CASES[title]
    network, x = built(case)
    network = normalised(network, x)
    failures = {name: why_not(tool, network, case, x) for name, tool in TOOLS.items()}
    timed = {
        name: case.timed if TOOLS[name].runs_once_per_label else case.labels
        for name, failure in failures.items()
        if not failure
    }
    things = {
        name: lambda maps=TOOLS[name].maps, count=count: maps(network, case.layer, x, count)
        for name, count in timed.items()
    }
    whole = {
        name: [each * case.labels / timed[name] for each in seconds]
        for name, seconds in in_turn(things, rounds=rounds).items()
    }
    slower = {name: 1 / faster for name, faster in ratios(whole, "forward pass").items()}
    mib = {name: memory_mib(title, name, count) for name, count in timed.items()}
    print(f"\n## {title}, {case.labels} labels, input {'×'.join(map(str, case.shape))}\n")
    table(
        (
            "maps by",
            "median s",
            "forward passes",
            "labels timed",
            "memory MiB",
            "differs from ours",
        ),
        [
            (name, failure, *"––––")
            if failure
            else (
                name,
                f"{statistics.median(whole[name]):.3f}",
                f"{slower[name]:.2f}×",
                how(timed[name], case.labels),
                f"{mib[name]:.0f} ({mib[name] / mib['forward pass']:.2f}×)",
                difference(name, network, case, x),
            )
            for name, failure in failures.items()
        ],
    )


def how(timed: int, labels: int) -> str:
    return "all" if timed == labels else f"{timed}, times {labels / timed:g}"


def difference(name: str, network: nn.Module, case: Case, x: Tensor) -> str:
    """Largest difference of the first two maps, relative to their largest value."""
    if name not in SAME_AS:
        return "–"
    theirs, ours = (
        TOOLS[each].maps(network, case.layer, x, 2) for each in (name, SAME_AS[name])
    )
    return f"{(ours - theirs).abs().max() / ours.abs().max():.0e}"


def memory_mib(title: str, name: str, labels: int) -> float:
    """What a fresh process grows by while making the maps, the least of three."""
    command = [sys.executable, __file__, title, name, str(labels)]
    runs = (subprocess.run(command, check=True, capture_output=True, text=True) for _ in "123")
    return min(float(run.stdout) for run in runs)


def growth_mib(title: str, name: str, labels: int) -> float:
    """How far this process's memory grows beyond network, input and libraries."""
    case, tool = CASES[title], TOOLS[name]
    tiny = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    tool.maps(tiny.eval(), "1", torch.randn(1, 3, 8, 8), 2)  # loads what is loaded on first use
    network, x = built(case)
    Path("/proc/self/clear_refs").write_text("5")  # the largest memory is counted from here
    before = status_mib("VmRSS")
    tool.maps(network, case.layer, x, labels)
    return status_mib("VmHWM") - before


def status_mib(key: str) -> float:
    """This process's memory now (VmRSS) or at most (VmHWM), as Linux tells it.

    Not getrusage: there, a child starts with its parent's largest memory.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def main(arguments: list[str]) -> None:
    operators = torchvision_operators()
    match arguments:
        case title, name, labels:
            print(growth_mib(title, name, int(labels)))
        case _:
            rounds = int(arguments[0]) if arguments else 5
            print(f"{hardware()}; {rounds} rounds in turn, {torch.get_num_threads()} threads")
            for title in arguments[1:] or CASES:
                measure(title, rounds)
    del operators


if __name__ == "__main__":
    main(sys.argv[1:])
