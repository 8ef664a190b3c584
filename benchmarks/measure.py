"""Measuring: things timed in turn in one run, so that ratios hold when speeds drift."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def in_turn(things: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each thing in each round, one warm-up round before."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(rounds + 1):
        for name, thing in things.items():
            gc.collect()
            start = time.perf_counter()
            thing()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], base: str) -> dict[str, float]:
    """Median over the rounds of how many times faster than `base` each thing was."""
    return {
        name: statistics.median(b / a for a, b in zip(own, seconds[base], strict=True))
        for name, own in seconds.items()
    }


def growth_mib(thing: Callable[[], object]) -> float:
    """How far memory rises above where it stands while `thing` runs (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status_mib("VmRSS")
    thing()
    return _status_mib("VmHWM") - before


def resident_mib() -> float:
    """Memory that this process holds now (Linux)."""
    return _status_mib("VmRSS")


def _status_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def hardware() -> str:
    """The processor, how many of its cores, and the matrix speed that torch reaches on them."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ] or [platform.processor()]
    flags = Path("/proc/cpuinfo").read_text()
    units = [unit for unit in ("avx512_bf16", "amx_bf16") if unit in flags]
    return (
        f"{names[0]}, {os.cpu_count()} cores ({', '.join(units) or 'no bf16 units'}), "
        f"torch {torch.__version__}; convolution peak "
        f"{convolution_tflops(torch.float32):.2f} TFLOP/s in fp32, "
        f"{convolution_tflops(torch.bfloat16):.2f} in bf16"
    )


def convolution_tflops(dtype: torch.dtype) -> float:
    """Best speed of a 3×3 convolution of 256 channels, the kind that AxialNet is made of."""
    x = torch.randn(5, 256, 56, 56, dtype=dtype).to(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(256, 256, 3, padding=1, bias=False)
    layer = layer.to(dtype=dtype, memory_format=torch.channels_last)
    with torch.inference_mode():
        seconds = min(in_turn({"once": lambda: layer(x)}, rounds=10)["once"])
    return 2 * 5 * 56 * 56 * 256 * 256 * 9 / seconds / 1e12


def table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
