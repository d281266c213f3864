//! Which parameters the data do not identify, where a likelihood is flat along a ridge.

use crate::math::newton::covariance;

/// ln of how far from its centre a parameter on a ridge has run off.
const FAR: f64 = 6.0;
/// A parameter whose logarithm has a greater standard error, ln 10⁶, may lie anywhere in the range of the search.
const LOOSE: f64 = 13.815_510_557_964_274;

/// The covariance of log parameters at the top, and which of them are held: at the edge of the search (`held`), or
/// because the likelihood is flat along them, those that ran off furthest first, until the others are identified.
/// `away` are their distances from the centre of the search; `flat` says that the search itself ended on a ridge.
/// All are held where nothing can be said of the errors.
pub(super) fn identified<const N: usize>(
    hessian: &[[f64; N]; N],
    away: [f64; N],
    held: [bool; N],
    flat: bool,
) -> ([bool; N], [[f64; N]; N]) {
    let (mut held, mut flat) = (held, flat);
    loop {
        let found = covariance(hessian, held);
        let known = found.is_some_and(|found| (0..N).all(|i| found[i][i] <= LOOSE * LOOSE));
        if let (Some(found), true, false) = (found, known, flat) {
            return (held, found);
        }
        flat = false;
        let far = (0..N).filter(|i| !held[*i] && away[*i].abs() > FAR);
        let furthest = far.max_by(|a, b| away[*a].abs().total_cmp(&away[*b].abs()));
        let loosest = || {
            let found = found.filter(|_| !known)?;
            (0..N).max_by(|a, b| found[*a][*a].total_cmp(&found[*b][*b]))
        };
        match furthest.or_else(loosest) {
            Some(unknown) => held[unknown] = true,
            None => return found.map_or(([true; N], [[0.0; N]; N]), |found| (held, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// −½ (a − b)² − ½ c², but for rounding flat along a = b.
    fn ridge(bend: f64) -> [[f64; 3]; 3] {
        [[-1.0 - bend, 1.0, 0.0], [1.0, -1.0 - bend, 0.0], [0.0, 0.0, -4.0]]
    }

    #[test]
    fn the_furthest_along_a_ridge_is_held_and_the_others_are_identified() {
        for bend in [0.0, 1e-16, 1e-12] {
            let (held, found) = identified(&ridge(bend), [9.0, 11.0, 0.5], [false; 3], false);
            assert_eq!(held, [false, true, false]);
            assert!((found[0][0] - 1.0).abs() < 1e-9 && (found[2][2] - 0.25).abs() < 1e-12);
        }
        let (held, found) = identified(&ridge(0.1), [9.0, 11.0, 0.5], [false; 3], false);
        assert!(held == [false; 3] && found[0][0] > 1.0);
        // Where the search says that it ended on a ridge, something is held.
        assert_eq!(identified(&ridge(0.1), [9.0, 11.0, 0.5], [false; 3], true).0, [false, true, false]);
        // What is not known is held though it has not run off.
        let loose = [[-1.0, 0.0, 0.0], [0.0, -1e-9, 0.0], [0.0, 0.0, -4.0]];
        assert_eq!(identified(&loose, [1.0, 2.0, 0.5], [false; 3], false).0, [false, true, false]);
        // Nothing has run off, and nothing can be said.
        assert_eq!(identified(&ridge(0.0), [1.0, 2.0, 0.5], [false; 3], false).0, [true; 3]);
    }
}
