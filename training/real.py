"""Real strips and scenes for training and validation, read from a folder that is never committed.

A fifth of every set is validation: those whose running number in the file name divides by 5. That rule does not change.
"""

import csv
import random
from pathlib import Path

import cv2
import numpy as np

from nets import Recognizer, encode

STRIP_H, STRIP_W = Recognizer.height, Recognizer.width
# Width of half a line in a strip, px.
HALF_W = 168
# Share of dates among real strips.
DATES = 0.3


def is_validation(file: str) -> bool:
    return int(file[:4]) % 5 == 0


def load_strips(folder: Path, name: str, validation: bool) -> list[tuple[np.ndarray, str]]:
    """Grey crops of part of a number line with their text; a gap is a space."""
    strips = []
    with open(folder / f"{name}.csv", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if is_validation(row["file"]) == validation:
                pixels = cv2.imread(str(folder / name / row["file"]), cv2.IMREAD_GRAYSCALE)
                strips.append(
                    (pixels, row["label"].replace("_", " ").strip() if name == "halves" else row["label"].replace("_", " "))
                )
    assert strips, f"no strips in {folder / name}"
    return strips


def rarity(text: str) -> float:
    """Weight of a strip in the draw: sample cards print 8888 8888, which would be a third of all."""
    most = max(text.count(d) for d in "0123456789")
    return 0.15 if most >= 6 else 0.5 if most >= 4 else 1.0


def fill_like(pixels: np.ndarray, width: int, rng: random.Random) -> np.ndarray:
    """A stretch of plain ground that continues the right edge of a crop."""
    edge = pixels[:, -4:].mean(axis=1, keepdims=True)
    ground = np.repeat(edge, width, axis=1)
    drift = np.linspace(0, rng.uniform(-40, 40), width)[None, :]
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0, 6), ground.shape)
    return np.clip(ground + drift + noise, 0, 255).astype(np.uint8)


def blend_gap(left: np.ndarray, right: np.ndarray, width: int) -> np.ndarray:
    ramp = np.linspace(0, 1, max(width, 1))[None, :]
    a = left[:, -3:].mean(axis=1, keepdims=True)
    b = right[:, :3].mean(axis=1, keepdims=True)
    return (a * (1 - ramp) + b * ramp).astype(np.uint8)


def columns_of(log_probs: np.ndarray, codes: list[int]) -> list[float]:
    """The mean column of each code on the likeliest CTC path through (columns, classes) that says them all (Viterbi)."""
    states = [Recognizer.blank]
    for code in codes:
        states += [code, Recognizer.blank]
    emitted = log_probs[:, states]
    skips = np.array([i > 1 and states[i] != Recognizer.blank and states[i] != states[i - 2] for i in range(len(states))])
    best = np.full(len(states), -np.inf)
    best[:2] = emitted[0, :2]
    steps = []
    for row in emitted[1:]:
        stay, one = best, np.concatenate([[-np.inf], best[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)
        ways = np.stack([stay, one, two])
        steps.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + row
    state = len(states) - 1 if best[-1] > best[-2] else len(states) - 2
    path = [state]
    for step in reversed(steps):
        state -= int(step[state])
        path.append(state)
    path = np.array(path[::-1])
    return [float(np.flatnonzero(path == 2 * i + 1).mean()) for i in range(len(codes))]


class Digits:
    """Real digits, cut one by one out of half lines: the committed recogniser tells where each stands. For each half line a
    dictionary from digit to its crops, as high as the half line, one pitch wide."""

    # By how many columns a digit's middle lies right of the column that tells it, by eye on 120 digits.
    LATE = 0.6

    def __init__(self, halves: list[tuple[np.ndarray, str]]):
        net = cv2.dnn.readNetFromONNX(str(Path(__file__).parent / "../models/recognizer.onnx"))
        self.lines: list[dict[str, list[np.ndarray]]] = []
        for pixels, text in halves:
            strip = plain_strip(pixels)
            net.setInput(strip.astype(np.float32)[None, None])
            columns = columns_of(net.forward()[0], encode(text))
            shown = Recognizer.stride / HALF_W * pixels.shape[1]
            places = [((c + 0.5 + self.LATE) * shown, d) for c, d in zip(columns, text, strict=True) if d != " "]
            if len(places) < 3:
                continue
            steps = np.diff([x for x, _ in places])
            pitch = float(np.median(steps[steps < 1.4 * np.median(steps)]))
            line: dict[str, list[np.ndarray]] = {}
            for x, digit in places:
                left, right = round(x - 0.48 * pitch), round(x + 0.48 * pitch)
                if left >= 0 and right <= pixels.shape[1] and right - left >= 5:
                    line.setdefault(digit, []).append(pixels[:, left:right])
            if line:
                self.lines.append(line)

    def date(self, rng: random.Random) -> tuple[np.ndarray, str]:
        """A date of such digits at 40 px height, with a drawn slash, on plain ground as wide as a strip shows of a short line.
        Nobody labelled real dates; these have the light and the wear of real ones, if not their narrower type."""
        month = f"{rng.randint(1, 12):02}"
        year = f"{rng.randint(10, 49):02}" if rng.random() < 0.8 else f"{rng.randint(0, 99):02}"
        text = rng.choices([f"{month}/{year}", f"{month}/20{year}", f"20{year}/{month}"], [85, 8, 7])[0]
        needed = set(text) - {"/"}
        # The line that has most of the digits: the others are borrowed and toned like it.
        line = max(rng.choices(self.lines, k=16), key=lambda line: len(needed & line.keys()))
        first = cv2.resize(next(iter(line.values()))[0], (24, 40), interpolation=cv2.INTER_AREA)
        wide = rng.uniform(20, 30)
        parts: list[np.ndarray] = []
        for char in text:
            if char == "/":
                parts.append(first)  # until its neighbours are known
                continue
            own = line.get(char)
            while own is None:
                own = rng.choice(self.lines).get(char)
            crop = cv2.resize(rng.choice(own), (round(wide * rng.uniform(0.95, 1.05)), 40), interpolation=cv2.INTER_AREA)
            parts.append(crop if char in line else tone_like(crop, first))
        at = text.index("/")
        parts[at] = slash(parts[at - 1], parts[at + 1], round(wide * rng.uniform(0.45, 0.95)), rng)
        pixels = np.hstack(parts)
        left = max(round(rng.gauss(100, 14)), 8)
        right = max(round(400 - left - pixels.shape[1] + rng.gauss(0, 20)), 8)
        pixels = np.hstack([fill_like(pixels[:, ::-1], left, rng)[:, ::-1], pixels, fill_like(pixels, right, rng)])
        if rng.random() < 0.5:  # dates are half as high as numbers
            f = rng.uniform(0.35, 0.8)
            small = cv2.resize(pixels, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(small, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return pixels, text


def slash(left: np.ndarray, right: np.ndarray, width: int, rng: random.Random) -> np.ndarray:
    """A slash on the ground between two digits, flat or in relief, in their own greys."""
    pixels = blend_gap(left, right, width)
    dark, light = np.percentile(np.hstack([left, right]), [4, 96])
    strokes = rng.choice([[light], [dark], [light, dark], [dark, light]])
    top, bottom = rng.uniform(8, 13), rng.uniform(27, 32)
    lean = rng.uniform(0.25, 0.42) * width
    for i, grey in enumerate(strokes):
        ends = [(width / 2 + dx + 1.5 * i, y + i) for dx, y in ((-lean, bottom), (lean, top))]
        (x0, y0), (x1, y1) = [(round(x * 16), round(y * 16)) for x, y in ends]
        cv2.line(pixels, (x0, y0), (x1, y1), float(grey), rng.choice([1, 2, 2, 3]), cv2.LINE_AA, shift=4)
    return pixels


class StripMixer:
    """Draws training strips from real crops: one half line alone, two joined, four groups joined, or a date of real digits."""

    def __init__(self, folder: Path, seed: int):
        self.rng = random.Random(seed)
        self.halves = load_strips(folder, "halves", validation=False)
        self.groups = load_strips(folder, "groups", validation=False)
        self.digits = Digits(self.halves)
        self.half_weights = [rarity(t) for _, t in self.halves]
        self.group_weights = [1.0 if len(set(t)) > 1 else 0.4 for _, t in self.groups]

    def half(self) -> tuple[np.ndarray, str]:
        pixels, text = self.rng.choices(self.halves, self.half_weights)[0]
        return cv2.resize(pixels, (int(176 * self.rng.uniform(0.8, 1.05)), 40), interpolation=cv2.INTER_AREA), text

    def draw(self) -> tuple[np.ndarray, str]:
        """A strip at about 40 px height with free width, and its text."""
        rng = self.rng
        if rng.random() < DATES:
            return self.digits.date(rng)
        kind = rng.random()
        if kind < 0.3:
            pixels, text = self.half()
            rest = fill_like(pixels, max(352 - pixels.shape[1], 8), rng)
            return np.hstack([pixels, rest] if rng.random() < 0.5 else [rest, pixels]), text
        if kind < 0.8:
            (a, text_a), (b, text_b) = self.half(), self.half()
            b = match_tone(b, a, rng)
            gap = blend_gap(a, b, rng.randint(8, 20))
            return np.hstack([a, gap, b]), f"{text_a} {text_b}"
        count = rng.choice([3, 4, 4, 4, 5])
        width = int(330 / max(count, 4) * rng.uniform(0.9, 1.05))
        crops, text = [], ""
        for pixels, label in rng.choices(self.groups, self.group_weights, k=count):
            crop = cv2.resize(pixels, (width, 34), interpolation=cv2.INTER_AREA)
            crops.append(match_tone(crop, crops[0], rng) if crops else crop)
            text += label
        pixels = np.hstack(crops)
        if pixels.shape[1] < 340:
            pixels = np.hstack([pixels, fill_like(pixels, 340 - pixels.shape[1], rng)])
        return cv2.copyMakeBorder(pixels, 4, 4, 4, 4, cv2.BORDER_REPLICATE), " ".join(text.split())


def match_tone(pixels: np.ndarray, like: np.ndarray, rng: random.Random) -> np.ndarray:
    """Sometimes shifts mean and spread to those of a neighbour, so that a seam is no clue."""
    return pixels if rng.random() < 0.5 else tone_like(pixels, like)


def tone_like(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The mean and spread of another crop."""
    spread = (like.std() + 4) / (pixels.std() + 4)
    return np.clip((pixels - pixels.mean()) * spread + like.mean(), 0, 255).astype(np.uint8)


def plain_strip(pixels: np.ndarray) -> np.ndarray:
    """A half line as the product would cut it, without any change, for validation."""
    crop = cv2.resize(pixels, (HALF_W, STRIP_H), interpolation=cv2.INTER_AREA)
    ground = np.repeat(crop[:, -4:].mean(axis=1, keepdims=True), STRIP_W - HALF_W, axis=1)
    return np.hstack([crop, ground.astype(np.uint8)])


def augment(pixels: np.ndarray, rng: random.Random) -> np.ndarray:
    """Any strip -> 32 x 320, framed loosely and tilted as a locator would, with light, blur, noise and JPEG."""
    h, w = pixels.shape
    dx, dy = 0.035 * w, 0.12 * h
    jitter = lambda s: rng.gauss(0, s)  # noqa: E731
    shift, tall, slope = jitter(dy * 0.7), rng.uniform(-0.08, 0.22) * h, jitter(dy * 0.5)
    # Corners of what the strip shows, in the crop's own pixels.
    corners = np.float32(
        [
            [-abs(jitter(dx)) + jitter(1), -tall / 2 + shift - slope + jitter(0.7)],
            [w + abs(jitter(dx)) + jitter(1), -tall / 2 + shift + slope + jitter(0.7)],
            [w + abs(jitter(dx)) + jitter(1), h + tall / 2 + shift + slope + jitter(0.7)],
            [-abs(jitter(dx)) + jitter(1), h + tall / 2 + shift - slope + jitter(0.7)],
        ]
    )
    lean = jitter(0.06) * h  # italics, or a corner quad that leans
    corners[:2, 0] += lean
    target = np.float32([[0, 0], [STRIP_W, 0], [STRIP_W, STRIP_H], [0, STRIP_H]])
    matrix = cv2.getPerspectiveTransform(corners, target)
    strip = cv2.warpPerspective(pixels, matrix, (STRIP_W, STRIP_H), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return degrade(strip, rng)


def degrade(strip: np.ndarray, rng: random.Random) -> np.ndarray:
    x = strip.astype(np.float32)
    if rng.random() < 0.25:
        x = 255 - x
    x = 128 + (x - 128) * rng.uniform(0.5, 1.3) + rng.uniform(-40, 40)
    if rng.random() < 0.3:  # a light that falls off along the line
        x = x * np.linspace(rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.3), STRIP_W, dtype=np.float32)[None, :]
    if rng.random() < 0.12:  # a flash spot
        cx, cy, r = rng.uniform(0, STRIP_W), rng.uniform(0, STRIP_H), rng.uniform(10, 50)
        yy, xx = np.mgrid[0:STRIP_H, 0:STRIP_W].astype(np.float32)
        x = x + rng.uniform(30, 160) * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * r * r))
    if rng.random() < 0.35:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.1))
    if rng.random() < 0.15:  # a low-resolution original
        f = rng.uniform(0.45, 0.9)
        small = cv2.resize(x, (int(STRIP_W * f), int(STRIP_H * f)), interpolation=cv2.INTER_AREA)
        x = cv2.resize(small, (STRIP_W, STRIP_H), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        x = x + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 12), x.shape)
    if rng.random() < 0.1:
        x0, width = rng.randrange(STRIP_W), rng.randint(2, 6)
        x[:, x0 : x0 + width] = rng.uniform(0, 255)
    x = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 80)]
        x = cv2.imdecode(cv2.imencode(".jpg", x, quality)[1], cv2.IMREAD_GRAYSCALE)
    return x


# The labelled boxes of scenes are loose: shares of their height and width that the text itself takes, by eye on 40 of them.
BOX_TEXT_HEIGHT, BOX_TEXT_WIDTH = 0.66, 0.975
BOX_MIN_ASPECT = 7.3


def load_scenes(folder: Path, validation: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """(grey picture, 4 x 2 corners of the number line in px), upright cards only."""
    scenes = []
    with open(folder / "scenes.csv", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if is_validation(row["file"]) != validation:
                continue
            pixels = cv2.imread(str(folder / "scenes" / row["file"]), cv2.IMREAD_GRAYSCALE)
            x0, y0, x1, y1 = (float(row[k]) for k in ("x0", "y0", "x1", "y1"))
            if (x1 - x0) / (y1 - y0) < BOX_MIN_ASPECT:
                continue  # the upright box of a tilted card says too little about its line
            dx, dy = (x1 - x0) * (1 - BOX_TEXT_WIDTH) / 2, (y1 - y0) * (1 - BOX_TEXT_HEIGHT) / 2
            quad = np.float32([[x0 + dx, y0 + dy], [x1 - dx, y0 + dy], [x1 - dx, y1 - dy], [x0 + dx, y1 - dy]])
            scenes.append((pixels, quad))
    assert scenes, f"no scenes in {folder}"
    return scenes


def warp_scene(
    pixels: np.ndarray, quad: np.ndarray, size: int, rng: random.Random, turn: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A real scene turned, tilted, zoomed and cropped into size x size, its line staying inside."""
    h, w = pixels.shape
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
        matrix, placed = np.eye(3), quad
    border = rng.choice([cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT])
    shown = cv2.warpPerspective(
        pixels, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=border, borderValue=rng.choice([0, 0, 128, 255])
    )
    if rng.random() < 0.5:  # letterboxed, as a picture that is not square is
        keep = max(int(size * rng.uniform(0.56, 1.0)), int(np.ceil(placed[:, 1].max())) + 2)
        shown[keep:] = 0
    return shown, placed


def look_again(
    pixels: np.ndarray, lines: list[tuple[int, np.ndarray]], size: int, rng: random.Random
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]] | None:
    """A drawn scene as the reader sees it the second time: close about a number line that was told roughly, as upright as it,
    the picture's edge repeated beyond it (locate.rs). None without a number line, or with one that is too small."""
    numbers = [quad for kind, quad in lines if kind == 0]
    if not numbers:
        return None
    quad = rng.choice(numbers)
    along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    length = float(np.linalg.norm(along))
    if length < size / 3:
        return None  # enlarged more than twice it would be blurred as no photograph is
    turn = np.arctan2(along[1], along[0]) + np.deg2rad(rng.gauss(0, 5))
    u = np.float32([np.cos(turn), np.sin(turn)])
    v = np.float32([-u[1], u[0]])
    # The views of locate.rs: about the card, about the line, below the line for its dates.
    lengths, right, down = rng.choice([(1.5, 0, 0), (1.5, 0, 0), (1.2, 0, 0), (0.8, -0.12, 0.3)])
    side = lengths * length * rng.uniform(0.9, 1.15)
    centre = quad.mean(axis=0) + (right + rng.gauss(0, 0.04)) * length * u + (down + rng.gauss(0, 0.04)) * length * v
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
