//! Distances, eight at a time.
//!
//! Eight centres beside one point ([`Panels`]) or eight points beside one
//! centre ([`Tile`]) stand in a row of lanes, so that eight sums of squares
//! advance together in vector registers. Each lane adds its dimensions in
//! their order, so a distance has the same bits whichever way it was computed.

/// Lanes in a row.
pub(super) const LANES: usize = 8;

/// Centres side by side; a lane beyond the last centre is at infinity.
#[derive(Clone, Debug)]
pub(super) struct Panels {
    columns: usize,
    /// `panels × columns` rows of eight lanes.
    lanes: Vec<[f64; LANES]>,
}

impl Panels {
    /// Lays out centres given row by row.
    pub(super) fn new(centres: &[f64], columns: usize) -> Self {
        let count = centres.len() / columns;
        let mut lanes = vec![[f64::INFINITY; LANES]; count.div_ceil(LANES) * columns];
        for (j, centre) in centres.chunks_exact(columns).enumerate() {
            let panel = &mut lanes[(j / LANES) * columns..][..columns];
            for (lane, x) in panel.iter_mut().zip(centre) {
                lane[j % LANES] = *x;
            }
        }
        Self { columns, lanes }
    }

    /// Shows `see` the squared distances of a point to the centres, panel by panel.
    #[inline]
    pub(super) fn distances(&self, point: &[f64], mut see: impl FnMut(usize, &[f64; LANES])) {
        for (p, panel) in self.lanes.chunks_exact(self.columns).enumerate() {
            see(p, &panel_distances(point, panel));
        }
    }
}

#[inline]
fn panel_distances(point: &[f64], panel: &[[f64; LANES]]) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (x, centres) in point.iter().zip(panel) {
        for (sum, c) in sums.iter_mut().zip(centres) {
            let gap = x - c;
            *sum += gap * gap;
        }
    }
    sums
}

/// The squared distance of two points.
#[inline]
pub(super) fn squared(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (x, y) in a.iter().zip(b) {
        let gap = x - y;
        sum += gap * gap;
    }
    sum
}

/// Eight points side by side: one row of eight lanes for each dimension.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    lanes: Vec<[f64; LANES]>,
}

impl Tile {
    pub(super) fn new(columns: usize) -> Self {
        Self { lanes: vec![[0.0; LANES]; columns] }
    }

    /// Puts a point into a lane.
    #[inline]
    pub(super) fn set(&mut self, lane: usize, point: &[f64]) {
        for (row, x) in self.lanes.iter_mut().zip(point) {
            row[lane & (LANES - 1)] = *x;
        }
    }

    /// Finds the two nearest of the centres, given row by row.
    #[inline]
    pub(super) fn search(&self, centres: &[f64]) -> Nearest {
        let mut first = [f64::INFINITY; LANES];
        let mut second = [f64::INFINITY; LANES];
        let mut best = [0; LANES];
        for (number, centre) in (0..).zip(centres.chunks_exact(self.lanes.len())) {
            let mut d = [0.0; LANES];
            for (row, c) in self.lanes.iter().zip(centre) {
                for (sum, x) in d.iter_mut().zip(row) {
                    let gap = x - c;
                    *sum += gap * gap;
                }
            }
            for lane in 0..LANES {
                let closer = d[lane] < first[lane];
                let other = if closer { first[lane] } else { d[lane] };
                second[lane] = if other < second[lane] { other } else { second[lane] };
                best[lane] = if closer { number } else { best[lane] };
                first[lane] = if closer { d[lane] } else { first[lane] };
            }
        }
        Nearest { first, second, centre: best }
    }
}

/// What is known of the nearest centres of eight points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearest {
    /// Squared distances to the nearest and the second nearest centre.
    pub(super) first: [f64; LANES],
    pub(super) second: [f64; LANES],
    /// The nearest centre; of equally near ones the first.
    centre: [u64; LANES],
}

impl Nearest {
    /// The nearest centre of the point in a lane.
    #[inline]
    pub(super) fn centre(&self, lane: usize) -> u32 {
        self.centre[lane] as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_a_distance_gives_the_same_bits() {
        let centres: Vec<f64> = (0..33).map(|i| f64::from(i * i % 17) * 0.37).collect();
        let panels = Panels::new(&centres, 3);
        let mut tile = Tile::new(3);
        for i in 0..50 {
            let point = [f64::from(i) * 0.11, 2.0 - f64::from(i % 7), f64::from(i % 5)];
            let plain: Vec<f64> = centres.chunks_exact(3).map(|c| squared(&point, c)).collect();
            panels.distances(&point, |p, d| {
                for (lane, d) in d.iter().enumerate() {
                    let expected = plain.get(p * LANES + lane).copied().unwrap_or(f64::INFINITY);
                    assert_eq!(d.to_bits(), expected.to_bits());
                }
            });
            let lane = i as usize % LANES;
            tile.set(lane, &point);
            let found = tile.search(&centres);
            let best = plain.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(found.first[lane].to_bits(), best.to_bits());
            assert_eq!(plain.iter().position(|d| *d == best), Some(found.centre(lane) as usize));
            let mut rest = plain;
            rest.remove(found.centre(lane) as usize);
            assert_eq!(found.second[lane], rest.iter().copied().fold(f64::INFINITY, f64::min));
        }
    }
}
