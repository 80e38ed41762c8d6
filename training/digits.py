"""Numbers and dates put together of single real digits, cut out of half lines: half lines are few, and a network learns the
numbers on them by heart. Here no digit tells the next, and dates, which nobody labelled, have the light and wear of real ones.
"""

import random
from pathlib import Path

import cv2
import numpy as np

from nets import Recognizer, encode
from strips import HALF_W, LINE_H, blend_gap, fill_like, plain_strip, tone_like

# Digits in the groups of such numbers, with weights.
NUMBER_GROUPS = [
    ((4, 4, 4, 4), 6.0),
    ((4, 4, 4, 4, 3), 3.0),
    ((6, 13), 3.0),
    ((4, 4, 4, 7), 1.0),
    ((16,), 1.0),
    ((19,), 1.5),
    ((6, 6, 6), 0.5),
    ((4, 6, 5), 1.0),
]
# Share of numbers in which one digit is repeated as on specimens, and the shares of its places that it takes: with others among
# them, so that a 3 between eights is looked at.
REPEATED, REPEATS = 0.35, (0.5, 0.9)
# Share of dates that no calendar has, half of them of one digit: specimens say 88/88, and what knows months alone reads one into
# that.
IMPOSSIBLE = 0.1
# Share of dates of issue, which begin with the year.
ISSUED = 0.18


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
    dictionary from digit to its crops, as high as the half line, one pitch wide. And what stands in the gaps between groups."""

    # By how many columns a digit's middle lies right of the column that tells it, by eye on 120 digits.
    LATE = 0.6

    def __init__(self, halves: list[tuple[np.ndarray, str]]):
        net = cv2.dnn.readNetFromONNX(str(Path(__file__).parent / "../models/recognizer.onnx"))
        self.lines: list[dict[str, list[np.ndarray]]] = []
        self.gaps: list[np.ndarray] = []
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
            for at in (i for i, char in enumerate(text) if char == " " and 0 < i < len(text) - 1):
                before = len(text[:at].replace(" ", ""))
                left, right = (round(x) for x in (places[before - 1][0] + 0.52 * pitch, places[before][0] - 0.52 * pitch))
                if right - left >= 5:
                    self.gaps.append(pixels[:, left:right])
        self.varied = [line for line in self.lines if len(line) >= 4] or self.lines

    def crops(self, text: str, wide: float, rng: random.Random, line: dict | None = None) -> list[np.ndarray]:
        """A crop about `wide` px wide and 60 high for each character; those of what is no digit are to be replaced."""
        needed = set(text) - set("/ ")
        # Of a given line, or of that which has most of the digits: the others are borrowed and toned like it.
        line = line or max(rng.choices(self.lines, k=64), key=lambda line: len(needed & line.keys()))
        first = cv2.resize(next(iter(line.values()))[0], (36, LINE_H), interpolation=cv2.INTER_AREA)
        parts: list[np.ndarray] = []
        for char in text:
            if char not in needed:
                parts.append(parts[-1])
                continue
            own = line.get(char)
            while own is None:
                own = rng.choice(self.lines).get(char)
            crop = cv2.resize(rng.choice(own), (round(wide * rng.uniform(0.95, 1.05)), LINE_H), interpolation=cv2.INTER_AREA)
            crop = crop if char in line else tone_like(crop, first)
            parts.append(meet(crop, parts[-1]) if parts else crop)
        return parts

    def gap(self, before: np.ndarray, after: np.ndarray, width: int, rng: random.Random) -> np.ndarray:
        """What stands between two groups, at 60 px height: a gap of a real line, artwork and the like, or plain ground. Networks
        that knew plain ground alone read a digit into whatever else was there."""
        ground = blend_gap(before, after, width)
        kind = rng.random()
        if kind < 0.45 and self.gaps:
            real = cv2.resize(rng.choice(self.gaps), (width, LINE_H), interpolation=cv2.INTER_AREA).astype(np.float32)
            return np.clip(real - cv2.blur(real, (2 * width + 1, 1)) + ground, 0, 255).astype(np.uint8)
        if kind < 0.7:
            return clutter(ground, before if rng.random() < 0.5 else after, rng)
        return ground

    def number(self, rng: random.Random) -> tuple[np.ndarray, str]:
        """A number of such digits in groups, at 60 px height. Networks that knew half lines alone read 8888 where a 3 or 1
        stands among eights."""
        known = rng.choice(self.varied)
        common = "".join(known)
        sizes = rng.choices(NUMBER_GROUPS, [weight for _, weight in NUMBER_GROUPS])[0][0]
        # Mostly digits of one line, so that its light and wear go through.
        pool = common if rng.random() < 0.8 else "0123456789"
        repeated, repeats = rng.choice(common), rng.uniform(*REPEATS) if rng.random() < REPEATED else 0.0
        text = " ".join("".join(repeated if rng.random() < repeats else rng.choice(pool) for _ in range(size)) for size in sizes)
        wide = 528 / (len(text) - 0.2 * text.count(" "))
        parts = self.crops(text, wide, rng, known)
        gap = wide * rng.uniform(0.5, 1.2)
        for at, char in enumerate(text):
            if char == " ":
                parts[at] = self.gap(parts[at - 1], parts[at + 1], round(gap * rng.uniform(0.9, 1.1)), rng)
        pixels = np.hstack(parts)
        if rng.random() < 0.5:
            pixels = under_artwork(pixels, rng)
        return cv2.copyMakeBorder(pixels, 0, 0, rng.randint(3, 15), rng.randint(3, 15), cv2.BORDER_REPLICATE), text

    def date(self, rng: random.Random) -> tuple[np.ndarray, str]:
        """A date of such digits at 60 px height, with a drawn slash, on plain ground as wide as a strip shows of a short line.
        Nobody labelled real dates; these have the light and the wear of real ones, if not their narrower type."""
        month, is_issue = f"{rng.randint(1, 12):02}", rng.random() < ISSUED
        likely = (0, 25) if is_issue else (10, 49)
        year = f"{rng.randint(*likely) if rng.random() < 0.8 else rng.randint(0, 99):02}"
        text = f"20{year}/{month}" if is_issue else f"{month}/20{year}" if rng.random() < 0.15 else f"{month}/{year}"
        if not is_issue and rng.random() < IMPOSSIBLE / (1 - ISSUED):
            same, any_month = "dd/dd".replace("d", str(rng.randint(0, 9))), f"{rng.randint(13, 99)}/{rng.randint(0, 99):02}"
            text = same if rng.random() < 0.5 else any_month
        wide = rng.uniform(30, 50)
        parts = self.crops(text, wide, rng)
        at = text.index("/")
        parts[at] = slash(parts[at - 1], parts[at + 1], round(wide * rng.uniform(0.45, 0.95)), rng)
        pixels = np.hstack(parts)
        # A locator that takes what follows a date into its line leaves no ground before it.
        left = rng.randint(0, 15) if rng.random() < 0.15 else max(round(rng.gauss(130, 25)), 12)
        right = max(round(600 - left - pixels.shape[1] + rng.gauss(0, 30)), 12)
        ends = left, left + pixels.shape[1]
        smooth = cv2.GaussianBlur(pixels, (0, 0), 18)  # nothing of the digits in the ground beside them
        pixels = np.hstack([fill_like(smooth[:, ::-1], left, rng)[:, ::-1], pixels, fill_like(smooth, right, rng)])
        pixels = surround(pixels, *ends, is_issue, rng)
        if rng.random() < 0.6:  # dates are half as high as numbers
            f = rng.uniform(0.25, 0.75)
            small = cv2.resize(pixels, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(small, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return pixels, text


# As they stand left of dates, one word below the other; above them; and right of them.
LEFT_OF_DATES = [("VALID", "THRU"), ("GOOD", "THRU"), ("EXPIRES", "END"), ("VALID", "DATES"), ("VALID", "END"), ("UNTIL", "END")]
ABOVE_DATES = ["MONTH/YEAR", "MONTH / YEAR", "VALID DATES", "EXPIRES END", "VALID THRU", "MM/YY"]
RIGHT_OF_DATES = ["CCB HN", "VISA", "GOLD", "CV", "PLATINUM", "CN", "S", "UnionPay"]
CAPTION_FONTS = [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_TRIPLEX]


def surround(pixels: np.ndarray, left: int, right: int, is_issue: bool, rng: random.Random) -> np.ndarray:
    """A date, perhaps of issue, from `left` to `right` as it stands on a card: artwork behind it, captions and other texts about
    it, of which the strip shows a part, and it may run askew. Takes and gives a strip of the same size, of 60 px height."""
    h, w = pixels.shape
    above = 24
    card = cv2.copyMakeBorder(pixels, above, above, 0, 0, cv2.BORDER_REPLICATE).astype(np.float32)
    for rows in (slice(0, above), slice(h + above, h + 2 * above)):
        card[rows] = cv2.GaussianBlur(card[rows], (0, 0), 7.5)
    if rng.random() < 0.4:
        card += artwork(card.shape, rng)
    dark, light = np.percentile(pixels, [3, 97])
    caption = rng.choice([max(dark - 40, 0), min(light + 40, 255), rng.uniform(0, 255)])
    font, alpha = rng.choice(CAPTION_FONTS), rng.uniform(0.5, 1.5)

    def thickness(height: float) -> int:
        return max(round(height / 7), 1)

    def write(text: str, x: float, y: float, height: float, grey: float):
        """With the left end of its baseline at `x`, `y`, capitals of `height`, all in px of the card."""
        mask = np.zeros(card.shape, np.uint8)
        cv2.putText(mask, text, (round(x), round(y)), font, height / 21, 255, thickness(height), cv2.LINE_AA)
        ink = np.minimum(mask.astype(np.float32) / 255 * alpha, 1)
        np.copyto(card, card * (1 - ink) + grey * ink)

    def width(text: str, height: float) -> int:
        return cv2.getTextSize(text, font, height / 21, thickness(height))[0][0]

    if rng.random() < 0.55:
        height, first = rng.uniform(8, 13.5), above + rng.uniform(18, 36)
        words = rng.choice(LEFT_OF_DATES)
        x = left - max(map(lambda word: width(word, height), words)) - rng.uniform(-6, 33)
        for row, word in enumerate(words):
            write(word, x, first + row * height * rng.uniform(1.4, 1.6), height, caption)
    if rng.random() < 0.5:
        height, text = rng.uniform(7.5, 13), rng.choice(ABOVE_DATES)
        write(text, left + rng.uniform(-30, right - left - 30), above + rng.uniform(-3, 13.5), height, caption)
    if is_issue and rng.random() < 0.6:  # 2004/11 CN
        height = rng.uniform(24, 36)
        write("CN", right + rng.uniform(15, 40), above + 30 + height / 2 + rng.gauss(0, 1.5), height, rng.choice([dark, light]))
    elif rng.random() < 0.2:
        write(rng.choice(RIGHT_OF_DATES), right + rng.uniform(12, 105), above + rng.uniform(38, 57), rng.uniform(12, 33), caption)
    if rng.random() < 0.25:  # the holder's name below
        name = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ ", k=14))
        height = rng.uniform(21, 36)
        write(name, rng.uniform(-20, left), above + h + rng.uniform(0, 6) + height - 6, height, rng.choice([dark, light]))
    middle = ((left + right) / 2, above + h / 2)
    matrix = cv2.getRotationMatrix2D(middle, rng.gauss(0, 1.6), 1.0)
    matrix[1, 2] += rng.gauss(0, 3.0)
    card = cv2.warpAffine(card, matrix, (w, h + 2 * above), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(card[above : above + h], 0, 255).astype(np.uint8)


def clutter(ground: np.ndarray, digit: np.ndarray, rng: random.Random) -> np.ndarray:
    """A gap with what may be taken for a digit: artwork, a dash or bar as dark and light as a neighbour, or a piece of that."""
    h, w = ground.shape
    kind = rng.random()
    if kind < 0.4:
        field = artwork((h, 3 * w), rng)[:, w : 2 * w] + artwork((h, 2 * w), rng)[:, w // 2 : w // 2 + w]
        return np.clip(ground + field, 0, 255).astype(np.uint8)
    if kind < 0.7:
        x, y, reach = rng.uniform(0.3, 0.7) * w, rng.uniform(0.3, 0.7) * h, rng.uniform(0.15, 0.4)
        dx, dy = (reach * w, rng.gauss(0, 1)) if rng.random() < 0.7 else (rng.gauss(0, 2), 1.6 * reach * h)
        pixels = ground.copy()
        stroke(pixels, [(x - dx, y - dy), (x + dx, y + dy)], digit, (2, 2), [2, 3, 4, 6], rng)
        return pixels
    # A third of a digit, so that nobody could tell which.
    piece = cv2.GaussianBlur(digit, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.5:
        top = rng.choice([0, 2 * h // 3])
        piece = piece[top : top + h // 3]
    else:
        piece = piece[:, : max(digit.shape[1] // 3, 2)]
    piece = piece[:, ::-1] if rng.random() < 0.5 else piece
    piece, pixels = piece[:, :w], ground.copy()
    x, y = rng.randint(0, w - piece.shape[1]), rng.randint(0, h - piece.shape[0])
    pixels[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
    return cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 1.2))


def artwork(shape: tuple[int, int], rng: random.Random) -> np.ndarray:
    """Edges, lines, rings, grids, mirror balls and gleams to be added to a picture's greys."""
    h, w = shape
    field = np.zeros(shape, np.float32)
    strongest = 50 if rng.random() < 0.7 else 130
    for _ in range(rng.randint(1, 4)):
        shade = rng.choice([-1, 1]) * rng.uniform(5, strongest)
        mask = np.zeros(shape, np.uint8)
        x, y = rng.uniform(0, w), rng.uniform(-0.5 * h, 1.5 * h)
        kind = rng.random()
        if kind < 0.3:  # a shape's edge
            corners = [[x + rng.gauss(0, 60), -5], [w + 5, -5], [w + 5, h + 5], [x + rng.gauss(0, 60), h + 5]]
            cv2.fillPoly(mask, [np.int32(corners)], 255, cv2.LINE_AA)
        elif kind < 0.55:
            end = round(x + rng.gauss(0, 135)), round(y + rng.gauss(0, 90))
            cv2.line(mask, (round(x), round(y)), end, 255, rng.choice([1, 2, 3, 4, 7]), cv2.LINE_AA)
        elif kind < 0.72:
            axes = rng.randint(12, 180), rng.randint(12, 90)
            thick = rng.choice([-1, 1, 3, 4])
            cv2.ellipse(mask, (round(x), round(y)), axes, rng.uniform(0, 180), 0, 360, 255, thick, cv2.LINE_AA)
        elif kind < 0.82:  # a building's windows
            step, lean, thick = rng.uniform(7, 24), rng.gauss(0, 18), rng.choice([1, 2, 3])
            wide = rng.uniform(60, 240)
            for at in np.arange(x - wide, x + wide, step):
                cv2.line(mask, (round(at), 0), (round(at + lean), h), 255, thick, cv2.LINE_AA)
            for at in np.arange(rng.uniform(0, step), h, step * rng.uniform(0.7, 1.3)):
                cv2.line(mask, (round(x - wide), round(at)), (round(x + wide), round(at - lean / 4)), 255, thick, cv2.LINE_AA)
        elif kind < 0.92:  # a mirror ball: each of its panes in a light of its own
            step, axes = rng.uniform(5, 16), np.int32([rng.randint(30, 130), rng.randint(25, 90)])
            lights = np.random.default_rng(rng.getrandbits(32)).integers(
                0, 256, np.maximum(2 * axes[::-1] // step, 2).astype(int)
            )
            panes = np.zeros(shape, np.uint8)
            to_place = np.float32([[step, rng.gauss(0, 1), x - axes[0]], [rng.gauss(0, 1), step, y - axes[1]]])
            cv2.warpAffine(lights.astype(np.uint8), to_place, (w, h), panes, cv2.INTER_NEAREST)
            cv2.ellipse(mask, (round(x), round(y)), axes.tolist(), 0, 0, 360, 255, -1, cv2.LINE_AA)
            mask = np.minimum(mask, panes)
        else:  # a gleam
            reach = rng.uniform(7, 27)
            y = rng.uniform(0, h)
            for dx, dy in ((reach, 0), (0, reach)):
                cv2.line(mask, (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy)), 255, 1, cv2.LINE_AA)
            cv2.circle(mask, (round(x), round(y)), rng.randint(1, 6), 255, -1, cv2.LINE_AA)
        field += cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2.2)).astype(np.float32) / 255 * shade
    return field


def under_artwork(pixels: np.ndarray, rng: random.Random) -> np.ndarray:
    return np.clip(pixels + artwork(pixels.shape, rng), 0, 255).astype(np.uint8)


def meet(pixels: np.ndarray, before: np.ndarray) -> np.ndarray:
    """A crop in another light, so that its ground nearly meets that of the crop before it. Digits leave the corners bare."""
    grounds = [float(np.median(np.vstack([side[:6], side[-6:]]))) for side in (before[:, -5:], pixels[:, :5])]
    return np.clip(pixels.astype(np.float32) + 0.75 * (grounds[0] - grounds[1]), 0, 255).astype(np.uint8)


def slash(left: np.ndarray, right: np.ndarray, width: int, rng: random.Random) -> np.ndarray:
    """A slash on the ground between two digits, flat or in relief, in their own greys."""
    pixels = blend_gap(left, right, width)
    top, bottom = rng.uniform(12, 20), rng.uniform(40, 48)
    lean = rng.uniform(0.25, 0.42) * width
    ends = [(width / 2 - lean, bottom), (width / 2 + lean, top)]
    stroke(pixels, ends, np.hstack([left, right]), (2.2, 1.5), [2, 3, 3, 4], rng)
    return pixels


def stroke(
    pixels: np.ndarray,
    ends: list[tuple[float, float]],
    like: np.ndarray,
    beside: tuple[float, float],
    widths: list[int],
    rng: random.Random,
):
    """Draws a stroke in the greys of digits; in relief it is two, the second so far `beside` the first, px."""
    dark, light = (float(grey) for grey in np.percentile(like, [4, 96]))
    for i, grey in enumerate(rng.choice([[light], [dark], [light, dark], [dark, light]])):
        # In sixteenths of px.
        start, end = ((round(16 * (x + i * beside[0])), round(16 * (y + i * beside[1]))) for x, y in ends)
        cv2.line(pixels, start, end, grey, rng.choice(widths), cv2.LINE_AA, shift=4)
