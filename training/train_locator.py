"""Train the text line locator on drawn scenes with real ones mixed in; stop and resume at will.

python train_locator.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 60
python train_locator.py --size small --teacher ../models/locator.onnx ...    (it imitates that one, too)
python train_locator.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import copy
import functools
import random
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch.nn import functional as F
from torch.utils.data import IterableDataset

import real
from nets import Locator
from pool import normal, uniform
from stream import read_scenes
from trainer import Task, arguments, outputs_of, train, worker_seed

CELLS = Locator.size // Locator.stride
# Lines of a picture that are kept; 300 drawn ones had 9 at most.
LINES = 16
# Kind of a line that is none, to fill up to `LINES`.
NO_LINE = -1
# A cell is a line's if its middle lies within the line or so far beside it, in cells.
BESIDE = 0.5
# Share of drawn scenes that are seen as by the reader's second look.
SECOND_LOOKS = 0.3
# Weights, beside the teacher's masks, of the labels and of the teacher's votes where it sees a line (probability).
LABELS, TEACHERS_VOTES, TEACHER_SEES = 0.6, 0.6, 0.2
# Scenes are seen down to exp(-0.2) of their size; by the small locator down to exp(-0.4): it was trained so for a smaller
# thumbnail, which cost more dates than it was worth (LOG.md).
SMALLER, SMALLER_YET = 0.2, 0.4


def letterbox(pixels: np.ndarray) -> np.ndarray:
    """Top-left in a black square; the longer side is already right."""
    square = np.zeros((Locator.size, Locator.size), np.uint8)
    square[: pixels.shape[0], : pixels.shape[1]] = pixels
    return square


def in_px(cells: torch.Tensor) -> torch.Tensor:
    """The middles of cells, in px."""
    return (cells + 0.5) * Locator.stride


def targets(codes: torch.Tensor, quads: torch.Tensor, dates_known: torch.Tensor, kinds: tuple[int, ...]) -> torch.Tensor:
    """From the lines' kinds (N x lines), their corners in px (N x lines x 4 x 2), and whether dates are among them (N):

    (N, kinds + 8 + 2, cells, cells): masks, offsets in offset_px, then weight of the offsets, weight of the date mask. Lines of
    other kinds than those of `kinds` are ground; where lines overlap, the last counts."""
    count, device = len(codes), codes.device
    # At least a cell high, so that a distant card's line is not lost between cells.
    left, right = (quads[:, :, 0] + quads[:, :, 3]) / 2, (quads[:, :, 1] + quads[:, :, 2]) / 2
    height = ((quads[:, :, 3] - quads[:, :, 0]).norm(dim=-1) + (quads[:, :, 2] - quads[:, :, 1]).norm(dim=-1)) / 2
    grow = (height.clamp(min=1.2 * Locator.stride) / height.clamp(min=1e-3))[:, :, None, None]
    middles = torch.stack([left, right, right, left], dim=2)
    grown = middles + (quads - middles) * grow
    side = in_px(torch.arange(CELLS, device=device))
    centre = torch.stack(torch.meshgrid(side, side, indexing="xy"), dim=-1)  # rows x columns x (x, y)
    inside = (torch.stack([codes == code for code in kinds]).any(dim=0))[:, :, None, None].expand(-1, -1, CELLS, CELLS)
    for corner in range(4):
        start, edge = grown[:, :, corner], grown[:, :, (corner + 1) % 4] - grown[:, :, corner]
        from_start = centre - start[:, :, None, None]
        across = edge[:, :, None, None, 0] * from_start[..., 1] - edge[:, :, None, None, 1] * from_start[..., 0]
        inside = inside & (across > -BESIDE * Locator.stride * edge.norm(dim=-1)[:, :, None, None])
    # Of each cell the last line that it lies in, or -1.
    order = torch.arange(codes.shape[1], device=device)[None, :, None, None]
    line = torch.where(inside, order, -1).amax(dim=1)
    owner = line.clamp(min=0).flatten(1)
    is_line = (line >= 0).flatten(1)
    code = torch.gather(codes, 1, owner)
    masks = torch.stack([is_line & (code == kind) for kind in kinds], dim=1).float()
    corners = torch.gather(quads.flatten(2), 1, owner[:, :, None].expand(-1, -1, 8))
    offsets = (corners - centre.flatten(0, 1).repeat(1, 4)) / Locator.offset_px * is_line[:, :, None]
    # A small line counts for more than its area.
    area = torch.zeros_like(codes, dtype=torch.float32).scatter_add_(1, owner, is_line.float())
    weight = is_line / torch.gather(area, 1, owner).clamp(min=1).sqrt()
    known = dates_known.float()[:, None].expand(-1, CELLS * CELLS)
    parts = [masks, offsets.transpose(1, 2), weight[:, None], known[:, None]]
    return torch.cat(parts, dim=1).view(count, -1, CELLS, CELLS)


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
    """Endless (pixels, lines, whether dates are among them): a share of real scenes, the rest drawn."""

    def __init__(self, synth: Path, folder: Path | None, real_share: float, part: real.Part, seed: int):
        self.synth, self.folder, self.real_share, self.part, self.seed = synth, folder, real_share, part, seed

    def __iter__(self):
        seed = worker_seed(self.seed)
        rng = random.Random(seed)
        scenes = real.load_scenes(self.folder, self.part) if self.folder else []
        drawn = read_scenes(self.synth, seed)
        while True:
            if scenes and rng.random() < self.real_share:
                pixels, lines, dates_known = rng.choice(scenes)
                pixels, lines = real.warp_scene(pixels, lines, Locator.size, rng)
                yield real.degrade_scene(pixels, rng), lines, dates_known
            else:
                pixels, lines = next(drawn)
                again = real.look_again(pixels, lines, Locator.size, rng) if rng.random() < SECOND_LOOKS else None
                pixels, lines = again or (pixels, lines)
                yield letterbox(pixels), lines, True


def collate(batch) -> list[torch.Tensor]:
    """Pixels N x 1 x size x size, and of the lines what `targets` takes."""
    codes = torch.full((len(batch), LINES), NO_LINE)
    quads = torch.zeros(len(batch), LINES, 4, 2)
    for at, (_, lines, _) in enumerate(batch):
        for line, (code, quad) in enumerate(lines[:LINES]):
            codes[at, line], quads[at, line] = code, torch.from_numpy(quad.copy())
    pixels = torch.from_numpy(np.stack([pixels for pixels, _, _ in batch])).unsqueeze(1)
    return [pixels, codes, quads, torch.tensor([known for _, _, known in batch])]


def vary(
    pixels: torch.Tensor,
    codes: torch.Tensor,
    quads: torch.Tensor,
    dates_known: torch.Tensor,
    quarters: float = 0.12,
    beyond: float = 2.0,
    smaller: float = SMALLER,
) -> tuple[torch.Tensor, ...]:
    """Turned, zoomed and moved, on black ground, with noise; `quarters` is the share that is turned by quarters, too. Lines
    that come to lie farther than `beyond` px outside are forgotten."""
    count, device, size = len(pixels), pixels.device, Locator.size
    turn = normal(count, 0.07, device)
    turn += torch.where(uniform(count, 0, 1, device) < quarters, torch.randint(1, 4, (count,), device=device) * torch.pi / 2, 0)
    zoom = torch.exp(uniform(count, -smaller, 0.1, device))
    cos, sin = torch.cos(turn), torch.sin(turn)
    wide = uniform(count, 0.95, 1.05, device)
    forth = torch.stack([torch.stack([cos * wide, -sin], 1), torch.stack([sin * wide, cos], 1)], 1) * zoom[:, None, None]
    move = torch.stack([normal(count, 0.05, device), normal(count, 0.05, device)], 1)
    back = torch.linalg.inv(forth)
    matrix = torch.cat([back, -back @ move[:, :, None]], dim=2)
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    pixels = F.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)
    noise = uniform(count, 0, 4, device)[:, None, None, None] * torch.randn_like(pixels)
    quads = torch.einsum("nij,nlcj->nlci", forth, quads / (size / 2) - 1) + move[:, None, None]
    quads = (quads + 1) * (size / 2)
    inside = ((quads > -beyond) & (quads < size + beyond)).flatten(2).all(dim=2)
    return (pixels + noise).clamp(0, 255), torch.where(inside, codes, NO_LINE), quads, dates_known


def votes_loss(offsets: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How far the cells' offsets are from those that are wanted, by the weight of each cell; a near corner must be exact."""
    pairs = wanted.unflatten(1, (4, 2))
    near = 1 / (0.3 + pairs.norm(dim=2, keepdim=True)).expand_as(pairs).flatten(1, 2)
    return (F.smooth_l1_loss(offsets, wanted, reduction="none", beta=0.05) * near * weight).sum() / len(offsets) / 8


def loss_of(
    output: torch.Tensor,
    codes: torch.Tensor,
    quads: torch.Tensor,
    dates_known: torch.Tensor,
    opinion: torch.Tensor | None = None,
    among: tuple[int, ...] = Locator.codes,
) -> torch.Tensor:
    """Where nobody knows the dates, they are where the `opinion` has them (learning without forgetting; Li and Hoiem 2016)."""
    kinds = len(among)
    target = targets(codes, quads, dates_known, among)
    logits, mask = output[:, :kinds], target[:, :kinds]
    known = torch.ones_like(mask)
    known[:, 1:2] = target[:, kinds + 9 : kinds + 10][:, : kinds - 1]
    if opinion is not None:
        mask = torch.where(known > 0, mask, torch.sigmoid(opinion[:, :kinds]))
        known = torch.ones_like(mask)
    prob = torch.sigmoid(logits)
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none") * known
    focus = (prob - mask).abs() ** 1.5 + 0.05  # hard cells first
    bce = (bce * focus).sum() / len(output) / 25
    overlap = (prob * mask * known).sum(dim=(2, 3))
    dice = 1 - (2 * overlap + 1) / ((prob * known).sum(dim=(2, 3)) + (mask * known).sum(dim=(2, 3)) + 1)
    votes = votes_loss(output[:, kinds:], target[:, kinds : kinds + 8], target[:, kinds + 8 : kinds + 9])
    return bce + dice.mean() + votes


class Teacher:
    """An exported locator, with the same kinds of lines, that says what it sees."""

    def __init__(self, model: Path):
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        # One by one: an exported model takes single pictures.
        said = [self.session.run(None, {"pixels": picture})[0] for picture in pixels.contiguous().cpu().numpy()[:, None]]
        return torch.from_numpy(np.concatenate(said)).to(pixels.device)


def imitation_loss(output: torch.Tensor, *truth: torch.Tensor, opinion: torch.Tensor) -> torch.Tensor:
    """How far masks and votes are from those of the teacher (Hinton et al. 2015), and from the truth."""
    kinds = len(Locator.kinds)
    logits, mask = output[:, :kinds], torch.sigmoid(opinion[:, :kinds])
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    bce = (bce * ((torch.sigmoid(logits) - mask).abs() + 0.05)).sum() / len(output) / 25
    line = mask.amax(dim=1, keepdim=True)
    line = line * (line > TEACHER_SEES)
    weight = line / line.sum(dim=(2, 3), keepdim=True).clamp(min=1).sqrt()
    votes = votes_loss(output[:, kinds:], opinion[:, kinds:], weight)
    return LABELS * loss_of(output, *truth, opinion=opinion) + bce + TEACHERS_VOTES * votes


def held_out(folder: Path) -> list[tuple[str, np.ndarray, list[tuple[int, np.ndarray]], bool]]:
    """Held-out real scenes upright, in quarter turns, and at any angle, with their lines and whether dates are among them."""
    rng = random.Random(0)
    scenes = []
    for pixels, lines, dates_known in real.load_scenes(folder, real.Part.HELD_OUT):
        scenes.append(("upright", letterbox(pixels), lines, dates_known))
        turn = 90.0 * rng.randint(1, 3)
        scenes.append(("quarter", *real.warp_scene(pixels, lines, Locator.size, rng, turn), dates_known))
        turn = rng.uniform(0, 360)
        scenes.append(("any", *real.warp_scene(pixels, lines, Locator.size, rng, turn), dates_known))
    return scenes


def is_near(found: np.ndarray, quad: np.ndarray) -> bool:
    """Whether all four corners lie within 0.7 line heights along and 0.4 across."""
    along = (quad[1] - quad[0]) / np.linalg.norm(quad[1] - quad[0])
    down = (quad[3] - quad[0]) / np.linalg.norm(quad[3] - quad[0])
    height = np.linalg.norm(quad[3] - quad[0])
    error = found - quad
    return bool((np.abs(error @ along) < 0.7 * height).all() and (np.abs(error @ down) < 0.4 * height).all())


def validate(net: Locator, scenes) -> str:
    """Share of numbers whose corners are near enough, by kind of turn; of upright cards also how many of the dates are found,
    their middles within a line's height, and how many lines are taken for dates that are none."""
    number, date = (Locator.kinds.index(kind) for kind in ("number", "date"))
    near, total = {}, {}
    dates, dates_found, no_dates = 0, 0, 0
    outputs = outputs_of(net, np.stack([pixels for _, pixels, _, _ in scenes])).numpy()
    for (turn, _, lines, dates_known), output in zip(scenes, outputs, strict=True):
        found = find_lines(output)
        numbers = [quad for kind, _, quad in found if kind == number]
        total[turn] = total.get(turn, 0) + 1
        near[turn] = near.get(turn, 0) + int(bool(numbers) and is_near(numbers[0], lines[0][1]))
        if turn == "upright" and dates_known:
            told = [quad.mean(axis=0) for kind, _, quad in found if kind == date]
            there = [(quad.mean(axis=0), np.linalg.norm(quad[3] - quad[0])) for kind, quad in lines if kind == date]
            dates += len(there)
            dates_found += sum(any(np.linalg.norm(at - middle) < height for at in told) for middle, height in there)
            no_dates += sum(all(np.linalg.norm(at - middle) >= height for middle, height in there) for at in told)
    numbers = " ".join(f"{turn} {near[turn] / total[turn]:.3f}" for turn in total)
    return f"{numbers}; dates {dates_found} of {dates}, not dates {no_dates}"


def main():
    args = arguments(__doc__, Locator.widths, needs_drawn=True, minutes=60, lr_end=2e-5, batch=16, taught=True)
    teacher = Teacher(args.teacher) if args.teacher else None
    task = Task(
        name="locator",
        net_of=Locator,
        decay=0.997,
        data_of=lambda seed: MixedScenes(args.synth, args.real, args.real_share, args.part, seed),
        collate=collate,
        vary=functools.partial(vary, smaller=SMALLER_YET) if "small" in args.size else vary,
        loss_of=imitation_loss if teacher else loss_of,
        held_out_of=lambda: held_out(args.real) if args.real else [],
        validate=validate,
        teacher_of=(lambda _: teacher) if teacher else copy.deepcopy if args.real else None,
    )
    train(args, task)


if __name__ == "__main__":
    main()
