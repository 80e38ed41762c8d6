"""Train what finds the card, and finds and reads the holder's name, on drawn pictures alone; stop and resume at will.

python train_details.py locator-card --synth ../target/release/kahao-synth --start ../run/locator-small/checkpoint.pt
python train_details.py locator-holder --synth ../target/release/kahao-synth --start ../run/locator-small/checkpoint.pt
python train_details.py recognizer-holder --synth ../target/release/kahao-synth --start ../run/recognizer-medium/checkpoint.pt
python train_details.py recognizer-holder --smoke --synth ../target/release/kahao-synth     (seconds, no checkpoint)
"""

import functools
import itertools
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset

import train_locator
import train_recognizer
from nets import CardLocator, HolderLocator, HolderRecognizer, Locator, decode_greedy
from stream import read_scenes, read_strips
from trainer import Task, arguments, begin_with, outputs_of, train, worker_seed

# Drawn from a seed of their own, never trained on.
HELD_OUT_SEED, HELD_OUT = 1_000_003, 400


class Looks(IterableDataset):
    """Endless (look, lines, whether all are known): about two in five show a name, every one a card."""

    def __init__(self, synth: Path, seed: int, of: str):
        self.synth, self.seed, self.of = synth, seed, of

    def __iter__(self):
        for pixels, lines in read_scenes(self.synth, worker_seed(self.seed), Locator.size, self.of):
            yield pixels, lines, True


def names_read(net: HolderRecognizer, held_out) -> str:
    """Share of held-out names that are read whole, by greedy decoding."""
    outputs = outputs_of(net, np.stack([pixels for pixels, _ in held_out]))
    texts = decode_greedy(outputs, HolderRecognizer.alphabet)
    return f"names whole {np.mean([text == truth for text, (_, truth) in zip(texts, held_out, strict=True)]):.3f}"


def names_found(net: HolderLocator, held_out) -> str:
    """Share of held-out names whose corners are near enough, and of looks without a name where one is seen."""
    outputs = outputs_of(net, np.stack([pixels for pixels, _ in held_out])).numpy()
    found, invented = [], []
    for output, (_, lines) in zip(outputs, held_out, strict=True):
        seen = train_locator.find_lines(output)
        for _, quad in lines:
            found.append(bool(seen) and train_locator.is_near(seen[0][2], quad))
        if not lines:
            invented.append(bool(seen))
    return f"names found {np.mean(found):.3f} invented {np.mean(invented):.3f}"


def cards_found(net: CardLocator, held_out) -> str:
    """How far the corners of held-out cards are off, in widths of theirs, and the share that is not found."""
    outputs = outputs_of(net, np.stack([pixels for pixels, _ in held_out])).numpy()
    off, missed = [], 0
    for output, (_, [(_, quad)]) in zip(outputs, held_out, strict=True):
        seen = train_locator.find_lines(output)
        missed += not seen
        if seen:
            off += (np.linalg.norm(seen[0][2] - quad, axis=1) / np.linalg.norm(quad[1] - quad[0])).tolist()
    middle, most = np.percentile(off or [np.inf], [50, 95])
    return f"cards: corners off by {middle:.4f} in the median, 95 % within {most:.3f}, missed {missed / len(held_out):.3f}"


def main():
    kinds = {
        "locator-card": (CardLocator, 16),
        "locator-holder": (HolderLocator, 16),
        "recognizer-holder": (HolderRecognizer, 64),
    }
    args = arguments(__doc__, Locator.widths, needs_drawn=True, minutes=40, lr_end=2e-5, batch=0, which=kinds)
    kind, batch = kinds[args.which]
    args.batch = args.batch or batch

    if issubclass(kind, Locator):
        data, collate = functools.partial(Looks, of=kind.drawn_by), train_locator.collate
        validate, beyond = (cards_found, np.inf) if kind is CardLocator else (names_found, 2.0)
        vary = functools.partial(train_locator.vary, quarters=0.0, beyond=beyond)
        loss_of = functools.partial(train_locator.loss_of, among=kind.codes)
        drawn = read_scenes(args.synth, HELD_OUT_SEED, Locator.size, kind.drawn_by)
    else:

        def data(synth: Path, seed: int) -> train_recognizer.MixedStrips:
            return train_recognizer.MixedStrips(synth, None, 0.0, args.part, seed, kind)

        validate, vary, loss_of = names_read, train_recognizer.vary, train_recognizer.loss_of
        collate = functools.partial(train_recognizer.collate, kind=kind)
        drawn = read_strips(args.synth, HELD_OUT_SEED, kind.drawn_by)
    task = Task(
        name=args.which,
        net_of=lambda size: begin_with(kind(size), args.start),
        decay=0.998,
        data_of=lambda seed: data(args.synth, seed),
        collate=collate,
        vary=vary,
        loss_of=loss_of,
        held_out_of=lambda: [] if args.smoke else list(itertools.islice(drawn, HELD_OUT)),
        validate=validate,
    )
    train(args, task)


if __name__ == "__main__":
    main()
