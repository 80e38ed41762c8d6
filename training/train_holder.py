"""Train what finds and reads the holder's name, on drawn pictures alone; stop and resume at will.

python train_holder.py locator --synth ../target/release/kahao-synth --minutes 40 --start ../run/locator-small/checkpoint.pt
python train_holder.py recognizer --synth ../target/release/kahao-synth --minutes 40 --start ../run/recognizer-small/checkpoint.pt
python train_holder.py recognizer --smoke --synth ../target/release/kahao-synth     (seconds, no checkpoint)
"""

import itertools
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset

import train_locator
import train_recognizer
from nets import HolderLocator, HolderRecognizer, decode_greedy
from stream import read_scenes, read_strips
from trainer import arguments, train

# Drawn from a seed of their own, never trained on.
HELD_OUT_SEED, HELD_OUT = 1_000_003, 400


class Strips(IterableDataset):
    """Endless (strip, name)."""

    def __init__(self, synth: Path, seed: int):
        self.synth, self.seed = synth, seed

    def __iter__(self):
        return read_strips(self.synth, self.seed, HolderRecognizer.drawn_by)


class Looks(IterableDataset):
    """Endless (look, targets): about two in five show a name."""

    def __init__(self, synth: Path, seed: int):
        self.synth, self.seed = synth, seed

    def __iter__(self):
        for pixels, lines in read_scenes(self.synth, self.seed, HolderLocator.size, HolderLocator.drawn_by):
            yield pixels, train_locator.targets(lines, dates_known=True, codes=HolderLocator.codes)


def batches_of(pixels: np.ndarray):
    for start in range(0, len(pixels), 32):
        yield torch.from_numpy(pixels[start : start + 32]).unsqueeze(1).float()


def names_read(net: HolderRecognizer, held_out) -> str:
    """Share of held-out names that are read whole, by greedy decoding."""
    net.eval()
    with torch.no_grad():
        outputs = torch.cat([net(batch) for batch in batches_of(np.stack([pixels for pixels, _ in held_out]))])
    net.train()
    texts = decode_greedy(outputs, HolderRecognizer.alphabet)
    return f"names whole {np.mean([text == truth for text, (_, truth) in zip(texts, held_out, strict=True)]):.3f}"


def names_found(net: HolderLocator, held_out) -> str:
    """Share of held-out names whose corners are near enough, and of looks without a name where one is seen."""
    net.eval()
    with torch.no_grad():
        outputs = torch.cat([net(batch) for batch in batches_of(np.stack([pixels for pixels, _ in held_out]))]).numpy()
    net.train()
    found, invented = [], []
    for output, (_, lines) in zip(outputs, held_out, strict=True):
        seen = train_locator.find_lines(output)
        for _, quad in lines:
            found.append(bool(seen) and train_locator.is_near(seen[0][2], quad))
        if not lines:
            invented.append(bool(seen))
    return f"names found {np.mean(found):.3f} invented {np.mean(invented):.3f}"


def start_from(net: torch.nn.Module, checkpoint: Path):
    """Takes over the layers of another network that have the same shape: all but the last of a recogniser of digits."""
    own, other = net.state_dict(), torch.load(checkpoint, map_location="cpu", weights_only=True)["net"]
    same = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
    net.load_state_dict(own | same)


def main():
    both = {"locator": (HolderLocator, 16), "recognizer": (HolderRecognizer, 64)}
    sizes = HolderLocator.widths
    args = arguments(
        __doc__, "holder", sizes, needs_drawn=True, minutes=40, lr_end=2e-5, batch=0, which=tuple(both), may_start=True
    )
    kind, batch = both[args.which]
    net = kind(args.size)
    if args.start:
        start_from(net, args.start)
    args.run = args.run.with_name(f"{args.which}-holder") if args.run.name == "holder" else args.run
    args.batch = args.batch or batch
    if kind is HolderLocator:
        data, collate, loss_of, validate = Looks, train_locator.collate, train_locator.loss_of, names_found
        drawn = read_scenes(args.synth, HELD_OUT_SEED, HolderLocator.size, HolderLocator.drawn_by)
    else:
        data, loss_of, validate = Strips, train_recognizer.loss_of, names_read

        def collate(batch):
            return train_recognizer.collate(batch, HolderRecognizer.alphabet)

        drawn = read_strips(args.synth, HELD_OUT_SEED, HolderRecognizer.drawn_by)
    held_out = [] if args.smoke else list(itertools.islice(drawn, HELD_OUT))
    train(args, net, 0.998, lambda seed: data(args.synth, seed), collate, loss_of, lambda: held_out, validate)


if __name__ == "__main__":
    main()
