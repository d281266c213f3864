//! Segments that are alike, but not the same: partial pooling.
//!
//! Each group's log parameters are spread around those of a population:
//!
//! ```text
//! ln θ_gj ~ N(m_j, τ_j²)      m_j: the priors of `sampling`      τ_j ~ half-normal(spread)
//! ```
//!
//! Groups of many customers speak for themselves, small ones borrow from the
//! others, and how much is itself learned (Gelman & Hill 2007). What covariates of
//! customers do is the same in all groups, which are told of at the means over all customers. All of it is
//! sampled together by NUTS: groups that tell more than the population does in their own
//! coordinates, the others as deviations from it
//! (Papaspiliopoulos, Roberts & Sköld 2007).
#![allow(clippy::needless_range_loop)] // matrices read best by their indices

use serde::{Deserialize, Serialize};

use super::groups::{Part, parts, read_each};
use super::hierarchy_told::{Apart, Middle, Shared, Told, width};
use super::joint::units;
use super::kernel::{Evidence, Kernel, Lawful, Visit, full, with_kernel};
use super::nuts::{Plan, walk};
use super::prior::Priors;
use super::sample::{centred, rounded};
use super::subject::Subject;
use super::{Chain, Method, Posterior, PosteriorOptions, retention, spend};
use crate::clv::ParetoGggLaw;
use crate::clv::contract::{self, Family};
use crate::clv::covariates::{Covariates, Joint};
use crate::clv::door::{VisitLaw, with_law};
use crate::clv::frames::History as Rows;
use crate::clv::laws::{Law, opportunities};
use crate::clv::rows::Unique;
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
            retention::unexplained(
                &asked,
                "hierarchies of contracts know none: draw without, or all groups together by `sample_posterior`",
            )?;
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
    if kind == ParetoGggLaw::KIND {
        let reason =
            "groups are not drawn of ParetoGGG: take `sample_posterior`, with the group as a covariate";
        return Err(Error::option("model", reason));
    }
    let roles = options.sampling.purchases();
    let columns = roles.covariates.as_ref().map_or(Ok(Vec::new()), Covariates::columns)?;
    let roles = roles.roles(&columns);
    let mut intake = Intake::new(frame, options.sampling.on_invalid, run);
    let group = intake.names(&options.group)?;
    for name in [roles.frequency, roles.recency, roles.age] {
        intake.amounts(name, Sign::NonNegative)?;
    }
    roles.covariates.read(&mut intake)?;
    let kept = intake.finish()?;
    let codes = kept.names(group);
    let rows = Rows::read(frame, roles, options.sampling.on_invalid, run)?;
    if codes.codes.len() != rows.frequency.len() {
        return Err(Error::column(
            options.group.as_str(),
            "cannot be read beside the histories: drop the rows that cannot be first",
        ));
    }
    if kind == "clv.BetaGeoBetaBinomial" {
        opportunities(&rows.slices())?;
    }
    let order = codes.codes_by_label();
    enough(&options.group, order.len())?;
    let parts: Vec<Rows<'_>> = order.iter().map(|code| members(&rows, &codes, *code)).collect();
    let uniques =
        parts.iter().map(|part| super::sample::unique(&part.slices(), run)).collect::<Result<Vec<_>>>()?;
    let groups = order.iter().map(|code| codes.labels.get(*code).into_owned()).collect();
    let pool = Pool { kind, groups, parts: &uniques, options, run };
    let k = options.sampling.k;
    let hierarchy = match &options.sampling.covariates {
        None => with_kernel(kind, k, pool)?,
        Some(covariates) => with_law(kind, k, Explained { pool, rows: &rows, parts: &parts, covariates })?,
    };
    Ok((hierarchy, rows.dropped))
}

/// The rows of one group.
fn members(all: &Rows<'_>, codes: &Names, code: u32) -> Rows<'static> {
    let rows: Vec<u32> =
        (0..all.frequency.len() as u32).filter(|row| codes.codes[*row as usize] == code).collect();
    let take = |v: &[f64]| rows.iter().map(|row| v[*row as usize]).collect::<Vec<f64>>();
    Rows {
        customer: None,
        frequency: take(&all.frequency).into(),
        recency: take(&all.recency).into(),
        age: take(&all.age).into(),
        weight: all.weight.as_deref().map(|w| take(w).into()),
        along: None,
        covariates: all.covariates.iter().map(|given| given.ordered(&rows)).collect(),
        intervals: None,
        dropped: Dropped::default(),
    }
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

/// Groups with covariates in common.
struct Explained<'a> {
    pool: Pool<'a, Unique>,
    rows: &'a Rows<'a>,
    parts: &'a [Rows<'static>],
    covariates: &'a Covariates,
}

impl VisitLaw for Explained<'_> {
    type Out = Hierarchy;

    fn law<L: Law<N>, const N: usize>(self, law: L) -> Result<Hierarchy> {
        let Self { pool, rows, parts, covariates } = self;
        let all = Joint::of(law, &rows.slices(), &rows.covariates, covariates)?;
        let each = parts.iter().map(|part| all.of_part(&part.slices(), &part.covariates)).collect();
        pool.sample(Lawful(law), &Shared { all, each })
    }
}

/// How a group is sampled: in its own coordinates about its mode, which moves with each coefficient, or as a
/// deviation from the population.
enum Frame<const N: usize> {
    Own { mode: [f64; N], factor: [[f64; N]; N], leans: Vec<[f64; N]> },
    Deviation,
}

impl<D: Evidence> Pool<'_, D> {
    fn draw<K: Kernel<N, Data = D>, const N: usize>(self, kernel: K) -> Result<Hierarchy> {
        let apart = Apart::new(kernel, self.parts);
        self.sample(kernel, &apart)
    }

    fn sample<K: Kernel<N, Data = D>, const N: usize>(
        self,
        kernel: K,
        told: &impl Told<N>,
    ) -> Result<Hierarchy> {
        let Self { kind, groups, parts, options, run } = self;
        let asked = &options.sampling;
        let all = D::together(parts);
        let (customers, mean_age, rate) = all.pooled(K::NAME)?;
        let parameters = centred(K::NAMES, K::UNIT, mean_age);
        let effects = told.effects();
        let (names, scales) = effects.as_ref().map_or_else(Default::default, |e| (e.names(), e.scales()));
        let coefficients: Vec<(&str, f64)> =
            names.iter().map(String::as_str).zip(scales.iter().copied()).collect();
        let common = coefficients.len();
        let priors =
            Priors::new(asked.prior, &asked.priors, &parameters, &coefficients, asked.coefficient_sd)?;
        let bounds = K::within(priors.bounds_of());
        run.stage("looking for the modes", 0)?;
        let stop = |n: f64| Stop { max_iterations: 300, gradient: 1e-7 * n.max(1.0) };
        let plain = {
            let ready = kernel.full(&all);
            let start = kernel.start(&all, (rate, mean_age), run)?.map(ln);
            maximise(start, &bounds, stop(customers), |log| {
                run.check()?;
                let mut local = kernel.local(&ready, *log, run)?;
                priors.add_local(*log, &mut local);
                Ok(local)
            })?
        };
        let Middle { at: middle, coefficients: usual_slopes, hessian } =
            told.middle(plain, &priors, stop(customers), run)?;
        // m about the common mode: by what all customers tell, and what so many groups leave open.
        let around = {
            let factor = rounded(&hessian);
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
        let mut information = vec![0.0; common * common];
        for (group, part) in parts.iter().enumerate() {
            let tie = 1.0 / (options.spread * options.spread);
            let own = told.own(group, &usual_slopes);
            let found = maximise(middle, &bounds, stop(count(part)), |log| {
                run.check()?;
                let mut local = own(*log, run)?;
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
            let spread = covariance(&found.local.hessian, [false; N]);
            let leans =
                told.leans((group, found.at, &usual_slopes), spread.as_ref(), &mut information, run)?;
            frames.push(match spread.and_then(|c| cholesky(&c)) {
                Some(factor) if tells && inside => Frame::Own { mode: found.at, factor, leans },
                _ => Frame::Deviation,
            });
        }
        for (c, at) in usual_slopes.iter().enumerate() {
            information[c * common + c] += priors.curvature(N + c, *at);
        }
        let about = width(&information, common);
        let first = 2 * N + N * parts.len();
        let size = first + common;
        let usual = ln(0.4 * options.spread);
        let place = |y: &[f64]| -> Place<N> {
            let m: [f64; N] =
                std::array::from_fn(|i| middle[i] + (0..=i).map(|j| around[i][j] * y[j]).sum::<f64>());
            let tau: [f64; N] = std::array::from_fn(|j| exp((usual + 0.7 * y[N + j]).clamp(-30.0, 30.0)));
            let away: Vec<f64> =
                about.iter().map(|row| row.iter().zip(&y[first..]).map(|(f, y)| f * y).sum()).collect();
            let each = frames
                .iter()
                .enumerate()
                .map(|(g, frame)| {
                    let y = &y[2 * N + g * N..][..N];
                    match frame {
                        Frame::Own { mode, factor, leans } => {
                            let mut at: [f64; N] = std::array::from_fn(|i| {
                                mode[i] + (0..=i).map(|j| factor[i][j] * y[j]).sum::<f64>()
                            });
                            for (lean, away) in leans.iter().zip(&away) {
                                (0..N).for_each(|i| at[i] += lean[i] * away);
                            }
                            at
                        }
                        Frame::Deviation => std::array::from_fn(|j| m[j] + tau[j] * y[j]),
                    }
                })
                .collect();
            let slopes = usual_slopes.iter().zip(&away).map(|(at, away)| at + away).collect();
            Place { m, tau, each, slopes }
        };
        let density = |y: &[f64], gradient: &mut [f64]| -> f64 {
            let at = place(y);
            let beyond = |(at, (low, high)): (&f64, &(f64, f64))| at < low || at > high;
            if at.each.iter().any(|each| each.iter().zip(&K::LIMITS).any(beyond)) {
                return f64::NAN;
            }
            gradient.fill(0.0);
            let (mut value, mut of_m) = (0.0, vec![0.0; N + common]);
            let believed: Vec<f64> = at.m.iter().chain(&at.slopes).copied().collect();
            priors.add(&believed, &mut value, &mut of_m);
            let (of_m, of_slopes) = of_m.split_at_mut(N);
            let mut of_tau = [0.0; N]; // by ln τ
            for j in 0..N {
                let z = at.tau[j] / options.spread;
                value += ln(at.tau[j]) - 0.5 * z * z;
                of_tau[j] += 1.0 - z * z;
            }
            for (g, frame) in frames.iter().enumerate() {
                let (there, slope) = told.slope(g, at.each[g], &at.slopes, of_slopes);
                value += there;
                let own = 2 * N + g * N;
                match frame {
                    Frame::Own { factor, leans, .. } => {
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
                        for (lean, of_slope) in leans.iter().zip(&mut *of_slopes) {
                            *of_slope += (0..N).map(|i| lean[i] * total[i]).sum::<f64>();
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
            for j in 0..common {
                gradient[first + j] = (j..common).map(|i| about[i][j] * of_slopes[i]).sum();
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
        let in_data = units(&scales);
        let of_data = |slopes: &[f64]| -> Vec<f64> {
            slopes.iter().zip(&in_data).map(|(slope, unit)| slope * unit).collect()
        };
        let empty = |estimate: [f64; N], customers: f64| {
            let slopes = of_data(&usual_slopes);
            Posterior {
                parameters: K::NAMES.iter().map(|name| (*name).to_owned()).chain(names.clone()).collect(),
                effects: effects.as_ref().map(|effects| effects.with_values(&slopes)),
                estimate: estimate.into_iter().map(exp).chain(slopes).collect(),
                customers,
                ..Posterior::empty(kind, asked.k, Method::Nuts, asked.period)
            }
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
                let slopes = of_data(&at.slopes);
                for j in 0..N {
                    centres[j].push(exp(at.m[j]));
                    deviations[j].push(at.tau[j]);
                    let z = normal_quantile(unit_open(rand::Rng::next_u64(&mut rng)));
                    let (low, high) = K::LIMITS[j];
                    new_group.draws.push(bounded((at.m[j] + at.tau[j] * z).clamp(low, high)));
                }
                new_group.draws.extend(&slopes);
                for (posterior, log) in posteriors.iter_mut().zip(&at.each) {
                    posterior.draws.extend(log.map(bounded));
                    posterior.draws.extend(&slopes);
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
    /// Standardised coefficients, which groups have in common.
    slopes: Vec<f64>,
}

/// e^log where doubles can go on.
fn bounded(log: f64) -> f64 {
    exp(log.clamp(-300.0, 300.0))
}
