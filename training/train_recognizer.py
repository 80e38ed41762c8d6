"""Train the line recogniser, or that of dates alone, on drawn strips with real ones mixed in; stop and resume at will.

python train_recognizer.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 90
python train_recognizer.py recognizer-date --synth ../target/release/kahao-synth --real FOLDER --start CHECKPOINT
python train_recognizer.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import functools
import random
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset

import real
from digits import Digits
from nets import NETS, DateRecognizer, Recognizer, decode_greedy, encode
from pool import normal, uniform
from stream import read_strips
from strips import augment, plain_strip
from trainer import Task, arguments, begin_with, outputs_of, train, worker_seed

WHICH = ["recognizer", "recognizer-date"]
# Numbers and dates of held-out digits, drawn from a seed of their own.
HELD_OUT_SEED, HELD_OUT = 1_000_003, 300
# Weight of the opinion of the first network that is trained, beside the truth, for those trained beside it.
OPINION = 0.5


class MixedStrips(IterableDataset):
    """Endless (strip, text) for a kind of recogniser: a share of real ones, the rest drawn."""

    def __init__(
        self,
        synth: Path | None,
        folder: Path | None,
        real_share: float,
        part: real.Part,
        seed: int,
        kind: type[Recognizer] = Recognizer,
    ):
        self.synth, self.folder, self.real_share, self.part = synth, folder, real_share, part
        self.seed, self.kind = seed, kind

    def __iter__(self):
        seed = worker_seed(self.seed)
        rng = random.Random(seed)
        mixer = real.StripMixer(self.folder, self.part, seed + 1) if self.folder and self.real_share > 0 else None
        drawn = read_strips(self.synth, seed, self.kind.drawn_by) if self.synth and self.real_share < 1 else None
        of_dates = self.kind is DateRecognizer
        while True:
            if mixer and rng.random() < self.real_share:
                pixels, text = mixer.date() if of_dates else mixer.draw()
                strip = augment(pixels, rng, self.kind)
            else:
                strip, text = next(drawn)
            # A strip without a date is as good as one with it.
            if len(text) * 2 < self.kind.shown // self.kind.stride and (text or of_dates):
                yield strip, text


def collate(batch, kind: type[Recognizer] = Recognizer) -> list[torch.Tensor]:
    """Strips N x 1 x height x width, the codes of their texts, padded to as many as a strip may have, how many each has."""
    strips = torch.from_numpy(np.stack([strip for strip, _ in batch])).unsqueeze(1)
    codes = torch.zeros((len(batch), kind.shown // kind.stride // 2), dtype=torch.long)
    for row, (_, text) in zip(codes, batch, strict=True):
        row[: len(text)] = torch.tensor(encode(text, kind.alphabet), dtype=torch.long)
    return [strips, codes, torch.tensor([len(text) for _, text in batch])]


def vary(strips: torch.Tensor, *truth: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A little wider or higher, moved, askew, in another light, with noise."""
    count, device = len(strips), strips.device
    matrix = torch.zeros(count, 2, 3, device=device)
    matrix[:, 0, 0], matrix[:, 1, 1] = uniform(count, 0.97, 1.03, device), uniform(count, 0.92, 1.08, device)
    matrix[:, 0, 1], matrix[:, 1, 0] = normal(count, 0.006, device), normal(count, 0.06, device)  # leans, climbs
    matrix[:, 0, 2], matrix[:, 1, 2] = normal(count, 0.008, device), normal(count, 0.06, device)
    grid = F.affine_grid(matrix, list(strips.shape), align_corners=False)
    strips = F.grid_sample(strips, grid, padding_mode="border", align_corners=False)
    along = torch.linspace(-1, 1, strips.shape[3], device=device)
    light = 1 + normal(count, 0.12, device)[:, None, None, None] * along
    curve = torch.exp(normal(count, 0.2, device))[:, None, None, None]
    noise = uniform(count, 0, 5, device)[:, None, None, None] * torch.randn_like(strips)
    return (255 * (strips / 255).clamp(0, 1) ** curve * light + noise).clamp(0, 255), *truth


def loss_of(
    output: torch.Tensor, codes: torch.Tensor, lengths: torch.Tensor, opinion: torch.Tensor | None = None
) -> torch.Tensor:
    """CTC (Graves et al. 2006), and how far the columns are from those of an `opinion` (Hinton et al. 2015)."""
    columns = torch.full((len(output),), output.shape[1], dtype=torch.long)
    loss = F.ctc_loss(output.transpose(0, 1), codes, columns, lengths.cpu(), blank=Recognizer.blank, zero_infinity=True)
    if opinion is not None:
        apart = F.kl_div(output, opinion, reduction="none", log_target=True).sum(dim=(1, 2))
        loss = loss + OPINION * (apart / lengths).mean()
    return loss


def held_out(folder: Path, kind: type[Recognizer]) -> dict[str, list[tuple[np.ndarray, str]]]:
    """Strips that are never trained on: half lines, and numbers and dates put together of their digits, which no network that
    learnt real numbers by heart can guess; for what reads dates alone, such dates and half lines as it learns from."""
    if kind is DateRecognizer:
        mixer = real.StripMixer(folder, real.Part.HELD_OUT, HELD_OUT_SEED)
        mixed = [mixer.date() for _ in range(HELD_OUT)]
        return {"dates and half lines": [(augment(pixels, mixer.rng, kind), text) for pixels, text in mixed]}
    halves = real.load_strips(folder, "halves", real.Part.HELD_OUT)
    digits, rng = Digits(halves), random.Random(HELD_OUT_SEED)
    sets = {"halves": [(plain_strip(pixels), text) for pixels, text in halves]}
    for name, draw in (("numbers", digits.number), ("dates", digits.date)):
        drawn = [draw(rng) for _ in range(HELD_OUT)]
        sets[name] = [(augment(pixels, rng), text) for pixels, text in drawn]
    return sets


def validate(net: Recognizer, sets: dict[str, list[tuple[np.ndarray, str]]]) -> str:
    """Share of held-out strips whose digits are all right, by greedy decoding."""
    said = []
    for name, strips in sets.items():
        texts = decode_greedy(outputs_of(net, np.stack([strip for strip, _ in strips])))
        whole = sum(text.replace(" ", "") == truth.replace(" ", "") for text, (_, truth) in zip(texts, strips, strict=True))
        said.append(f"{name} {whole / len(strips):.3f}")
    return "whole: " + ", ".join(said)


def main():
    args = arguments(
        __doc__, Recognizer.widths, needs_drawn=False, minutes=90, lr_end=1e-3, batch=64, which=WHICH, default="recognizer"
    )
    kind = NETS[args.which]
    share = args.real_share if args.real else 0.0
    share = share if args.synth else 1.0
    task = Task(
        name=args.which,
        net_of=lambda size: begin_with(kind(size), args.start),
        decay=0.998,
        data_of=lambda seed: MixedStrips(args.synth, args.real, share, args.part, seed, kind),
        collate=functools.partial(collate, kind=kind),
        vary=vary,
        loss_of=loss_of,
        held_out_of=lambda: held_out(args.real, kind) if args.real else {},
        validate=validate,
        teacher_of=lambda average: average,
    )
    train(args, task)


if __name__ == "__main__":
    main()
