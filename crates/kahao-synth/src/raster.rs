//! Colour pixels over a window of the card, in millimetres; and the random numbers that everything is drawn from.

/// Red, green, blue, 0 to 1; values outside are clipped only when a picture is written.
pub(crate) type Colour = [f32; 3];

pub(crate) fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

pub(crate) fn scale(a: Colour, k: f32) -> Colour {
    [a[0] * k, a[1] * k, a[2] * k]
}

/// Smooth step from 0 at `from` to 1 at `to`.
pub(crate) fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A window of the card: pixel (0, 0) has its top-left corner at (`left`, `top`) mm, `density` px per mm.
pub(crate) struct Raster {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) density: f32,
    pub(crate) pixels: Vec<Colour>,
}

impl Raster {
    pub(crate) fn new(left: f32, top: f32, right: f32, bottom: f32, density: f32) -> Self {
        let width = ((right - left) * density).ceil().max(1.0) as usize;
        let height = ((bottom - top) * density).ceil().max(1.0) as usize;
        Self { width, height, left, top, density, pixels: vec![[0.0; 3]; width * height] }
    }

    /// Centre of pixel (x, y) in mm.
    pub(crate) fn mm(&self, x: usize, y: usize) -> (f32, f32) {
        (self.left + (x as f32 + 0.5) / self.density, self.top + (y as f32 + 0.5) / self.density)
    }

    /// Pixels that a box in mm touches, clipped to the window: columns and rows.
    pub(crate) fn span(
        &self,
        x0: f32,
        y0: f32,
        x1: f32,
        y1: f32,
    ) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let clip = |v: f32, origin: f32, limit: usize| ((v - origin) * self.density).clamp(0.0, limit as f32);
        let columns =
            clip(x0, self.left, self.width).floor() as usize..clip(x1, self.left, self.width).ceil() as usize;
        let rows =
            clip(y0, self.top, self.height).floor() as usize..clip(y1, self.top, self.height).ceil() as usize;
        (columns, rows)
    }

    pub(crate) fn blend(&mut self, x: usize, y: usize, colour: Colour, alpha: f32) {
        let pixel = &mut self.pixels[y * self.width + x];
        *pixel = mix(*pixel, colour, alpha);
    }

    /// Calls `paint(x mm, y mm, colour so far)` for each pixel that a box in mm touches.
    pub(crate) fn paint(&mut self, area: [f32; 4], mut paint: impl FnMut(f32, f32, Colour) -> Colour) {
        let (columns, rows) = self.span(area[0], area[1], area[2], area[3]);
        for y in rows {
            for x in columns.clone() {
                let (mx, my) = self.mm(x, y);
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = paint(mx, my, *pixel);
            }
        }
    }

    /// Colour at a point in mm, bilinear, the border repeated.
    pub(crate) fn sample(&self, x: f32, y: f32) -> Colour {
        let fx = ((x - self.left) * self.density - 0.5).clamp(0.0, (self.width - 1) as f32);
        let fy = ((y - self.top) * self.density - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (fx as usize, fy as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let row = |y: usize| {
            mix(self.pixels[y * self.width + x0], self.pixels[y * self.width + x1], fx - x0 as f32)
        };
        mix(row(y0), row(y1), fy - y0 as f32)
    }
}

/// Seeded random numbers: same seed, same pictures.
#[derive(Clone)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.f32()
    }

    /// An integer in `low..high`.
    pub(crate) fn int(&mut self, low: usize, high: usize) -> usize {
        self.0.usize(low..high)
    }

    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.0.f32() < probability
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.0.usize(0..from.len())]
    }

    /// Index drawn by weight.
    pub(crate) fn weighted(&mut self, weights: &[f32]) -> usize {
        let mut left = self.0.f32() * weights.iter().sum::<f32>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Gaussian by the sum of four uniforms: bounded at about 3.5 sigma, which suits jitter.
    pub(crate) fn gauss(&mut self, sigma: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.0.f32() - 0.5).sum();
        sum * sigma * 1.732
    }

    pub(crate) fn digit(&mut self) -> char {
        char::from(b'0' + self.0.u8(0..10))
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.digit()).collect()
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.u64(..)
    }

    pub(crate) fn colour(&mut self, low: f32, high: f32) -> Colour {
        // A hue with random strength, so that greys and golds are as common as pure colours.
        let value = self.range(low, high);
        let strength = self.0.f32();
        let hue = [self.0.f32(), self.0.f32(), self.0.f32()];
        let brightest = hue.iter().copied().fold(0.01, f32::max);
        mix([value; 3], scale(hue, value / brightest), strength)
    }
}

/// Smooth value noise on an integer lattice, 0 to 1.
pub(crate) fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (ix, iy) = (x.floor(), y.floor());
    let (fx, fy) = (x - ix, y - iy);
    let (ix, iy) = (ix as i32 as u32, iy as i32 as u32);
    let corner = |dx: u32, dy: u32| {
        let mut h = (ix.wrapping_add(dx)).wrapping_mul(0x9E37_79B1)
            ^ (iy.wrapping_add(dy)).wrapping_mul(0x85EB_CA77)
            ^ seed;
        h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
        h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
        (h >> 8) as f32 / 16_777_216.0
    };
    let (ux, uy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let top = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * ux;
    let bottom = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * ux;
    top + (bottom - top) * uy
}
