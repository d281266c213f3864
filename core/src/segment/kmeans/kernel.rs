//! Distances to centres, eight at a time.
//!
//! A panel holds up to eight centres side by side, so that the eight sums of
//! squares advance together in vector registers; a lane beyond the last centre
//! is at infinity. Each lane adds its dimensions in their order, so a distance
//! has the same bits whichever way it was computed.

/// Centres in a panel.
pub(super) const LANES: usize = 8;

/// Centres laid out for [`Panels::nearest`].
#[derive(Clone, Debug)]
pub(super) struct Panels {
    columns: usize,
    /// `panels × columns` rows of eight lanes.
    lanes: Vec<[f64; LANES]>,
}

/// The nearest centre, and how far the two nearest are (squared).
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearest {
    pub(super) centre: u32,
    pub(super) first: f64,
    pub(super) second: f64,
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

    /// The nearest centre; of equally near ones the first.
    #[inline]
    pub(super) fn nearest(&self, point: &[f64]) -> Nearest {
        let mut best = Nearest { centre: 0, first: f64::INFINITY, second: f64::INFINITY };
        for (p, panel) in self.lanes.chunks_exact(self.columns).enumerate() {
            let d = panel_distances(point, panel);
            for (lane, d) in d.into_iter().enumerate() {
                let closer = d < best.first;
                best.second = if closer { best.first } else { best.second.min(d) };
                best.centre = if closer { (p * LANES + lane) as u32 } else { best.centre };
                best.first = if closer { d } else { best.first };
            }
        }
        best
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
