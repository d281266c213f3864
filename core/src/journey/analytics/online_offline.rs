//! What crosses from online to offline channels, and back.

use serde::{Deserialize, Serialize};

use super::cells::whole_customers;
use super::stats::{Waits, ratio};
use super::{CONVERSION, ChannelSet, Journeys, Report};
use crate::column::{NULL, Table, Text, Values};
use crate::journey::counts::Sums;
use crate::run::Run;
use crate::{Error, Result};

/// Options of [`Journeys::online_offline`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineOfflineOptions {
    /// The channels that are offline, such as the store or the call centre;
    /// all others are online. Default: those that the journeys were built with.
    pub offline: Option<ChannelSet>,
}

/// Crossings of one piece: row of the matrix, weights, and the time that it took.
#[derive(Default)]
struct Crossings {
    cell: Vec<u32>,
    weight: Vec<f64>,
    conversions: Vec<f64>,
    value: Vec<f64>,
    wait: Vec<i64>,
}

/// The place of a journey's conversion: 0 where none is known.
fn place(journeys: &Journeys, journey: usize) -> usize {
    match journeys.place.get(journey) {
        Some(code) if *code != NULL => *code as usize + 1,
        _ => 0,
    }
}

/// The names of the places, after that of conversions without one.
fn places(journeys: &Journeys) -> Vec<String> {
    let known = journeys.places.as_ref().map_or(0, |labels| labels.len());
    let label = |code: u32| journeys.places.as_ref().map_or_else(String::new, |l| l.get(code).into_owned());
    std::iter::once(CONVERSION.to_owned()).chain((0..known as u32).map(label)).collect()
}

impl Journeys {
    /// What crosses from online to offline channels, and back, on the way to a conversion.
    ///
    /// Table `online_offline`: from, from_place (`online` or `offline`), to (a
    /// channel of the other place that is touched later in the journey, or the
    /// place of the conversion, `(conversion)` where it is not known), to_place
    /// (`conversion` for these), journeys (that
    /// cross), share (of the journeys with a touch of `from`), conversions (of
    /// those that cross), conversion_rate, value (missing without values),
    /// median_days (from the first touch of `from` to the first of `to` after
    /// it; missing without times). Only crossings that occur have a row.
    pub fn online_offline(&self, options: &OnlineOfflineOptions, run: &Run) -> Result<Report> {
        let labels = self.channel_labels();
        let offline = match &options.offline {
            Some(set) => set.members("offline", &labels)?,
            None if self.offline.len() == labels.len() && !labels.is_empty() => self.offline.clone(),
            None => return Err(Error::option("offline", "name the channels that are offline")),
        };
        let places = places(self);
        let width = labels.len() + places.len();
        if labels.len() * width > super::cells::MOST {
            return Err(Error::option("report", format!("{} channels are too many", labels.len())));
        }
        let pieces = whole_customers(self);
        run.stage("find crossings", self.steps.len() as u64)?;
        let parts = run.map_items(pieces.len(), |p| {
            let mut out = Crossings::default();
            let mut seen = Seen::new(labels.len(), width);
            for j in pieces[p].clone() {
                self.cross(j, &offline, width, &mut seen, &mut out);
            }
            run.advance(pieces[p].clone().map(|j| u64::from(self.len[j])).sum())?;
            Ok(out)
        })?;
        let mut all = Crossings::default();
        for part in parts {
            run.check()?;
            all.cell.extend(part.cell);
            all.weight.extend(part.weight);
            all.conversions.extend(part.conversions);
            all.value.extend(part.value);
            all.wait.extend(part.wait);
        }
        // The diagonal holds the journeys that touch a channel.
        let cells = labels.len() * width;
        let sums = |weights: &[f64]| Sums::by_group(&all.cell, cells, weights).nearest;
        let (journeys, conversions, value) = (sums(&all.weight), sums(&all.conversions), sums(&all.value));
        let mut waits: Vec<Vec<(i64, f64)>> = vec![Vec::new(); cells];
        if self.timed {
            for (i, cell) in all.cell.iter().enumerate() {
                waits[*cell as usize].push((all.wait[i], all.weight[i]));
            }
        }
        let shown: Vec<usize> = (0..cells).filter(|c| c / width != c % width && journeys[*c] > 0.0).collect();
        let side = |c: usize| if offline[c] { "offline" } else { "online" };
        let text = |f: &dyn Fn(usize) -> String| {
            Values::Text(shown.iter().map(|c| f(*c)).collect::<Vec<_>>().iter().collect::<Text>())
        };
        let pick = |v: &[f64]| Values::F64(shown.iter().map(|c| v[*c]).collect());
        let to = |c: usize| match labels.get(c % width) {
            Some(label) => label.clone(),
            None => places[c % width - labels.len()].clone(),
        };
        let to_place = |c: usize| if c % width < labels.len() { side(c % width) } else { "conversion" };
        let on = |c: usize| journeys[c / width * width + c / width];
        let median = |c: &usize| Waits::new(std::mem::take(&mut waits[*c])).days(0.5);
        let days: Vec<Option<f64>> = shown.iter().map(median).collect();
        let table = Table::new()
            .with("from", text(&|c| labels[c / width].clone()))
            .with("from_place", text(&|c| side(c / width).to_owned()))
            .with("to", text(&to))
            .with("to_place", text(&|c| to_place(c).to_owned()))
            .with("journeys", pick(&journeys))
            .with_optional("share", shown.iter().map(|c| ratio(journeys[*c], on(*c))))
            .with("conversions", pick(&conversions))
            .with_optional("conversion_rate", shown.iter().map(|c| ratio(conversions[*c], journeys[*c])))
            .with_optional("value", shown.iter().map(|c| self.has_value.then_some(value[*c])))
            .with_optional("median_days", days);
        Ok(Report::new(vec![("online_offline", table)]))
    }

    /// The crossings of one journey: each pair of channels once, at its first time.
    fn cross(&self, j: usize, offline: &[bool], width: usize, seen: &mut Seen, out: &mut Crossings) {
        let (path, times) = (self.path(j), self.touch_times(j));
        let weight = self.conversions[j] + self.nulls[j];
        if path.is_empty() || weight <= 0.0 {
            return;
        }
        let stamp = j as u32 + 1;
        seen.sides.iter_mut().for_each(Vec::clear);
        let time = |i: usize| times.get(i).copied().unwrap_or(0);
        let mut push = |cell: usize, weight: f64, wait: i64| {
            out.cell.push(cell as u32);
            out.weight.push(weight);
            out.conversions.push(self.conversions[j]);
            out.value.push(self.value[j]);
            out.wait.push(wait);
        };
        for (i, c) in path.iter().enumerate() {
            let c = *c as usize;
            let side = usize::from(offline[c]);
            for (from, first) in &seen.sides[1 - side] {
                let cell = from * width + c;
                if std::mem::replace(&mut seen.pairs[cell], stamp) != stamp {
                    push(cell, weight, time(i).saturating_sub(*first));
                }
            }
            if std::mem::replace(&mut seen.channels[c], stamp) != stamp {
                seen.sides[side].push((c, time(i)));
                push(c * width + c, weight, 0);
                if self.conversions[j] > 0.0 {
                    let to = self.channel_count + place(self, j);
                    let wait = self.end_time(j).unwrap_or(0).saturating_sub(time(i));
                    push(c * width + to, self.conversions[j], wait);
                }
            }
        }
    }
}

/// What was seen in the journey at hand, stamped with its number.
struct Seen {
    channels: Vec<u32>,
    pairs: Vec<u32>,
    /// The channels online and offline, with the times of their first touches.
    sides: [Vec<(usize, i64)>; 2],
}

impl Seen {
    fn new(channels: usize, width: usize) -> Self {
        Self { channels: vec![0; channels], pairs: vec![0; channels * width], sides: Default::default() }
    }
}
