"""Train the line recogniser on drawn strips with real ones mixed in; stop and resume at will.

python train_recognizer.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 90
python train_recognizer.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import random
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset

import real
from nets import Recognizer, decode_greedy, encode
from stream import read_strips
from trainer import arguments, train


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
                strip = real.augment(pixels, rng)
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


def held_out(folder: Path) -> list[tuple[np.ndarray, str]]:
    """Half lines that are never trained on, as strips."""
    return [(real.plain_strip(pixels), text) for pixels, text in real.load_strips(folder, "halves", validation=True)]


def validate(net: Recognizer, strips: list[tuple[np.ndarray, str]]) -> str:
    """Share of held-out half lines whose digits are all right, and share of right characters, by greedy decoding."""
    net.eval()
    whole = right = total = 0
    with torch.no_grad():
        for start in range(0, len(strips), 128):
            part = strips[start : start + 128]
            batch = torch.from_numpy(np.stack([s for s, _ in part])).unsqueeze(1).float()
            for text, (_, truth) in zip(decode_greedy(net(batch)), part, strict=True):
                text, truth = text.replace(" ", ""), truth.replace(" ", "")
                whole += text == truth
                right += sum(m.size for m in SequenceMatcher(None, text, truth, autojunk=False).get_matching_blocks())
                total += len(truth)
    net.train()
    return f"halves whole {whole / len(strips):.3f} characters {right / total:.4f}"


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
        lambda: held_out(args.real) if args.real else [],
        validate,
    )


if __name__ == "__main__":
    main()
