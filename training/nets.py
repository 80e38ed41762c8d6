"""The two networks of kahao, both plain 3x3 convolutions: they train and run faster on CPUs than depthwise ones.

Each takes grey pixels as floats 0..255 and normalises them itself, so that whoever runs a model has no constant
to copy. Facts a caller needs (alphabet, sizes, stride) are class attributes and travel in the exported file.
"""

import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, kernel=3, stride=1, padding=None) -> nn.Sequential:
    if padding is None:
        padding = (kernel // 2) if isinstance(kernel, int) else tuple(k // 2 for k in kernel)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit variance for each picture: body-coloured embossing has little contrast of its own."""
    centred = pixels - pixels.mean(dim=(2, 3), keepdim=True)
    variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
    return centred / torch.sqrt(variance + 4.0)


class Recognizer(nn.Module):
    """(N, 1, 32, 320) grey strip of one text line -> (N, 80, classes) log-probabilities by column (CTC)."""

    alphabet = " 0123456789/"  # class i + 1; class 0 is the CTC blank; the space is a printed gap
    blank = 0
    height, width, stride = 32, 320, 4

    def __init__(self):
        super().__init__()
        classes = len(self.alphabet) + 1
        self.body = nn.Sequential(
            conv(1, 24, stride=2),  # 16 x 160
            conv(24, 48),
            conv(48, 96, stride=2),  # 8 x 80
            conv(96, 96),
            conv(96, 96),
            conv(96, 128, stride=(2, 1)),  # 4 x 80
            conv(128, 128),
            conv(128, 192, kernel=(4, 1), padding=0),  # 1 x 80
        )
        # Neighbouring columns tell a 1 from the upright of a 4, and a gap from a worn digit.
        self.context = nn.ModuleList([conv(192, 192, kernel=(1, 5), padding=(0, 2)) for _ in range(2)])
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Conv2d(192, classes, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.body(normalise(pixels))
        for layer in self.context:
            x = x + layer(x)
        logits = self.head(self.dropout(x)).squeeze(2)  # N x classes x columns
        return F.log_softmax(logits.transpose(1, 2).float(), dim=2)


def encode(text: str) -> list[int]:
    return [Recognizer.alphabet.index(c) + 1 for c in text]


def decode_greedy(log_probs: torch.Tensor) -> list[str]:
    """Best class of each column, repeats and blanks removed."""
    texts = []
    for row in log_probs.argmax(2).tolist():
        kept = [c for i, c in enumerate(row) if c != 0 and (i == 0 or row[i - 1] != c)]
        texts.append("".join(Recognizer.alphabet[c - 1] for c in kept))
    return texts


class Locator(nn.Module):
    """(N, 1, 320, 320) grey letterboxed picture -> (N, 10, 40, 40): for each cell of 8 x 8 px

    channels 0..1   logits that the cell lies in a card number, in an expiry date
    channels 2..9   the four corners of that line (x, y in turn, from the text's own top-left, clockwise), as offsets
                    from the cell's centre in units of `offset_px`

    Every cell of a line votes for all four corners, so a line is found and turned the right way up at once.
    """

    kinds = ("number", "date")
    size, stride, offset_px = 320, 8, 64.0

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(1, 24, kernel=6, stride=4, padding=1), conv(24, 32))  # 80
        self.down8 = nn.Sequential(conv(32, 64, stride=2), conv(64, 64))  # 40
        self.down16 = nn.Sequential(conv(64, 96, stride=2), conv(96, 96))  # 20
        self.down32 = nn.Sequential(conv(96, 128, stride=2), conv(128, 128), conv(128, 128), conv(128, 96))  # 10
        self.up16 = conv(96, 64)
        self.side8 = conv(64, 64, kernel=1)
        self.up8 = conv(64, 64)
        self.head = nn.Conv2d(64, len(self.kinds) + 8, 1)
        nn.init.constant_(self.head.bias[: len(self.kinds)], -3.0)  # most cells are ground

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        at8 = self.down8(self.stem(normalise(pixels)))
        at16 = self.down16(at8)
        x = at16 + F.interpolate(self.down32(at16), scale_factor=2.0, mode="nearest")
        x = self.side8(at8) + F.interpolate(self.up16(x), scale_factor=2.0, mode="nearest")
        return self.head(self.up8(x))
