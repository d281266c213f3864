//! Segments that are alike, but not the same: partial pooling.
//!
//! Each group's log parameters are spread around those of a population:
//!
//! ```text
//! ln θ_gj ~ N(m_j, τ_j²)      m_j: the priors of `sampling`      τ_j ~ half-normal(spread)
//! ```
//!
//! Groups of many customers speak for themselves, small ones borrow from the
//! others, and how much is itself learned (Gelman & Hill 2007). All of it is
//! sampled together by NUTS: groups that tell more than the population does in their own
//! coordinates, the others as deviations from it
//! (Papaspiliopoulos, Roberts & Sköld 2007).
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use serde::{Deserialize, Serialize};

use super::groups::{Part, parts, read_each};
use super::kernel::{Evidence, Kernel, Visit, full, with_kernel};
use super::nuts::{Plan, walk};
use super::prior::Priors;
use super::sample::{centred, rounded};
use super::subject::Subject;
use super::{Chain, Method, Posterior, PosteriorOptions, retention, spend};
use crate::clv::ParetoGggLaw;
use crate::clv::contract::{self, Family};
use crate::clv::frames::History as Rows;
use crate::clv::laws::{Law, opportunities};
use crate::clv::rows::{RfmSlices, Unique};
use crate::column::{Columns, Dropped, Intake, Names, Sign};
use crate::math::newton::{Stop, cholesky, covariance, maximise};
use crate::math::{exp, ln, normal_quantile, sum};
use crate::run::unit_open;
use crate::{Error, Result, Run};

/// The stream of what new groups may be.
const NEW: u64 = 0x6869_6572_0000_0000;
/// Groups at most: each has a posterior.
const MOST_GROUPS: usize = 500;

/// Roles and options of [`sample_hierarchy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HierarchyOptions {
    /// Column of groups: segments, acquisition channels, countries. Default `"group"`.
    pub group: String,
    /// How far groups may lie apart: the scale of the half-normal prior of each
    /// τ. Default 0.5: parameters of groups differ by factors of up to e or so.
    pub spread: f64,
    /// The rest is that of one posterior.
    pub sampling: PosteriorOptions,
}

impl Default for HierarchyOptions {
    fn default() -> Self {
        // Where groups are nearly alike, τ and they move together: small steps are needed there.
        let sampling = PosteriorOptions { tune: 500, target_accept: 0.95, ..Default::default() };
        Self { group: "group".into(), spread: 0.5, sampling }
    }
}

/// Posteriors of groups that were drawn together.
///
/// A model file, kind `clv.Hierarchy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hierarchy {
    pub(super) group: String,
    pub(super) spread: f64,
    pub(super) groups: Vec<String>,
    pub(super) posteriors: Vec<Posterior>,
    /// What a group that was not seen may be.
    pub(super) new_group: Posterior,
    /// Draws of each m, on the parameters' own scale, and of each τ.
    pub(super) centre: Vec<Vec<f64>>,
    pub(super) deviation: Vec<Vec<f64>>,
}

/// Draws the parameters of all groups, and of the population that they come from: of a model of purchases, of
/// `GammaGamma`, or of the models of retention `ShiftedBetaGeo` and `BetaDiscreteWeibull`, whose groups may be their
/// cohorts.
///
/// ```
/// use headwater::Run;
/// use headwater::clv::posterior::{HierarchyOptions, PosteriorOptions, sample_hierarchy};
/// use headwater::column::Columns;
///
/// let customers = Columns::new()
///     .with("frequency", vec![0.0, 1.0, 1.0, 2.0, 6.0, 0.0, 1.0, 3.0])
///     .with("recency", vec![0.0, 4.0, 24.0, 9.0, 36.0, 0.0, 20.0, 30.0])
///     .with("T", vec![35.0, 38.0, 38.0, 39.0, 38.0, 36.0, 39.0, 38.0])
///     .with("customers", vec![1400.0, 300.0, 200.0, 100.0, 90.0, 60.0, 30.0, 20.0])
///     .with("channel", vec!["web", "web", "web", "web", "web", "shop", "shop", "shop"]);
/// let sampling = PosteriorOptions {
///     weight: Some("customers".into()), chains: 2, draws: 100, tune: 100, ..Default::default()
/// };
/// let options = HierarchyOptions { group: "channel".into(), sampling, ..Default::default() };
/// let (found, _) = sample_hierarchy("BetaGeo", &customers, &options, &Run::new())?;
/// assert_eq!(found.groups(), ["shop", "web"]);
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn sample_hierarchy(
    kind: &str,
    frame: &Columns,
    options: &HierarchyOptions,
    run: &Run,
) -> Result<(Hierarchy, Dropped)> {
    options.sampling.check()?;
    if !(0.001..=10.0).contains(&options.spread) {
        return Err(Error::option("spread", "must lie between 0.001 and 10; the default is 0.5"));
    }
    let (kind, sampling) = (full(kind), &options.sampling);
    let subject = Subject::of(&kind);
    subject.refuse(&kind, &sampling.given())?;
    match subject {
        Subject::Purchases => of_purchases(&kind, frame, options, run),
        Subject::Spend => {
            let read = |part: &Columns| spend::read(part, &spend::asked(sampling), run);
            let (groups, data, dropped) = of_parts(frame, options, run, read)?;
            let pool = Pool { kind: &kind, groups, parts: &data, options, run };
            Ok((pool.draw(spend::Spend)?, dropped))
        }
        Subject::Along => Err(Subject::along()),
        Subject::Retention(family) => {
            let asked = retention::rows_of(sampling)?;
            let read = |part: &Columns| contract::lives(part, &asked, run);
            let (groups, data, dropped) = of_parts(frame, options, run, read)?;
            let pool = Pool { kind: &kind, groups, parts: &data, options, run };
            let hierarchy = match family {
                Family::ShiftedBetaGeo => pool.draw(retention::Shifted)?,
                Family::BetaDiscreteWeibull => pool.draw(retention::Weibull)?,
            };
            Ok((hierarchy, dropped))
        }
    }
}

/// What each group of a frame tells.
fn of_parts<D: Evidence>(
    frame: &Columns,
    options: &HierarchyOptions,
    run: &Run,
    read: impl Fn(&Columns) -> Result<(D, Dropped)>,
) -> Result<(Vec<String>, Vec<D>, Dropped)> {
    let (parts, mut dropped) = parts(frame, &options.group, options.sampling.on_invalid, run)?;
    enough(&options.group, parts.len())?;
    let (data, more) = read_each(&parts, read)?;
    dropped.merge(more);
    Ok((parts.into_iter().map(Part::into_label).collect(), data, dropped))
}

fn enough(column: &str, groups: usize) -> Result<()> {
    if (2..=MOST_GROUPS).contains(&groups) {
        return Ok(());
    }
    Err(Error::column(column, format!("has {groups} groups: 2 to {MOST_GROUPS} can be pooled")))
}

fn of_purchases(
    kind: &str,
    frame: &Columns,
    options: &HierarchyOptions,
    run: &Run,
) -> Result<(Hierarchy, Dropped)> {
    for (option, refused) in
        [("model", kind == ParetoGggLaw::KIND), ("covariates", options.sampling.covariates.is_some())]
    {
        if refused {
            let reason = "groups are drawn of laws without covariates, and not of ParetoGGG: take \
                          `sample_posterior`, with the group as a covariate";
            return Err(Error::option(option, reason));
        }
    }
    let roles = options.sampling.purchases();
    let mut intake = Intake::new(frame, options.sampling.on_invalid, run);
    let group = intake.names(&options.group)?;
    for name in [&roles.frequency, &roles.recency, &roles.age] {
        intake.amounts(name, Sign::NonNegative)?;
    }
    let kept = intake.finish()?;
    let codes = kept.names(group);
    let rows = Rows::read(frame, roles.roles(&[]), options.sampling.on_invalid, run)?;
    if codes.codes.len() != rows.frequency.len() {
        return Err(Error::column(
            options.group.as_str(),
            "cannot be read beside the histories: drop the rows that cannot be first",
        ));
    }
    let slices = rows.slices();
    if kind == "clv.BetaGeoBetaBinomial" {
        opportunities(&slices)?;
    }
    let order = codes.codes_by_label();
    enough(&options.group, order.len())?;
    let uniques =
        order.iter().map(|code| members(&slices, &codes, *code, run)).collect::<Result<Vec<_>>>()?;
    let groups = order.iter().map(|code| codes.labels.get(*code).into_owned()).collect();
    let pool = Pool { kind, groups, parts: &uniques, options, run };
    Ok((with_kernel(kind, options.sampling.k, pool)?, rows.dropped))
}

/// The distinct rows of one group.
fn members(slices: &RfmSlices<'_>, codes: &Names, code: u32, run: &Run) -> Result<Unique> {
    let rows: Vec<usize> = (0..slices.len()).filter(|row| codes.codes[*row] == code).collect();
    let take = |v: &[f64]| rows.iter().map(|row| v[*row]).collect::<Vec<f64>>();
    let weight = slices.weight.map(take);
    let (frequency, recency, age) = (take(slices.frequency), take(slices.recency), take(slices.age));
    let some = RfmSlices {
        frequency: &frequency,
        recency: &recency,
        age: &age,
        weight: weight.as_deref(),
        ..*slices
    };
    super::sample::unique(&some, run)
}

struct Pool<'a, D> {
    kind: &'a str,
    groups: Vec<String>,
    parts: &'a [D],
    options: &'a HierarchyOptions,
    run: &'a Run,
}

impl Visit for Pool<'_, Unique> {
    type Out = Hierarchy;

    fn visit<K: Kernel<N, Data = Unique>, const N: usize>(self, kernel: K) -> Result<Hierarchy> {
        self.draw(kernel)
    }
}

/// How a group is sampled: in its own coordinates about its mode, or as a deviation from the population.
enum Frame<const N: usize> {
    Own { mode: [f64; N], factor: [[f64; N]; N] },
    Deviation,
}

impl<D: Evidence> Pool<'_, D> {
    fn draw<K: Kernel<N, Data = D>, const N: usize>(self, kernel: K) -> Result<Hierarchy> {
        let Self { kind, groups, parts, options, run } = self;
        let asked = &options.sampling;
        let all = D::together(parts);
        let (customers, mean_age, rate) = all.pooled(K::NAME)?;
        let parameters = centred(K::NAMES, K::UNIT, mean_age);
        let priors = Priors::new(asked.prior, &asked.priors, &parameters, &[], None)?;
        let bounds = K::within(priors.bounds_of());
        run.stage("looking for the modes", 0)?;
        let stop = |n: f64| Stop { max_iterations: 300, gradient: 1e-7 * n.max(1.0) };
        let common = {
            let ready = kernel.full(&all);
            let start = kernel.start(&all, (rate, mean_age), run)?.map(ln);
            maximise(start, &bounds, stop(customers), |log| {
                run.check()?;
                let mut local = kernel.local(&ready, *log, run)?;
                priors.add_local(*log, &mut local);
                Ok(local)
            })?
        };
        let middle = common.at;
        // m about the common mode: by what all customers tell, and what so many groups leave open.
        let around = {
            let factor = rounded(&common.local.hessian);
            let mut total: [[f64; N]; N] = std::array::from_fn(|i| {
                std::array::from_fn(|j| (0..N).map(|k| factor[i][k] * factor[j][k]).sum())
            });
            for i in 0..N {
                total[i][i] += options.spread * options.spread / parts.len() as f64;
            }
            cholesky(&total).unwrap_or(factor)
        };
        let count = |part: &D| sum(part.weights());
        let mut frames: Vec<Frame<N>> = Vec::with_capacity(parts.len());
        for part in parts {
            let ready = kernel.full(part);
            let tie = 1.0 / (options.spread * options.spread);
            let found = maximise(middle, &bounds, stop(count(part)), |log| {
                run.check()?;
                let mut local = kernel.local(&ready, *log, run)?;
                for i in 0..N {
                    let away = log[i] - middle[i];
                    local.value -= 0.5 * tie * away * away;
                    local.gradient[i] -= tie * away;
                    local.hessian[i][i] -= tie;
                }
                Ok(local)
            })?;
            // The group's own information, without the tie. Where groups may be alike, τ near 0 and
            // coordinates of their own make a funnel: they are for groups that tell far more than τ.
            let mut bent = found.local.hessian;
            (0..N).for_each(|i| bent[i][i] += tie);
            let own = covariance(&bent, [false; N]);
            let tells = own.is_some_and(|c| (0..N).all(|i| 16.0 * c[i][i] < options.spread * options.spread));
            let inside = !found.bound.contains(&true);
            let factor = covariance(&found.local.hessian, [false; N]).and_then(|c| cholesky(&c));
            frames.push(match factor {
                Some(factor) if tells && inside => Frame::Own { mode: found.at, factor },
                _ => Frame::Deviation,
            });
        }
        let ready: Vec<K::Ready<'_>> = parts.iter().map(|part| kernel.ready(part)).collect();
        let size = 2 * N + N * parts.len();
        let usual = ln(0.4 * options.spread);
        let place = |y: &[f64]| -> Place<N> {
            let m: [f64; N] =
                std::array::from_fn(|i| middle[i] + (0..=i).map(|j| around[i][j] * y[j]).sum::<f64>());
            let tau: [f64; N] = std::array::from_fn(|j| exp((usual + 0.7 * y[N + j]).clamp(-30.0, 30.0)));
            let each = frames
                .iter()
                .enumerate()
                .map(|(g, frame)| {
                    let y = &y[2 * N + g * N..][..N];
                    match frame {
                        Frame::Own { mode, factor } => std::array::from_fn(|i| {
                            mode[i] + (0..=i).map(|j| factor[i][j] * y[j]).sum::<f64>()
                        }),
                        Frame::Deviation => std::array::from_fn(|j| m[j] + tau[j] * y[j]),
                    }
                })
                .collect();
            Place { m, tau, each }
        };
        let density = |y: &[f64], gradient: &mut [f64]| -> f64 {
            let at = place(y);
            let beyond = |(at, (low, high)): (&f64, &(f64, f64))| at < low || at > high;
            if at.each.iter().any(|each| each.iter().zip(&K::LIMITS).any(beyond)) {
                return f64::NAN;
            }
            gradient.fill(0.0);
            let (mut value, mut of_m) = (0.0, [0.0; N]);
            priors.add(&at.m, &mut value, &mut of_m);
            let mut of_tau = [0.0; N]; // by ln τ
            for j in 0..N {
                let z = at.tau[j] / options.spread;
                value += ln(at.tau[j]) - 0.5 * z * z;
                of_tau[j] += 1.0 - z * z;
            }
            for (g, frame) in frames.iter().enumerate() {
                let (there, slope) = kernel.slope(&ready[g], at.each[g]);
                value += there;
                let own = 2 * N + g * N;
                match frame {
                    Frame::Own { factor, .. } => {
                        let mut total = slope;
                        for j in 0..N {
                            let z = (at.each[g][j] - at.m[j]) / at.tau[j];
                            value -= 0.5 * z * z + ln(at.tau[j]);
                            total[j] -= z / at.tau[j];
                            of_m[j] += z / at.tau[j];
                            of_tau[j] += z * z - 1.0;
                        }
                        for j in 0..N {
                            gradient[own + j] = (j..N).map(|i| factor[i][j] * total[i]).sum();
                        }
                    }
                    Frame::Deviation => {
                        for j in 0..N {
                            let z = y[own + j];
                            value -= 0.5 * z * z;
                            gradient[own + j] = at.tau[j] * slope[j] - z;
                            of_m[j] += slope[j];
                            of_tau[j] += at.tau[j] * z * slope[j];
                        }
                    }
                }
            }
            for j in 0..N {
                gradient[j] = (j..N).map(|i| around[i][j] * of_m[i]).sum();
                gradient[N + j] = 0.7 * of_tau[j];
            }
            value
        };
        run.stage("sampling", (asked.chains * (asked.tune + asked.draws)) as u64)?;
        let plan = Plan {
            draws: asked.draws,
            tune: asked.tune,
            target_accept: asked.target_accept,
            max_depth: asked.max_depth,
        };
        let walks =
            run.map_items(asked.chains, |chain| walk(K::NAME, size, density, plan, chain as u64, run))?;
        let empty = |estimate: [f64; N], customers: f64| Posterior {
            parameters: K::NAMES.map(str::to_owned).to_vec(),
            estimate: estimate.map(exp).to_vec(),
            customers,
            ..Posterior::empty(kind, asked.k, Method::Nuts, asked.period)
        };
        let mut posteriors: Vec<Posterior> = frames
            .iter()
            .zip(parts)
            .map(|(frame, part)| {
                let estimate = if let Frame::Own { mode, .. } = frame { *mode } else { middle };
                empty(estimate, count(part))
            })
            .collect();
        let mut new_group = empty(middle, customers);
        let (mut centres, mut deviations) = (vec![Vec::new(); N], vec![Vec::new(); N]);
        let mut rng = run.rng(NEW);
        for walk in walks {
            let chain = Chain {
                draws: asked.draws,
                divergences: walk.divergent.iter().filter(|d| **d).count() as u64,
                step_size: Some(walk.step_size),
                acceptance: Some(walk.acceptance),
                gradients: walk.gradients,
            };
            let places: Vec<Place<N>> = walk.draws.chunks_exact(size).map(place).collect();
            for at in &places {
                for j in 0..N {
                    centres[j].push(exp(at.m[j]));
                    deviations[j].push(at.tau[j]);
                    let z = normal_quantile(unit_open(rand::Rng::next_u64(&mut rng)));
                    let (low, high) = K::LIMITS[j];
                    new_group.draws.push(bounded((at.m[j] + at.tau[j] * z).clamp(low, high)));
                }
                for (posterior, log) in posteriors.iter_mut().zip(&at.each) {
                    posterior.draws.extend(log.map(bounded));
                }
            }
            for posterior in posteriors.iter_mut().chain([&mut new_group]) {
                let before = posterior.log_density.len();
                let diverged = walk.divergent.iter().enumerate().filter(|(_, d)| **d);
                posterior.divergent.extend(diverged.map(|(i, _)| (before + i) as u64));
                posterior.log_density.extend(&walk.log_density);
                posterior.chains.push(chain);
            }
        }
        Ok(Hierarchy {
            group: options.group.clone(),
            spread: options.spread,
            groups,
            posteriors,
            new_group,
            centre: centres,
            deviation: deviations,
        })
    }
}

/// One draw of everything.
struct Place<const N: usize> {
    m: [f64; N],
    tau: [f64; N],
    each: Vec<[f64; N]>,
}

/// e^log where doubles can go on.
fn bounded(log: f64) -> f64 {
    exp(log.clamp(-300.0, 300.0))
}
