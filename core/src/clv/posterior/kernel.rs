//! The likelihood of any law on log parameters, as samplers and refits take it.

use crate::clv::beta_geo::likelihood::Likelihood;
use crate::clv::beta_geo::slope::Slope;
use crate::clv::beta_geo::{BetaGeoModel, NAMES};
use crate::clv::door::{VisitLaw, with_law};
use crate::clv::laws::{Fit, Law, ParetoLaw, ParetoSlope, evaluate, slope};
use crate::clv::rows::Unique;
use crate::math::exp;
use crate::math::newton::Local;
use crate::model::Model;
use crate::{Result, Run};

/// What parameters are learned from: rows that stand for customers.
pub(crate) trait Evidence: Send + Sync + Sized {
    /// Customers, the unit (mean T, or mean spend), and events per unit; or why there is nothing to learn.
    fn pooled(&self, model: &'static str) -> Result<(f64, f64, f64)>;
    /// How many customers each row stands for.
    fn weights(&self) -> Vec<f64>;
    /// The rows of other weights; those of none are left out.
    fn reweighted(&self, weight: &[f64]) -> Self;
    /// All rows of several.
    fn together(parts: &[Self]) -> Self;
}

/// A log-likelihood of `N` positive parameters, on their logarithms.
pub(crate) trait Kernel<const N: usize>: Copy + Send + Sync {
    /// The rows.
    type Data: Evidence;
    /// The rows, ready for gradients.
    type Ready<'a>: Send + Sync;
    /// The rows, ready for Hessians.
    type Full<'a>: Send + Sync;
    const NAME: &'static str;
    const NAMES: [&'static str; N];
    /// Each parameter's unit, as a power of that of the rows.
    const UNIT: [f64; N];
    /// Logarithms between which there is a law.
    const LIMITS: [(f64, f64); N] = [(f64::NEG_INFINITY, f64::INFINITY); N];

    fn ready(self, rows: &Self::Data) -> Self::Ready<'_>;
    /// Value and gradient, on one thread.
    fn slope(self, ready: &Self::Ready<'_>, log: [f64; N]) -> (f64, [f64; N]);
    /// Value, gradient and Hessian.
    fn local(self, full: &Self::Full<'_>, log: [f64; N], run: &Run) -> Result<Local<N>>;
    fn full(self, rows: &Self::Data) -> Self::Full<'_>;
    /// A point to start from, on the parameters themselves, given events per unit and the unit.
    fn start(self, rows: &Self::Data, pooled: (f64, f64), run: &Run) -> Result<[f64; N]>;

    /// Where a search may go: bounds, between the limits.
    fn within(bounds: [(f64, f64); N]) -> [(f64, f64); N] {
        std::array::from_fn(|i| (bounds[i].0.max(Self::LIMITS[i].0), bounds[i].1.min(Self::LIMITS[i].1)))
    }
}

#[derive(Clone, Copy, Debug)]
struct PlainBetaGeo;

impl Kernel<4> for PlainBetaGeo {
    type Data = Unique;
    type Ready<'a> = Slope;
    type Full<'a> = Likelihood<'a>;
    const NAME: &'static str = "BetaGeo";
    const NAMES: [&'static str; 4] = NAMES;
    const UNIT: [f64; 4] = [0.0, 1.0, 0.0, 0.0];

    fn ready(self, rows: &Unique) -> Slope {
        Slope::new(rows)
    }
    fn slope(self, ready: &Slope, log: [f64; 4]) -> (f64, [f64; 4]) {
        ready.evaluate(log)
    }
    fn full(self, rows: &Unique) -> Likelihood<'_> {
        Likelihood::new(rows)
    }
    fn local(self, full: &Likelihood<'_>, log: [f64; 4], run: &Run) -> Result<Local<4>> {
        full.evaluate(log.map(exp), run)
    }
    fn start(self, _: &Unique, (rate, _): (f64, f64), _: &Run) -> Result<[f64; 4]> {
        Ok([0.5, 0.5 / rate, 1.0, 2.0])
    }
}

#[derive(Clone, Copy, Debug)]
struct PlainPareto;

impl Kernel<4> for PlainPareto {
    type Data = Unique;
    type Ready<'a> = ParetoSlope;
    type Full<'a> = &'a Unique;
    const NAME: &'static str = ParetoLaw::NAME;
    const NAMES: [&'static str; 4] = ParetoLaw::PARAMETERS;
    const UNIT: [f64; 4] = ParetoLaw::TIME;

    fn ready(self, rows: &Unique) -> ParetoSlope {
        ParetoSlope::new(rows)
    }
    fn slope(self, ready: &ParetoSlope, log: [f64; 4]) -> (f64, [f64; 4]) {
        ready.evaluate(log)
    }
    fn full(self, rows: &Unique) -> &Unique {
        rows
    }
    fn local(self, full: &&Unique, log: [f64; 4], run: &Run) -> Result<Local<4>> {
        Lawful(ParetoLaw).local(full, log, run)
    }
    fn start(self, rows: &Unique, pooled: (f64, f64), run: &Run) -> Result<[f64; 4]> {
        Lawful(ParetoLaw).start(rows, pooled, run)
    }
}

/// Any law.
#[derive(Clone, Copy, Debug)]
pub(in crate::clv) struct Lawful<L>(pub L);

impl<L: Law<N>, const N: usize> Kernel<N> for Lawful<L> {
    type Data = Unique;
    type Ready<'a> = &'a Unique;
    type Full<'a> = &'a Unique;
    const NAME: &'static str = L::NAME;
    const NAMES: [&'static str; N] = L::PARAMETERS;
    const UNIT: [f64; N] = L::TIME;

    fn ready(self, rows: &Unique) -> &Unique {
        rows
    }
    fn slope(self, ready: &&Unique, log: [f64; N]) -> (f64, [f64; N]) {
        slope(self.0, ready, log)
    }
    fn full(self, rows: &Unique) -> &Unique {
        rows
    }
    fn local(self, full: &&Unique, log: [f64; N], run: &Run) -> Result<Local<N>> {
        evaluate(self.0, full, log, run)
    }
    fn start(self, rows: &Unique, (rate, mean_age): (f64, f64), run: &Run) -> Result<[f64; N]> {
        Ok(Fit::regular_start(self.0, rows, run)?.unwrap_or_else(|| self.0.start(rate, mean_age)))
    }
}

/// What is done with a kernel of purchases once its type is known.
pub(crate) trait Visit {
    type Out;
    fn visit<K: Kernel<N, Data = Unique>, const N: usize>(self, kernel: K) -> Result<Self::Out>;
}

/// The kind in model files of a kind or a bare name, such as `clv.BetaGeo` or `BetaGeo`.
pub(crate) fn full(kind: &str) -> String {
    if kind.contains('.') { kind.to_owned() } else { format!("clv.{kind}") }
}

/// Finds the kernel of this kind.
pub(crate) fn with_kernel<V: Visit>(kind: &str, k: u32, visit: V) -> Result<V::Out> {
    struct Any<V>(V);
    impl<V: Visit> VisitLaw for Any<V> {
        type Out = V::Out;
        fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<V::Out> {
            self.0.visit(Lawful(law))
        }
    }
    if kind == BetaGeoModel::KIND && k == 1 {
        return visit.visit(PlainBetaGeo);
    }
    if kind == ParetoLaw::KIND && k == 1 {
        return visit.visit(PlainPareto);
    }
    with_law(kind, k, Any(visit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::RfmSlices;
    use crate::math::ln;

    struct Compare<'a>(&'a Unique);

    impl Visit for Compare<'_> {
        type Out = ();
        fn visit<K: Kernel<N, Data = Unique>, const N: usize>(self, kernel: K) -> Result<()> {
            let log = kernel.start(self.0, (0.1, 8.0), &Run::new())?.map(ln);
            let (value, gradient) = kernel.slope(&kernel.ready(self.0), log);
            let local = kernel.local(&kernel.full(self.0), log, &Run::new())?;
            assert!((value - local.value).abs() < 1e-12 * value.abs(), "{}: {value}", K::NAME);
            for (got, want) in gradient.iter().zip(local.gradient) {
                assert!((got - want).abs() < 1e-10 * want.abs().max(1.0), "{}: {got} for {want}", K::NAME);
            }
            Ok(())
        }
    }

    #[test]
    fn slopes_are_the_gradients_of_all_laws() {
        let rows = RfmSlices {
            frequency: &[0.0, 1.0, 2.0, 5.0, 5.0],
            recency: &[0.0, 3.0, 4.0, 8.0, 9.0],
            age: &[7.0, 9.0, 9.0, 8.0, 10.0],
            weight: Some(&[50.0, 8.0, 4.0, 1.0, 2.0]),
            ..RfmSlices::default()
        };
        let unique = Unique::of(&rows, &Run::new()).unwrap();
        for (kind, k) in [
            ("clv.BetaGeo", 1),
            ("clv.ModifiedBetaGeo", 1),
            ("clv.BetaGeoCNBD", 3),
            ("clv.ModifiedBetaGeoCNBD", 2),
            ("clv.ParetoNBD", 1),
            ("clv.GGompertzNBD", 1),
            ("clv.BetaGeoBetaBinomial", 1),
            ("clv.ParetoGGG", 1),
            ("clv.AbeParetoNBD", 1),
        ] {
            with_kernel(kind, k, Compare(&unique)).unwrap();
        }
    }
}
