//! Which channels open, assist and close.

use serde::{Deserialize, Serialize};

use super::cells::{amounts, tally};
use super::stats::ratio;
use super::{Journeys, Report};
use crate::Result;
use crate::column::{Table, Values};
use crate::run::Run;

/// When a channel assists a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assist {
    /// It is on the path, and another channel closes it. The default.
    #[default]
    NotLast,
    /// It is on the path before the last touch, even where it closes it too.
    AnyEarlier,
}

/// Options of [`Journeys::assisted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssistedOptions {
    /// When a channel assists.
    pub assist: Assist,
}

/// The roles of a channel: first, last, only, assisting, and anywhere on the path.
const ROLES: usize = 5;

impl Journeys {
    /// The roles of channels on converting paths, as Universal Analytics had them.
    ///
    /// Table `assisted`: channel; first, last, only (paths of that channel
    /// alone), assisted and conversions (it is anywhere on the path), each a
    /// number of conversions; the same with `_value` (missing without values; refunds that
    /// were kept take theirs away);
    /// assisted_per_last (missing where it never closes): near 0 a channel
    /// closes, above 1 it assists.
    pub fn assisted(&self, options: &AssistedOptions, run: &Run) -> Result<Report> {
        let n = self.channel_count;
        // Where a channel was last seen: the roles of each channel once a path.
        let roles = |range: std::ops::Range<usize>,
                     seen: &mut Vec<u32>,
                     add: &mut dyn FnMut(usize, f64),
                     of: &[f64]| {
            // A refund is a value below 0, and counts in the same roles.
            for j in range.filter(|j| of[*j] != 0.0) {
                let path = self.path(j);
                let ([first, ..], [early @ .., last]) = (path, path) else { continue };
                add(*first as usize * ROLES, of[j]);
                add(*last as usize * ROLES + 1, of[j]);
                if path.iter().all(|c| c == first) {
                    add(*first as usize * ROLES + 2, of[j]);
                }
                for c in early {
                    if std::mem::replace(&mut seen[*c as usize], j as u32) != j as u32 {
                        add(*c as usize * ROLES + 4, of[j]);
                        if c != last || options.assist == Assist::AnyEarlier {
                            add(*c as usize * ROLES + 3, of[j]);
                        }
                    }
                }
                if seen[*last as usize] != j as u32 {
                    add(*last as usize * ROLES + 4, of[j]);
                }
            }
        };
        let stage = "count assists";
        let room = || vec![u32::MAX; n];
        let counts = tally(self, stage, n * ROLES, run, room, |range, seen, add| {
            roles(range, seen, add, &self.conversions);
        })?;
        let values = if self.has_value {
            amounts(self, stage, n * ROLES, run, |range, seen, add| roles(range, seen, add, &self.value))?
        } else {
            vec![0.0; n * ROLES]
        };
        let pick = |role: usize| Values::F64(counts.iter().skip(role).step_by(ROLES).copied().collect());
        let value = |role: usize| {
            let known = self.has_value;
            values.iter().skip(role).step_by(ROLES).map(move |v| known.then_some(*v)).collect::<Vec<_>>()
        };
        let names = ["first", "last", "only", "assisted", "conversions"];
        let mut table = Table::new().with("channel", self.channel_column());
        for (role, name) in names.iter().enumerate() {
            table = table.with(name, pick(role));
        }
        let values_of = ["first_value", "last_value", "only_value", "assisted_value", "value"];
        for (role, name) in values_of.iter().enumerate() {
            table = table.with_optional(name, value(role));
        }
        let rows = counts.chunks(ROLES);
        let table = table.with_optional("assisted_per_last", rows.map(|roles| ratio(roles[3], roles[1])));
        Ok(Report::new(vec![("assisted", table)]))
    }
}
