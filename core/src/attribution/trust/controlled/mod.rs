//! What touches add, each customer compared with themselves.
//!
//! A touch of channel c adds θ_c (1 − s_c)^n r_c e^(−r_c age) conversions a day:
//! it works at once and dies away with a half-life of ln 2 / r_c, and each of the n
//! touches of that channel in the days before takes a part s_c of what is left
//! from it. Everything else that a customer does, whatever it is, is the
//! customer's own course B_i(t).
//!
//! What is taken as random is *when* a customer was touched, given how often:
//! touches could have been dealt over the customer's days otherwise, in
//! proportion to how often the channel touches everybody by calendar. The
//! surprise w(t), what works of a channel's touches at t less what would be
//! expected of touches dealt anew, has mean 0 on each day and for each
//! customer, so any B_i(t) cancels:
//!
//! ```text
//! θ = A⁻¹ v,   A = Σ_i ∫ w wᵀ dt,   v = Σ_i Σ_conversions w(t)
//! ```
//!
//! Where touches of c do more for some days after one of p (`priming`), the primed ones have a θ_pc beside θ_c.
//! What it brought would be lost without p as without c, and stands with both.
//!
//! Customers are weighed by the rates that their other conversions tell of (`weights`), and what
//! that favours is held against the estimate of all alike (`blend`).
//!
//! (g-estimation of Robins 1992 with the deal of the touches as the propensity; the
//! comparison within customers is that of the self-controlled case series, Farrington
//! 1995.) Half-lives and wear are those that explain most (greatest vᵀA⁻¹v), under
//! weak priors; what a channel added is the mean over its half-lives, each as likely as
//! it is. Standard errors are robust with customers as clusters, hold the spread over
//! half-lives, and take wear as known. They are of what a channel did add, not of what was
//! to be expected of it: which of the conversions that it might cause it did cause moves
//! estimate and truth alike, so the variance of that count is taken off, as far as it is sure. A channel that people touch *because* they are about
//! to buy still looks as if it caused the purchase: no comparison within a
//! customer can tell, an experiment can.

mod blend;
mod calendar;
mod course;
mod dealt;
mod fit;
mod priming;
mod shapes;
mod sums;
mod weights;

use serde::{Deserialize, Serialize};

use super::interval::check_confidence;
use crate::column::{Duration, Table, Text, Values};
use crate::journey::{Journeys, Moment};
use crate::math::{exp, normal_quantile};
use crate::run::Run;
use crate::{Error, Result};

pub(super) use fit::{Controlled, estimate};

/// Options of [`self_controlled`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfControlledOptions {
    /// Half-lives that a touch's effect may have. Default 6 hours to 45 days in 27 steps; one that
    /// is off by a tenth makes estimates off by a twentieth.
    pub half_lives: Vec<Duration>,
    /// What each earlier touch of the channel may take from a touch, from 0 to below 1.
    /// Default 0 to 0.7 in 10 steps; `[0]` for touches that do not wear out.
    pub wear: Vec<f64>,
    /// For how long an earlier touch counts as one. Default 30 days.
    pub wear_window: Duration,
    /// For how long touches of one channel may make those of another do more; pairs of channels of which that
    /// is so are found. Default 7, 14 and 30 days; none to look for no pairs.
    pub priming_windows: Vec<Duration>,
    /// How often channels touch is taken as even over so long a time. Default 7 days.
    pub calendar: Duration,
    /// Channels that people touch because they are about to buy, or that follow such
    /// touches (branded search, direct, retargeting). Their touches are left out, for
    /// they are a consequence of the conversion. Default none.
    pub exclude: Vec<String>,
    /// The share of an interval. Default 0.9.
    pub confidence: f64,
    /// The end of observation. Default: the last event there is.
    pub observation_end: Option<Moment>,
}

impl Default for SelfControlledOptions {
    fn default() -> Self {
        let hours = [
            6, 9, 12, 18, 24, 30, 36, 42, 48, 60, 72, 84, 96, 108, 120, 144, 168, 204, 240, 288, 336, 420,
            504, 612, 720, 900, 1_080,
        ];
        Self {
            half_lives: hours.map(|h| Duration::from_micros(h * 3_600_000_000)).to_vec(),
            wear: vec![0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7],
            wear_window: Duration::from_days(30),
            priming_windows: [7, 14, 30].map(Duration::from_days).to_vec(),
            calendar: Duration::from_days(7),
            exclude: Vec::new(),
            confidence: 0.9,
            observation_end: None,
        }
    }
}

impl SelfControlledOptions {
    fn check(&self) -> Result<()> {
        check_confidence(self.confidence)?;
        let ascend = |days: &[f64]| days.first().is_some_and(|d| *d > 0.0) && days.is_sorted_by(|a, b| a < b);
        let half_lives: Vec<f64> = self.half_lives.iter().map(|d| d.days()).collect();
        if !ascend(&half_lives) || half_lives.len() > 64 {
            return Err(Error::option("half_lives", "must be 1 to 64 durations that ascend from above 0"));
        }
        let sound = self.wear.iter().all(|s| (0.0..1.0).contains(s));
        if !sound || self.wear.is_empty() || self.wear.len() > 64 || !self.wear.is_sorted_by(|a, b| a < b) {
            return Err(Error::option("wear", "must be 1 to 64 numbers that ascend, from 0 to below 1"));
        }
        let windows: Vec<f64> = self.priming_windows.iter().map(|d| d.days()).collect();
        let sound = windows.iter().all(|d| (1.0..=366.0).contains(d)) && windows.is_sorted_by(|a, b| a < b);
        if !sound || windows.len() > 8 {
            let reason =
                "must be 8 durations at most that ascend, from a day to a year; none to look for no pairs";
            return Err(Error::option("priming_windows", reason));
        }
        for (name, duration) in [("wear_window", &self.wear_window), ("calendar", &self.calendar)] {
            if !(duration.days() >= 1.0 && duration.days() <= 3_660.0) {
                return Err(Error::option(name, "must be a day or more, and ten years at most"));
            }
        }
        Ok(())
    }
}

/// Ends in days of the stretches of age that the profile tells.
const PROFILE: [f64; 6] = [1.0, 3.0, 7.0, 14.0, 30.0, 60.0];

/// Half-lives in days up to which an effect looks like an intent to buy.
const HASTY: f64 = 0.5;

/// What each channel added, each customer compared with themselves; an
/// estimate of incremental conversions, where credits divide all of them.
///
/// When a customer was touched, given how often, is taken as chance, by the
/// calendar of each channel; what the customer would have done otherwise may be
/// anything and goes any course. Channels that reach good customers are so not
/// rewarded for it. Three tables:
/// `self_controlled` (channel, touches, per_touch, per_touch_se, `half_life` in days,
/// wear, conversions, `standard_error`, low, high, share of what all channels added,
/// note; the last row is `(baseline)`),
/// `profile` (channel, from, to: days after the touch; rate: conversions a day
/// that an average touch of that age adds; `standard_error`) and `priming` (primer, channel, window in days:
/// touches of the channel that had one of the primer in the days before did `factor` times what others did;
/// conversions that this brought, `standard_error`, low, high).
///
/// What a channel added is what would be lost without it. What primed touches did more would be lost without
/// either channel and stands with both: conversions add up to all there are when those of `priming` are taken off
/// once. Pairs, eight at most, are looked for among the twelve channels that touch most, from a hundred conversions
/// on, and taken in one by one where chance would find one in fewer than one of a hundred markets without any. Only
/// touches that make others do *more* are looked for.
///
/// It does not hold where people touch a channel because they are about to buy
/// (branded search, direct, retargeting): they seem to work at once and strongly,
/// which the note tells. Such touches are consequences of the conversion and mislead
/// about the other channels too: `exclude` them, and find out about them by an
/// experiment ([`calibrate`](super::calibrate) joins the two). Channels that
/// touch customers only (newsletters) are recognised, and dealt from the first conversion
/// on. Negative estimates are left as they are. Standard errors and bounds are of what was added, not of
/// what was to be expected: chance in who is moved is in the estimate and in the truth alike.
///
/// Errors: [`Error::Option`] for options that cannot be and for journeys that lack
/// touches (`open` of `exclude` or `decided`, a part of other journeys),
/// [`Error::NotEnoughData`] where nobody was watched after a touch.
pub fn self_controlled(
    journeys: &Journeys,
    options: &SelfControlledOptions,
    run: &Run,
) -> Result<[Table; 3]> {
    let found = estimate(journeys, options, run)?;
    let z = normal_quantile(0.5 + options.confidence / 2.0);
    let labels = journeys.channel_labels();
    let channels = labels.len();
    let rows: Vec<Option<[f64; 2]>> =
        found.channels.iter().map(|c| c.incremental).chain([Some(found.baseline)]).collect();
    let added: f64 = found.channels.iter().filter_map(|c| c.incremental).map(|x| x[0]).sum();
    let of = |f: &dyn Fn(&fit::Channel) -> Option<f64>| -> Vec<Option<f64>> {
        (0..=channels).map(|c| found.channels.get(c).and_then(f)).collect()
    };
    let all = |f: &dyn Fn([f64; 2]) -> f64| -> Vec<Option<f64>> { rows.iter().map(|r| r.map(f)).collect() };
    let notes: Vec<&str> = found.channels.iter().map(note).chain([""]).collect();
    let table = Table::new()
        .with(
            "channel",
            Values::Text(labels.iter().map(String::as_str).chain(["(baseline)"]).collect::<Text>()),
        )
        .with_optional("touches", of(&|c| Some(c.touches)))
        .with_optional("per_touch", of(&|c| c.per_touch().map(|x| x[0])))
        .with_optional("per_touch_se", of(&|c| c.per_touch().map(|x| x[1])))
        .with_optional("half_life", of(&|c| c.incremental.map(|_| c.half_life)))
        .with_optional("wear", of(&|c| c.incremental.map(|_| c.wear)))
        .with_optional("conversions", all(&|r| r[0]))
        .with_optional("standard_error", all(&|r| r[1]))
        .with_optional("low", all(&|r| r[0] - z * r[1]))
        .with_optional("high", all(&|r| r[0] + z * r[1]))
        .with_optional("share", of(&|c| c.incremental.filter(|_| added > 0.0).map(|x| x[0] / added)))
        .with("note", Values::Text(notes.into_iter().collect::<Text>()));
    let told = || (0..channels).filter(|c| found.channels[*c].incremental.is_some());
    let each = |f: &dyn Fn(&fit::Channel, f64, f64) -> f64| {
        let starts = || std::iter::once(0.0).chain(PROFILE).zip(PROFILE);
        Values::F64(
            told()
                .flat_map(|c| starts().map(move |s| (c, s)))
                .map(|(c, (from, to))| f(&found.channels[c], from, to))
                .collect(),
        )
    };
    let between = |c: &fit::Channel, from: f64, to: f64| {
        let decay = std::f64::consts::LN_2 / c.half_life;
        (exp(-decay * from) - exp(-decay * to)) / (to - from)
    };
    let full = |c: &fit::Channel| c.whole_per_touch().unwrap_or_default();
    let profile = Table::new()
        .with(
            "channel",
            Values::Text(
                told().flat_map(|c| std::iter::repeat_n(&labels[c], PROFILE.len())).collect::<Text>(),
            ),
        )
        .with("from", each(&|_, from, _| from))
        .with("to", each(&|_, _, to| to))
        .with("rate", each(&|c, from, to| full(c)[0] * between(c, from, to)))
        .with("standard_error", each(&|c, from, to| full(c)[1] * between(c, from, to)));
    Ok([table, profile, priming(&found.primed, &labels, z)])
}

fn priming(found: &[fit::Primed], labels: &[String], z: f64) -> Table {
    let names = |f: &dyn Fn(&fit::Primed) -> usize| {
        Values::Text(found.iter().map(|p| labels[f(p)].as_str()).collect::<Text>())
    };
    let numbers = |f: &dyn Fn([f64; 2]) -> f64| Values::F64(found.iter().map(|p| f(p.conversions)).collect());
    Table::new()
        .with("primer", names(&|p| p.pair.primer.channel))
        .with("channel", names(&|p| p.pair.channel))
        .with("window", Values::F64(found.iter().map(|p| p.pair.primer.window).collect()))
        .with_optional("factor", found.iter().map(|p| p.factor))
        .with("conversions", numbers(&|x| x[0]))
        .with("standard_error", numbers(&|x| x[1]))
        .with("low", numbers(&|x| x[0] - z * x[1]))
        .with("high", numbers(&|x| x[0] + z * x[1]))
}

fn note(channel: &fit::Channel) -> &'static str {
    match channel.incremental {
        None if channel.excluded => "left out: only an experiment tells",
        None => "touched nobody twice: nothing to compare",
        Some([x, se]) if channel.half_life <= HASTY && x > 3.0 * se => {
            "works within hours, as where people are about to buy anyway: exclude it, and make an experiment"
        }
        Some(_) => "",
    }
}
