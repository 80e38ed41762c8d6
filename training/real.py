"""Real strips and scenes for training and validation, read from a folder that is never committed.

A fifth of every set is held out: those whose running number in the file name divides by 5. That rule does not change. Only a last
round, in which nothing is left to choose, may learn from all.
"""

import csv
import enum
import random
from pathlib import Path

import cv2
import numpy as np

from digits import Digits, under_artwork
from nets import Locator
from strips import LINE_H, fill_like, tone_like

# Shares of dates and of numbers put together of single digits among real strips.
DATES, NUMBERS = 0.35, 0.35
# Share of half lines among real strips for what reads dates alone.
HALVES_AMONG_DATES = 0.3


class Part(enum.Enum):
    """Of a set."""

    LEARNT, HELD_OUT, ALL = range(3)

    def has(self, file: str) -> bool:
        return self is Part.ALL or (int(file[:4]) % 5 == 0) == (self is Part.HELD_OUT)


def load_strips(folder: Path, name: str, part: Part) -> list[tuple[np.ndarray, str]]:
    """Grey crops of part of a number line with their text; a gap is a space."""
    strips = []
    with open(folder / f"{name}.csv", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if part.has(row["file"]):
                pixels = cv2.imread(str(folder / name / row["file"]), cv2.IMREAD_GRAYSCALE)
                strips.append(
                    (pixels, row["label"].replace("_", " ").strip() if name == "halves" else row["label"].replace("_", " "))
                )
    assert strips, f"no strips in {folder / name}"
    return strips


def rarity(text: str) -> float:
    """Weight of a strip in the draw: sample cards print 8888 8888, which would be a third of all."""
    most = max(text.count(d) for d in "0123456789")
    return 0.05 if most >= 6 else 0.4 if most >= 4 else 1.0


def match_tone(pixels: np.ndarray, like: np.ndarray, rng: random.Random) -> np.ndarray:
    """Sometimes shifts mean and spread to those of a neighbour, so that a seam is no clue."""
    return pixels if rng.random() < 0.5 else tone_like(pixels, like)


class StripMixer:
    """Draws training strips from real crops: one half line alone, two joined, four groups joined, or a date of real digits."""

    def __init__(self, folder: Path, part: Part, seed: int):
        self.rng = random.Random(seed)
        self.halves = load_strips(folder, "halves", part)
        self.groups = load_strips(folder, "groups", part)
        self.digits = Digits(self.halves)
        self.half_weights = [rarity(t) for _, t in self.halves]
        self.group_weights = [1.0 if len(set(t)) > 1 else 0.4 for _, t in self.groups]

    def half(self) -> tuple[np.ndarray, str]:
        pixels, text = self.rng.choices(self.halves, self.half_weights)[0]
        return cv2.resize(pixels, (int(264 * self.rng.uniform(0.8, 1.05)), LINE_H), interpolation=cv2.INTER_AREA), text

    def date(self) -> tuple[np.ndarray, str]:
        """A strip of 60 px height for what reads dates alone: a date of real digits, or half a line with ground about it, for a
        network that saw digits put together alone tells real ones worse."""
        rng = self.rng
        if rng.random() < HALVES_AMONG_DATES:
            pixels, text = self.half()
            before = fill_like(pixels[:, ::-1], rng.randint(1, 40), rng)[:, ::-1]
            return np.hstack([before, pixels, fill_like(pixels, rng.randint(60, 140), rng)]), text
        return self.digits.date(rng)

    def draw(self) -> tuple[np.ndarray, str]:
        """A strip of about 60 px height and free width, and its text."""
        rng = self.rng
        kind = rng.random()
        if kind < DATES:
            return self.digits.date(rng)
        if kind < DATES + NUMBERS:
            return self.digits.number(rng)
        kind = rng.random()
        if kind < 0.3:
            pixels, text = self.half()
            rest = fill_like(pixels, max(528 - pixels.shape[1], 12), rng)
            return np.hstack([pixels, rest] if rng.random() < 0.5 else [rest, pixels]), text
        if kind < 0.8:
            (a, text_a), (b, text_b) = self.half(), self.half()
            b = match_tone(b, a, rng)
            gap = self.digits.gap(a[:, -30:], b[:, :30], rng.randint(12, 30), rng)
            pixels = np.hstack([a, gap, b])
            if rng.random() < 0.25:
                pixels = under_artwork(pixels, rng)
            return pixels, f"{text_a} {text_b}"
        count = rng.choice([3, 4, 4, 4, 5])
        width = int(495 / max(count, 4) * rng.uniform(0.9, 1.05))
        crops, text = [], ""
        for pixels, label in rng.choices(self.groups, self.group_weights, k=count):
            crop = cv2.resize(pixels, (width, 52), interpolation=cv2.INTER_AREA)
            crops.append(match_tone(crop, crops[0], rng) if crops else crop)
            text += label
        pixels = np.hstack(crops)
        if pixels.shape[1] < 510:
            pixels = np.hstack([pixels, fill_like(pixels, 510 - pixels.shape[1], rng)])
        return cv2.copyMakeBorder(pixels, 6, 6, 6, 6, cv2.BORDER_REPLICATE), " ".join(text.split())


# Where dates stand in the real scenes (px), told by eye: a row for each, one without a box for a scene without any. Scenes of
# which the eye could not tell are left out. An expiry is one, and VALID FROM beside it, but no other, as in drawn scenes.
SCENE_DATES = Path(__file__).parent / "scene-dates.csv"

# The labelled boxes of scenes are loose: shares of their height and width that the text itself takes, by eye on 40 of them.
BOX_TEXT_HEIGHT, BOX_TEXT_WIDTH = 0.66, 0.975
BOX_MIN_ASPECT = 7.3


def load_scenes(folder: Path, part: Part) -> list[tuple[np.ndarray, list[tuple[int, np.ndarray]], bool]]:
    """(grey picture, its lines, whether dates are among them), upright cards only. A line is a kind, that of the stream of drawn
    ones, and 4 x 2 corners in px; the number's is the first."""
    dates = load_dates()
    scenes = []
    with open(folder / "scenes.csv", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            file = row["file"]
            if not part.has(file):
                continue
            pixels = cv2.imread(str(folder / "scenes" / file), cv2.IMREAD_GRAYSCALE)
            x0, y0, x1, y1 = box_of(row)
            if (x1 - x0) / (y1 - y0) < BOX_MIN_ASPECT:
                continue  # the upright box of a tilted card says too little about its line
            dx, dy = (x1 - x0) * (1 - BOX_TEXT_WIDTH) / 2, (y1 - y0) * (1 - BOX_TEXT_HEIGHT) / 2
            number = (Locator.kinds.index("number"), corners(x0 + dx, y0 + dy, x1 - dx, y1 - dy))
            scenes.append((pixels, [number, *dates.get(file, [])], file in dates))
    assert scenes, f"no scenes in {folder}"
    return scenes


def load_dates() -> dict[str, list[tuple[int, np.ndarray]]]:
    """By file the dates of a real scene, as lines of it: of each that somebody has looked at, none where it has none."""
    dates = {}
    with open(SCENE_DATES, encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            lines = dates.setdefault(row["file"], [])
            if row["x0"]:
                lines.append((Locator.kinds.index("date"), corners(*box_of(row))))
    return dates


def box_of(row: dict[str, str]) -> list[float]:
    return [float(row[side]) for side in ("x0", "y0", "x1", "y1")]


def corners(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """4 x 2, from the top-left clockwise."""
    return np.float32([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def warp_scene(
    pixels: np.ndarray, lines: list[tuple[int, np.ndarray]], size: int, rng: random.Random, turn: float | None = None
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """A real scene turned, tilted, zoomed and cropped into size x size, its first line staying inside; others may be cut off."""
    h, w = pixels.shape
    quad = lines[0][1]
    if turn is None:
        kind = rng.random()
        turn = rng.gauss(0, 4) if kind < 0.5 else 90 * rng.randint(1, 3) + rng.gauss(0, 5) if kind < 0.77 else rng.uniform(0, 360)
    line = np.linalg.norm(quad[1] - quad[0])
    for _ in range(10):
        # The line's length in the result: from a small card in a phone frame to a cropped close-up.
        length = size * (rng.uniform(0.55, 0.92) if rng.random() < 0.75 else rng.uniform(0.2, 0.55))
        zoom = length / line
        a = np.deg2rad(turn)
        rotation = np.float32([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) * zoom
        centre = quad.mean(axis=0)
        target = np.float32([size / 2 + rng.gauss(0, 0.12) * size, size / 2 + rng.gauss(0, 0.12) * size])
        corners = np.float32([[0, 0], [w, 0], [w, h], [0, h]])
        moved = (corners - centre) @ rotation.T + target
        moved += np.float32([[rng.gauss(0, 0.025) * size * min(zoom, 1) for _ in "xy"] for _ in range(4)])
        matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
        placed = cv2.perspectiveTransform(quad[None], matrix)[0]
        if placed.min() > 2 and placed.max() < size - 2:
            break
    else:
        matrix, placed = np.eye(3, dtype=np.float32), quad
    border = rng.choice([cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT])
    shown = cv2.warpPerspective(
        pixels, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=border, borderValue=rng.choice([0, 0, 128, 255])
    )
    if rng.random() < 0.5:  # letterboxed, as a picture that is not square is
        keep = max(int(size * rng.uniform(0.56, 1.0)), int(np.ceil(placed[:, 1].max())) + 2)
        shown[keep:] = 0
    return shown, [(kind, cv2.perspectiveTransform(line[None], matrix)[0]) for kind, line in lines]


def look_again(
    pixels: np.ndarray,
    lines: list[tuple[int, np.ndarray]],
    size: int,
    rng: random.Random,
    of: int = 0,
    sides: tuple[float, ...] = (1.5, 1.5, 1.2),
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]] | None:
    """A drawn scene as the reader sees it the second time: close about a number line (or what has the code `of`) that was told
    roughly, as upright as it, the picture's edge repeated beyond it; in lengths of its longer side, as wide as one of `sides`
    (locate.rs). None without a number line, or with one that is too small."""
    numbers = [quad for kind, quad in lines if kind == of]
    if not numbers:
        return None
    quad = rng.choice(numbers)
    along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    length = float(max(np.linalg.norm(along), np.linalg.norm(quad[3] - quad[0])))
    if sides[0] * length < size / 2:
        return None  # enlarged more than twice it would be blurred as no photograph is
    turn = np.arctan2(along[1], along[0]) + np.deg2rad(rng.gauss(0, 5))
    u = np.float32([np.cos(turn), np.sin(turn)])
    v = np.float32([-u[1], u[0]])
    side = rng.choice(sides) * length * rng.uniform(0.9, 1.15)
    centre = quad.mean(axis=0) + rng.gauss(0, 0.04) * length * u + rng.gauss(0, 0.04) * length * v
    corners = np.float32([centre + side / 2 * (x * u + y * v) for x, y in [(-1, -1), (1, -1), (1, 1), (-1, 1)]])
    matrix = cv2.getPerspectiveTransform(corners, np.float32([[0, 0], [size, 0], [size, size], [0, size]]))
    shown = cv2.warpPerspective(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = [(kind, cv2.perspectiveTransform(np.float32(line)[None], matrix)[0]) for kind, line in lines]
    return shown, [(kind, line) for kind, line in moved if line.min() > -2 and line.max() < size + 2]


def degrade_scene(pixels: np.ndarray, rng: random.Random) -> np.ndarray:
    x = pixels.astype(np.float32)
    if rng.random() < 0.1:
        x = 255 - x
    x = 128 + (x - 128) * rng.uniform(0.6, 1.3) + rng.uniform(-40, 40)
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 0.9))
    if rng.random() < 0.2:
        size = x.shape[0]
        cx, cy, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(15, 90)
        yy, xx = np.mgrid[0:size, 0:size].astype(np.float32)
        x = x + rng.uniform(30, 160) * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * r * r))
    if rng.random() < 0.5:
        x = x + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 8), x.shape)
    return np.clip(x, 0, 255).astype(np.uint8)
