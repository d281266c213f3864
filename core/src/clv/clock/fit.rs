//! Speeds by maximum likelihood.

use serde::{Deserialize, Serialize};

use super::seasons::{Calendar, Seasons, Timeline};
use super::{ClockFit, FASTEST, File, SeasonalClock, check_units};
use crate::clv::door::PurchaseOptions;
use crate::clv::laws::{History, Purchases, Quantity};
use crate::clv::pieces::Plan;
use crate::clv::rows::RfmSlices;
use crate::clv::summarize::{Orders, SummarizeOptions};
use crate::clv::visits::{Events, Visits};
use crate::column::{Columns, Dropped};
use crate::math::ascent::{Local, cholesky, maximise, solve};
use crate::math::newton::Stop;
use crate::math::{exp, ln};
use crate::{Error, Result, Run};

/// Distinct customers in one piece of work.
const PIECE: usize = 256;
/// Steps of differences, of T and of the logarithms of parameters.
const STEP: f64 = 1e-4;

/// Roles and options of [`SeasonalClock::fit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockOptions {
    /// What speeds depend on; the month by default.
    pub seasons: Seasons,
    /// The law of purchases, at random and in continuous time: `"BetaGeo"` (the
    /// default), `"ModifiedBetaGeo"`, `"ParetoNBD"` or `"GGompertzNBD"`.
    pub model: String,
    /// Weight of an L2 penalty on γ about their mean, in purchases; 0 by default.
    pub penalty: f64,
    /// Most Newton steps; 50 by default, where five are usual.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient on γ, per repeat
    /// purchase, exceeds this; 1e-7 by default.
    pub tolerance: f64,
    /// How orders are read. Those after `calibration_end` are not used.
    pub summarize: SummarizeOptions,
}

impl Default for ClockOptions {
    fn default() -> Self {
        Self {
            seasons: Seasons::Month,
            model: "BetaGeo".to_owned(),
            penalty: 0.0,
            max_iterations: 50,
            tolerance: 1e-7,
            summarize: SummarizeOptions::default(),
        }
    }
}

/// Customers who share their first and last day and their purchases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    first: i64,
    last: i64,
    repeats: u32,
}

/// The log-likelihood of speeds, the law's parameters at their best.
struct Profile<'a> {
    kind: String,
    calendar: &'a Calendar,
    /// Seasons that were seen, of which the first, with most purchases, is the measure of the others.
    seen: Vec<usize>,
    /// Repeat purchases by season.
    purchases: Vec<f64>,
    groups: Vec<Group>,
    weight: Vec<f64>,
    end: i64,
    grain: i64,
    period: f64,
    penalty: f64,
    run: &'a Run,
}

/// The law at its best by a clock, and each group's t_x and T.
struct Fitted {
    model: Box<dyn Purchases>,
    recency: Vec<f64>,
    age: Vec<f64>,
}

impl SeasonalClock {
    /// Finds the speeds of a market's seasons from its orders, by maximum
    /// likelihood: the law's parameters and the speeds together.
    ///
    /// Newton's method on the profile likelihood. Its gradient on γ is the
    /// law's own at its best parameters (the envelope theorem); derivatives of the
    /// law by t_x and T are central differences.
    ///
    /// Errors: [`Error::NotEnoughData`] where a season was seen and nobody bought
    /// again in it, unless there is a penalty; those of the law's fit;
    /// [`Error::NotConverged`].
    pub fn fit(orders: &Columns, options: &ClockOptions, run: &Run) -> Result<(Self, Dropped)> {
        let how = &options.summarize;
        let calendar = Calendar::new(options.seasons.clone())?;
        how.check()?;
        let grain = check_units(how.period, how.grain)?;
        if how.clock.is_some() {
            return Err(Error::option("clock", "is what is to be fitted: leave it out"));
        }
        if !(options.penalty.is_finite() && options.penalty >= 0.0) {
            return Err(Error::option("penalty", "must be a finite number from 0"));
        }
        if !(options.tolerance > 0.0 && options.tolerance < 1.0) || options.max_iterations == 0 {
            return Err(Error::option(
                "tolerance",
                "must lie between 0 and 1, and max_iterations be 1 or more",
            ));
        }
        let models = ["BetaGeo", "ModifiedBetaGeo", "ParetoNBD", "GGompertzNBD"];
        if !models.contains(&options.model.as_str()) {
            return Err(Error::option(
                "model",
                format!(
                    "`{}` is none of {}: the others have no purchases at random in continuous time",
                    options.model,
                    models.join(", ")
                ),
            ));
        }
        let read = Orders::read(
            orders,
            [&how.customer, &how.time],
            how.value.as_deref(),
            how.refunds,
            how.time_unit,
            how.on_invalid,
            run,
        )?;
        let plan = Plan::new(how, read.times.iter().copied().min(), read.times.iter().copied().max())?;
        let events =
            Events::sort(&read.customer, &read.times, read.values.as_deref(), how.grain, plan.end, run)?;
        let end = plan.split.unwrap_or(plan.end);
        let (mut found, mut days, mut visits) = (Vec::new(), Vec::new(), Visits::default());
        for code in 0..events.starts.len() - 1 {
            visits.fill(events.of(code), how.refunds, plan.split);
            let seen: Vec<i64> = visits.list.iter().map(|v| v.0).filter(|day| *day <= end).collect();
            if let (Some(first), Some(last)) = (seen.first(), seen.last()) {
                found.push(Group { first: *first, last: *last, repeats: seen.len() as u32 - 1 });
                days.extend_from_slice(&seen[1..]);
            }
            if code % 65_536 == 0 {
                run.check()?;
            }
        }
        drop(events);
        found.sort_unstable();
        let Some(from) = found.first().map(|group| group.first) else {
            return Err(Error::not_enough_data(
                "no customer has a purchase up to the end of calibration or observation",
            ));
        };
        if days.is_empty() {
            return Err(Error::not_enough_data(
                "no customer has a repeat purchase: there are no seasons to see",
            ));
        }
        let line = Timeline::new(&calendar, &vec![1.0; calendar.names.len()], grain.micros(), from, end);
        let mut purchases = vec![0.0_f64; calendar.names.len()];
        for day in days {
            purchases[line.season(day)] += 1.0;
        }
        let mut exposure = vec![0.0; calendar.names.len()];
        line.count(from, end, &mut exposure);
        let mut seen: Vec<usize> = (0..exposure.len()).filter(|s| exposure[*s] > 0.0).collect();
        if let Some(season) = seen.iter().find(|s| purchases[**s] == 0.0)
            && options.penalty == 0.0
        {
            return Err(Error::not_enough_data(format!(
                "nobody bought again in the season `{}`: take longer seasons, or a penalty such as 1",
                calendar.names[*season]
            )));
        }
        seen.sort_by(|a, b| purchases[*b].total_cmp(&purchases[*a]).then(a.cmp(b)));
        let mut weight = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        for group in found {
            if groups.last() == Some(&group) {
                if let Some(last) = weight.last_mut() {
                    *last += 1.0;
                }
            } else {
                groups.push(group);
                weight.push(1.0);
            }
        }
        let profile = Profile {
            kind: format!("clv.{}", options.model),
            calendar: &calendar,
            seen,
            purchases,
            groups,
            weight,
            end,
            grain: grain.micros(),
            period: how.period.length().micros() as f64,
            penalty: options.penalty,
            run,
        };
        run.stage("fitting the clock", 0)?;
        let (log_speeds, fit) = profile.fit(options, &exposure)?;
        let file =
            File { seasons: options.seasons.clone(), log_speeds, period: how.period, grain, fit: Some(fit) };
        Ok((Self { calendar, file }.checked()?, read.dropped))
    }
}

impl Profile<'_> {
    fn fit(&self, options: &ClockOptions, exposure: &[f64]) -> Result<(Vec<f64>, ClockFit)> {
        let free = self.seen.len() - 1;
        let without = self.model(&vec![0.0; free])?.model.estimates().fit();
        let repeats: f64 = self.purchases.iter().sum();
        let bounds = vec![(-FASTEST, FASTEST); free];
        let stop =
            Stop { max_iterations: options.max_iterations, gradient: options.tolerance * repeats.max(1.0) };
        let mut first = true;
        let found = maximise(&self.start(), &bounds, stop, |free| {
            let local = self.local(free);
            // A step too far for the law is shortened; a start that is, is an error.
            let local = match local {
                Err(Error::NotConverged { .. }) if !first => {
                    Ok(Local { value: f64::NAN, ..Local::zero(bounds.len()) })
                }
                other => other,
            };
            first = false;
            local
        })?;
        if !found.converged || found.bound.contains(&true) {
            return Err(Error::NotConverged {
                model: "SeasonalClock",
                iterations: found.iterations,
                gradient_norm: found.gradient_norm / repeats.max(1.0),
                hint: "take longer seasons, or add a penalty such as 1".to_owned(),
            });
        }
        let eta = self.spread(&found.at);
        // Mean speed 1 over the year, or over what was observed.
        let shares = self.calendar.shares().unwrap_or_else(|| exposure.to_vec());
        let over = |f: &dyn Fn(usize) -> f64| self.seen.iter().map(|s| shares[*s] * f(*s)).sum::<f64>();
        let mean = over(&|s| exp(eta[s])) / over(&|_| 1.0);
        let mut log_speeds = vec![0.0; eta.len()];
        for s in &self.seen {
            log_speeds[*s] = eta[*s] - ln(mean);
        }
        let all = over(&|_| 1.0);
        let slope: Vec<f64> = self.seen.iter().map(|s| shares[*s] * exp(log_speeds[*s]) / all).collect();
        let log_likelihood = found.local.value + 0.5 * self.penalty * self.distance(&found.at);
        let fit = ClockFit {
            model: options.model.clone(),
            std_errors: self.errors(&found.local, &slope),
            purchases: self.purchases.clone(),
            log_likelihood,
            log_likelihood_without: without,
            iterations: found.iterations as u64,
        };
        Ok((log_speeds, fit))
    }

    /// Standard errors of γ about their mean, from those of the free ones.
    fn errors(&self, local: &Local, slope: &[f64]) -> Vec<Option<f64>> {
        let n = self.seen.len() - 1;
        let mut out = vec![None; self.purchases.len()];
        let mut factor: Vec<f64> = local.hessian.iter().map(|h| -h).collect();
        if !cholesky(&mut factor, n) {
            return out;
        }
        for (at, season) in self.seen.iter().enumerate() {
            // dγ_at / dη_r = [at = r] − slope_r, the first season's η being 0.
            let row: Vec<f64> = (1..=n)
                .map(|r| f64::from(u8::from(at == r)) - slope.get(r).copied().unwrap_or(0.0))
                .collect();
            let mut solved = row.clone();
            solve(&factor, n, &mut solved);
            let variance: f64 = row.iter().zip(&solved).map(|(a, b)| a * b).sum();
            out[*season] = Some(variance.max(0.0).sqrt());
        }
        out
    }

    /// Purchases beside those that customers would make in a season if they
    /// bought evenly between their first and last.
    fn start(&self) -> Vec<f64> {
        let line = self.line(&vec![0.0; self.purchases.len()]);
        let mut even = vec![0.0; self.purchases.len()];
        let mut counts = even.clone();
        for (group, weight) in self.groups.iter().zip(&self.weight).filter(|(g, _)| g.last > g.first) {
            counts.fill(0.0);
            line.count(group.first, group.last, &mut counts);
            let rate = weight * f64::from(group.repeats) / (group.last - group.first) as f64;
            even.iter_mut().zip(&counts).for_each(|(e, c)| *e += rate * c);
        }
        let ratio = |s: usize| ln((self.purchases[s] + 1.0) / (even[s] + 1.0));
        let measure = self.seen.first().map_or(0.0, |s| ratio(*s));
        self.seen.iter().skip(1).map(|s| (ratio(*s) - measure).clamp(-2.0, 2.0)).collect()
    }

    /// η of every season, of the free ones.
    fn spread(&self, free: &[f64]) -> Vec<f64> {
        let mut eta = vec![0.0; self.purchases.len()];
        for (season, value) in self.seen.iter().skip(1).zip(free) {
            eta[*season] = *value;
        }
        eta
    }

    fn line(&self, eta: &[f64]) -> Timeline {
        let speeds: Vec<f64> = eta.iter().map(|e| if *e == 0.0 { 1.0 } else { exp(*e) }).collect();
        let from = self.groups.first().map_or(self.end, |group| group.first);
        Timeline::new(self.calendar, &speeds, self.grain, from, self.end)
    }

    /// The law at its best, and t_x and T by the clock.
    fn model(&self, free: &[f64]) -> Result<Fitted> {
        let line = self.line(&self.spread(free));
        let unit = self.grain as f64 / self.period;
        let recency: Vec<f64> = self.groups.iter().map(|g| line.between(g.first, g.last) * unit).collect();
        let age: Vec<f64> = self.groups.iter().map(|g| line.between(g.first, self.end) * unit).collect();
        let frequency: Vec<f64> = self.groups.iter().map(|g| f64::from(g.repeats)).collect();
        let rows = RfmSlices {
            frequency: &frequency,
            recency: &recency,
            age: &age,
            weight: Some(&self.weight),
            period: None,
            log_intervals: None,
        };
        let model = PurchaseOptions::default().fit_kind(&self.kind, &rows, &[], 0.0, self.run)?;
        Ok(Fitted { model, recency, age })
    }

    /// Σ (η − their mean)² over the seasons that were seen.
    fn distance(&self, free: &[f64]) -> f64 {
        let mean = free.iter().sum::<f64>() / self.seen.len() as f64;
        mean * mean + free.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>()
    }

    /// The profile likelihood with its gradient and Hessian on the free η.
    fn local(&self, free: &[f64]) -> Result<Local> {
        let eta = self.spread(free);
        let line = self.line(&eta);
        let Fitted { model, recency, age } = self.model(free)?;
        let estimates = model.estimates();
        let (n, theta) = (free.len(), &estimates.values);
        let unit = self.grain as f64 / self.period;
        let mean_age = age.iter().zip(&self.weight).map(|(t, w)| t * w).sum::<f64>()
            / self.weight.iter().sum::<f64>().max(1.0);
        let moved: Vec<[Vec<f64>; 2]> = (0..theta.len())
            .map(|p| {
                [-STEP, STEP].map(|step| {
                    let mut values = theta.clone();
                    values[p] *= exp(step);
                    values
                })
            })
            .collect();
        let pieces = self.run.map_items(self.groups.len().div_ceil(PIECE), |piece| {
            self.run.check()?;
            let mut out = Local::zero(n);
            // How the gradient on η moves with each of the law's parameters.
            let mut across = vec![0.0; theta.len() * n];
            let (mut seen, mut silent) = (vec![0.0; eta.len()], vec![0.0; eta.len()]);
            for row in piece * PIECE..self.groups.len().min((piece + 1) * PIECE) {
                let (group, weight) = (self.groups[row], self.weight[row]);
                seen.fill(0.0);
                silent.fill(0.0);
                line.count(group.first, group.last, &mut seen);
                line.count(group.last, self.end, &mut silent);
                // d t_x / dη and d (T − t_x) / dη
                let by = |counts: &[f64], at: usize| {
                    let season = self.seen[at + 1];
                    counts[season] * exp(eta[season]) * unit
                };
                let times = Times {
                    model: &*model,
                    frequency: group.repeats,
                    recency: recency[row],
                    silent: (age[row] - recency[row]).max(0.0),
                    step: STEP * age[row].max(0.1 * mean_age),
                };
                let slopes = times.slopes(theta);
                let bends = times.bends(theta);
                let drifts: Vec<[f64; 2]> = moved
                    .iter()
                    .map(|[low, high]| {
                        let (low, high) = (times.slopes(low), times.slopes(high));
                        [0, 1].map(|i| (high[i] - low[i]) / (2.0 * STEP))
                    })
                    .collect();
                for i in 0..n {
                    let [a, b] = [by(&seen, i), by(&silent, i)];
                    if a == 0.0 && b == 0.0 {
                        continue;
                    }
                    let slope = slopes[0] * a + slopes[1] * b;
                    out.gradient[i] += weight * slope;
                    out.hessian[i * n + i] += weight * slope;
                    for j in 0..=i {
                        let [c, d] = [by(&seen, j), by(&silent, j)];
                        let bend = bends[0] * a * c + bends[1] * (a * d + b * c) + bends[2] * b * d;
                        out.hessian[i * n + j] += weight * bend;
                    }
                    for (p, drift) in drifts.iter().enumerate() {
                        across[p * n + i] += weight * (drift[0] * a + drift[1] * b);
                    }
                }
            }
            Ok((out, across))
        })?;
        let mut out = Local::zero(n);
        let mut across = vec![0.0; theta.len() * n];
        for (part, moves) in pieces {
            out = out.merge(part);
            across.iter_mut().zip(&moves).for_each(|(a, b)| *a += b);
        }
        // The law's parameters follow: H_ηη − H_ηθ H_θθ⁻¹ H_θη, and −H_θθ⁻¹ is their covariance.
        for i in 0..n {
            for j in 0..=i {
                for (p, row) in estimates.covariance.iter().enumerate() {
                    for (q, c) in row.iter().enumerate() {
                        out.hessian[i * n + j] += across[p * n + i] * c * across[q * n + j];
                    }
                }
            }
        }
        out.value = estimates.fit();
        let mean = free.iter().sum::<f64>() / self.seen.len() as f64;
        for (i, season) in self.seen.iter().skip(1).enumerate() {
            out.value += self.purchases[*season] * free[i];
            out.gradient[i] += self.purchases[*season] - self.penalty * (free[i] - mean);
            for j in 0..=i {
                let unit = f64::from(u8::from(i == j));
                out.hessian[i * n + j] -= self.penalty * (unit - 1.0 / self.seen.len() as f64);
            }
        }
        out.value -= 0.5 * self.penalty * self.distance(free);
        Ok(out)
    }
}

/// One customer's log-likelihood as a function of t_x and of the silence since.
struct Times<'a> {
    model: &'a dyn Purchases,
    frequency: u32,
    recency: f64,
    silent: f64,
    step: f64,
}

impl Times<'_> {
    fn at(&self, theta: &[f64], recency: f64, silent: f64) -> f64 {
        let history =
            History { frequency: self.frequency, recency, age: recency + silent, log_intervals: None };
        self.model.quantity_at(theta, history, Quantity::LogLikelihood)
    }

    /// Where differences are taken, so that no time is negative.
    fn centre(&self) -> (f64, f64) {
        let recency = if self.frequency == 0 { 0.0 } else { self.recency.max(self.step) };
        (recency, self.silent.max(self.step))
    }

    /// By t_x and by the silence, at their place to the second order.
    fn slopes(&self, theta: &[f64]) -> [f64; 2] {
        let h = self.step;
        let first = |f: &dyn Fn(f64) -> f64, at: f64| {
            if at >= h {
                (f(at + h) - f(at - h)) / (2.0 * h)
            } else {
                // At the edge, from one side.
                (4.0 * f(at + h) - f(at + 2.0 * h) - 3.0 * f(at)) / (2.0 * h)
            }
        };
        let by_recency =
            if self.frequency == 0 { 0.0 } else { first(&|t| self.at(theta, t, self.silent), self.recency) };
        [by_recency, first(&|s| self.at(theta, self.recency, s), self.silent)]
    }

    /// Second derivatives: by t_x twice, by both, by the silence twice.
    fn bends(&self, theta: &[f64]) -> [f64; 3] {
        let (h, (t, s)) = (self.step, self.centre());
        let f = |dt: f64, ds: f64| self.at(theta, t + dt * h, s + ds * h);
        let middle = f(0.0, 0.0);
        let silence = (f(0.0, 1.0) - 2.0 * middle + f(0.0, -1.0)) / (h * h);
        if self.frequency == 0 {
            return [0.0, 0.0, silence];
        }
        let recency = (f(1.0, 0.0) - 2.0 * middle + f(-1.0, 0.0)) / (h * h);
        let both = (f(1.0, 1.0) - f(1.0, -1.0) - f(-1.0, 1.0) + f(-1.0, -1.0)) / (4.0 * h * h);
        [recency, both, silence]
    }
}
