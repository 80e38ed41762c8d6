"""The networks of kahao, locators and recognisers, all plain 3x3 convolutions: they train and run faster on CPUs than
depthwise ones.

Each takes grey pixels as floats 0..255 and normalises them itself, so that whoever runs a model has no constant
to copy. Facts a caller needs (alphabet, sizes, stride) are class attributes and travel in the exported file.

Each comes in sizes that differ in the widths of their layers alone: `full`, and `small` with a quarter of its
multiplications; `medium` recognisers read dates and names, `medium` locators find names, cards and numbers in rows.
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


def normalise(pixels: torch.Tensor, area: int | None = None) -> torch.Tensor:
    """Zero mean and unit variance for each picture: body-coloured embossing has little contrast of its own. What a picture lacks
    of an `area`, in px, is counted as black."""
    shown = pixels.shape[2] * pixels.shape[3]
    area = shown if area is None else area
    mean = pixels.sum(dim=(2, 3), keepdim=True) / area
    centred = pixels - mean
    variance = ((centred * centred).sum(dim=(2, 3), keepdim=True) + (area - shown) * mean * mean) / area
    return centred / torch.sqrt(variance + 4.0)


class Recognizer(nn.Module):
    """(N, 1, 48, 480) grey strip of one text line -> (N, 80, classes) log-probabilities by column (CTC)."""

    alphabet = " 0123456789/"  # class i + 1; class 0 is the CTC blank; the space is a printed gap
    blank = 0
    drawn_by = "strips"  # command of kahao-synth
    height, width, stride = 48, 480, 6
    shown = width  # px of it in training
    widths = {"full": (24, 48, 96, 128, 192), "medium": (16, 32, 56, 88, 128), "small": (16, 24, 40, 64, 96)}

    def __init__(self, size: str = "full"):
        super().__init__()
        classes = len(self.alphabet) + 1
        a, b, c, d, e = self.widths[size]
        self.body = nn.Sequential(
            conv(1, a, kernel=5, stride=3),  # 16 x 160
            conv(a, b),
            conv(b, c, stride=2),  # 8 x 80
            conv(c, c),
            conv(c, c),
            conv(c, d, stride=(2, 1)),  # 4 x 80
            conv(d, d),
            conv(d, e, kernel=(4, 1), padding=0),  # 1 x 80
        )
        # Neighbouring columns tell a 1 from the upright of a 4, and a gap from a worn digit.
        self.context = nn.ModuleList([conv(e, e, kernel=(1, 5), padding=(0, 2)) for _ in range(2)])
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Conv2d(e, classes, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.body(normalise(pixels))
        for layer in self.context:
            x = x + layer(x)
        logits = self.head(self.dropout(x)).squeeze(2)  # N x classes x columns
        return F.log_softmax(logits.transpose(1, 2).float(), dim=2)


class DateRecognizer(Recognizer):
    """The same of dates alone, whose strips are narrower: 288 px for six times their height, and not stretched."""

    drawn_by = "date-strips"
    width, shown = 288, 240
    widths = {"full": Recognizer.widths["medium"]}


class HolderRecognizer(Recognizer):
    """The same of a holder's name."""

    alphabet = " ABCDEFGHIJKLMNOPQRSTUVWXYZ.-/'"
    drawn_by = "holder-strips"
    widths = {"full": Recognizer.widths["medium"]}


def encode(text: str, alphabet: str = Recognizer.alphabet) -> list[int]:
    return [alphabet.index(c) + 1 for c in text]


def decode_greedy(log_probs: torch.Tensor, alphabet: str = Recognizer.alphabet) -> list[str]:
    """Best class of each column, repeats and blanks removed."""
    texts = []
    for row in log_probs.argmax(2).tolist():
        kept = [c for i, c in enumerate(row) if c != 0 and (i == 0 or row[i - 1] != c)]
        texts.append("".join(alphabet[c - 1] for c in kept))
    return texts


class Locator(nn.Module):
    """(N, 1, 320, 320) grey letterboxed picture -> (N, 10, 40, 40): for each cell of 8 x 8 px; rows and columns of black that end
    it may be left out, to multiples of 32 px

    channels 0..1   logits that the cell lies in a card number, in an expiry date
    channels 2..9   the four corners of that line (x, y in turn, from the text's own top-left, clockwise), as offsets
                    from the cell's centre in units of `offset_px`

    Every cell of a line votes for all four corners, so a line is found and turned the right way up at once.
    """

    kinds = ("number", "date")
    drawn_by = "scenes"  # command of kahao-synth
    codes = (0, 1)  # of the kinds in its stream
    size, stride, offset_px = 320, 8, 64.0
    # The small ones are multiples of six: so many channels rten multiplies at once on x86-64.
    widths = {"full": (24, 32, 64, 96, 128, 64), "medium": (16, 24, 40, 64, 80, 40), "small": (12, 18, 30, 54, 66, 30)}

    def __init__(self, size: str = "full"):
        super().__init__()
        a, b, c, d, e, f = self.widths[size]
        self.stem = nn.Sequential(conv(1, a, kernel=6, stride=4, padding=1), conv(a, b))  # 80
        self.down8 = nn.Sequential(conv(b, c, stride=2), conv(c, c))  # 40
        self.down16 = nn.Sequential(conv(c, d, stride=2), conv(d, d))  # 20
        self.down32 = nn.Sequential(conv(d, e, stride=2), conv(e, e), conv(e, e), conv(e, d))  # 10
        self.up16 = conv(d, f)
        self.side8 = conv(c, f, kernel=1)
        self.up8 = conv(f, f)
        self.head = nn.Conv2d(f, len(self.kinds) + 8, 1)
        nn.init.constant_(self.head.bias[: len(self.kinds)], -3.0)  # most cells are ground

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        at8 = self.down8(self.stem(normalise(pixels, self.size * self.size)))
        at16 = self.down16(at8)
        x = at16 + F.interpolate(self.down32(at16), scale_factor=2.0, mode="nearest")
        x = self.side8(at8) + F.interpolate(self.up16(x), scale_factor=2.0, mode="nearest")
        return self.head(self.up8(x))


class HolderLocator(Locator):
    """(N, 1, 320, 320) grey square about a number -> (N, 9, 40, 40): the same of the holder's name."""

    kinds = ("holder",)
    drawn_by = "holder-looks"
    codes = (3,)
    widths = {"full": Locator.widths["medium"]}


class CardLocator(Locator):
    """(N, 1, 320, 320) grey square about a number -> (N, 9, 40, 40): the same of the card with that number, whose corners may lie
    outside the square."""

    kinds = ("card",)
    drawn_by = "card-looks"
    codes = (4,)
    widths = {"full": Locator.widths["medium"]}


class StackLocator(Locator):
    """(N, 1, 320, 320) grey letterboxed picture -> (N, 9, 40, 40): the same of a number in rows of four digits, all rows
    together."""

    kinds = ("stack",)
    drawn_by = "stack-scenes"
    codes = (5,)
    widths = {"full": Locator.widths["medium"]}


# By the names of their models.
NETS = {
    "recognizer": Recognizer,
    "locator": Locator,
    "recognizer-date": DateRecognizer,
    "recognizer-holder": HolderRecognizer,
    "locator-holder": HolderLocator,
    "locator-card": CardLocator,
    "locator-stack": StackLocator,
}
