//! The distinct rows of a gamma-gamma model, and their likelihood.

use super::SpendSlices;
use crate::math::newton::Local;
use crate::math::{Sum, digamma_rise, ln, ln_1p, ln_beta, sum, trigamma, trigamma_rise};
use crate::{Error, Result, Run};

const PIECE: usize = 8192;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub x: f64,
    pub mean: f64,
    pub weight: f64,
    /// ln(x · mean)
    ln_total: f64,
}

/// The distinct rows by x, then mean.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub rows: Vec<Row>,
    /// First row of each distinct x, and the end.
    starts: Vec<usize>,
    pub customers: f64,
    pub excluded: u64,
    /// Σ w ln m, a constant of the likelihood.
    ln_mean: f64,
}

impl Data {
    /// Of rows that may be anything.
    pub(crate) fn read(rows: &SpendSlices<'_>) -> Result<Self> {
        rows.check()?;
        Ok(Self::of(rows))
    }

    fn of(rows: &SpendSlices<'_>) -> Self {
        let weight = |i: usize| rows.weight.map_or(1.0, |w| w[i]);
        let mut kept: Vec<Row> = Vec::new();
        let mut excluded = 0;
        for (i, (x, mean)) in rows.frequency.iter().zip(rows.monetary_value).enumerate() {
            if *x > 0.0 && *mean > 0.0 && weight(i) > 0.0 {
                kept.push(Row { x: *x, mean: *mean, weight: weight(i), ln_total: 0.0 });
            } else {
                excluded += 1;
            }
        }
        for row in &mut kept {
            row.ln_total = ln(row.x * row.mean);
        }
        Self::distinct(kept, excluded)
    }

    /// All rows of several.
    pub(crate) fn together(parts: &[Self]) -> Self {
        let rows = parts.iter().flat_map(|part| part.rows.iter().copied()).collect();
        Self::distinct(rows, parts.iter().map(|part| part.excluded).sum())
    }

    fn distinct(mut kept: Vec<Row>, excluded: u64) -> Self {
        let key = |a: &Row, b: &Row| a.x.total_cmp(&b.x).then(a.mean.total_cmp(&b.mean));
        kept.sort_by(|a, b| key(a, b).then(a.weight.total_cmp(&b.weight)));
        kept.dedup_by(|next, row| {
            let same = next.x == row.x && next.mean == row.mean;
            if same {
                row.weight += next.weight;
            }
            same
        });
        Self::sorted(kept, excluded)
    }

    fn sorted(rows: Vec<Row>, excluded: u64) -> Self {
        let mut starts: Vec<usize> =
            (0..rows.len()).filter(|i| *i == 0 || rows[*i].x != rows[*i - 1].x).collect();
        starts.push(rows.len());
        let total = |f: &dyn Fn(&Row) -> f64| sum(rows.iter().map(|r| r.weight * f(r)));
        Self { customers: total(&|_| 1.0), ln_mean: total(&|r| ln(r.mean)), starts, excluded, rows }
    }

    /// The rows of other weights; those of none are left out.
    pub(crate) fn reweighted(&self, weight: &[f64]) -> Self {
        let rows = self.rows.iter().zip(weight).filter(|(_, w)| **w > 0.0);
        Self::sorted(rows.map(|(row, weight)| Row { weight: *weight, ..*row }).collect(), self.excluded)
    }

    /// The mean value of a customer's purchases, over all.
    pub(crate) fn mean(&self) -> f64 {
        sum(self.rows.iter().map(|r| r.weight * r.mean)) / self.customers
    }

    /// How many different mean values there are.
    pub(crate) fn different(&self) -> usize {
        let mut values = self.column(|r| r.mean);
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        values.len()
    }

    /// Whether there is anything to learn from.
    pub(crate) fn enough(&self) -> Result<()> {
        let different = self.different();
        if different >= 3 {
            return Ok(());
        }
        Err(Error::not_enough_data(format!(
            "GammaGamma needs three or more different mean values among customers with a repeat purchase and a positive mean; there are {different}"
        )))
    }

    /// Sums over a piece of the rows: four of values and gradients, and two of Hessians alone.
    fn sums(&self, piece: usize, v: f64, bend: bool) -> [Sum; 6] {
        let ln_v = ln(v);
        let mut sums = [Sum::default(); 6];
        for row in &self.rows[piece * PIECE..self.rows.len().min((piece + 1) * PIECE)] {
            let u = row.x * row.mean / v;
            let (log, inverse) = (ln_1p(u), 1.0 / (1.0 + u));
            let (w, wx) = (row.weight, row.weight * row.x);
            sums[0].add(w * log);
            sums[1].add(wx * (log - (row.ln_total - ln_v)));
            sums[2].add(w * u * inverse);
            sums[3].add(wx * inverse);
            if bend {
                sums[4].add(w * u * (2.0 + u) * inverse * inverse);
                sums[5].add(wx * inverse * inverse);
            }
        }
        sums
    }

    /// Value, gradient and Hessian with respect to ln p, ln q, ln v.
    ///
    /// With u = x m / v: ln L = −ln B(p x, q) − q ln(1 + u) − p x ln(1 + 1/u) − ln m,
    /// which keeps its digits where q and v are huge.
    pub(crate) fn evaluate(&self, theta: [f64; 3], run: &Run) -> Result<Local<3>> {
        let pieces = self.rows.len().div_ceil(PIECE);
        let parts = run.map_items(pieces, |piece| Ok(self.sums(piece, theta[2], true)))?;
        Ok(self.local(theta, parts, true))
    }

    /// Value and gradient, on one thread.
    pub(crate) fn slope(&self, theta: [f64; 3]) -> (f64, [f64; 3]) {
        let pieces = self.rows.len().div_ceil(PIECE);
        let local = self.local(theta, (0..pieces).map(|piece| self.sums(piece, theta[2], false)), false);
        (local.value, local.gradient)
    }

    fn local(&self, theta: [f64; 3], parts: impl IntoIterator<Item = [Sum; 6]>, bend: bool) -> Local<3> {
        let [p, q, v] = theta;
        let mut sums = [Sum::default(); 6];
        for part in parts {
            for (s, p) in sums.iter_mut().zip(part) {
                s.merge(p);
            }
        }
        let [log, x_log, share, x_rest, squares, x_squares] = sums.map(Sum::value);
        let mut value = Sum::default();
        let mut g = [Sum::default(); 3];
        let mut h = [[0.0; 3]; 3];
        for group in self.starts.windows(2) {
            let rows = &self.rows[group[0]..group[1]];
            let x = rows[0].x;
            let w = sum(rows.iter().map(|r| r.weight));
            let px = p * x;
            value.add(-w * ln_beta(px, q));
            g[0].add(w * x * digamma_rise(px, q));
            g[1].add(w * digamma_rise(q, px));
            if bend {
                h[0][0] += w * x * x * trigamma_rise(px, q);
                h[0][1] += w * x * trigamma(px + q);
                h[1][1] += w * trigamma_rise(q, px);
            }
        }
        value.extend([-q * log, -p * x_log, -self.ln_mean]);
        g[0].add(-x_log);
        g[1].add(-log);
        g[2].extend([q * share / v, -p * x_rest / v]);
        let gradient: [f64; 3] = std::array::from_fn(|i| g[i].value() * theta[i]);
        if !bend {
            return Local { value: value.value(), gradient, hessian: h };
        }
        h[0][2] = -x_rest / v;
        h[1][2] = share / v;
        h[2][2] = (p * x_squares - q * squares) / (v * v);
        let hessian = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let natural = if i <= j { h[i][j] } else { h[j][i] };
                natural * theta[i] * theta[j] + if i == j { gradient[i] } else { 0.0 }
            })
        });
        Local { value: value.value(), gradient, hessian }
    }

    /// Pearson's correlation of something of frequency and something of mean value.
    fn correlation(&self, of_x: &[f64], of_mean: &[f64]) -> f64 {
        let n = self.customers;
        let total =
            |f: &dyn Fn(usize) -> f64| sum(self.rows.iter().enumerate().map(|(i, r)| r.weight * f(i)));
        let (x, m) = (total(&|i| of_x[i]) / n, total(&|i| of_mean[i]) / n);
        let both = total(&|i| (of_x[i] - x) * (of_mean[i] - m));
        let square = |v: &[f64], mean: f64| total(&|i| (v[i] - mean) * (v[i] - mean));
        let scale = (square(of_x, x) * square(of_mean, m)).sqrt();
        if scale > 0.0 { both / scale } else { 0.0 }
    }

    fn column(&self, f: impl Fn(&Row) -> f64) -> Vec<f64> {
        self.rows.iter().map(f).collect()
    }

    /// Mean ranks, each row standing for its weight of customers.
    fn ranks(&self, values: &[f64]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut out = vec![0.0; values.len()];
        let mut below = 0.0;
        for tie in order.chunk_by(|a, b| values[*a] == values[*b]) {
            let weight = sum(tie.iter().map(|i| self.rows[*i].weight));
            tie.iter().for_each(|i| out[*i] = below + 0.5 * weight);
            below += weight;
        }
        out
    }

    /// Correlations of frequency and mean value: as they are, of their logarithms, of their ranks.
    pub(super) fn correlations(&self) -> [f64; 3] {
        let (x, mean) = (self.column(|r| r.x), self.column(|r| r.mean));
        let logs = |v: &[f64]| v.iter().map(|v| ln(*v)).collect::<Vec<f64>>();
        [
            self.correlation(&x, &mean),
            self.correlation(&logs(&x), &logs(&mean)),
            self.correlation(&self.ranks(&x), &self.ranks(&mean)),
        ]
    }
}
