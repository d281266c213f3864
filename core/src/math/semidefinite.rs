//! Symmetric systems that may be singular.

/// The Cholesky factor of a matrix that may be singular: rows that say nothing
/// of their own are left out, and have 0 in every solution.
pub(crate) struct Factor {
    n: usize,
    lower: Vec<f64>,
    used: Vec<bool>,
}

impl Factor {
    /// Factors a symmetric matrix of n × n, of which the lower triangle is read.
    pub(crate) fn new(mut m: Vec<f64>, n: usize) -> Self {
        let size: Vec<f64> = (0..n).map(|i| m[i * n + i]).collect();
        let mut used = vec![true; n];
        for j in 0..n {
            let mut pivot = m[j * n + j];
            for k in 0..j {
                pivot -= m[j * n + k] * m[j * n + k];
            }
            used[j] = pivot > 1e-10 * size[j] && pivot > 0.0;
            let root = if used[j] { pivot.sqrt() } else { 0.0 };
            m[j * n + j] = root;
            for i in j + 1..n {
                let mut x = m[i * n + j];
                for k in 0..j {
                    x -= m[i * n + k] * m[j * n + k];
                }
                m[i * n + j] = if used[j] { x / root } else { 0.0 };
            }
        }
        Self { n, lower: m, used }
    }

    /// Which rows say something of their own.
    pub(crate) fn used(&self) -> &[bool] {
        &self.used
    }

    /// Solves for the rows that are used.
    pub(crate) fn solve(&self, y: &[f64]) -> Vec<f64> {
        let n = self.n;
        let mut x = y.to_vec();
        for i in 0..n {
            for k in 0..i {
                x[i] -= self.lower[i * n + k] * x[k];
            }
            x[i] = if self.used[i] { x[i] / self.lower[i * n + i] } else { 0.0 };
        }
        for i in (0..n).rev() {
            for k in i + 1..n {
                x[i] -= self.lower[k * n + i] * x[k];
            }
            x[i] = if self.used[i] { x[i] / self.lower[i * n + i] } else { 0.0 };
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_solves() {
        let m = vec![4.0, 2.0, 0.0, 2.0, 3.0, 1.0, 0.0, 1.0, 2.0];
        let x = Factor::new(m.clone(), 3).solve(&[2.0, 5.0, 7.0]);
        for i in 0..3 {
            let back: f64 = (0..3).map(|k| m[i * 3 + k] * x[k]).sum();
            assert!((back - [2.0, 5.0, 7.0][i]).abs() < 1e-12);
        }
        // A feature that is twice another is left out.
        let x = Factor::new(vec![1.0, 2.0, 2.0, 4.0], 2).solve(&[3.0, 6.0]);
        assert_eq!(x, [3.0, 0.0]);
    }
}
