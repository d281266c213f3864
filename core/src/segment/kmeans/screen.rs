//! A first look in single precision, sixteen points at a time.
//!
//! |x − c|² = |x|² + 2 (|c|²/2 − x·c) takes one fused operation for each
//! coordinate. Coordinates are taken from a common origin and rounded; what
//! that and the arithmetic can add up to is bounded, and where a centre is the
//! nearest by more than that, it is the nearest. Where none is, the caller must
//! look exactly. So the labels do not depend on whether this was used, or on
//! the processor.
#![allow(clippy::inline_always)] // the caller's width of vectors reaches what is inlined

use pulp::{Arch, Simd, WithSimd};

/// Points in a tile.
pub(super) const WIDE: usize = 16;

/// The unit roundoff.
const UNIT: f32 = f32::EPSILON / 2.0;

/// Beyond this norms could overflow when squared.
const LARGEST: f64 = 1e18;

/// What products too small for single precision may add.
const TINY: f32 = 1e-30;

/// Points in tiles of sixteen side by side; the last tile repeats the last point.
#[derive(Debug)]
pub(super) struct Tiles {
    columns: usize,
    lanes: Vec<[f32; WIDE]>,
    norms: Vec<[f32; WIDE]>,
    usable: bool,
}

impl Tiles {
    /// The tiles of points given row by row.
    pub(super) fn new(values: &[f64], origin: &[f64]) -> Self {
        let columns = origin.len();
        let count = (values.len() / columns).div_ceil(WIDE);
        let mut out = Self {
            columns,
            lanes: vec![[0.0; WIDE]; count * columns],
            norms: vec![[0.0; WIDE]; count],
            usable: true,
        };
        let tiles = out.lanes.chunks_exact_mut(columns).zip(&mut out.norms);
        for ((tile, norms), points) in tiles.zip(values.chunks(columns * WIDE)) {
            let points = points.chunks_exact(columns);
            let last = points.len().saturating_sub(1);
            for (lane, point) in points.enumerate() {
                let mut square = 0.0;
                for ((row, x), o) in tile.iter_mut().zip(point).zip(origin) {
                    row[lane] = (x - o) as f32;
                    square += f64::from(row[lane]) * f64::from(row[lane]);
                }
                norms[lane] = square.sqrt() as f32;
                out.usable &= square < LARGEST * LARGEST;
            }
            for row in tile.iter_mut().chain([norms]) {
                let repeated = row[last];
                row[last..].fill(repeated);
            }
        }
        out
    }
}

/// Centres, less the origin and negated, with half the squares of their norms.
#[derive(Debug)]
pub(super) struct Centres {
    negated: Vec<f32>,
    halves: Vec<f32>,
    /// The greatest norm.
    reach: f32,
    usable: bool,
}

impl Centres {
    /// Takes centres given row by row.
    pub(super) fn new(centres: &[f64], origin: &[f64]) -> Self {
        let columns = origin.len();
        let mut out = Self {
            negated: Vec::with_capacity(centres.len()),
            halves: Vec::with_capacity(centres.len() / columns),
            reach: 0.0,
            usable: true,
        };
        for centre in centres.chunks_exact(columns) {
            let from = out.negated.len();
            out.negated.extend(centre.iter().zip(origin).map(|(c, o)| (o - c) as f32));
            let square: f64 = out.negated[from..].iter().map(|c| f64::from(*c) * f64::from(*c)).sum();
            out.halves.push((0.5 * square) as f32);
            out.reach = out.reach.max(square.sqrt() as f32);
            out.usable &= square < LARGEST * LARGEST;
        }
        out
    }
}

/// What a look at a tile found: the nearest centre of each point, and how much
/// farther than that any other centre is, for the point where that is least.
/// The centres hold only where that is above 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) centres: [u32; WIDE],
    pub(super) spare: f32,
}

/// Looks at the tiles that `next` names, one after the other, and hands what
/// was found of each to `next`. Returns whether it could: else `next` was not
/// asked, and all must be looked at exactly.
pub(super) fn screen(
    tiles: &Tiles,
    centres: &Centres,
    next: impl FnMut(Option<(usize, Found)>) -> Option<usize>,
) -> bool {
    tiles.usable && centres.usable && Arch::new().dispatch(Look { tiles, centres, next })
}

struct Look<'t, F> {
    tiles: &'t Tiles,
    centres: &'t Centres,
    next: F,
}

impl<F: FnMut(Option<(usize, Found)>) -> Option<usize>> WithSimd for Look<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        match S::F32_LANES {
            16 => self.with_parts::<S, 1>(simd),
            8 => self.with_parts::<S, 2>(simd),
            4 => self.with_parts::<S, 4>(simd),
            // Without vectors it is no quicker.
            _ => return false,
        }
        true
    }
}

impl<F: FnMut(Option<(usize, Found)>) -> Option<usize>> Look<'_, F> {
    #[inline(always)]
    fn with_parts<S: Simd, const PARTS: usize>(mut self, simd: S) {
        let columns = self.tiles.columns;
        let mut found = None;
        while let Some(tile) = (self.next)(found) {
            let lanes = &self.tiles.lanes[tile * columns..][..columns];
            found = Some((tile, search::<S, PARTS>(simd, lanes, &self.tiles.norms[tile], self.centres)));
        }
    }
}

#[inline(always)]
fn search<S: Simd, const PARTS: usize>(
    simd: S,
    lanes: &[[f32; WIDE]],
    norms: &[f32; WIDE],
    centres: &Centres,
) -> Found {
    let (rows, _) = S::as_simd_f32s(lanes.as_flattened()).0.as_chunks::<PARTS>();
    let norms = S::as_simd_f32s(norms).0;
    let infinity = simd.splat_f32s(f32::INFINITY);
    let zero = simd.splat_f32s(0.0);
    let (mut first, mut second, mut best) = ([infinity; PARTS], [infinity; PARTS], [zero; PARTS]);
    for ((number, centre), half) in (0..).zip(centres.negated.chunks_exact(rows.len())).zip(&centres.halves) {
        let mut score = [simd.splat_f32s(*half); PARTS];
        for (row, c) in rows.iter().zip(centre) {
            let c = simd.splat_f32s(*c);
            for part in 0..PARTS {
                score[part] = simd.mul_add_f32s(row[part], c, score[part]);
            }
        }
        // The bits of a number go where a float would.
        let number = simd.splat_f32s(f32::from_bits(number));
        for part in 0..PARTS {
            let closer = simd.less_than_f32s(score[part], first[part]);
            second[part] = simd.min_f32s(second[part], simd.max_f32s(first[part], score[part]));
            best[part] = simd.select_f32s(closer, number, best[part]);
            first[part] = simd.min_f32s(first[part], score[part]);
        }
    }
    // With r = |x| + the greatest |c| and n coordinates a squared distance is
    // off by less than (n + 6) units of r², and rounding the coordinates moved
    // points and centres by a unit of r together. Twice that leaves room for
    // the rounding here, and more than the exact look can be off by.
    let slip = simd.splat_f32s((rows.len() + 12) as f32 * 2.0 * UNIT);
    let mut spare = infinity;
    for part in 0..PARTS {
        let r = simd.add_f32s(norms[part], simd.splat_f32s(centres.reach));
        let slip = simd.mul_add_f32s(simd.mul_f32s(r, r), slip, simd.splat_f32s(TINY));
        let square = simd.mul_f32s(norms[part], norms[part]);
        let near = simd.add_f32s(simd.add_f32s(first[part], first[part]), square);
        let near = simd.add_f32s(simd.max_f32s(near, zero), slip);
        let next = simd.add_f32s(simd.add_f32s(second[part], second[part]), square);
        let next = simd.max_f32s(simd.sub_f32s(next, slip), zero);
        let gap = simd.sub_f32s(simd.sqrt_f32s(next), simd.sqrt_f32s(near));
        let gap = simd.sub_f32s(gap, simd.mul_f32s(r, simd.splat_f32s(4.0 * UNIT)));
        spare = simd.min_f32s(spare, gap);
    }
    let mut out = [0.0; WIDE];
    for (to, best) in S::as_mut_simd_f32s(&mut out).0.iter_mut().zip(best) {
        *to = best;
    }
    Found { centres: out.map(f32::to_bits), spare: simd.reduce_min_f32s(spare) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::kmeans::kernel::squared;

    /// Numbers from −1 to 1 without order.
    fn scattered(i: usize) -> f64 {
        ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / 4_503_599_627_370_496.0 - 1.0
    }

    #[test]
    fn what_it_finds_is_so() {
        for (scale, offset, columns, k) in
            [(1.0, 0.0, 3, 5), (1e6, 1e9, 8, 8), (1e-16, 0.0, 2, 3), (1e15, 0.0, 2, 4), (1.0, 5.0, 1, 1)]
        {
            let count = 1_003;
            let values: Vec<f64> = (0..count * columns).map(|i| offset + scale * scattered(i)).collect();
            let centres: Vec<f64> =
                (0..k * columns).map(|i| offset + scale * scattered(i + 7_777_777)).collect();
            let origin = &centres[..columns];
            let (tiles, ready) = (Tiles::new(&values, origin), Centres::new(&centres, origin));
            let mut seen = Vec::new();
            let mut at = 0;
            let could = screen(&tiles, &ready, |found| {
                seen.extend(found);
                at += 1;
                (at <= count.div_ceil(WIDE)).then_some(at - 1)
            });
            assert_eq!(seen.len(), if could { count.div_ceil(WIDE) } else { 0 });
            let mut held = 0;
            for (tile, found) in seen.into_iter().filter(|(_, found)| found.spare > 0.0) {
                held += 1;
                for (i, own) in (tile * WIDE..count).zip(found.centres) {
                    let point = &values[i * columns..(i + 1) * columns];
                    let d: Vec<f64> =
                        centres.chunks_exact(columns).map(|c| squared(point, c).sqrt()).collect();
                    for (other, d_other) in d.iter().enumerate().filter(|(j, _)| *j != own as usize) {
                        assert!(d_other - d[own as usize] >= f64::from(found.spare), "{i} {own} {other}");
                    }
                }
            }
            assert!(!could || held > 10 || scale < 1e-15, "{scale}: {held}");
        }
    }

    #[test]
    fn what_is_too_large_is_left_alone() {
        let (tiles, centres) = (Tiles::new(&[1e20, 0.0], &[0.0]), Centres::new(&[1.0, 2.0], &[0.0]));
        assert!(!screen(&tiles, &centres, |_| None));
        let (tiles, centres) = (Tiles::new(&[1.0, 0.0], &[0.0]), Centres::new(&[1.0, 1e200], &[0.0]));
        assert!(!screen(&tiles, &centres, |_| None));
    }
}
