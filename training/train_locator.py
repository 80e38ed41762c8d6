"""Train the text line locator on drawn scenes with real ones mixed in; stop and resume at will.

python train_locator.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 60
python train_locator.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import math
import random
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset

import real
from nets import Locator
from stream import read_scenes
from trainer import arguments, train

CELLS = Locator.size // Locator.stride
# Share of drawn scenes that are seen as by the reader's second look.
SECOND_LOOKS = 0.3


def letterbox(pixels: np.ndarray) -> np.ndarray:
    """Top-left in a black square; the longer side is already right."""
    square = np.zeros((Locator.size, Locator.size), np.uint8)
    square[: pixels.shape[0], : pixels.shape[1]] = pixels
    return square


def targets(lines: list[tuple[int, np.ndarray]], dates_known: bool, codes: tuple[int, ...] = Locator.codes) -> np.ndarray:
    """(kinds + 8 + 2, cells, cells): masks, offsets in offset_px, then weight of the offsets, weight of the date mask. Lines of
    other kinds than those of `codes` are ground."""
    kinds = len(codes)
    out = np.zeros((kinds + 10, CELLS, CELLS), np.float32)
    out[kinds + 9] = 1.0 if dates_known else 0.0
    centre = (np.arange(CELLS, dtype=np.float32) + 0.5) * Locator.stride
    for code, quad in lines:
        if code not in codes:
            continue
        mask = np.zeros((CELLS, CELLS), np.uint8)
        # At least a cell high, so that a distant card's line is not lost between cells.
        middle_l, middle_r = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
        height = (np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        grow = max(height, 1.2 * Locator.stride) / max(height, 1e-3)
        grown = np.float32(
            [
                middle_l + (quad[0] - middle_l) * grow,
                middle_r + (quad[1] - middle_r) * grow,
                middle_r + (quad[2] - middle_r) * grow,
                middle_l + (quad[3] - middle_l) * grow,
            ]
        )
        # fillPoly counts a pixel whose centre has whole coordinates: shift by half a cell; 4 fractional bits.
        points = np.round((grown / Locator.stride - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, points, 1, shift=4)
        inside = mask > 0
        if not inside.any():
            continue
        out[:kinds, inside] = 0.0
        out[codes.index(code), inside] = 1.0
        for corner in range(4):
            out[kinds + 2 * corner][inside] = np.broadcast_to(
                (quad[corner, 0] - centre[None, :]) / Locator.offset_px, mask.shape
            )[inside]
            out[kinds + 2 * corner + 1][inside] = np.broadcast_to(
                (quad[corner, 1] - centre[:, None]) / Locator.offset_px, mask.shape
            )[inside]
        out[kinds + 8, inside] = 1.0 / math.sqrt(inside.sum())  # a small line counts for more than its area
    return out


def find_lines(output: np.ndarray, threshold: float = 0.5) -> list[tuple[int, float, np.ndarray]]:
    """(kind, score, quad) of one output (channels, cells, cells): the same steps as locate.rs."""
    lines = []
    kinds = len(output) - 8
    centre = (np.arange(CELLS, dtype=np.float32) + 0.5) * Locator.stride
    for kind in range(kinds):
        prob = 1 / (1 + np.exp(-output[kind]))
        count, labels = cv2.connectedComponents((prob > threshold).astype(np.uint8), connectivity=8)
        for label in range(1, count):
            ys, xs = np.nonzero(labels == label)
            p = prob[ys, xs]
            quad = np.zeros((4, 2), np.float32)
            for corner in range(4):
                dx = output[kinds + 2 * corner, ys, xs] * Locator.offset_px
                dy = output[kinds + 2 * corner + 1, ys, xs] * Locator.offset_px
                weight = p / (dx * dx + dy * dy + 64.0)  # near cells know a corner best
                quad[corner] = [np.average(centre[xs] + dx, weights=weight), np.average(centre[ys] + dy, weights=weight)]
            lines.append((kind, float(p.sum()), quad))
    return sorted(lines, key=lambda line: -line[1])


class MixedScenes(IterableDataset):
    """Endless (pixels, targets): a share of real scenes, the rest drawn."""

    def __init__(self, synth: Path, folder: Path | None, real_share: float, seed: int):
        self.synth, self.folder, self.real_share, self.seed = synth, folder, real_share, seed

    def __iter__(self):
        rng = random.Random(self.seed)
        cv2.setNumThreads(1)
        scenes = real.load_scenes(self.folder, validation=False) if self.folder else []
        drawn = read_scenes(self.synth, self.seed)
        while True:
            if scenes and rng.random() < self.real_share:
                pixels, quad = real.warp_scene(*rng.choice(scenes), Locator.size, rng)
                yield real.degrade_scene(pixels, rng), targets([(0, quad)], dates_known=False)
            else:
                pixels, lines = next(drawn)
                again = real.look_again(pixels, lines, Locator.size, rng) if rng.random() < SECOND_LOOKS else None
                pixels, lines = again or (pixels, lines)
                yield letterbox(pixels), targets(lines, dates_known=True)


def collate(batch):
    return torch.from_numpy(np.stack([p for p, _ in batch])).unsqueeze(1), torch.from_numpy(np.stack([t for _, t in batch]))


def loss_of(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    target = target.to(output.device)
    kinds = output.shape[1] - 8
    logits, mask = output[:, :kinds], target[:, :kinds]
    known = torch.ones_like(mask)
    known[:, 1:2] = target[:, kinds + 9 : kinds + 10][:, : kinds - 1]
    prob = torch.sigmoid(logits)
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none") * known
    focus = (1 - torch.where(mask > 0.5, prob, 1 - prob)) ** 1.5 + 0.05  # hard cells first
    bce = (bce * focus).sum() / len(output) / 25
    overlap = (prob * mask * known).sum(dim=(2, 3))
    dice = 1 - (2 * overlap + 1) / ((prob * known).sum(dim=(2, 3)) + (mask * known).sum(dim=(2, 3)) + 1)
    offsets, wanted = output[:, kinds:], target[:, kinds : kinds + 8]
    weight = target[:, kinds + 8 : kinds + 9]
    pairs = wanted.unflatten(1, (4, 2))
    near = 1 / (0.3 + pairs.norm(dim=2, keepdim=True)).expand_as(pairs).flatten(1, 2)  # a near corner must be exact
    votes = F.smooth_l1_loss(offsets, wanted, reduction="none", beta=0.05) * near * weight
    return bce + dice.mean() + votes.sum() / len(output) / 8


def held_out(folder: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Held-out real scenes upright, in quarter turns, and at any angle."""
    rng = random.Random(0)
    scenes = []
    for pixels, quad in real.load_scenes(folder, validation=True):
        scenes.append(("upright", letterbox(pixels), quad))
        turn = 90.0 * rng.randint(1, 3)
        scenes.append(("quarter", *real.warp_scene(pixels, quad, Locator.size, rng, turn)))
        scenes.append(("any", *real.warp_scene(pixels, quad, Locator.size, rng, rng.uniform(0, 360))))
    return scenes


def is_near(found: np.ndarray, quad: np.ndarray) -> bool:
    """Whether all four corners lie within 0.7 line heights along and 0.4 across."""
    along = (quad[1] - quad[0]) / np.linalg.norm(quad[1] - quad[0])
    down = (quad[3] - quad[0]) / np.linalg.norm(quad[3] - quad[0])
    height = np.linalg.norm(quad[3] - quad[0])
    error = found - quad
    return bool((np.abs(error @ along) < 0.7 * height).all() and (np.abs(error @ down) < 0.4 * height).all())


def validate(net: Locator, scenes) -> str:
    """Share of lines whose corners are near enough, by kind of turn."""
    net.eval()
    found, total = {}, {}
    with torch.no_grad():
        for start in range(0, len(scenes), 32):
            part = scenes[start : start + 32]
            output = net(torch.from_numpy(np.stack([p for _, p, _ in part])).unsqueeze(1).float()).float().numpy()
            for (turn, _, quad), out in zip(part, output, strict=True):
                lines = [line for line in find_lines(out) if line[0] == 0]
                total[turn] = total.get(turn, 0) + 1
                if lines:
                    found[turn] = found.get(turn, 0) + int(is_near(lines[0][2], quad))
    net.train()
    return " ".join(f"{turn} {found.get(turn, 0) / total[turn]:.3f}" for turn in total)


def main():
    args = arguments(__doc__, "locator", Locator.widths, needs_drawn=True, minutes=60, lr_end=2e-5, batch=16)
    train(
        args,
        Locator(args.size),
        0.997,
        lambda seed: MixedScenes(args.synth, args.real, args.real_share, seed),
        collate,
        loss_of,
        lambda: held_out(args.real) if args.real else [],
        validate,
    )


if __name__ == "__main__":
    main()
