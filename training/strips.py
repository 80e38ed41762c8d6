"""Crops of text -> grey strips as the recogniser sees them: ground beside them, framing, light, blur, noise, JPEG."""

import random

import cv2
import numpy as np

from nets import Recognizer

STRIP_H, STRIP_W = Recognizer.height, Recognizer.width
# Strips are put together at this height, px, before they are framed.
LINE_H = 60
# Width of half a line in a strip, px.
HALF_W = 252


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


def tone_like(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The mean and spread of another crop."""
    spread = (like.std() + 4) / (pixels.std() + 4)
    return np.clip((pixels - pixels.mean()) * spread + like.mean(), 0, 255).astype(np.uint8)


def plain_strip(pixels: np.ndarray) -> np.ndarray:
    """A half line as the product would cut it, without any change, for validation."""
    crop = cv2.resize(pixels, (HALF_W, STRIP_H), interpolation=cv2.INTER_AREA)
    ground = np.repeat(crop[:, -4:].mean(axis=1, keepdims=True), STRIP_W - HALF_W, axis=1)
    return np.hstack([crop, ground.astype(np.uint8)])


def augment(pixels: np.ndarray, rng: random.Random, kind: type[Recognizer] = Recognizer) -> np.ndarray:
    """Any strip of 60 px height -> what a kind of recogniser learns from: framed loosely and tilted as a locator would, with
    light, blur, noise and JPEG."""
    h, w = pixels.shape
    dx, dy = 0.035 * w, 0.12 * h
    jitter = lambda s: rng.gauss(0, s)  # noqa: E731
    shift, tall, slope = jitter(dy * 0.7), rng.uniform(-0.08, 0.22) * h, jitter(dy * 0.5)
    # Corners of what the strip shows, in the crop's own pixels.
    corners = np.float32(
        [
            [-abs(jitter(dx)) + jitter(1.5), -tall / 2 + shift - slope + jitter(1)],
            [w + abs(jitter(dx)) + jitter(1.5), -tall / 2 + shift + slope + jitter(1)],
            [w + abs(jitter(dx)) + jitter(1.5), h + tall / 2 + shift + slope + jitter(1)],
            [-abs(jitter(dx)) + jitter(1.5), h + tall / 2 + shift - slope + jitter(1)],
        ]
    )
    lean = jitter(0.06) * h  # italics, or a corner quad that leans
    corners[:2, 0] += lean
    target = np.float32([[0, 0], [kind.width, 0], [kind.width, kind.height], [0, kind.height]])
    matrix = cv2.getPerspectiveTransform(corners, target)
    size = (kind.shown, kind.height)
    strip = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return degrade(strip, rng)


def degrade(strip: np.ndarray, rng: random.Random) -> np.ndarray:
    x = strip.astype(np.float32)
    height, width = x.shape
    if rng.random() < 0.25:
        x = 255 - x
    x = 128 + (x - 128) * rng.uniform(0.5, 1.3) + rng.uniform(-40, 40)
    if rng.random() < 0.3:  # a light that falls off along the line
        x = x * np.linspace(rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.3), width, dtype=np.float32)[None, :]
    if rng.random() < 0.12:  # a flash spot
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(15, 75)
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        x = x + rng.uniform(30, 160) * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * r * r))
    if rng.random() < 0.35:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:  # a low-resolution original
        f = rng.uniform(0.3, 0.9)
        small = cv2.resize(x, (int(width * f), int(height * f)), interpolation=cv2.INTER_AREA)
        x = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        x = x + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 12), x.shape)
    if rng.random() < 0.1:
        x0, wide = rng.randrange(width), rng.randint(3, 9)
        x[:, x0 : x0 + wide] = rng.uniform(0, 255)
    x = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 80)]
        x = cv2.imdecode(cv2.imencode(".jpg", x, quality)[1], cv2.IMREAD_GRAYSCALE)
    return x
