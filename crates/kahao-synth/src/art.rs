//! Card faces and table tops: gradients, photo-like noise, bands, rings, polygons, guilloche lines, halftone dots.

use crate::raster::{Colour, Random, Raster, mix, noise, scale, smooth};

enum Layer {
    /// Clouds that pass for a photograph or brushed metal: `stretch` scales y against x.
    Noise { seed: u32, size: f32, stretch: f32, octaves: u32, colour: Colour, strength: f32, sharp: f32 },
    /// Everything on one side of a wavy line.
    Wave { angle: f32, offset: f32, height: f32, length: f32, colour: Colour, strength: f32, soft: f32 },
    /// Concentric rings, or a disc when `pitch` is large.
    Rings { x: f32, y: f32, radius: f32, pitch: f32, thick: f32, colour: Colour, strength: f32 },
    /// Parallel lines that wave: guilloche, hatching, skylines of thin strokes.
    Lines { angle: f32, pitch: f32, thick: f32, wave: f32, length: f32, colour: Colour, strength: f32 },
    /// A regular grid of dots.
    Dots { angle: f32, pitch: f32, radius: f32, colour: Colour, strength: f32 },
    /// A convex polygon given by its half planes.
    Polygon { edges: Vec<[f32; 3]>, colour: Colour, strength: f32 },
    /// Contours of a noise field: flowers, maps, calligraphy.
    Contours { seed: u32, size: f32, level: f32, thick: f32, colour: Colour, strength: f32 },
}

/// The printed ground of a card, or whatever lies under it.
pub(crate) struct Art {
    from: Colour,
    to: Colour,
    angle: f32,
    grain: f32,
    grain_seed: u32,
    layers: Vec<Layer>,
}

impl Art {
    /// A card face. `busy` 0 to 1: how much is going on under the number.
    pub(crate) fn card(random: &mut Random, busy: f32) -> Self {
        let (low, high) = *random.pick(&[(0.03, 0.2), (0.15, 0.5), (0.4, 0.8), (0.6, 1.0), (0.75, 1.0)]);
        let from = random.colour(low, high);
        let other = random.colour(low, high);
        let mut layers = Vec::new();
        let count = random.int(0, 2 + (busy * 5.0) as usize);
        for _ in 0..count {
            layers.push(Self::layer(random, busy));
        }
        let fade = random.range(0.0, 1.0);
        let grain = if random.chance(0.4) { random.range(0.0, 0.06) } else { 0.0 };
        Self {
            from,
            to: mix(from, other, fade),
            angle: random.range(0.0, 6.3),
            grain,
            grain_seed: random.seed() as u32,
            layers,
        }
    }

    /// A table, cloth, floor or hand under the card.
    pub(crate) fn table(random: &mut Random) -> Self {
        let mut art = Self::card(random, 0.4);
        if random.chance(0.35) {
            art.layers.clear(); // white paper of a scan, or a plain desk
        } else if random.chance(0.5) {
            // Wood or fabric: noise drawn out along one side.
            art.layers.push(Layer::Noise {
                seed: random.seed() as u32,
                size: random.range(1.0, 8.0),
                stretch: random.range(4.0, 25.0),
                octaves: 3,
                colour: random.colour(0.0, 0.6),
                strength: random.range(0.2, 0.8),
                sharp: random.range(0.2, 0.5),
            });
        }
        art
    }

    fn layer(random: &mut Random, busy: f32) -> Layer {
        let colour = random.colour(0.0, 1.0);
        let strength = random.range(0.1, 0.35 + 0.6 * busy);
        match random.weighted(&[2.5, 2.5, 1.5, 1.5, 0.5, 2.0, 1.5]) {
            0 => Layer::Noise {
                seed: random.seed() as u32,
                size: random.range(1.5, 30.0),
                stretch: if random.chance(0.25) { random.range(2.0, 12.0) } else { 1.0 },
                octaves: random.int(1, 4) as u32,
                colour,
                strength,
                sharp: random.range(0.03, 0.5),
            },
            1 => Layer::Wave {
                angle: random.range(0.0, 6.3),
                offset: random.range(-40.0, 40.0),
                height: random.range(0.0, 10.0),
                length: random.range(15.0, 80.0),
                colour,
                strength,
                soft: random.range(0.05, 12.0),
            },
            2 => {
                let disc = random.chance(0.4);
                Layer::Rings {
                    x: random.range(-10.0, 95.0),
                    y: random.range(-10.0, 64.0),
                    radius: random.range(4.0, 45.0),
                    pitch: if disc { 1000.0 } else { random.range(1.0, 9.0) },
                    thick: if disc { 1000.0 } else { random.range(0.15, 0.6) },
                    colour,
                    strength,
                }
            }
            3 => Layer::Lines {
                angle: random.range(0.0, 3.2),
                pitch: random.range(0.6, 6.0),
                thick: random.range(0.1, 0.5),
                wave: random.range(0.0, 4.0),
                length: random.range(5.0, 50.0),
                colour,
                strength,
            },
            4 => Layer::Dots {
                angle: random.range(0.0, 1.6),
                pitch: random.range(0.7, 3.0),
                radius: random.range(0.2, 0.45),
                colour,
                strength,
            },
            5 => {
                let (cx, cy) = (random.range(-5.0, 90.0), random.range(0.0, 56.0));
                let corners = random.int(3, 6);
                let turn = random.range(0.0, 6.3);
                let edges = (0..corners)
                    .map(|i| {
                        let a = turn
                            + (i as f32 + random.range(-0.3, 0.3)) * std::f32::consts::TAU / corners as f32;
                        [a.cos(), a.sin(), a.cos() * cx + a.sin() * cy + random.range(1.5, 20.0)]
                    })
                    .collect();
                Layer::Polygon { edges, colour, strength }
            }
            _ => Layer::Contours {
                seed: random.seed() as u32,
                size: random.range(2.0, 14.0),
                level: random.range(0.35, 0.65),
                thick: random.range(0.01, 0.06),
                colour,
                strength,
            },
        }
    }

    /// Brightness of the ground about the middle, 0 to 1, its layers left aside.
    pub(crate) fn brightness(&self) -> f32 {
        (0..3).map(|i| self.from[i] + self.to[i]).sum::<f32>() / 6.0
    }

    pub(crate) fn fill(&self, raster: &mut Raster) {
        let (sin, cos) = self.angle.sin_cos();
        let area = [raster.left, raster.top, raster.left + 1e4, raster.top + 1e4];
        raster.paint(area, |x, y, _| {
            let t = (((x - 43.0) * cos + (y - 27.0) * sin) / 90.0 + 0.5).clamp(0.0, 1.0);
            mix(self.from, self.to, t)
        });
        for layer in &self.layers {
            layer.apply(raster);
        }
        if self.grain > 0.0 {
            // Metallic flakes in the lacquer: finer than a digit's stroke.
            raster.paint(area, |x, y, c| {
                scale(c, 1.0 + self.grain * 4.0 * (noise(self.grain_seed, x * 4.5, y * 4.5) - 0.5))
            });
        }
    }
}

impl Layer {
    fn apply(&self, raster: &mut Raster) {
        let area = [raster.left, raster.top, raster.left + 1e4, raster.top + 1e4];
        match *self {
            Layer::Noise { seed, size, stretch, octaves, colour, strength, sharp } => {
                raster.paint(area, |x, y, c| {
                    let (mut sum, mut gain, mut k) = (0.0, 0.0, 1.0 / size);
                    for octave in 0..octaves {
                        let weight = 0.55f32.powi(octave as i32);
                        sum += weight * noise(seed ^ octave, x * k, y * k * stretch);
                        gain += weight;
                        k *= 2.1;
                    }
                    mix(c, colour, strength * smooth(0.5 - sharp, 0.5 + sharp, sum / gain))
                })
            }
            Layer::Wave { angle, offset, height, length, colour, strength, soft } => {
                let (sin, cos) = angle.sin_cos();
                raster.paint(area, |x, y, c| {
                    let (u, v) = ((x - 43.0) * cos + (y - 27.0) * sin, (y - 27.0) * cos - (x - 43.0) * sin);
                    mix(
                        c,
                        colour,
                        strength
                            * smooth(
                                0.0,
                                soft,
                                v - offset - height * (u * std::f32::consts::TAU / length).sin(),
                            ),
                    )
                });
            }
            Layer::Rings { x: cx, y: cy, radius, pitch, thick, colour, strength } => {
                raster.paint(area, |x, y, c| {
                    let r = (x - cx).hypot(y - cy);
                    let inside = if r < radius && r.rem_euclid(pitch) < thick { 1.0 } else { 0.0 };
                    mix(c, colour, strength * inside)
                })
            }
            Layer::Lines { angle, pitch, thick, wave, length, colour, strength } => {
                let (sin, cos) = angle.sin_cos();
                raster.paint(area, |x, y, c| {
                    let (u, v) = (x * cos + y * sin, y * cos - x * sin);
                    let v = (v + wave * (u * std::f32::consts::TAU / length).sin()).rem_euclid(pitch);
                    mix(c, colour, if v < thick { strength } else { 0.0 })
                });
            }
            Layer::Dots { angle, pitch, radius, colour, strength } => {
                let (sin, cos) = angle.sin_cos();
                raster.paint(area, |x, y, c| {
                    let u = (x * cos + y * sin).rem_euclid(pitch) / pitch - 0.5;
                    let v = (y * cos - x * sin).rem_euclid(pitch) / pitch - 0.5;
                    mix(c, colour, if u * u + v * v < radius * radius { strength } else { 0.0 })
                });
            }
            Layer::Polygon { ref edges, colour, strength } => raster.paint(area, |x, y, c| {
                let inside = edges.iter().all(|[a, b, d]| a * x + b * y < *d);
                mix(c, colour, if inside { strength } else { 0.0 })
            }),
            Layer::Contours { seed, size, level, thick, colour, strength } => {
                raster.paint(area, |x, y, c| {
                    let v = noise(seed, x / size, y / size) * 0.7
                        + noise(seed ^ 7, x / size * 2.3, y / size * 2.3) * 0.3;
                    mix(c, colour, strength * (1.0 - smooth(thick, thick * 2.0, (v - level).abs())))
                })
            }
        }
    }
}
