"""Make a checkpoint from a committed model, so that a training goes on where that model stands.

python import_onnx.py recognizer --synth ../target/release/kahao-synth --real ../../shared/realdev
python import_onnx.py locator --synth ../target/release/kahao-synth --real ../../shared/realdev
python import_onnx.py locator --size small --thin ...     (a new small one, with the full one's best channels)
python import_onnx.py recognizer-date ...       (and so for each of the others)

The export folds each batch normalisation into its convolution. Here it is unfolded again: what the convolutions give on
a few batches of training data becomes the normalisation's mean and variance, so that the network says the same as before
both in evaluation and in training. The optimiser starts afresh; begin with a small learning rate.
"""

import argparse
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

import real
import train_details
import train_locator
import train_recognizer
from nets import NETS, DateRecognizer, Locator, Recognizer
from trainer import CHECKPOINT, save

BATCHES, BATCH, SEED = 8, 64, 4_711
SHAPES = {Recognizer: (Recognizer.height, Recognizer.width), Locator: (Locator.size, Locator.size)}


def convolutions(path: Path) -> tuple[list[tuple[np.ndarray, np.ndarray]], dict[str, str]]:
    """Weights and biases of the model's convolutions in the order they run, and its metadata."""
    model = onnx.load(path)
    values = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":  # weights stored in bytes
            whole, step = (values[name] for name in node.input)
            values[node.output[0]] = whole.astype(np.float32) * step[:, None, None, None]
    found = [(values[n.input[1]], values[n.input[2]]) for n in model.graph.node if n.op_type == "Conv"]
    return found, {p.key: p.value for p in model.metadata_props}


def in_order(net: nn.Module, pixels: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """The network's convolutions as they run, each with the normalisation that follows it."""
    pairs = {block[0]: block[1] for block in net.modules() if isinstance(block, nn.Sequential) and len(block) == 3
             and isinstance(block[1], nn.BatchNorm2d)}  # fmt: skip
    order = []
    hooks = [
        m.register_forward_hook(lambda m, *_: order.append((m, pairs.get(m)))) for m in net.modules() if isinstance(m, nn.Conv2d)
    ]
    with torch.no_grad():
        net(pixels)
    for hook in hooks:
        hook.remove()
    return order


def thinned(net: nn.Module, model: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A full model's folded weights cut down to the widths of `net`: of each layer the channels with the largest weights
    before and after them (filter pruning; Li et al. 2017, arXiv:1608.08710)."""
    # For each convolution in the order they run, which set of channels it reads and writes: what is added has one set.
    sets = {
        Recognizer: [(None, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 7), (7, 7), (7, None)],
        Locator: [(None, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 5),
                  (3, 9), (5, 9), (9, 10), (10, None)],
    }[type(net)]  # fmt: skip
    with torch.no_grad():
        order = [layer for layer, _ in in_order(net.eval(), torch.zeros(1, 1, *SHAPES[type(net)]))]
    sizes, scores = {}, {}
    for layer, (weight, _), (reads, writes) in zip(order, model, sets, strict=True):
        for at, axis, size in ((writes, 0, layer.out_channels), (reads, 1, layer.in_channels)):
            if at is not None:
                assert sizes.setdefault(at, size) == size, f"channels {at}: {sizes[at]} and {size}"
                norms = np.sqrt((weight**2).sum(axis=tuple(i for i in range(4) if i != axis)))
                scores[at] = scores.get(at, 1.0) * (norms / norms.mean())
    kept = {at: np.sort(np.argsort(-score)[: sizes[at]]) for at, score in scores.items()}
    cut = []
    for (weight, bias), (reads, writes) in zip(model, sets, strict=True):
        if writes is not None:
            weight, bias = weight[kept[writes]], bias[kept[writes]]
        cut.append((weight if reads is None else weight[:, kept[reads]], bias))
    return cut


def unfold(net: nn.Module, model: list[tuple[np.ndarray, np.ndarray]], batches: list[torch.Tensor]):
    """Loads folded weights; see the head of this file. `batches` are N x 1 x H x W, grey 0..255."""
    net.eval()
    order = in_order(net, batches[0][:1])
    assert len(order) == len(model), f"{len(order)} convolutions here, {len(model)} in the model"
    sums = {}
    with torch.no_grad():
        for (conv, norm), (weight, bias) in zip(order, model, strict=True):
            assert conv.weight.shape == weight.shape, f"{tuple(conv.weight.shape)} here, {weight.shape} in the model"
            conv.weight.copy_(torch.from_numpy(weight.copy()))
            if norm is None:
                conv.bias.copy_(torch.from_numpy(bias.copy()))
                continue
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
            norm.weight.fill_(1.0)
            norm.bias.copy_(torch.from_numpy(bias.copy()))
            conv.register_forward_hook(
                lambda m, _, out: sums.setdefault(m, []).append((out.mean((0, 2, 3)), (out * out).mean((0, 2, 3))))
            )
        for pixels in batches:
            net(pixels)
        for conv, norm in order:
            conv._forward_hooks.clear()
            if norm is not None:
                mean = torch.stack([m for m, _ in sums[conv]]).mean(0)
                variance = torch.stack([s for _, s in sums[conv]]).mean(0) - mean * mean
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)
                norm.weight.copy_(torch.sqrt(variance + norm.eps))
                norm.bias.add_(mean)


def samples(kind: type[Locator | Recognizer], synth: Path, folder: Path | None) -> tuple[Iterator, Callable]:
    """What a kind of network learns from, and how it is put together to batches."""
    collate = train_locator.collate if issubclass(kind, Locator) else functools.partial(train_recognizer.collate, kind=kind)
    share, part = 0.5 if folder else 0.0, real.Part.LEARNT
    if kind is Locator:
        mixed = train_locator.MixedScenes(synth, folder, share, part, SEED)
    elif kind in (Recognizer, DateRecognizer):
        mixed = train_recognizer.MixedStrips(synth, folder, share, part, SEED, kind)
    else:
        mixed = train_details.samples(kind, synth, folder, part, SEED)
    return iter(mixed), collate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NETS)
    parser.add_argument("--models", type=Path, default=Path("../models"), help="folder with NAME.onnx")
    parser.add_argument("--size", choices=Recognizer.widths, default="full", help="medium: a recogniser's alone")
    parser.add_argument("--thin", action="store_true", help="cut the full model down to that size")
    parser.add_argument("--run", type=Path, default=Path("../run"), help="where NAME/checkpoint.pt goes")
    parser.add_argument("--synth", type=Path, required=True, help="the kahao-synth binary")
    parser.add_argument("--real", type=Path, help="folder of real training data, as for the training")
    args = parser.parse_args()

    kind = NETS[args.name]
    net = kind(args.size)
    data, collate = samples(kind, args.synth, args.real)
    batches = [collate([next(data) for _ in range(BATCH)])[0].float() for _ in range(BATCHES)]
    name = args.name if args.size == "full" else f"{args.name}-{args.size}"
    weights, metadata = convolutions(args.models / f"{args.name if args.thin else name}.onnx")
    unfold(net, thinned(net, weights) if args.thin else weights, batches)

    average = torch.optim.swa_utils.AveragedModel(net, use_buffers=True)
    average.n_averaged.fill_(1)  # at 0 the training's first step would replace the average
    optimizer = torch.optim.AdamW(net.parameters())
    checkpoint = args.run / name / CHECKPOINT
    step = 0 if args.thin else int(metadata["step"])
    save(checkpoint, net, average, optimizer, step)
    print(f"{checkpoint} at step {step}")


if __name__ == "__main__":
    main()
