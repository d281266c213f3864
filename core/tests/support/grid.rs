//! Posteriors by brute force, on a grid of every point.
#![allow(clippy::disallowed_methods)]

/// Means and standard deviations of a density of `N` variables, on `steps` points within `reach` of `centre`
/// in each direction.
pub fn moments<const N: usize>(
    centre: [f64; N],
    reach: [f64; N],
    steps: usize,
    ln_density: impl Fn([f64; N]) -> f64,
) -> [(f64, f64); N] {
    let at = |mut index: usize| -> [f64; N] {
        std::array::from_fn(|i| {
            let step = index % steps;
            index /= steps;
            centre[i] + reach[i] * (2.0 * step as f64 / (steps - 1) as f64 - 1.0)
        })
    };
    let points: Vec<[f64; N]> = (0..steps.pow(N as u32)).map(at).collect();
    let heights: Vec<f64> = points.iter().map(|p| ln_density(*p)).collect();
    let top = heights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = heights.iter().map(|h| (h - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    std::array::from_fn(|i| {
        let mean = points.iter().zip(&weights).map(|(p, w)| w * p[i]).sum::<f64>() / total;
        let square = points.iter().zip(&weights).map(|(p, w)| w * (p[i] - mean).powi(2)).sum::<f64>() / total;
        (mean, square.sqrt())
    })
}

/// Mean and standard deviation of the logarithms of some draws.
pub fn logs(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    (mean, (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}
