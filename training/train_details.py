"""Train what finds the card, and finds and reads the holder's name, on drawn pictures alone, and what finds numbers in rows; stop
and resume at will.

python train_details.py locator-card --synth ../target/release/kahao-synth --start ../run/locator-medium/checkpoint.pt
python train_details.py locator-holder --synth ../target/release/kahao-synth --start ../run/locator-medium/checkpoint.pt
python train_details.py recognizer-holder --synth ../target/release/kahao-synth --start ../run/recognizer-medium/checkpoint.pt
python train_details.py locator-stack --synth ... --start ... --real FOLDER     (real scenes have none, drawn ones may)
python train_details.py recognizer-holder --smoke --synth ../target/release/kahao-synth     (seconds, no checkpoint)
"""

import functools
import itertools
import random
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset

import real
import train_locator
import train_recognizer
from nets import NETS, CardLocator, HolderLocator, HolderRecognizer, Locator, StackLocator, decode_greedy
from stream import read_scenes, read_strips
from trainer import Task, arguments, begin_with, outputs_of, train, worker_seed

# Shares of scenes with numbers in rows at the first look and at the second, and of real ones, where there are none. The rest is
# drawn.
STACKED, CLOSER, REAL = 0.3, 0.35, 0.15
# Side of the second look at such a number, in lengths of its longer side (locate.rs).
STACK_LOOK = 2.0

WHICH = ["locator-stack", "locator-card", "locator-holder", "recognizer-holder"]
# Drawn from a seed of their own, never trained on.
HELD_OUT_SEED, HELD_OUT = 1_000_003, 400


class Looks(IterableDataset):
    """Endless (look, lines, whether all are known): about two in five show a name, every one a card."""

    def __init__(self, synth: Path, seed: int, of: str):
        self.synth, self.seed, self.of = synth, seed, of

    def __iter__(self):
        for pixels, lines in read_scenes(self.synth, worker_seed(self.seed), Locator.size, self.of):
            yield pixels, lines, True


class StackScenes(IterableDataset):
    """Endless (scene, lines, whether all are known): more than half of them show numbers in rows, as at the first look or
    the second, the others what may be taken for that."""

    def __init__(self, synth: Path, folder: Path | None, part: real.Part, seed: int):
        self.synth, self.folder, self.part, self.seed = synth, folder, part, seed

    def __iter__(self):
        seed = worker_seed(self.seed)
        rng = random.Random(seed)
        scenes = real.load_scenes(self.folder, self.part) if self.folder else []
        size, stack = Locator.size, StackLocator.codes[0]
        others = read_scenes(self.synth, seed, size, Locator.drawn_by)
        stacked = read_scenes(self.synth, seed, size, StackLocator.drawn_by)
        # The second look is sharper than an enlarged first one.
        sharper = read_scenes(self.synth, seed + 1, 2 * size, StackLocator.drawn_by)
        looks = (real.look_again(pixels, lines, size, rng, stack, (STACK_LOOK,)) for pixels, lines in sharper)
        closer = (look for look in looks if look)
        while True:
            kind = rng.random()
            if scenes and kind < REAL:
                pixels, lines, _ = rng.choice(scenes)
                pixels, lines = real.warp_scene(pixels, lines, size, rng)
                yield real.degrade_scene(pixels, rng), lines, True
                continue
            drawn = stacked if kind > 1 - STACKED else closer if kind > 1 - STACKED - CLOSER else others
            pixels, lines = next(drawn)
            yield train_locator.letterbox(pixels), lines, True


def samples(kind: type[Locator | HolderRecognizer], synth: Path, folder: Path | None, part: real.Part, seed: int):
    """What a kind of network learns from, of those that are trained here; see each for what is real of it."""
    if kind is StackLocator:
        return StackScenes(synth, folder, part, seed)
    if issubclass(kind, Locator):
        return Looks(synth, seed, kind.drawn_by)
    return train_recognizer.MixedStrips(synth, None, 0.0, part, seed, kind)


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


def stacks_found(net: StackLocator, held_out) -> str:
    """Share of held-out numbers in rows whose corners are off by less than a tenth of all rows' height, and of scenes without any
    where one is seen."""
    outputs = outputs_of(net, np.stack([train_locator.letterbox(pixels) for pixels, _ in held_out])).numpy()
    found, invented = [], []
    for output, (_, lines) in zip(outputs, held_out, strict=True):
        seen = train_locator.find_lines(output)
        stacks = [quad for kind, quad in lines if kind == StackLocator.codes[0]]
        for quad in stacks:
            off = [np.linalg.norm(told - quad, axis=1).max() / np.linalg.norm(quad[3] - quad[0]) for _, _, told in seen]
            found.append(min(off, default=np.inf) < 0.1)
        if not stacks:
            invented.append(bool(seen))
    return f"stacks found {np.mean(found):.3f} invented {np.mean(invented):.3f}"


def main():
    args = arguments(__doc__, Locator.widths, needs_drawn=True, minutes=40, lr_end=2e-5, batch=0, which=WHICH)
    kind = NETS[args.which]
    args.batch = args.batch or (64 if issubclass(kind, HolderRecognizer) else 16)

    if issubclass(kind, HolderRecognizer):
        drawn = read_strips(args.synth, HELD_OUT_SEED, kind.drawn_by)
        validate, vary, loss_of = names_read, train_recognizer.vary, train_recognizer.loss_of
        collate = functools.partial(train_recognizer.collate, kind=kind)
    else:
        drawn = read_scenes(args.synth, HELD_OUT_SEED, of=kind.drawn_by)
        collate, vary = train_locator.collate, train_locator.vary
        loss_of = functools.partial(train_locator.loss_of, among=kind.codes)
        if kind is StackLocator:
            validate = stacks_found
            # Every other one without such a number.
            drawn = itertools.chain.from_iterable(zip(drawn, read_scenes(args.synth, HELD_OUT_SEED), strict=True))
        else:
            validate, beyond = (cards_found, np.inf) if kind is CardLocator else (names_found, 2.0)
            vary = functools.partial(vary, quarters=0.0, beyond=beyond)
    task = Task(
        name=args.which,
        net_of=lambda size: begin_with(kind(size), args.start),
        decay=0.998,
        data_of=lambda seed: samples(kind, args.synth, args.real, args.part, seed),
        collate=collate,
        vary=vary,
        loss_of=loss_of,
        held_out_of=lambda: [] if args.smoke else list(itertools.islice(drawn, HELD_OUT)),
        validate=validate,
    )
    train(args, task)


if __name__ == "__main__":
    main()
