"""Tests of the training scripts' data code; without numpy, cv2, onnx and torch they say so and end well.

python test_data.py
python test_data.py --synth ../target/release/kahao-synth      (also reads its streams)
"""

import argparse
import itertools
import random
import re
import sys
import threading
import unittest
from pathlib import Path

try:
    import cv2  # noqa: F401
    import numpy as np
    import onnx  # noqa: F401
    import torch
except ImportError as error:
    print(f"data code not tested: {error} (see training/README.md)")
    sys.exit(0)

import real
import train_details
import train_locator
import train_recognizer
from blend import blended
from digits import NUMBER_GROUPS, Digits, clutter, columns_of
from export import round_weights, steps_of
from import_onnx import convolutions, in_order, thinned
from nets import (
    CardLocator,
    DateRecognizer,
    HolderLocator,
    HolderRecognizer,
    Locator,
    Recognizer,
    StackLocator,
    decode_greedy,
    encode,
    normalise,
)
from pool import Pool
from stream import read_scenes, read_strips
from strips import LINE_H, augment
from train_locator import CELLS, Teacher, find_lines, letterbox

SYNTH: Path | None = None


def turned(quad: np.ndarray, degrees: float) -> np.ndarray:
    """A quad turned clockwise about the middle of the locator's picture."""
    a = np.deg2rad(degrees)
    rotation = np.float32([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    middle = np.float32([Locator.size / 2, Locator.size / 2])
    return ((quad - middle) @ rotation.T + middle).astype(np.float32)


def batch_of(*pictures: list[tuple[int, np.ndarray]], dates_known: bool = True) -> list[torch.Tensor]:
    """Grey pictures with these lines, as the training takes them."""
    grey = np.full((Locator.size, Locator.size), 90, np.uint8)
    return train_locator.collate([(grey, lines, dates_known) for lines in pictures])


def targets(lines: list[tuple[int, np.ndarray]], dates_known: bool = True, codes: tuple[int, ...] = Locator.codes) -> np.ndarray:
    """What is wanted of a picture with these lines."""
    return train_locator.targets(*batch_of(lines, dates_known=dates_known)[1:], codes)[0].numpy()


def as_output(target: np.ndarray, kinds: int = len(Locator.kinds)) -> np.ndarray:
    """What a perfect network would answer: masks as logits, offsets as they are."""
    return np.concatenate([(target[:kinds] - 0.5) * 20, target[kinds : kinds + 8]])


NUMBER = np.float32([[60, 150], [260, 150], [260, 172], [60, 172]])
DATE = np.float32([[120, 200], [180, 200], [180, 212], [120, 212]])


class Texts(unittest.TestCase):
    def columns(self, classes: list[int]) -> torch.Tensor:
        log_probs = torch.full((1, len(classes), len(Recognizer.alphabet) + 1), -9.0)
        log_probs[0, torch.arange(len(classes)), torch.tensor(classes)] = 0.0
        return log_probs

    def test_texts_come_back_from_their_codes(self):
        for text in ("0123 4567/89", "1122 3000", "12/49"):
            separated = list(itertools.chain.from_iterable((code, Recognizer.blank) for code in encode(text)))
            self.assertEqual(decode_greedy(self.columns(separated)), [text])

    def test_repeats_are_one_character_unless_a_blank_parts_them(self):
        (eight,) = encode("8")
        self.assertEqual(decode_greedy(self.columns([0, eight, eight, 0])), ["8"])
        self.assertEqual(decode_greedy(self.columns([eight, 0, eight])), ["88"])
        self.assertEqual(decode_greedy(self.columns([0, 0])), [""])

    def test_codes_are_unique_and_leave_the_blank_alone(self):
        codes = encode(Recognizer.alphabet)
        self.assertEqual(len(set(codes)), len(Recognizer.alphabet))
        self.assertNotIn(Recognizer.blank, codes)


class SingleDigits(unittest.TestCase):
    def printed(self, text: str) -> np.ndarray:
        """Half a line as the crops of real ones look, in OpenCV's own digits."""
        pixels = np.full((96, 560), 190, np.uint8)
        cv2.putText(pixels, text, (10, 70), cv2.FONT_HERSHEY_DUPLEX, 2.0, 30, 6, cv2.LINE_AA)
        return pixels

    def test_columns_are_those_of_the_likeliest_path(self):
        log_probs = np.full((10, 4), -9.0)
        for column, code in enumerate([0, 2, 2, 0, 0, 2, 0, 3, 3, 3]):
            log_probs[column, code] = 0.0
        self.assertEqual(columns_of(log_probs, [2, 2, 3]), [1.5, 5.0, 8.0])
        # What the text lacks is passed over, what the columns lack is found where it costs least.
        log_probs[5, 1] = -1.0
        self.assertEqual(columns_of(log_probs, [2, 1, 3]), [1.5, 5.0, 8.0])

    def test_digits_are_cut_where_they_stand(self):
        (line,) = Digits([(self.printed("6205 8811"), "6205 8811")]).lines
        self.assertEqual(set(line), set("62058") | set("1"))
        ink = {digit: np.mean([(crop < 110).mean() for crop in crops]) for digit, crops in line.items()}
        self.assertEqual(min(ink, key=ink.get), "1")
        for crop in line["0"]:
            columns = np.flatnonzero((crop < 110).any(axis=0))
            self.assertLess(abs(columns.mean() / crop.shape[1] - 0.5), 0.15, "the digit is in the middle of its crop")

    def test_gaps_are_cut_where_they_stand_and_filled(self):
        # A bar in the gap, no digit.
        line = self.printed("0123  4567")
        line[:, 175:183] = 30
        digits = Digits([(line, "0123 4567")])
        (gap,) = digits.gaps
        dark = np.flatnonzero((gap < 110).mean(axis=0) > 0.9)
        self.assertEqual(len(dark), 8)
        self.assertGreater(gap.shape[1], 15)
        ground = np.full((LINE_H, 24), 190, np.uint8)
        digit = cv2.resize(digits.lines[0]["0"][0], (24, LINE_H))
        kinds, shows = set(), []
        for seed in range(60):
            filled = digits.gap(ground, ground, 24, random.Random(seed))
            self.assertEqual((filled.shape, filled.dtype), (ground.shape, np.uint8))
            np.testing.assert_array_equal(filled, digits.gap(ground, ground, 24, random.Random(seed)))
            kinds.add("plain" if np.ptp(filled) < 3 else "real" if (filled < 110).mean(axis=0).max() > 0.9 else "cluttered")
            cluttered = clutter(ground, digit, random.Random(seed))
            self.assertEqual((cluttered.shape, cluttered.dtype), (ground.shape, np.uint8))
            shows.append(np.ptp(cluttered) > 8)
        self.assertEqual(kinds, {"plain", "real", "cluttered"})
        self.assertGreater(np.mean(shows), 0.7)

    def test_numbers_have_groups_that_cards_have_and_no_digit_tells_the_next(self):
        digits = Digits([(self.printed(text), text) for text in ("0123 4567", "8901 2345")])
        follows, groups = {}, set()
        for seed in range(200):
            pixels, text = digits.number(random.Random(seed))
            self.assertEqual((pixels.shape[0], pixels.dtype), (LINE_H, np.uint8))
            self.assertGreater(pixels.shape[1], 300)
            np.testing.assert_array_equal(pixels, digits.number(random.Random(seed))[0])
            groups.add(tuple(len(group) for group in text.split(" ")))
            for digit, following in itertools.pairwise(text.replace(" ", "")):
                follows.setdefault(digit, set()).add(following)
        self.assertEqual(groups, {sizes for sizes, _ in NUMBER_GROUPS})
        self.assertEqual([len(digits) for digits in follows.values()], [10] * 10)

    def test_dates_say_what_their_text_says(self):
        digits = Digits([(self.printed(text), text) for text in ("0123 4567", "8901 2345")])
        texts, impossible = set(), 0
        for seed in range(150):
            pixels, text = digits.date(random.Random(seed))
            if not re.fullmatch(r"(0[1-9]|1[0-2])/(20)?\d\d|20\d\d/(0[1-9]|1[0-2])", text):
                self.assertRegex(text, r"^((\d)\2/\2\2|(1[3-9]|[2-9]\d)/\d\d)$")
                impossible += 1
            self.assertEqual((pixels.shape[0], pixels.dtype), (LINE_H, np.uint8))
            np.testing.assert_array_equal(pixels, digits.date(random.Random(seed))[0])
            texts.add(re.sub(r"\d", "0", text))
        self.assertEqual(texts, {"00/00", "00/0000", "0000/00"})
        # One in ten, of which 11/11 is none.
        self.assertTrue(6 <= impossible <= 24, impossible)


class Thinning(unittest.TestCase):
    def test_the_full_width_keeps_all_and_a_small_one_fits_its_network(self):
        for name, kind in (("recognizer", Recognizer), ("locator", Locator)):
            model, _ = convolutions(Path(__file__).parent / f"../models/{name}.onnx")
            for (weight, bias), (kept, kept_bias) in zip(model, thinned(kind(), model), strict=True):
                np.testing.assert_array_equal(kept, weight)
                np.testing.assert_array_equal(kept_bias, bias)
            small = kind("small").eval()
            height, width = (kind.height, kind.width) if kind is Recognizer else (kind.size, kind.size)
            order = in_order(small, torch.zeros(1, 1, height, width))
            for (layer, _), (weight, bias) in zip(order, thinned(small, model), strict=True):
                self.assertEqual((tuple(layer.weight.shape), layer.out_channels), (weight.shape, len(bias)))


class Normalising(unittest.TestCase):
    def test_black_that_is_left_out_counts(self):
        whole = torch.zeros(2, 1, 32, 48)
        whole[:, :, :20, :40] = torch.randint(0, 256, (2, 1, 20, 40)).float()
        expected = normalise(whole)
        torch.testing.assert_close(normalise(whole[:, :, :24, :40], 32 * 48), expected[:, :, :24, :40])
        torch.testing.assert_close(normalise(whole, 32 * 48), expected)
        torch.testing.assert_close(expected.mean(dim=(2, 3)), torch.zeros(2, 1), atol=1e-4, rtol=0)
        torch.testing.assert_close(expected.square().mean(dim=(2, 3)), torch.ones(2, 1), atol=1e-2, rtol=0)


class Lines(unittest.TestCase):
    def test_lines_come_back_from_their_targets_at_any_angle(self):
        for degrees in range(0, 360, 15):
            quads = {0: turned(NUMBER, degrees), 1: turned(DATE, degrees)}
            found = find_lines(as_output(targets(list(quads.items()))))
            self.assertEqual(sorted(kind for kind, _, _ in found), [0, 1], f"at {degrees} degrees")
            for kind, _, quad in found:
                np.testing.assert_allclose(quad, quads[kind], atol=0.1, err_msg=f"{kind} at {degrees} degrees")

    def test_a_line_lower_than_a_cell_is_not_lost(self):
        thin = np.float32([[100, 101], [160, 101], [160, 103], [100, 103]])
        found = find_lines(as_output(targets([(0, thin)])))
        self.assertEqual(len(found), 1)
        np.testing.assert_allclose(found[0][2], thin, atol=0.1)

    def test_unknown_dates_and_foreign_kinds_weigh_nothing(self):
        unknown = targets([(0, NUMBER)], dates_known=False)
        kinds = len(Locator.kinds)
        self.assertEqual(unknown.shape, (kinds + 10, CELLS, CELLS))
        self.assertEqual(unknown[kinds + 9].max(), 0)
        foreign = targets([(2, NUMBER)])
        self.assertEqual(foreign[: kinds + 9].max(), 0)
        self.assertEqual(foreign[kinds + 9].min(), 1)

    def test_of_a_holder_s_look_only_names_are_found(self):
        lines = [(0, NUMBER), (HolderLocator.codes[0], DATE)]
        ((kind, _, quad),) = find_lines(as_output(targets(lines, codes=HolderLocator.codes), kinds=1))
        self.assertEqual(kind, 0)
        np.testing.assert_allclose(quad, DATE, atol=0.1)

    def test_nothing_is_found_in_nothing(self):
        self.assertEqual(find_lines(as_output(targets([]))), [])


class Varying(unittest.TestCase):
    def test_lines_move_with_what_is_printed(self):
        torch.manual_seed(1)
        pixels, *truth = batch_of(*[[(0, NUMBER), (1, DATE)]] * 40)
        for quad, grey in ((NUMBER, 250), (DATE, 10)):
            (left, top), _, (right, bottom), _ = quad.astype(int)
            pixels[:, :, top:bottom, left:right] = grey
        pixels, codes, quads, _ = train_locator.vary(pixels.float(), *truth)
        kept = 0
        for picture, kinds, corners in zip(pixels[:, 0], codes, quads, strict=True):
            for kind, quad in zip(kinds.tolist(), corners, strict=True):
                if kind == 0:
                    kept += 1
                    x, y = quad.mean(dim=0).long().tolist()
                    self.assertGreater(picture[y, x], 220)
                    inner = quad.mean(dim=0).lerp(quad, 0.8).long()
                    outer = quad.mean(dim=0).lerp(quad, 1.3).long().clamp(0, Locator.size - 1)
                    self.assertTrue(all(picture[y, x] > 220 for x, y in inner.tolist()))
                    self.assertTrue(all(picture[y, x] < 220 for x, y in outer.tolist()))
        self.assertGreater(kept, 25)

    def test_of_what_lies_far_outside_only_cards_are_kept(self):
        outside = NUMBER - np.float32([300, 0])
        for beyond, kept in ((2.0, 0), (np.inf, 8)):
            pixels, *truth = batch_of(*[[(0, outside)]] * 8)
            _, codes, quads, _ = train_locator.vary(pixels.float(), *truth, quarters=0.0, beyond=beyond)
            self.assertEqual((codes == 0).sum(), kept)
            self.assertLess(quads[:, 0, :, 0].amax(), 0)

    def test_strips_stay_what_they_were_but_for_a_little(self):
        torch.manual_seed(1)
        strips = torch.full((64, 1, Recognizer.height, Recognizer.width), 200.0)
        strips[:, :, 12:36, 90:390] = 40.0
        varied, text = train_recognizer.vary(strips, "as it was")
        self.assertEqual((varied.shape, text), (strips.shape, "as it was"))
        self.assertTrue(((varied >= 0) & (varied <= 255)).all())
        self.assertTrue((varied[:, :, 20:28, 105:375].mean(dim=(1, 2, 3)) < 110).all())
        self.assertTrue((varied[:, :, :, :60].mean(dim=(1, 2, 3)) > 110).all())
        self.assertGreater((varied[0] - varied[1]).abs().max(), 5)


class Pools(unittest.TestCase):
    def test_the_latest_samples_are_drawn_whole(self):
        batches = [[torch.arange(i, i + 4), -torch.arange(i, i + 4)] for i in range(0, 20, 4)]
        hold = threading.Event()

        def endless():
            yield from batches
            hold.wait()

        pool = Pool(endless(), capacity=10, least=20, device=torch.device("cpu"))
        numbers, negated = pool.draw(400)
        hold.set()
        torch.testing.assert_close(numbers, -negated)
        self.assertEqual(set(numbers.tolist()), set(range(10, 20)))

    def test_a_fault_in_drawing_reaches_the_training(self):
        def broken():
            yield [torch.zeros(2)]
            raise ValueError("no font")

        with self.assertRaisesRegex(RuntimeError, "no more samples"):
            Pool(broken(), capacity=4, least=4, device=torch.device("cpu")).draw(1)


class Teaching(unittest.TestCase):
    def test_an_opinion_on_unknown_dates_is_followed(self):
        outputs = [torch.from_numpy(as_output(targets(lines)))[None] for lines in ([(0, NUMBER), (1, DATE)], [(0, NUMBER)])]
        truth = batch_of([(0, NUMBER)], dates_known=False)[1:]
        with_date, without = (train_locator.loss_of(output, *truth, opinion=outputs[0]).item() for output in outputs)
        self.assertLess(with_date, without - 0.1)
        with_date, without = (train_locator.loss_of(output, *truth).item() for output in outputs)
        self.assertAlmostEqual(with_date, without, places=5)

    def test_a_teacher_is_imitated(self):
        # Of the same line, told by its label, by the teacher, and a little off both.
        right, off = (torch.from_numpy(as_output(targets([(0, quad)])))[None] for quad in (NUMBER, NUMBER + 3))
        truth = batch_of([(0, NUMBER)])[1:]
        losses = [
            train_locator.imitation_loss(output, *truth, opinion=opinion).item()
            for output, opinion in ((right, right), (off, right), (right, off), (off, off))
        ]
        self.assertEqual(min(losses), losses[0])
        self.assertLess(losses[3], losses[1])

    def test_an_exported_model_teaches(self):
        folder = Path(__file__).parent.parent
        count, height, width = 2, 64, 320
        pixels = torch.randint(0, 255, (count, 1, height, width)).float()
        said = Teacher(folder / "models" / "locator-small.onnx")(pixels)
        self.assertEqual(said.shape, (count, 10, height // Locator.stride, width // Locator.stride))
        self.assertGreater((said[0] - said[1]).abs().max(), 0.1)


class Pictures(unittest.TestCase):
    def test_letterbox_keeps_the_picture_at_the_top_left(self):
        picture = np.full((200, Locator.size), 7, np.uint8)
        square = letterbox(picture)
        self.assertEqual(square.shape, (Locator.size, Locator.size))
        np.testing.assert_array_equal(square[:200], picture)
        self.assertEqual(square[200:].max(), 0)

    def test_the_fifth_for_validation_does_not_change(self):
        files = [f"{i:04}.jpg" for i in range(20)]
        held_out = [i for i, file in enumerate(files) if real.Part.HELD_OUT.has(file)]
        self.assertEqual(held_out, [0, 5, 10, 15])
        for file in files:
            self.assertNotEqual(real.Part.HELD_OUT.has(file), real.Part.LEARNT.has(file), file)
            self.assertTrue(real.Part.ALL.has(file), file)

    def test_augmented_strips_have_the_network_s_size_and_depend_on_the_seed_alone(self):
        pixels = np.random.default_rng(0).integers(0, 255, (40, 300), np.uint8)
        for seed, kind in itertools.product(range(50), (Recognizer, DateRecognizer)):
            strip = augment(pixels, random.Random(seed), kind)
            self.assertEqual((strip.shape, strip.dtype), ((kind.height, kind.shown), np.uint8))
            np.testing.assert_array_equal(strip, augment(pixels, random.Random(seed), kind))

    def test_a_warped_scene_keeps_its_line_inside_and_in_order(self):
        pixels = np.full((Locator.size, Locator.size), 90, np.uint8)
        for seed in range(50):
            _, lines = real.warp_scene(pixels, [(0, NUMBER), (1, DATE)], Locator.size, random.Random(seed))
            self.assertEqual([kind for kind, _ in lines], [0, 1])
            quad, date = (line for _, line in lines)
            self.assertTrue((quad > 0).all() and (quad < Locator.size).all())
            along, down = quad[1] - quad[0], quad[3] - quad[0]
            self.assertGreater(along[0] * down[1] - along[1] * down[0], 0, "corners run clockwise")
            self.assertGreater((date[0] - quad[3]) @ down, 0, "the date stands below")

    def test_the_dates_of_real_scenes_lie_in_them_and_are_lines(self):
        dates = real.load_dates()
        self.assertTrue(any(not lines for lines in dates.values()), "some have none")
        for file, lines in dates.items():
            for kind, quad in lines:
                width, height = quad[2] - quad[0]
                self.assertEqual(kind, 1, file)
                self.assertTrue((quad >= 0).all() and (quad <= Locator.size).all(), file)
                self.assertTrue(1.5 < width / height < 9, (file, width, height))


class Streams(unittest.TestCase):
    def setUp(self):
        if SYNTH is None or not SYNTH.exists():
            self.skipTest("no kahao-synth given with --synth")

    def first(self, stream, count: int) -> list:
        items = list(itertools.islice(stream, count))
        stream.close()
        return items

    def test_strips_have_the_network_s_size_and_alphabet(self):
        strips = self.first(read_strips(SYNTH, 1), 20)
        for pixels, text in strips:
            self.assertEqual((pixels.shape, pixels.dtype), ((Recognizer.height, Recognizer.width), np.uint8))
            self.assertLessEqual(set(text), set(Recognizer.alphabet))
        again = self.first(read_strips(SYNTH, 1), 20)
        self.assertEqual([text for _, text in strips], [text for _, text in again])
        self.assertTrue(all((a == b).all() for (a, _), (b, _) in zip(strips, again, strict=True)))

    def test_scenes_have_lines_with_clockwise_corners(self):
        scenes = self.first(read_scenes(SYNTH, 1, Locator.size), 10)
        lines = [line for _, lines in scenes for line in lines]
        self.assertIn(0, {kind for kind, _ in lines})
        for _, quad in lines:
            along, down = quad[1] - quad[0], quad[3] - quad[0]
            self.assertGreater(along[0] * down[1] - along[1] * down[0], 0)
        for pixels, _ in scenes:
            self.assertEqual(max(pixels.shape), Locator.size)

    def test_date_strips_have_the_network_s_size_and_nothing_but_dates(self):
        strips = self.first(read_strips(SYNTH, 1, DateRecognizer.drawn_by), 40)
        for pixels, text in strips:
            self.assertEqual((pixels.shape, pixels.dtype), ((DateRecognizer.height, DateRecognizer.shown), np.uint8))
            self.assertRegex(text, r"^(\d\d/(\d\d)?\d\d( |$))*$")
        self.assertIn("", {text for _, text in strips})
        # Those without a date are learnt from, too.
        mixed = train_recognizer.MixedStrips(SYNTH, None, 0.5, real.Part.LEARNT, 1, DateRecognizer)
        batch = list(itertools.islice(mixed, 40))
        _, codes, lengths = train_recognizer.collate(batch, DateRecognizer)
        self.assertEqual((len(codes), lengths.min()), (40, 0))

    def test_names_have_the_network_s_size_and_alphabet(self):
        for pixels, text in self.first(read_strips(SYNTH, 1, "holder-strips"), 20):
            self.assertEqual((pixels.shape, pixels.dtype), ((Recognizer.height, Recognizer.width), np.uint8))
            self.assertLessEqual(set(text), set(HolderRecognizer.alphabet))
            self.assertTrue(1 < len(text) <= 26)

    def test_looks_for_names_have_one_or_none(self):
        looks = self.first(read_scenes(SYNTH, 1, HolderLocator.size, "holder-looks"), 20)
        self.assertEqual({len(lines) for _, lines in looks}, {0, 1})
        for pixels, lines in looks:
            self.assertEqual(pixels.shape, (HolderLocator.size, HolderLocator.size))
            for kind, quad in lines:
                self.assertIn(kind, HolderLocator.codes)
                self.assertTrue((quad > 0).all() and (quad < HolderLocator.size).all())

    def test_numbers_in_rows_are_shown_as_at_both_looks_beside_scenes_without(self):
        mixed = train_details.StackScenes(SYNTH, None, real.Part.LEARNT, 1)
        scenes = list(itertools.islice(mixed, 60))
        (stack,) = StackLocator.codes
        stacks = [quad for _, lines, _ in scenes for kind, quad in lines if kind == stack]
        self.assertTrue(15 < len(stacks) < 50, len(stacks))
        for pixels, _, all_known in scenes:
            self.assertEqual((pixels.shape, all_known), ((StackLocator.size, StackLocator.size), True))
        for quad in stacks:
            along, down = quad[1] - quad[0], quad[3] - quad[0]
            self.assertGreater(along[0] * down[1] - along[1] * down[0], 0)
        self.assertTrue(targets([(stack, stacks[0])], codes=StackLocator.codes)[0].any())

    def test_a_number_in_rows_is_looked_at_upright(self):
        scenes = read_scenes(SYNTH, 1, StackLocator.size, StackLocator.drawn_by)
        rng = random.Random(1)
        stack, sides = StackLocator.codes[0], (train_details.STACK_LOOK,)
        looks = [real.look_again(*scene, StackLocator.size, rng, stack, sides) for scene in self.first(scenes, 80)]
        seen = [quad for look in looks if look for kind, quad in look[1] if kind == stack]
        self.assertGreater(len(seen), 10)
        for quad in seen:
            along = quad[1] - quad[0]
            self.assertGreater(along[0], 2 * abs(along[1]))

    def test_looks_for_cards_have_one_about_their_middle(self):
        for pixels, ((kind, quad),) in self.first(read_scenes(SYNTH, 1, CardLocator.size, "card-looks"), 20):
            self.assertEqual(pixels.shape, (CardLocator.size, CardLocator.size))
            self.assertIn(kind, CardLocator.codes)
            self.assertGreater(cv2.pointPolygonTest(quad, (CardLocator.size / 2, CardLocator.size / 2), False), 0)
            along, down = quad[1] - quad[0], quad[3] - quad[0]
            self.assertGreater(along[0], abs(along[1]))
            self.assertGreater(along[0] * down[1] - along[1] * down[0], 0)


class Blending(unittest.TestCase):
    def test_weights_lie_between_those_of_both_and_counters_are_the_later_ones(self):
        before = {"weight": torch.tensor([0.0, 4.0]), "seen": torch.tensor(3)}
        after = {"weight": torch.tensor([10.0, 0.0]), "seen": torch.tensor(9)}
        between = blended(before, after, 0.25)
        np.testing.assert_allclose(between["weight"], [2.5, 3.0])
        self.assertEqual(int(between["seen"]), 9)


class Packing(unittest.TestCase):
    def test_rounded_weights_come_back_from_their_bytes(self):
        net = HolderLocator().eval()
        round_weights(net)
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d):
                weights = layer.weight.detach().numpy()
                whole = weights / steps_of(weights)[:, None, None, None]
                np.testing.assert_allclose(whole, np.round(whole), atol=1e-3)
                self.assertLessEqual(np.abs(whole).max(), 127.001)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synth", type=Path, help="the kahao-synth binary; without it the streams are not tested")
    args, rest = parser.parse_known_args()
    SYNTH = args.synth
    # The streams have no end: their processes are left when enough is read, and end with the pipe.
    unittest.main(argv=[sys.argv[0], *rest], warnings="ignore")
