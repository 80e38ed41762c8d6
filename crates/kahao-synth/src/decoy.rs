//! Pictures that are no bank cards but have digits on them: identity, membership and transit cards, receipts, keypads,
//! keyboards and screens. Nothing on them is to be found.

use crate::art::Art;
use crate::design::{LONG_MM, SHORT_MM};
use crate::glyphs::Fonts;
use crate::print::{Emboss, Ink, caption};
use crate::raster::{Colour, Random, Raster, mix};

#[derive(Clone, Copy)]
enum Subject {
    Identity,
    Membership,
    Receipt,
    Keypad,
    Keyboard,
    Screen,
}

/// One thing that is no bank card, in mm from its top-left corner.
pub(crate) struct Decoy {
    pub(crate) width: f32,
    pub(crate) height: f32,
    subject: Subject,
    art: Art,
    seed: u32,
}

const WORDS: [&str; 16] = [
    "合计",
    "实收",
    "找零",
    "收银员",
    "订单号",
    "日期",
    "时间",
    "地址",
    "电话",
    "会员",
    "TOTAL",
    "CASH",
    "Date",
    "Order No",
    "Thank you",
    "Subtotal",
];

impl Decoy {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let (subject, width, height) = match random.int(0, 6) {
            0 => (Subject::Identity, LONG_MM, SHORT_MM),
            1 => (Subject::Membership, LONG_MM, SHORT_MM),
            2 => (Subject::Receipt, random.range(48.0, 80.0), random.range(80.0, 160.0)),
            3 => (Subject::Keypad, random.range(50.0, 80.0), random.range(60.0, 110.0)),
            4 => (Subject::Keyboard, random.range(140.0, 280.0), random.range(60.0, 110.0)),
            _ => (Subject::Screen, random.range(60.0, 220.0), random.range(80.0, 140.0)),
        };
        let busy = if random.chance(0.5) { 0.0 } else { random.range(0.1, 0.7) };
        Self { width, height, subject, art: Art::card(random, busy), seed: random.seed() as u32 }
    }

    /// Draws all of it.
    pub(crate) fn paint(&self, fonts: &Fonts, density: f32) -> Raster {
        let mut raster = Raster::new(0.0, 0.0, self.width, self.height, density);
        let random = &mut Random::new(u64::from(self.seed));
        match self.subject {
            Subject::Identity => self.identity(&mut raster, fonts, random),
            Subject::Membership => self.membership(&mut raster, fonts, random),
            Subject::Receipt => {
                let v = random.range(0.8, 1.0);
                let paper = [v, v, v * random.range(0.92, 1.0)];
                self.page(&mut raster, fonts, random, paper);
            }
            Subject::Keypad => self.keys(&mut raster, fonts, random, 3, 4, "123456789*0#"),
            Subject::Keyboard => {
                self.keys(&mut raster, fonts, random, 12, 4, "1234567890-=QWERTYUIOP[]ASDFGHJKL;'ZXCVBNM,./ ")
            }
            Subject::Screen => {
                let dark = random.chance(0.4);
                let ground = if dark { random.colour(0.0, 0.2) } else { random.colour(0.85, 1.0) };
                self.page(&mut raster, fonts, random, ground);
            }
        }
        raster
    }

    pub(crate) fn covers(&self, x: f32, y: f32) -> bool {
        (0.0..self.width).contains(&x) && (0.0..self.height).contains(&y)
    }

    fn ink(&self) -> Colour {
        [if self.art.brightness() > 0.45 { 0.1 } else { 0.92 }; 3]
    }

    /// A national identity card: a name, an address, and an 18-digit number along its foot.
    fn identity(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random) {
        self.art.fill(raster);
        raster.paint([0.0, 0.0, self.width, self.height], |_, _, c| mix(c, [0.85, 0.9, 0.92], 0.75));
        let ink = [0.12; 3];
        let (year, month, day) = (random.int(1950, 2010), random.int(1, 13), random.int(1, 29));
        let born = format!("出生 {year} 年 {month} 月 {day} 日");
        for (row, text) in
            ["姓名 王小明", "性别 男 民族 汉", &born, "住址 山水省江南市长河路"].iter().enumerate()
        {
            caption(raster, &fonts.chinese[0], text, [5.0, 9.0 + 8.0 * row as f32, 2.8], ink, 0.9);
        }
        let skin = random.colour(0.4, 0.8);
        raster.paint([58.0, 7.0, 80.0, 36.0], |x, y, c| {
            let face = ((x - 69.0) / 7.0).powi(2) + ((y - 18.0) / 9.0).powi(2);
            mix(c, if face < 1.0 { skin } else { [0.95; 3] }, 0.9)
        });
        caption(raster, &fonts.chinese[0], "公民身份号码", [5.0, 47.5, 2.6], ink, 0.9);
        let region = format!("{}{}", random.int(11, 66), random.digits(4));
        let number = identity_number(&format!("{region}{year}{month:02}{day:02}"), random);
        Ink::draw(random, &fonts.numbers, 0.9).line(
            raster,
            &fonts.numbers,
            &number,
            [30.0, 44.8, 2.9, 48.0],
            random,
        );
    }

    /// A card of a shop, a bus or a motorway: its number is shorter or longer than a bank card's.
    fn membership(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random) {
        self.art.fill(raster);
        let name =
            *random.pick(&["会员卡", "VIP", "公交卡", "储值卡", "GIFT CARD", "MEMBER", "通行卡", "图书馆"]);
        let size = random.range(4.0, 9.0);
        let place = [random.range(5.0, 35.0), random.range(12.0, 26.0), size];
        caption(raster, &fonts.chinese[0], name, place, self.ink(), 0.95);
        let count = if random.chance(0.15) { 20 } else { random.int(5, 13) };
        let number = format!("{}{}", *random.pick(&["NO.", "No ", "", ""]), random.digits(count));
        let (x, y, size) = (random.range(4.0, 30.0), random.range(26.0, 46.0), random.range(1.8, 4.4));
        if number.starts_with(|c: char| c.is_ascii_digit()) && random.chance(0.35) {
            let pitch = 3.63_f32.min((self.width - 9.0) / count as f32);
            Emboss::draw(random).line(raster, &number, [x.min(8.0), y, size.max(3.6), pitch], random);
        } else {
            let ink = Ink::draw(random, &fonts.numbers, self.art.brightness());
            ink.line(raster, &fonts.numbers, &number, [x, y, size, self.width - x - 4.0], random);
        }
    }

    /// Rows of words, amounts and long order numbers.
    fn page(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random, ground: Colour) {
        raster.paint([0.0, 0.0, self.width, self.height], |_, _, _| ground);
        let ink = if ground[1] > 0.5 { random.colour(0.0, 0.3) } else { random.colour(0.75, 1.0) };
        let size = random.range(1.6, 3.6);
        let mut y = random.range(4.0, 12.0);
        while y < self.height - 3.0 {
            let word = *random.pick(&WORDS);
            let digits = match random.int(0, 4) {
                0 => format!("{}.{}", random.int(1, 999), random.digits(2)),
                1 => {
                    let count = random.int(8, 25);
                    random.digits(count)
                }
                2 => format!("2{}-{}-{}", random.digits(3), random.digits(2), random.digits(2)),
                _ => "* * * * * *".to_owned(),
            };
            caption(raster, &fonts.chinese[0], word, [4.0, y, size], ink, 0.9);
            let font = &fonts.captions[random.int(0, 4)];
            let x = random.range(0.25, 0.5) * self.width;
            caption(raster, font, &digits, [x, y, size], ink, 0.9);
            y += size * random.range(1.6, 3.0);
        }
    }

    fn keys(
        &self,
        raster: &mut Raster,
        fonts: &Fonts,
        random: &mut Random,
        across: usize,
        down: usize,
        symbols: &str,
    ) {
        self.art.fill(raster);
        let (step_x, step_y) = (self.width / across as f32, self.height / down as f32);
        let dark = random.chance(0.6);
        let key = if dark { random.colour(0.03, 0.25) } else { random.colour(0.7, 1.0) };
        let ink = [if dark { 0.9 } else { 0.1 }; 3];
        let font = &fonts.captions[random.int(0, 4)];
        let size = step_y.min(step_x) * random.range(0.25, 0.5);
        for (index, symbol) in symbols.chars().take(across * down).enumerate() {
            let (x, y) = ((index % across) as f32 * step_x, (index / across) as f32 * step_y);
            raster.paint(
                [x + step_x * 0.07, y + step_y * 0.07, x + step_x * 0.93, y + step_y * 0.93],
                |_, _, _| key,
            );
            let place = [x + step_x * 0.5 - size * 0.35, y + step_y * 0.5 + size * 0.5, size];
            caption(raster, font, &symbol.to_string(), place, ink, 0.95);
        }
    }
}

/// The identity number that begins with a region and a day of birth (GB 11643-1999): a serial number and the check digit
/// by ISO 7064, MOD 11-2, of those whose check digit is not X.
fn identity_number(beginning: &str, random: &mut Random) -> String {
    loop {
        let body = format!("{beginning}{}", random.digits(3));
        let sum = body.bytes().fold(0, |sum, digit| (sum * 2 + u32::from(digit - b'0')) % 11);
        let check = (12 - 2 * sum % 11) % 11;
        if check < 10 {
            return format!("{body}{check}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_numbers_have_their_check_digit() {
        let mut random = Random::new(1);
        for _ in 0..50 {
            let number = identity_number("11010519491231", &mut random);
            // Weights 2^17 to 1, as the standard writes the rule.
            let weighed =
                number.bytes().rev().zip(0..).map(|(digit, power)| u64::from(digit - b'0') << power);
            assert_eq!((number.len(), weighed.sum::<u64>() % 11), (18, 1), "{number}");
        }
    }
}
