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


def read_strips(synth: Path, seed: int) -> Iterator[tuple[np.ndarray, str]]:
    """Endless (strip 32 x 320 uint8, text). Record: u16 height, u16 width, u16 text bytes, pixels, text; little-endian."""
    pipe = open_stream([str(synth), "strips", "--seed", str(seed)])
    while True:
        height, width, length = struct.unpack("<HHH", read_exactly(pipe, 6))
        pixels = np.frombuffer(read_exactly(pipe, height * width), np.uint8).reshape(height, width)
        yield pixels, read_exactly(pipe, length).decode()
