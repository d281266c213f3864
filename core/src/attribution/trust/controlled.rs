//! What touches add, each customer compared with themselves.
//!
//! A customer converts at a rate a_i g(t) + Σ_c Σ_b β_cb x_cb(t), where x_cb(t)
//! is how many touches of channel c are of an age in band b at time t. The own
//! rate a_i, whatever it is, times the common course g over the time since the
//! first touch (people lose interest), is what would have been bought anyway.
//! With x̃_i the part of x that is a multiple of g, a_i drops out when everything
//! is taken as the distance from it (the within estimator of additive hazards;
//! Lin & Ying 1994 with a baseline for each customer, in the spirit of the
//! self-controlled case series of Farrington 1995):
//!
//! ```text
//! β = A⁻¹ v,   A = Σ_i ∫ (x − x̃_i)(x − x̃_i)ᵀ dt,   v = Σ_i Σ_conversions (x(t) − x̃_i(t))
//! x̃_i(t) = g(t) ∫ g x dt / ∫ g² dt
//! ```
//!
//! g is constant in stretches; from one to the next it goes as what touches do
//! not explain, of the customers who were watched through both, so who they are
//! cancels. β and g are found in turn. Standard errors are robust, customers as
//! clusters, and take g as known. A channel that people
//! touch *because* they are about to buy still looks as if it caused the
//! purchase: no comparison within a customer can tell, an experiment can.

use serde::{Deserialize, Serialize};

use super::interval::check_confidence;
use super::lives::{Life, days, lives};
use crate::column::{Duration, Table, Text, Values};
use crate::journey::{Journeys, Moment};
use crate::math::{Factor, normal_quantile};
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`self_controlled`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfControlledOptions {
    /// The ends of the bands of age in which a touch's effect is constant.
    /// Default 1, 3, 7, 14 and 30 days; what comes later is not credited.
    pub bands: Vec<Duration>,
    /// Leaves out what happens within the first band, because people about to
    /// buy touch a channel: its effect is taken to be that of the second band.
    /// Default false.
    pub skip_first: bool,
    /// Channels that people touch because they are about to buy: their touches
    /// are taken to add nothing. Default none.
    pub exclude: Vec<String>,
    /// The share of an interval. Default 0.9.
    pub confidence: f64,
    /// The end of observation. Default: the last event there is.
    pub observation_end: Option<Moment>,
}

impl Default for SelfControlledOptions {
    fn default() -> Self {
        Self {
            bands: [1, 3, 7, 14, 30].map(Duration::from_days).to_vec(),
            skip_first: false,
            exclude: Vec::new(),
            confidence: 0.9,
            observation_end: None,
        }
    }
}

/// The estimates by channel.
pub(super) struct Controlled {
    /// What each touch of a channel adds, and its standard error.
    pub(super) per_touch: Vec<[f64; 2]>,
    pub(super) touches: Vec<f64>,
    /// Conversions that each channel added, and the standard error.
    pub(super) incremental: Vec<[f64; 2]>,
    /// The rest, and its standard error.
    baseline: [f64; 2],
    /// Rates a day by channel and band, and standard errors.
    rates: Vec<Vec<[f64; 2]>>,
}

/// Customers whose parts are held at once.
const PIECE: usize = 4_096;

/// Ends of the stretches of time since the first touch in which g is constant.
const SINCE: [f64; 9] = [3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 120.0, 180.0, 365.0];
const STRETCHES: usize = SINCE.len() + 1;
/// How often β and g are found in turn.
const TURNS: usize = 4;

/// One customer's exposure, by the features that the customer has.
#[derive(Default)]
struct Part {
    features: Vec<u32>,
    /// ∫ x xᵀ, row by row.
    square: Vec<f64>,
    /// Σ x at conversions.
    moments: Vec<f64>,
    /// ∫ x, in all and by stretch.
    exposure: Vec<f64>,
    by_stretch: Vec<[f64; STRETCHES]>,
    /// Days and conversions by stretch.
    days: [f64; STRETCHES],
    conversions: [f64; STRETCHES],
}

impl Part {
    /// Takes the multiple of g out.
    fn within(&mut self, g: &[f64; STRETCHES]) {
        let along = |x: &[f64; STRETCHES]| x.iter().zip(g).map(|(x, g)| x * g).sum::<f64>();
        let size: f64 = self.days.iter().zip(g).map(|(d, g)| d * g * g).sum();
        let total = along(&self.conversions);
        let parts: Vec<f64> = self.by_stretch.iter().map(along).collect();
        let n = parts.len();
        for (a, part) in parts.iter().enumerate() {
            self.moments[a] -= total * part / size;
            for (b, other) in parts.iter().enumerate() {
                self.square[a * n + b] -= part * other / size;
            }
        }
    }

    /// Conversions by stretch that touches do not explain.
    fn rest(&self, beta: &[f64]) -> [f64; STRETCHES] {
        let mut rest = self.conversions;
        for (feature, exposure) in self.features.iter().zip(&self.by_stretch) {
            for (rest, x) in rest.iter_mut().zip(exposure) {
                *rest -= beta[*feature as usize] * x;
            }
        }
        rest
    }
}

/// A customer's stretches of constant exposure.
fn part(journeys: &Journeys, life: &Life, bands: &[f64], excluded: &[bool]) -> Part {
    let mut changes: Vec<(f64, u32, f64)> = Vec::new();
    let width = bands.len();
    for i in life.touches.clone().filter(|i| !excluded[journeys.steps[*i] as usize]) {
        let at = days(journeys.times[i].saturating_sub(life.first));
        let mut from = at;
        for (b, end) in bands.iter().enumerate() {
            let to = at + end;
            let feature = (journeys.steps[i] as usize * width + b) as u32;
            if from < life.days {
                changes.push((from, feature, 1.0));
                changes.push((to, feature, -1.0));
            }
            from = to;
        }
    }
    let mut features: Vec<u32> = changes.iter().map(|c| c.1).collect();
    features.sort_unstable();
    features.dedup();
    let n = features.len();
    changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let mut out = Part {
        square: vec![0.0; n * n],
        moments: vec![0.0; n],
        exposure: vec![0.0; n],
        by_stretch: vec![[0.0; STRETCHES]; n],
        features,
        ..Part::default()
    };
    let mut x = vec![0.0; n];
    let (mut now, mut sale, mut at, mut stretch) = (0.0, 0, 0, 0);
    while now < life.days {
        while at < changes.len() && changes[at].0 <= now {
            if let Ok(place) = out.features.binary_search(&changes[at].1) {
                x[place] += changes[at].2;
            }
            at += 1;
        }
        while SINCE.get(stretch).is_some_and(|end| *end <= now) {
            stretch += 1;
        }
        let end = SINCE.get(stretch).map_or(life.days, |end| end.min(life.days));
        let next = changes.get(at).map_or(end, |c| c.0.min(end));
        let span = next - now;
        let live: Vec<usize> = (0..n).filter(|f| x[*f] != 0.0).collect();
        out.days[stretch] += span;
        for a in &live {
            out.exposure[*a] += x[*a] * span;
            out.by_stretch[*a][stretch] += x[*a] * span;
            for b in &live {
                out.square[a * n + b] += x[*a] * x[*b] * span;
            }
        }
        let last = next >= life.days;
        while sale < life.conversions.len() && (life.conversions[sale].0 < next || last) {
            let count = life.conversions[sale].1;
            out.conversions[stretch] += count;
            for f in &live {
                out.moments[*f] += x[*f] * count;
            }
            sale += 1;
        }
        now = next;
    }
    out
}

/// The common course, from what touches do not explain in neighbouring
/// stretches, before and after, of those who were watched through both.
fn course(rest: &[[f64; 2]; STRETCHES - 1]) -> [f64; STRETCHES] {
    let mut g = [1.0; STRETCHES];
    let length = |s: usize| SINCE[s] - if s == 0 { 0.0 } else { SINCE[s - 1] };
    for s in 0..STRETCHES - 1 {
        let [before, after] = rest[s];
        // Nobody is watched through the last stretch, which has no end.
        let known = s + 1 < SINCE.len() && before > 0.0;
        let ratio = if known { after / length(s + 1) / (before / length(s)) } else { 1.0 };
        g[s + 1] = g[s] * ratio.clamp(0.1, 10.0);
    }
    g
}

pub(super) fn estimate(
    journeys: &Journeys,
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<Controlled> {
    check_confidence(options.confidence)?;
    let bands: Vec<f64> = options.bands.iter().map(|b| b.days()).collect();
    let sound = bands.first().is_some_and(|b| *b > 0.0) && bands.is_sorted_by(|a, b| a < b);
    if !sound || (options.skip_first && bands.len() < 2) {
        return Err(Error::option("bands", "must ascend from above 0, and be two or more to skip the first"));
    }
    let lives: Vec<Life> =
        lives(journeys, options.observation_end)?.into_iter().filter(|l| l.days > 0.0).collect();
    let (channels, width) = (journeys.channel_count(), bands.len());
    let p = channels * width;
    if p == 0 || lives.is_empty() {
        return Err(Error::not_enough_data("there is no customer who was watched after a touch"));
    }
    if p > 2_000 {
        return Err(Error::option(
            "bands",
            format!("{channels} channels by {width} bands are too many: lower them"),
        ));
    }
    let labels = journeys.channel_labels();
    if let Some(stranger) = options.exclude.iter().find(|c| !labels.contains(c)) {
        return Err(Error::option("exclude", format!("no journey touches `{stranger}`")));
    }
    let excluded: Vec<bool> = labels.iter().map(|l| options.exclude.contains(l)).collect();
    run.stage("compare customers with themselves", (TURNS as u64 + 1) * lives.len() as u64)?;
    let (mut g, mut beta, mut exposure) = ([1.0; STRETCHES], vec![0.0; p], vec![0.0; p]);
    let mut factor = Factor::new(Vec::new(), 0);
    for turn in 0..TURNS {
        let mut square = vec![0.0; p * p];
        let mut moments = vec![0.0; p];
        let mut rest = [[0.0; 2]; STRETCHES - 1];
        exposure.fill(0.0);
        for piece in lives.chunks(PIECE) {
            let parts = run.map_items(piece.len(), |i| Ok(part(journeys, &piece[i], &bands, &excluded)))?;
            // The course needs an effect of touches, and the effect a course: the first turn has none of both.
            if turn > 0 {
                for (life, part) in piece.iter().zip(&parts) {
                    let mine = part.rest(&beta);
                    for s in (0..STRETCHES - 1).filter(|s| SINCE.get(s + 1).is_some_and(|e| *e <= life.days))
                    {
                        rest[s][0] += mine[s];
                        rest[s][1] += mine[s + 1];
                    }
                }
            }
            for part in &parts {
                for (feature, x) in part.features.iter().zip(&part.exposure) {
                    exposure[*feature as usize] += x;
                }
            }
        }
        if turn > 0 {
            g = course(&rest);
        }
        for piece in lives.chunks(PIECE) {
            let parts = run.map_items(piece.len(), |i| {
                let mut part = part(journeys, &piece[i], &bands, &excluded);
                part.within(&g);
                Ok(part)
            })?;
            for part in parts {
                let n = part.features.len();
                for (a, fa) in part.features.iter().enumerate() {
                    moments[*fa as usize] += part.moments[a];
                    for (b, fb) in part.features.iter().enumerate() {
                        square[*fa as usize * p + *fb as usize] += part.square[a * n + b];
                    }
                }
            }
            run.advance(piece.len() as u64)?;
        }
        factor = Factor::new(square, p);
        beta = factor.solve(&moments);
    }

    // What is asked of β: conversions by channel, their sum, one touch's, each rate.
    let mut touches = vec![0.0; channels];
    for life in &lives {
        for c in &journeys.steps[life.touches.clone()] {
            touches[*c as usize] += 1.0;
        }
    }
    let mut wanted: Vec<Vec<f64>> = Vec::new();
    let place = |c: usize, b: usize| if options.skip_first && b == 0 { c * width + 1 } else { c * width + b };
    for c in 0..channels {
        let mut of = vec![0.0; p];
        for b in 0..width {
            of[place(c, b)] += exposure[c * width + b];
        }
        wanted.push(of);
    }
    wanted.push((0..p).map(|f| wanted.iter().map(|w| w[f]).sum()).collect());
    for c in 0..channels {
        let mut of = vec![0.0; p];
        for b in 0..width {
            of[place(c, b)] += bands[b] - if b == 0 { 0.0 } else { bands[b - 1] };
        }
        wanted.push(of);
    }
    for f in 0..p {
        let mut of = vec![0.0; p];
        of[f] = 1.0;
        wanted.push(of);
    }
    let solved: Vec<Vec<f64>> = wanted.iter().map(|w| factor.solve(w)).collect();
    let mut variance = vec![0.0; wanted.len()];
    for piece in lives.chunks(PIECE) {
        let scores = run.map_items(piece.len(), |i| {
            let mut part = part(journeys, &piece[i], &bands, &excluded);
            part.within(&g);
            let n = part.features.len();
            let residual: Vec<f64> = (0..n)
                .map(|a| {
                    let told: f64 =
                        (0..n).map(|b| part.square[a * n + b] * beta[part.features[b] as usize]).sum();
                    part.moments[a] - told
                })
                .collect();
            let along = |u: &Vec<f64>| -> f64 {
                part.features.iter().zip(&residual).map(|(f, r)| u[*f as usize] * r).sum()
            };
            Ok(solved.iter().map(along).collect::<Vec<f64>>())
        })?;
        for score in scores {
            for (sum, s) in variance.iter_mut().zip(score) {
                *sum += s * s;
            }
        }
        run.advance(piece.len() as u64)?;
    }
    let answer = |at: usize| {
        let value: f64 = wanted[at].iter().zip(&beta).map(|(w, b)| w * b).sum();
        [value, variance[at].sqrt()]
    };
    let incremental: Vec<[f64; 2]> = (0..channels).map(answer).collect();
    let sum = answer(channels);
    Ok(Controlled {
        per_touch: (0..channels).map(|c| answer(channels + 1 + c)).collect(),
        touches,
        incremental,
        baseline: [journeys.total_conversions() - sum[0], sum[1]],
        rates: (0..channels)
            .map(|c| (0..width).map(|b| answer(2 * channels + 1 + c * width + b)).collect())
            .collect(),
    })
}

/// What each channel added, each customer compared with themselves; an
/// estimate of incremental conversions, where credits divide all of them.
///
/// A customer converts at an own rate, which goes the common way of all
/// customers over the time since their first touch, plus what touches add while
/// they are young; the own rate may be anything and is not estimated. Two tables:
/// `self_controlled` (channel, touches, per_touch, per_touch_se, conversions,
/// standard_error, low, high, share of what all channels added; the last row is
/// `(baseline)`, so that conversions add up to all there are) and `profile`
/// (channel, from, to: days after the touch; rate: conversions a day that a
/// touch of that age adds; standard_error).
///
/// It holds where the moment of a touch is as good as random for the customer.
/// It does not where people touch a channel because they are about to buy
/// (branded search, direct, retargeting): their profile is a spike at the
/// beginning, and they mislead about the others too. `exclude` leaves their
/// touches out; `skip_first` takes the effect in the first band to be that of
/// the second; an experiment is better ([`calibrate`](super::calibrate)).
/// Channels that touch often and work weakly come out too low, because a small
/// error of the common course counts for each of their touches; channels that
/// follow purchases (newsletters) come out too low as well. Negative estimates
/// are left as they are.
pub fn self_controlled(
    journeys: &Journeys,
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<[Table; 2]> {
    let found = estimate(journeys, options, run)?;
    let z = normal_quantile(0.5 + options.confidence / 2.0);
    let labels = journeys.channel_labels();
    let rows: Vec<[f64; 2]> = found.incremental.iter().copied().chain([found.baseline]).collect();
    let added: f64 = found.incremental.iter().map(|r| r[0]).sum();
    let channels = labels.len();
    let only = |x: Option<&f64>| x.copied();
    let table = Table::new()
        .with(
            "channel",
            Values::Text(labels.iter().map(String::as_str).chain(["(baseline)"]).collect::<Text>()),
        )
        .with_optional("touches", (0..=channels).map(|c| only(found.touches.get(c))))
        .with_optional("per_touch", (0..=channels).map(|c| found.per_touch.get(c).map(|x| x[0])))
        .with_optional("per_touch_se", (0..=channels).map(|c| found.per_touch.get(c).map(|x| x[1])))
        .with("conversions", Values::F64(rows.iter().map(|r| r[0]).collect()))
        .with("standard_error", Values::F64(rows.iter().map(|r| r[1]).collect()))
        .with("low", Values::F64(rows.iter().map(|r| r[0] - z * r[1]).collect()))
        .with("high", Values::F64(rows.iter().map(|r| r[0] + z * r[1]).collect()))
        .with_optional(
            "share",
            (0..=channels).map(|c| found.incremental.get(c).filter(|_| added > 0.0).map(|x| x[0] / added)),
        );
    let width = options.bands.len();
    let band = |b: usize| if b == 0 { 0.0 } else { options.bands[b - 1].days() };
    let each = |f: &dyn Fn(usize, usize) -> f64| {
        Values::F64(
            (0..channels).flat_map(|c| (0..width).map(move |b| (c, b))).map(|(c, b)| f(c, b)).collect(),
        )
    };
    let profile = Table::new()
        .with(
            "channel",
            Values::Text(labels.iter().flat_map(|l| std::iter::repeat_n(l, width)).collect::<Text>()),
        )
        .with("from", each(&|_, b| band(b)))
        .with("to", each(&|_, b| options.bands[b].days()))
        .with("rate", each(&|c, b| found.rates[c][b][0]))
        .with("standard_error", each(&|c, b| found.rates[c][b][1]));
    Ok([table, profile])
}
