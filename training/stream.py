"""Reads what `kahao-synth` streams: strips and scenes as binary records, no files."""

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def open_stream(command: list[str]) -> Iterator:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 20)
    return process.stdout


def read_exactly(pipe, count: int) -> bytes:
    data = pipe.read(count)
    if len(data) != count:
        raise EOFError("kahao-synth ended before its record did")
    return data


def read_strips(synth: Path, seed: int, of: str = "strips") -> Iterator[tuple[np.ndarray, str]]:
    """Endless (strip uint8, text). Record: u16 height, u16 width, u16 text bytes, pixels, text; little-endian. `of` is the
    command that draws them: strips, date-strips or holder-strips; their size is that of what reads them (nets.py)."""
    pipe = open_stream([str(synth), of, "--seed", str(seed)])
    while True:
        height, width, length = struct.unpack("<HHH", read_exactly(pipe, 6))
        pixels = np.frombuffer(read_exactly(pipe, height * width), np.uint8).reshape(height, width)
        yield pixels, read_exactly(pipe, length).decode()


def read_scenes(
    synth: Path, seed: int, side: int = 320, of: str = "scenes"
) -> Iterator[tuple[np.ndarray, list[tuple[int, np.ndarray]]]]:
    """Endless (scene uint8, [(kind, 4 x 2 corners in px)]). Record: u16 height, u16 width, u16 lines, pixels, then for each
    line u16 kind and 8 x f32; little-endian. `of` is the command that draws them: scenes or holder-looks."""
    pipe = open_stream([str(synth), of, "--seed", str(seed), "--side", str(side)])
    while True:
        height, width, count = struct.unpack("<HHH", read_exactly(pipe, 6))
        pixels = np.frombuffer(read_exactly(pipe, height * width), np.uint8).reshape(height, width)
        lines = []
        for _ in range(count):
            (kind,) = struct.unpack("<H", read_exactly(pipe, 2))
            lines.append((kind, np.frombuffer(read_exactly(pipe, 32), np.float32).reshape(4, 2)))
        yield pixels, lines
