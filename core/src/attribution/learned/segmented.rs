//! Attribution for each segment of customers, shrunk to the whole.
//!
//! The same model is fitted to the journeys of each segment and to all. Small
//! segments know little, so what a segment says is mixed with what the whole
//! says: weight n / (n + k) to its own model, n being its conversions. k is
//! estimated by the method of moments (DerSimonian & Laird 1986), with θ_g the
//! channels' shares of credit in segment g and θ̄ their mean weighted by n. How
//! much shares vary by chance depends on the model, so it is seen from the data:
//! each segment's customers are dealt into two halves, and θ_g1, θ_g2 fitted to
//! the halves differ by chance alone.
//!
//! σ² = mean over g of n_g Σ_c (θ_g1c − θ_g2c)² / 4,  Q = Σ_g n_g Σ_c (θ_gc − θ̄_c)² / σ²,
//! τ² / σ² = max(0, (Q − (G − 1)) / (N − Σ n_g² / N)),  k = σ² / τ²
//!
//! Segments that differ by no more than chance have k = ∞ and share one model.

use serde::{Deserialize, Serialize};

use crate::attribution::rules::Scratch;
use crate::attribution::touch::split;
use crate::attribution::trust::{Absent, Around, Estimates, Numbers, Spread, beside, check_size, redraws};
use crate::attribution::validate::folds;
use crate::attribution::{Fitted, Interval, Model};
use crate::column::{Columns, Table, Tables, Text, Values};
use crate::journey::{Journeys, UNATTRIBUTED};
use crate::math::{exact_sum, sum};
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`segmented`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentedOptions {
    /// The model, one that is fitted. Default `markov`.
    pub model: Model,
    /// Column of segments: who. Default `"customer"`.
    pub customer: String,
    /// Column of segments: which. Default `"segment"`.
    pub segment: String,
    /// k, the conversions at which a segment's own model weighs half; 0: no
    /// shrinkage; none: estimated. Default none.
    pub shrinkage: Option<f64>,
    /// Whether credit by customer is wanted too. Default false.
    pub customers: bool,
    /// How many samples of customers are drawn again for intervals; 0, the
    /// default, for none.
    pub bootstrap: usize,
    /// The share of samples inside an interval. Default 0.9.
    pub confidence: f64,
    /// How samples become an interval.
    pub interval: Interval,
}

impl Default for SegmentedOptions {
    fn default() -> Self {
        Self {
            model: Model::Markov(super::super::Markov::default()),
            customer: "customer".into(),
            segment: "segment".into(),
            shrinkage: None,
            customers: false,
            bootstrap: 0,
            confidence: 0.9,
            interval: Interval::default(),
        }
    }
}

const ZERO: Absent = Absent::Zero;
const UNKNOWN: Absent = Absent::Unknown;

/// What has an interval. A sample may be without a segment.
const ESTIMATES: Estimates = &[
    ("conversions", ZERO),
    ("value", ZERO),
    ("journeys", ZERO),
    ("weight", UNKNOWN),
    ("variance_ratio", ZERO),
    ("share_own", UNKNOWN),
    ("share_whole", UNKNOWN),
    ("share", UNKNOWN),
    ("effect_own", UNKNOWN),
    ("effect_whole", UNKNOWN),
    ("effect", UNKNOWN),
];

/// What one model for each segment and one for all say, mixed.
#[derive(Clone, Debug)]
pub struct Segmented {
    shrinkage: f64,
    tables: Tables,
}

/// One model for each segment, and one for all.
#[derive(Debug)]
struct Mixture {
    channels: Vec<String>,
    whole: Fitted,
    segments: Vec<Segment>,
    shrinkage: f64,
    has_value: bool,
}

#[derive(Debug)]
struct Segment {
    /// Conversions without a touch, and their value.
    unattributed: (f64, f64),
    label: String,
    /// `None` where its journeys are not enough for a model.
    own: Option<Fitted>,
    journeys: f64,
    conversions: f64,
    /// What its own model weighs.
    weight: f64,
    /// By channel: shares of credit by its own model, by that of all.
    own_shares: Vec<f64>,
    /// σ² as this segment's halves see it, where both can be fitted.
    noise: Option<f64>,
    whole_shares: Vec<f64>,
    credits: Vec<[f64; 2]>,
}

fn shares(credits: &[[f64; 2]]) -> Vec<f64> {
    let total = sum(credits.iter().map(|c| c[0]));
    credits.iter().map(|c| if total > 0.0 { c[0] / total } else { 0.0 }).collect()
}

/// σ² from two halves of a segment; `None` where they are too small to be fitted.
fn noise(model: &Model, journeys: &Journeys, run: &Run) -> Result<Option<f64>> {
    let halves = folds(journeys, 2, run)?;
    let mut found = Vec::with_capacity(2);
    for half in 0..2 {
        let mine = halves.test(half);
        match Fitted::fit(model, &mine, run) {
            Ok(fitted) => found.push(shares(&fitted.totals(&mine, run)?)),
            Err(Error::NotEnoughData { .. } | Error::NotConverged { .. }) => return Ok(None),
            Err(other) => return Err(other),
        }
    }
    let distance = sum(found[0].iter().zip(&found[1]).map(|(a, b)| (a - b) * (a - b)));
    let (unattributed, _) = journeys.unattributed();
    Ok(Some((journeys.total_conversions() - unattributed) * distance / 4.0))
}

/// τ² / σ² by the method of moments, 0 where segments do not differ.
fn moments(segments: &[Segment]) -> f64 {
    let known: Vec<&Segment> = segments.iter().filter(|s| s.own.is_some() && s.conversions > 0.0).collect();
    let n = sum(known.iter().map(|s| s.conversions));
    let channels = known.first().map_or(0, |s| s.own_shares.len());
    if known.len() < 2 || n <= 0.0 {
        return 0.0;
    }
    let mean: Vec<f64> =
        (0..channels).map(|c| sum(known.iter().map(|s| s.conversions * s.own_shares[c])) / n).collect();
    let halves: Vec<f64> = known.iter().filter_map(|s| s.noise).collect();
    let variance = if halves.is_empty() {
        // One conversion, one channel.
        sum(mean.iter().map(|m| m * (1.0 - m)))
    } else {
        sum(halves.iter().copied()) / halves.len() as f64
    };
    let distance = |s: &Segment| sum(s.own_shares.iter().zip(&mean).map(|(a, b)| (a - b) * (a - b)));
    let q = sum(known.iter().map(|s| s.conversions * distance(s))) / variance;
    let spread = n - sum(known.iter().map(|s| s.conversions * s.conversions)) / n;
    let ratio = (q - (known.len() as f64 - 1.0)) / spread;
    if variance > 0.0 && ratio > 0.0 { ratio } else { 0.0 }
}

/// Fits a model to each segment of customers and to all, and splits each
/// segment's conversions by both, its own model weighing n / (n + k).
///
/// `segments` has a row for each customer; without it the journeys' own
/// segments are taken ([`Journeys::with_segments`]). Customers without one form
/// the segment `(none)`. A segment whose journeys are not enough for a model of
/// its own (no conversion, say) is split by that of all.
///
/// With [`SegmentedOptions::bootstrap`] customers are drawn again that often,
/// all of this is done with each sample, the estimate of k too, and each number
/// is followed by its `_standard_error`, `_low` and `_high`. The credit of single
/// customers is that of their journeys as they are, by the models of the samples;
/// a sample without their segment does not know it. Errors:
/// [`Error::Option`] for a rule, or for journeys without customers;
/// [`Error::Row`] for a customer in two segments; [`Error::Column`] where there
/// are no segments.
pub fn segmented(
    journeys: &Journeys,
    segments: Option<&Columns>,
    options: &SegmentedOptions,
    run: &Run,
) -> Result<Segmented> {
    if options.model.is_rule() {
        let name = options.model.name();
        let reason = format!(
            "{name} is a rule: it learns nothing, so segments do not change it; attribute the parts of `split` by it"
        );
        return Err(Error::option("model", reason));
    }
    if let Some(k) = options.shrinkage
        && !(k.is_finite() && k >= 0.0)
    {
        return Err(Error::option("shrinkage", format!("must be a number of at least 0, not {k}")));
    }
    let spread =
        Spread { replicates: options.bootstrap, confidence: options.confidence, interval: options.interval };
    spread.check()?;
    if !journeys.has_times() {
        return Err(Error::option(
            "segments",
            "journeys from paths have no customers to tell apart: build them with from_events",
        ));
    }
    let marked = match segments {
        Some(frame) => journeys.with_segments(frame, &options.customer, &options.segment, run)?,
        None => journeys.clone(),
    };
    let mixture = Mixture::fit(&marked, options, run)?;
    let mut tables = mixture.tables();
    let customers = options.customers.then(|| mixture.by_customer(&marked, run)).transpose()?;
    let mut credits = Vec::new();
    if spread.replicates > 0 {
        check_size(2 * customers.as_ref().map_or(0, |found| found.credits.len()), spread.replicates)?;
        let numbers = Numbers::new(tables, ESTIMATES, spread.replicates)?;
        let samples = redraws(&marked, spread.replicates, run, |drawn, run| {
            let mixture = Mixture::fit(drawn, options, run)?;
            let credits = match customers {
                Some(_) => mixture.by_customer(&marked, run)?.credits,
                None => Vec::new(),
            };
            Ok((numbers.of(&mixture.tables()), credits))
        })?;
        let (samples, by_customer): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        tables = numbers.with_intervals(&samples, &spread, run)?;
        if let Some((_, table)) = tables.iter_mut().find(|(name, _)| *name == "shrinkage") {
            *table = with_bounds_of_shrinkage(std::mem::take(table));
        }
        credits = by_customer;
    }
    if let Some(found) = customers {
        tables.push(("customers", mixture.customers(found, &marked, &credits, &spread)));
    }
    Ok(Segmented { shrinkage: mixture.shrinkage, tables })
}

/// The bounds of k, from those of 1 / k; missing where it has no end.
fn with_bounds_of_shrinkage(table: Table) -> Table {
    let inverse = |name: &str| -> Vec<Option<f64>> {
        let of = |ratio: Option<f64>| ratio.filter(|ratio| *ratio > 0.0).map(|ratio| 1.0 / ratio);
        table.optional(name).into_iter().map(of).collect()
    };
    let (low, high) = (inverse("variance_ratio_high"), inverse("variance_ratio_low"));
    table.with_optional("shrinkage_low", low).with_optional("shrinkage_high", high)
}

impl Mixture {
    /// Fits the models to journeys that know their segments.
    fn fit(journeys: &Journeys, options: &SegmentedOptions, run: &Run) -> Result<Self> {
        let parts: Vec<_> = journeys.split()?.into_iter().filter(|(_, mine)| !mine.is_empty()).collect();
        let whole = Fitted::fit(&options.model, journeys, run)?;
        let mut found = Vec::with_capacity(parts.len());
        for (label, mine) in parts {
            let own = match Fitted::fit(&options.model, &mine, run) {
                Ok(fitted) => Some(fitted),
                Err(Error::NotEnoughData { .. } | Error::NotConverged { .. }) => None,
                Err(other) => return Err(other),
            };
            let (unattributed, _) = mine.unattributed();
            let by_whole = whole.totals(&mine, run)?;
            let own_credits =
                own.as_ref().map_or_else(|| Ok(by_whole.clone()), |own| own.totals(&mine, run))?;
            found.push(Segment {
                label,
                journeys: exact_sum(mine.conversions().iter().chain(mine.nulls()).copied()),
                conversions: mine.total_conversions() - unattributed,
                weight: 0.0,
                noise: if own.is_some() && options.shrinkage.is_none() {
                    noise(&options.model, &mine, run)?
                } else {
                    None
                },
                own_shares: shares(&own_credits),
                whole_shares: shares(&by_whole),
                unattributed: mine.unattributed(),
                credits: own_credits.iter().chain(&by_whole).copied().collect(),
                own,
            });
        }
        let k = options.shrinkage.unwrap_or_else(|| 1.0 / moments(&found));
        for segment in &mut found {
            let n = segment.conversions;
            segment.weight =
                if segment.own.is_none() || n <= 0.0 || k == f64::INFINITY { 0.0 } else { n / (n + k) };
            let (own, whole) = segment.credits.split_at(segment.own_shares.len());
            let w = segment.weight;
            segment.credits =
                own.iter().zip(whole).map(|(a, b)| [0, 1].map(|i| w * a[i] + (1.0 - w) * b[i])).collect();
        }
        Ok(Self {
            channels: journeys.channel_labels(),
            whole,
            segments: found,
            shrinkage: k,
            has_value: journeys.has_value(),
        })
    }

    fn tables(&self) -> Tables {
        vec![
            ("credits", self.credits()),
            ("segments", self.segments()),
            ("effects", self.effects()),
            ("shrinkage", self.shrinkage()),
        ]
    }

    fn shrinkage(&self) -> Table {
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        Table::new()
            .with_optional("variance_ratio", [finite(1.0 / self.shrinkage)])
            .with_optional("shrinkage", [finite(self.shrinkage)])
    }

    fn credits(&self) -> Table {
        let (mut segment, mut channel) = (Text::new(), Text::new());
        let mut credits = Vec::new();
        for s in &self.segments {
            let (n, value) = s.unattributed;
            let lost = (n > 0.0 || value != 0.0).then_some((UNATTRIBUTED, [n, value]));
            let rows = self.channels.iter().map(String::as_str).zip(s.credits.iter().copied()).chain(lost);
            for (label, credit) in rows {
                segment.push(&s.label);
                channel.push(label);
                credits.push(credit);
            }
        }
        Table::new()
            .with("segment", Values::Text(segment))
            .with("channel", Values::Text(channel))
            .with("conversions", Values::F64(credits.iter().map(|c| c[0]).collect()))
            .with_optional("value", credits.iter().map(|c| self.has_value.then_some(c[1])))
    }

    fn labels(&self) -> (Values, Values) {
        let rows = || {
            self.segments.iter().flat_map(|s| self.channels.iter().map(|c| (s.label.as_str(), c.as_str())))
        };
        (Values::Text(rows().map(|r| r.0).collect()), Values::Text(rows().map(|r| r.1).collect()))
    }

    fn segments(&self) -> Table {
        let column = |f: fn(&Segment) -> f64| Values::F64(self.segments.iter().map(f).collect());
        Table::new()
            .with("segment", Values::Text(self.segments.iter().map(|s| s.label.as_str()).collect()))
            .with("journeys", column(|s| s.journeys))
            .with("conversions", column(|s| s.conversions))
            .with("own_model", Values::Bool(self.segments.iter().map(|s| s.own.is_some()).collect()))
            .with("weight", column(|s| s.weight))
    }

    fn effects(&self) -> Table {
        let n = self.channels.len();
        let whole = self.whole.effects();
        let mut columns: [Vec<f64>; 3] = Default::default();
        let mut effects: [Vec<Option<f64>>; 3] = Default::default();
        for s in &self.segments {
            let own = s.own.as_ref().and_then(Fitted::effects);
            let mix = |a: f64, b: f64| s.weight * a + (1.0 - s.weight) * b;
            for c in 0..n {
                let (a, b) = (s.own_shares[c], s.whole_shares[c]);
                columns.iter_mut().zip([a, b, mix(a, b)]).for_each(|(column, x)| column.push(x));
                let b = whole.as_ref().map(|e| e[c]);
                let a = own.as_ref().map(|e| e[c]);
                let both = b.map(|b| a.map_or(b, |a| mix(a, b)));
                effects.iter_mut().zip([a, b, both]).for_each(|(column, x)| column.push(x));
            }
        }
        let (segment, channel) = self.labels();
        let [own, all, shrunk] = columns;
        let [own_effect, all_effect, shrunk_effect] = effects;
        Table::new()
            .with("segment", segment)
            .with("channel", channel)
            .with("share_own", Values::F64(own))
            .with("share_whole", Values::F64(all))
            .with("share", Values::F64(shrunk))
            .with_optional("effect_own", own_effect)
            .with_optional("effect_whole", all_effect)
            .with_optional("effect", shrunk_effect)
    }

    /// Credit of each customer's channels, of the customer's own journeys, which
    /// need not be those that the models were fitted to; NaN where the
    /// customer's segment was not among these.
    fn by_customer(&self, journeys: &Journeys, run: &Run) -> Result<ByCustomer> {
        let whole = self.whole.kernels(journeys)?;
        let own: Vec<_> = self
            .segments
            .iter()
            .map(|s| s.own.as_ref().map(|own| own.kernels(journeys)).transpose())
            .collect::<Result<_>>()?;
        // Where the segment of each code stands among those that have journeys; (none) is the last.
        let labels = journeys.segment_labels();
        let at = |label: &str| self.segments.iter().position(|s| s.label == label);
        let places: Vec<Option<usize>> = labels.iter().map(|label| at(label)).collect();
        let place = |segment: Option<u32>| match segment {
            Some(code) => places[code as usize],
            None => self.segments.len().checked_sub(1).filter(|last| !places.contains(&Some(*last))),
        };
        let mut scratch = Scratch::new(journeys.channel_count());
        let (mut customer, mut segment, mut channel) = (Vec::new(), Text::new(), Vec::new());
        let mut credits: Vec<[f64; 2]> = Vec::new();
        // Of conversions and of value.
        let mut shares: [[Vec<f64>; 2]; 2] = Default::default();
        let (mut now, mut first) = (None, 0);
        for j in 0..journeys.len() {
            if j % 65_536 == 0 {
                run.check()?;
            }
            let journey = journeys.journey(j);
            let total = [journeys.conversions()[j], journeys.values()[j]];
            let Some(who) = journeys.customer(j) else { continue };
            if journey.path.is_empty() || total == [0.0; 2] {
                continue;
            }
            let code = place(journeys.segment(j));
            let (label, weight) = code.map_or(("", f64::NAN), |code| {
                let found = &self.segments[code];
                (found.label.as_str(), found.weight)
            });
            let own = code.and_then(|code| own[code].as_ref()).unwrap_or(&whole);
            for (kernels, shares) in [own, &whole].into_iter().zip(&mut shares) {
                let value = kernels.1.as_ref().unwrap_or(&kernels.0);
                for (kernel, shares) in [&kernels.0, value].into_iter().zip(shares) {
                    shares.clear();
                    split(kernel, &journey, 1.0, &mut scratch, shares);
                }
            }
            if now != Some(who) {
                (now, first) = (Some(who), channel.len());
            }
            let [mine, theirs] = &shares;
            for (i, c) in journey.path.iter().enumerate() {
                let share = [0, 1].map(|k| weight * mine[k][i] + (1.0 - weight) * theirs[k][i]);
                let at = channel[first..].iter().position(|x| x == c).map_or_else(
                    || {
                        customer.push(who);
                        segment.push(label);
                        channel.push(*c);
                        credits.push([0.0; 2]);
                        channel.len() - 1
                    },
                    |at| first + at,
                );
                credits[at] = [0, 1].map(|i| credits[at][i] + total[i] * share[i]);
            }
        }
        Ok(ByCustomer { customer, segment, channel, credits })
    }

    /// Credit of each customer, with intervals where there are samples of it.
    fn customers(
        &self,
        found: ByCustomer,
        journeys: &Journeys,
        samples: &[Vec<[f64; 2]>],
        spread: &Spread,
    ) -> Table {
        let ByCustomer { customer, segment, channel, credits } = found;
        let channel: Text = channel.iter().map(|c| self.channels[*c as usize].as_str()).collect();
        let around = |k: usize| -> Vec<Option<Around>> {
            let of = |(row, credit): (usize, &[f64; 2])| {
                let draws: Vec<f64> =
                    samples.iter().map(|sample| sample[row][k]).filter(|x| !x.is_nan()).collect();
                let known = draws.len() > 1 && (k == 0 || self.has_value);
                known.then(|| spread.around(credit[k], &draws))
            };
            credits.iter().enumerate().map(of).collect()
        };
        let with = |table: Table, name: &str, k: usize| {
            if samples.is_empty() { table } else { beside(table, name, &around(k)) }
        };
        let table = Table::new()
            .with("customer", journeys.customer_column(customer))
            .with("segment", Values::Text(segment))
            .with("channel", Values::Text(channel))
            .with("conversions", Values::F64(credits.iter().map(|c| c[0]).collect()));
        let table = with(table, "conversions", 0)
            .with_optional("value", credits.iter().map(|c| self.has_value.then_some(c[1])));
        with(table, "value", 1)
    }
}

/// Credit by customer and channel.
struct ByCustomer {
    customer: Vec<u32>,
    segment: Text,
    channel: Vec<u32>,
    credits: Vec<[f64; 2]>,
}

impl Segmented {
    /// k, infinite where the segments do not differ by more than chance.
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    /// The credits: segment, channel, conversions, value (missing where no
    /// value is known), by the mixture of the segment's own model and that of
    /// all. They add up to all conversions with a touch.
    pub fn credits(&self) -> &Table {
        self.table(0)
    }

    /// The segments: segment, journeys, conversions, own_model (whether there
    /// is one), weight (of it).
    pub fn segments(&self) -> &Table {
        self.table(1)
    }

    /// What the models say of channels: segment, channel, share by the
    /// segment's own model, by that of all, and shrunk; and the same of the
    /// effects (removal effects of `markov`, coefficients of `logistic`,
    /// contributions of `shao_li`, effects of `additive_hazard`), missing for
    /// other models.
    pub fn effects(&self) -> &Table {
        self.table(2)
    }

    /// Credit by customer where it was asked for: customer, segment, channel,
    /// conversions, value. Markov chains split each journey by its touches, so
    /// these sums differ from those of [`Segmented::credits`] as those of
    /// [`touch_credits`](crate::attribution::touch_credits) do.
    pub fn customers(&self) -> Option<&Table> {
        self.tables.get(4).map(|(_, table)| table)
    }

    /// How much segments differ, in one row: variance_ratio (τ² / σ²; 0 where
    /// they differ by no more than chance) and shrinkage (k, its inverse:
    /// missing where it is infinite). With a bootstrap the ratio is followed by
    /// its `_standard_error`, `_low` and `_high`, and the row ends with
    /// shrinkage_low and shrinkage_high, missing where they are infinite.
    pub fn shrinkage_table(&self) -> &Table {
        self.table(3)
    }

    fn table(&self, at: usize) -> &Table {
        &self.tables[at].1
    }

    /// All tables by name.
    pub fn tables(self) -> Tables {
        self.tables
    }
}
