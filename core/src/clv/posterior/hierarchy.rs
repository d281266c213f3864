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

use super::diagnostics::{quantile, sorted, summarize};
use super::kernel::{Kernel, Visit, full, with_kernel};
use super::nuts::{Plan, walk};
use super::predict::{DrawPredictOptions, DrawPrediction};
use super::prior::Priors;
use super::report::{SummaryOptions, level};
use super::sample::{pooled, reweighted, rounded};
use super::{Chain, Method, Posterior, PosteriorOptions};
use crate::clv::frames::History as Rows;
use crate::clv::laws::opportunities;
use crate::clv::rows::{RfmSlices, Unique};
use crate::column::{Columns, Dropped, Intake, Names, Sign, Table, Tables, Text, Values};
use crate::math::newton::{Stop, cholesky, covariance, maximise};
use crate::math::{exp, ln, normal_quantile, sum};
use crate::model::Model;
use crate::options::parse;
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
    group: String,
    spread: f64,
    groups: Vec<String>,
    posteriors: Vec<Posterior>,
    /// What a group that was not seen may be.
    new_group: Posterior,
    /// Draws of each m, on the parameters' own scale, and of each τ.
    centre: Vec<Vec<f64>>,
    deviation: Vec<Vec<f64>>,
}

/// Draws the parameters of all groups, and of the population that they come from.
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
    let kind = full(kind);
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
    if order.len() < 2 || order.len() > MOST_GROUPS {
        let reason = format!("has {} groups: 2 to {MOST_GROUPS} can be pooled", order.len());
        return Err(Error::column(options.group.as_str(), reason));
    }
    let uniques =
        order.iter().map(|code| members(&slices, &codes, *code, run)).collect::<Result<Vec<_>>>()?;
    let groups = order.iter().map(|code| codes.labels.get(*code).into_owned()).collect();
    let visit = Pool { kind: &kind, groups, uniques: &uniques, options, run };
    Ok((with_kernel(&kind, options.sampling.k, visit)?, rows.dropped))
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

struct Pool<'a> {
    kind: &'a str,
    groups: Vec<String>,
    uniques: &'a [Unique],
    options: &'a HierarchyOptions,
    run: &'a Run,
}

/// How a group is sampled: in its own coordinates about its mode, or as a deviation from the population.
enum Frame<const N: usize> {
    Own { mode: [f64; N], factor: [[f64; N]; N] },
    Deviation,
}

/// All rows as one group.
fn together(uniques: &[Unique]) -> Unique {
    let mut all = Unique::default();
    for one in uniques {
        all.frequency.extend(&one.frequency);
        all.recency.extend(&one.recency);
        all.age.extend(&one.age);
        all.weight.extend(&one.weight);
    }
    // The laws ask for rows of one x beside each other.
    let mut order: Vec<usize> = (0..all.len()).collect();
    let key = |i: &usize| (all.frequency[*i], all.recency[*i].to_bits(), all.age[*i].to_bits());
    order.sort_by_key(key);
    Unique {
        frequency: order.iter().map(|i| all.frequency[*i]).collect(),
        recency: order.iter().map(|i| all.recency[*i]).collect(),
        age: order.iter().map(|i| all.age[*i]).collect(),
        weight: order.iter().map(|i| all.weight[*i]).collect(),
        log_intervals: Vec::new(),
        group: Vec::new(),
    }
}

impl Visit for Pool<'_> {
    type Out = Hierarchy;

    fn visit<K: Kernel<N>, const N: usize>(self, kernel: K) -> Result<Hierarchy> {
        let Self { kind, groups, uniques, options, run } = self;
        let asked = &options.sampling;
        let all = reweighted(&together(uniques), &together(uniques).weight);
        let (customers, mean_age, rate) = pooled(K::NAME, &all)?;
        let centre: [f64; N] = std::array::from_fn(|i| K::TIME[i] * ln(mean_age));
        let priors = Priors::new(asked.prior, &asked.priors, K::NAMES, centre)?;
        run.stage("looking for the modes", 0)?;
        let stop = |n: f64| Stop { max_iterations: 300, gradient: 1e-7 * n.max(1.0) };
        let common = {
            let ready = kernel.full(&all);
            maximise(kernel.start(rate, mean_age).map(ln), &priors.bounds(), stop(customers), |log| {
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
                total[i][i] += options.spread * options.spread / uniques.len() as f64;
            }
            cholesky(&total).unwrap_or(factor)
        };
        let count = |unique: &Unique| sum(unique.weight.iter().copied());
        let mut frames: Vec<Frame<N>> = Vec::with_capacity(uniques.len());
        for unique in uniques {
            let ready = kernel.full(unique);
            let tie = 1.0 / (options.spread * options.spread);
            let found = maximise(middle, &priors.bounds(), stop(count(unique)), |log| {
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
            let factor = covariance(&found.local.hessian, [false; N]).and_then(|c| cholesky(&c));
            frames.push(match factor {
                Some(factor) if tells => Frame::Own { mode: found.at, factor },
                _ => Frame::Deviation,
            });
        }
        let ready: Vec<K::Ready<'_>> = uniques.iter().map(|u| kernel.ready(u)).collect();
        let size = 2 * N + N * uniques.len();
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
            gradient.fill(0.0);
            let (mut value, mut of_m) = (0.0, [0.0; N]);
            priors.add(at.m, &mut value, &mut of_m);
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
            kind: kind.to_owned(),
            k: asked.k,
            method: Method::Nuts,
            period: asked.period,
            parameters: K::NAMES.map(str::to_owned).to_vec(),
            estimate: estimate.map(exp).to_vec(),
            customers,
            chains: Vec::new(),
            draws: Vec::new(),
            log_density: Vec::new(),
            divergent: Vec::new(),
            failed: 0,
            at_edge: 0,
        };
        let mut posteriors: Vec<Posterior> = frames
            .iter()
            .zip(uniques)
            .map(|(frame, unique)| {
                let estimate = if let Frame::Own { mode, .. } = frame { *mode } else { middle };
                empty(estimate, count(unique))
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
                    new_group.draws.push(bounded(at.m[j] + at.tau[j] * z));
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

impl Hierarchy {
    /// The groups, in the order of their labels.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The draws of one group.
    pub fn group(&self, name: &str) -> Option<&Posterior> {
        self.groups.iter().position(|g| g == name).and_then(|at| self.posteriors.get(at))
    }

    /// Draws of what a group that was not seen may be.
    pub fn new_group(&self) -> &Posterior {
        &self.new_group
    }

    /// A frame of the parameters of all groups: group, customers, and the columns of [`Posterior::table`].
    pub fn groups_table(&self, options: &SummaryOptions) -> Result<Table> {
        let tables = self.posteriors.iter().map(|p| p.table(options)).collect::<Result<Vec<Table>>>()?;
        let rows = |f: &dyn Fn(usize) -> String| -> Text {
            let each = tables.iter().enumerate();
            each.flat_map(|(g, t)| std::iter::repeat_n(f(g), t.rows())).collect()
        };
        let customers: Vec<f64> = self
            .posteriors
            .iter()
            .zip(&tables)
            .flat_map(|(p, t)| std::iter::repeat_n(p.customers, t.rows()))
            .collect();
        let parameters: Text = tables
            .iter()
            .flat_map(|t| {
                (0..t.rows()).filter_map(|row| t.text("parameter", row).map(std::borrow::Cow::into_owned))
            })
            .collect();
        let mut out = Table::new()
            .with("group", Values::Text(rows(&|g| self.groups[g].clone())))
            .with("customers", Values::F64(customers))
            .with("parameter", Values::Text(parameters));
        for name in ["mean", "sd", "low", "median", "high", "r_hat", "ess_bulk", "ess_tail", "mcse"] {
            out = out.with_optional(name, tables.iter().flat_map(|t| t.optional(name)));
        }
        Ok(out)
    }

    /// A frame of the population: parameter, what (`centre`: e^m, or `deviation`: τ), mean, sd,
    /// low, median, high, r_hat, ess_bulk.
    pub fn population_table(&self, options: &SummaryOptions) -> Result<Table> {
        let tail = 0.5 - 0.5 * level(options.level)?;
        let chains = self.new_group.chains.len();
        let all: Vec<(&str, &String, &Vec<f64>)> = [("centre", &self.centre), ("deviation", &self.deviation)]
            .into_iter()
            .flat_map(|(what, draws)| {
                self.new_group.parameters.iter().zip(draws).map(move |(name, draws)| (what, name, draws))
            })
            .collect();
        let found: Vec<_> =
            all.iter().map(|(_, _, draws)| (summarize(draws, chains), sorted(draws))).collect();
        let at = |p: f64| Values::F64(found.iter().map(|f| quantile(&f.1, p)).collect());
        let finite = |v: Option<f64>| v.filter(|v| v.is_finite());
        Ok(Table::new()
            .with("parameter", Values::Text(all.iter().map(|a| a.1.as_str()).collect::<Text>()))
            .with("what", Values::Text(all.iter().map(|a| a.0).collect::<Text>()))
            .with("mean", Values::F64(found.iter().map(|f| f.0.mean).collect()))
            .with("sd", Values::F64(found.iter().map(|f| f.0.sd).collect()))
            .with("low", at(tail))
            .with("median", at(0.5))
            .with("high", at(1.0 - tail))
            .with_optional("r_hat", found.iter().map(|f| finite(f.0.r_hat)))
            .with_optional("ess_bulk", found.iter().map(|f| finite(f.0.ess_bulk))))
    }

    /// [`Posterior::predict`], each customer by the draws of its group; of a group that was
    /// not seen, by those of a new one. The frame has the column of groups too.
    pub fn predict(
        &self,
        frame: &Columns,
        options: &DrawPredictOptions,
        run: &Run,
    ) -> Result<DrawPrediction> {
        let mut intake = Intake::new(frame, options.on_invalid, run);
        let group = intake.names(&self.group)?;
        let customer = intake.names(&options.customer)?;
        let amounts = [&options.frequency, &options.recency, &options.age]
            .map(|name| intake.amounts(name, Sign::NonNegative));
        let kept = intake.finish()?;
        let (group, customer) = (kept.names(group), kept.names(customer));
        let [frequency, recency, age] = amounts;
        let columns = [kept.values(frequency?), kept.values(recency?), kept.values(age?)];
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.groups.len() + 1];
        let place: Vec<usize> = (0..group.labels.len() as u32)
            .map(|code| {
                let label = group.labels.get(code);
                self.groups.iter().position(|g| *g == label).unwrap_or(self.groups.len())
            })
            .collect();
        for (row, code) in group.codes.iter().enumerate() {
            rows[place[*code as usize]].push(row as u32);
        }
        let mut all: Vec<(String, Vec<f64>)> = Vec::new();
        for (posterior, rows) in self.posteriors.iter().chain([&self.new_group]).zip(&rows) {
            if rows.is_empty() {
                continue;
            }
            let take = |v: &[f64]| rows.iter().map(|row| v[*row as usize]).collect::<Vec<f64>>();
            let part = Columns::new()
                .with(&options.customer, rows.iter().map(|row| i64::from(*row)).collect::<Vec<_>>())
                .with(&options.frequency, take(&columns[0]))
                .with(&options.recency, take(&columns[1]))
                .with(&options.age, take(&columns[2]));
            let found = posterior.predict(&part, options, run)?.table();
            for column in found.columns().iter().filter(|c| c.name != "customer") {
                let at = all.iter().position(|(name, _)| *name == column.name).unwrap_or_else(|| {
                    all.push((column.name.clone(), vec![f64::NAN; customer.codes.len()]));
                    all.len() - 1
                });
                for (row, value) in rows.iter().zip(found.f64s(&column.name).unwrap_or_default()) {
                    all[at].1[*row as usize] = *value;
                }
            }
        }
        let mut table =
            Table::new().with("customer", Values::Names(customer)).with("group", Values::Names(group));
        for (name, values) in all {
            table = table.with(&name, Values::F64(values));
        }
        Ok(DrawPrediction::new(table, kept.into_dropped()))
    }

    /// A report by its name, with its options as JSON: `groups`, `population`, `predict`.
    pub fn report(&self, name: &str, frame: Option<&Columns>, options: &str, run: &Run) -> Result<Tables> {
        match name {
            "groups" => Ok(vec![("groups", self.groups_table(&parse(options)?)?)]),
            "population" => Ok(vec![("population", self.population_table(&parse(options)?)?)]),
            "fit" => Ok(vec![("fit", self.new_group.fit_table())]),
            "predict" => {
                let frame =
                    frame.ok_or_else(|| Error::option("frame", "`predict` needs a frame of customers"))?;
                let found = self.predict(frame, &parse(options)?, run)?;
                Ok(vec![("predict", found.table()), ("dropped", found.dropped().table())])
            }
            _ => Err(Error::option("report", format!("there is no report `{name}` of hierarchies"))),
        }
    }
}

impl Model for Hierarchy {
    const KIND: &'static str = "clv.Hierarchy";

    fn check(&self) -> Result<()> {
        self.posteriors.iter().try_for_each(Model::check)?;
        Model::check(&self.new_group)?;
        let whole = |draws: &[Vec<f64>]| {
            draws.len() == self.new_group.parameters.len()
                && draws.iter().all(|d| d.len() == self.new_group.len() && d.iter().all(|v| v.is_finite()))
        };
        let alike = self.posteriors.iter().all(|p| {
            p.kind == self.new_group.kind && p.k == self.new_group.k && p.len() == self.new_group.len()
        });
        if self.groups.len() == self.posteriors.len()
            && alike
            && whole(&self.centre)
            && whole(&self.deviation)
        {
            return Ok(());
        }
        Err(Error::model_file("its groups and their draws do not belong together; save it again"))
    }
}
