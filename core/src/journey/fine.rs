//! Journeys of touches of which more is known than channel and time.
//!
//! Channel, campaign, kind and weight of a touch are one code, so that touches
//! are sorted as if it were the channel's. A journey then picks its touches one
//! by one, since two neighbours may have different windows.

use std::ops::Range;

use super::build::{Built, Conversion, End};
use super::options::{AtConversion, Collapse, Direct, EventOptions, Open, SessionTouch, SharedTouch};
use crate::column::{Duration, NULL};

/// What touches of one code have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flavour {
    pub(super) channel: u32,
    pub(super) campaign: u32,
    pub(super) view: bool,
    pub(super) weight: f64,
    pub(super) direct: bool,
    /// The longest window of all kinds of conversions.
    pub(super) horizon: i64,
}

/// The codes of touches and conversions, and the policies.
pub(super) struct Fine<'a> {
    pub(super) flavours: &'a [Flavour],
    /// How far back each kind of conversion sees each flavour.
    pub(super) windows: &'a [Vec<i64>],
    /// The code of each conversion: its kind times `places`, and its place.
    pub(super) sales: &'a [u32],
    pub(super) places: u32,
    pub(super) options: &'a EventOptions,
}

/// A journey before it is written down.
struct Draft {
    /// How many of the customer's touches come before its end.
    place: usize,
    touches: Vec<usize>,
    time: i64,
    end: End,
    expiry: i64,
}

impl Fine<'_> {
    fn flavour(&self, steps: &[u32], i: usize) -> &Flavour {
        &self.flavours[steps[i] as usize]
    }

    /// Cuts one customer's sorted touches into journeys.
    pub(super) fn customer(
        &self,
        built: &mut Built,
        customer: u32,
        (steps, times): (&[u32], &[i64]),
        sales: &[Conversion],
        end: i64,
    ) {
        let mine = self.tidy(steps, times, built);
        let mut served = vec![false; mine.len()];
        let mut drafts: Vec<Draft> = sales
            .iter()
            .scan(0, |before, sale| Some(self.journey(&mine, (steps, times), sale, before, &mut served)))
            .collect();
        if self.options.open != Open::Exclude {
            self.open(&mine, (steps, times), sales, &served, end, &mut drafts);
        }
        drafts.sort_by_key(|draft| (draft.place, matches!(draft.end, End::Converted(_))));
        for mut draft in drafts {
            if self.options.direct == Direct::IgnoreUnlessAlone {
                let direct = |i: &usize| self.flavour(steps, *i).direct;
                let all = draft.touches.len();
                if !draft.touches.iter().all(direct) {
                    draft.touches.retain(|i| !direct(i));
                }
                built.direct.push((all - draft.touches.len()) as u32);
                built.merged.direct += (all - draft.touches.len()) as u64;
            }
            built.steps.extend(draft.touches.iter().map(|i| steps[*i]));
            built.times.extend(draft.touches.iter().map(|i| times[*i]));
            built.push_last(customer, draft.touches.len(), draft.time, draft.end, draft.expiry);
        }
    }

    /// The touches that are left when sessions and repeats are merged.
    fn tidy(&self, steps: &[u32], times: &[i64], built: &mut Built) -> Vec<usize> {
        let mut mine: Vec<usize> = (0..steps.len()).collect();
        if let Some(gap) = self.options.session_gap {
            let all = mine.len();
            let apart = |a: &usize, b: &usize| times[*b].saturating_sub(times[*a]) <= gap.micros();
            mine = mine.chunk_by(apart).filter_map(|session| self.stands_for(session, steps)).collect();
            built.merged.sessions += mine.len() as u64;
            built.merged.in_sessions += (all - mine.len()) as u64;
        }
        if self.options.collapse == Collapse::Consecutive {
            let all = mine.len();
            let within = self.options.collapse_within.map_or(i64::MAX, Duration::micros);
            let same = |a: usize, b: usize| {
                let (a, b) = (self.flavour(steps, a), self.flavour(steps, b));
                (a.channel, a.campaign, a.view) == (b.channel, b.campaign, b.view)
            };
            let again = |a: &usize, b: &usize| same(*a, *b) && times[*b].saturating_sub(times[*a]) <= within;
            mine = mine.chunk_by(again).filter_map(|run| run.first().copied()).collect();
            built.merged.repeats += (all - mine.len()) as u64;
        }
        mine
    }

    fn stands_for(&self, session: &[usize], steps: &[u32]) -> Option<usize> {
        let (first, last) = (session.first().copied(), session.last().copied());
        let mut others = session.iter().copied().filter(|i| !self.flavour(steps, *i).direct);
        match self.options.session_touch {
            SessionTouch::First => first,
            SessionTouch::Last => last,
            SessionTouch::FirstNonDirect => others.next().or(first),
            SessionTouch::LastNonDirect => others.next_back().or(last),
        }
    }

    /// The journey of a conversion; `before` counts the touches up to the one before it.
    fn journey(
        &self,
        mine: &[usize],
        (steps, times): (&[u32], &[i64]),
        sale: &Conversion,
        before: &mut usize,
        served: &mut [bool],
    ) -> Draft {
        let windows = self.windows.get((sale.label / self.places) as usize);
        let window = |i: usize| windows.map_or(0, |w| w[steps[i] as usize]);
        let place = mine.partition_point(|i| match self.options.at_conversion {
            AtConversion::Include => times[*i] <= sale.time,
            AtConversion::Exclude => times[*i] < sale.time,
        });
        let longest = windows.and_then(|w| w.iter().max()).copied().unwrap_or(0);
        let first = mine.partition_point(|i| times[*i] <= sale.time.saturating_sub(longest));
        let mut touches = Vec::new();
        for k in first..place {
            let free = match self.options.shared_touch {
                SharedTouch::Each => true,
                SharedTouch::Reset => k >= *before,
                SharedTouch::FirstOnly => !served[k],
            };
            if free && times[mine[k]] > sale.time.saturating_sub(window(mine[k])) {
                served[k] = true;
                touches.push(mine[k]);
            }
        }
        *before = place;
        Draft { place, touches, time: sale.time, end: End::Converted(*sale), expiry: sale.time }
    }

    /// The open journeys among the touches that serve no conversion.
    fn open(
        &self,
        mine: &[usize],
        (steps, times): (&[u32], &[i64]),
        sales: &[Conversion],
        served: &[bool],
        end: i64,
        drafts: &mut Vec<Draft>,
    ) {
        // How many conversions have passed when a touch comes.
        let passed = |i: usize| match self.options.at_conversion {
            AtConversion::Include => sales.partition_point(|sale| sale.time < times[i]),
            AtConversion::Exclude => sales.partition_point(|sale| sale.time <= times[i]),
        };
        let mut first = 0;
        let mut expiry = i64::MIN;
        for k in 0..mine.len() {
            if served[k] {
                first = k + 1;
                expiry = i64::MIN;
                continue;
            }
            let i = mine[k];
            expiry = expiry.max(times[i].saturating_add(self.flavour(steps, i).horizon));
            let goes_on = mine
                .get(k + 1)
                .is_some_and(|next| !served[k + 1] && times[*next] <= expiry && passed(i) == passed(*next));
            if !goes_on {
                self.close(mine, first..k + 1, times, expiry, end, drafts);
                first = k + 1;
                expiry = i64::MIN;
            }
        }
    }

    fn close(
        &self,
        mine: &[usize],
        run: Range<usize>,
        times: &[i64],
        expiry: i64,
        end: i64,
        drafts: &mut Vec<Draft>,
    ) {
        let open = self.options.open;
        let state = if expiry <= end || open == Open::Include { End::Over } else { End::Pending };
        if open == Open::Decided && state == End::Pending {
            return;
        }
        let (place, touches) = (run.end, mine[run].to_vec());
        if let Some(last) = touches.last() {
            drafts.push(Draft { place, time: times[*last], touches, end: state, expiry });
        }
    }
}

/// The codes of kinds and places of conversions, by their codes in one.
pub(super) fn split(label: u32, places: u32) -> (u32, u32) {
    if label == NULL {
        return (NULL, NULL);
    }
    let place = label % places;
    (label / places, if place + 1 == places { NULL } else { place })
}
