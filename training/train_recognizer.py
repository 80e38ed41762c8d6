"""Train the line recogniser on drawn strips with real ones mixed in; stop and resume at will.

python train_recognizer.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 90
python train_recognizer.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import random
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset

import real
from digits import Digits
from nets import Recognizer, decode_greedy, encode
from stream import read_strips
from strips import augment, plain_strip
from trainer import arguments, train

# Numbers and dates of held-out digits, drawn from a seed of their own.
HELD_OUT_SEED, HELD_OUT = 1_000_003, 300


class MixedStrips(IterableDataset):
    """Endless (strip, text): a share of real ones, the rest drawn."""

    def __init__(self, synth: Path | None, folder: Path | None, real_share: float, seed: int):
        self.synth, self.folder, self.real_share, self.seed = synth, folder, real_share, seed

    def __iter__(self):
        rng = random.Random(self.seed)
        mixer = real.StripMixer(self.folder, self.seed + 1) if self.folder and self.real_share > 0 else None
        drawn = read_strips(self.synth, self.seed) if self.synth and self.real_share < 1 else None
        while True:
            if mixer and rng.random() < self.real_share:
                pixels, text = mixer.draw()
                strip = augment(pixels, rng)
            else:
                strip, text = next(drawn)
            if len(text) * 2 < Recognizer.width // Recognizer.stride and text:
                yield strip, text


def collate(batch, alphabet: str = Recognizer.alphabet):
    strips = torch.from_numpy(np.stack([strip for strip, _ in batch])).unsqueeze(1)
    codes = [torch.tensor(encode(text, alphabet)) for _, text in batch]
    return strips, torch.cat(codes), torch.tensor([len(c) for c in codes])


def loss_of(output: torch.Tensor, codes: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """CTC (Graves et al. 2006). `output` is N x columns x classes; `codes` are those of all texts, one after the other."""
    columns = torch.full((len(output),), output.shape[1], dtype=torch.long)
    codes = codes.to(output.device)
    return F.ctc_loss(output.transpose(0, 1), codes, columns, lengths, blank=Recognizer.blank, zero_infinity=True)


def held_out(folder: Path) -> dict[str, list[tuple[np.ndarray, str]]]:
    """Strips that are never trained on: half lines, and numbers and dates put together of their digits, which no network that
    learnt real numbers by heart can guess."""
    halves = real.load_strips(folder, "halves", validation=True)
    digits, rng = Digits(halves), random.Random(HELD_OUT_SEED)
    sets = {"halves": [(plain_strip(pixels), text) for pixels, text in halves]}
    for name, draw in (("numbers", digits.number), ("dates", digits.date)):
        drawn = [draw(rng) for _ in range(HELD_OUT)]
        sets[name] = [(augment(pixels, rng), text) for pixels, text in drawn]
    return sets


def validate(net: Recognizer, sets: dict[str, list[tuple[np.ndarray, str]]]) -> str:
    """Share of held-out strips whose digits are all right, by greedy decoding."""
    net.eval()
    said = []
    for name, strips in sets.items():
        whole = 0
        for start in range(0, len(strips), 128):
            part = strips[start : start + 128]
            with torch.no_grad():
                output = net(torch.from_numpy(np.stack([s for s, _ in part])).unsqueeze(1).float())
            for text, (_, truth) in zip(decode_greedy(output), part, strict=True):
                whole += text.replace(" ", "") == truth.replace(" ", "")
        said.append(f"{name} {whole / len(strips):.3f}")
    net.train()
    return "whole: " + ", ".join(said)


def main():
    args = arguments(__doc__, "recognizer", Recognizer.widths, needs_drawn=False, minutes=90, lr_end=1e-3, batch=64)
    share = args.real_share if args.real else 0.0
    share = share if args.synth else 1.0
    train(
        args,
        Recognizer(args.size),
        0.998,
        lambda seed: MixedStrips(args.synth, args.real, share, seed),
        collate,
        loss_of,
        lambda: held_out(args.real) if args.real else {},
        validate,
    )


if __name__ == "__main__":
    main()
