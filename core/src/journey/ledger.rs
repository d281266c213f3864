//! What a build counts of its customers together, so that a builder can take back
//! what some of them had part in and put in what they have now.

use std::collections::HashMap;

use super::shared::{Name, Shared, codes_in, joined, kept};
use crate::column::{DropReason, NULL, Names};
use crate::math::ExactSum;

/// Beside its journeys, what a build from events knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The latest touch, in a journey or not.
    pub(super) latest: Option<i64>,
    /// What the touches of each channel cost, exactly; empty without a cost.
    pub(super) cost: Vec<ExactSum>,
    /// The same by channel and campaign (`NULL`: none), in this order; empty without campaigns.
    pub(super) campaign_cost: Vec<((u32, u32), ExactSum)>,
    /// Of each journey the direct visits that were left out; empty where none can be.
    pub(super) direct: Vec<u32>,
    /// The rows of conversions that repeat an order, ascending.
    pub(super) repeats: Vec<u32>,
    /// How many of the reasons for dropped rows are of touches; they stand first.
    pub(super) flawed_touches: usize,
    /// Conversions of each kind, and at each place.
    pub(super) kinds: Vec<u32>,
    pub(super) places: Vec<u32>,
}

/// Why rows of touches were dropped, and rows of conversions.
pub(super) type Flawed = [Vec<DropReason>; 2];

/// The reasons before and those of a part, whose rows come after so many others.
pub(super) fn flawed_together([old, part]: [Flawed; 2], before: [usize; 2]) -> Flawed {
    let mut out = old;
    for ((out, part), before) in out.iter_mut().zip(part).zip(before) {
        for reason in part {
            let same = |r: &&mut DropReason| (&r.column, &r.reason) == (&reason.column, &reason.reason);
            if let Some(known) = out.iter_mut().find(same) {
                known.count += reason.count;
            } else {
                out.push(DropReason { first_row: reason.first_row + before as u64, ..reason });
            }
        }
    }
    out
}

/// Labels of conversions, and how many conversions have each.
pub(super) type Counted<'a> = (&'a Shared, &'a [u32]);

/// The labels that conversions have once those `before` are taken from the old and
/// the new are put in; their counts, and the codes of the old and of the new in them.
pub(super) fn recounted([old, before, new]: [Counted<'_>; 3]) -> (Shared, Vec<u32>, [Vec<u32>; 2]) {
    let (all, recode) = joined([old.0, new.0]);
    let mut counts = vec![0_u32; all.as_ref().map_or(0, |labels| labels.len())];
    for (recode, of) in recode.iter().zip([old.1, new.1]) {
        recode.iter().zip(of).for_each(|(code, n)| counts[*code as usize] += n);
    }
    for (code, n) in codes_in(&all, before.0).iter().zip(before.1).filter(|(code, _)| **code != NULL) {
        counts[*code as usize] -= n;
    }
    let there: Vec<bool> = counts.iter().map(|n| *n > 0).collect();
    let (labels, codes) = kept(&all, &there);
    counts.retain(|n| *n > 0);
    (labels, counts, recode.map(|recode| recode.into_iter().map(|code| codes[code as usize]).collect()))
}

/// Which customers share an order, directly or by way of others: whose
/// conversions can make those of another go.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    /// A customer who has the order.
    buyer: HashMap<Name, u32>,
    /// For each customer another of the same group, or itself.
    group: Vec<u32>,
}

/// What [`Orders::meet`] changed.
#[derive(Default)]
pub(super) struct Met {
    orders: Vec<Name>,
    group: Vec<u32>,
}

impl Orders {
    fn root(&mut self, mut customer: u32) -> u32 {
        while self.group[customer as usize] != customer {
            let next = self.group[self.group[customer as usize] as usize];
            self.group[customer as usize] = next;
            customer = next;
        }
        customer
    }

    /// Takes down the orders of a part and of whom they are, among so many customers.
    pub(super) fn meet(&mut self, orders: &Names, buyers: &[u32], customers: usize) -> Met {
        let mut met = Met { orders: Vec::new(), group: self.group.clone() };
        self.group.extend(self.group.len() as u32..customers as u32);
        // A row without a customer is dropped.
        let whole = |(order, buyer): &(&u32, &u32)| **order != NULL && **buyer != NULL;
        for (order, buyer) in orders.codes.iter().zip(buyers).filter(whole) {
            let name = Name::of(&orders.labels, *order);
            let other = *self.buyer.entry(name).or_insert_with_key(|name| {
                met.orders.push(name.clone());
                *buyer
            });
            let [a, b] = [other, *buyer].map(|customer| self.root(customer));
            self.group[a.max(b) as usize] = a.min(b);
        }
        met
    }

    /// Undoes [`Self::meet`].
    pub(super) fn forget(&mut self, met: Met) {
        met.orders.iter().for_each(|order| {
            self.buyer.remove(order);
        });
        self.group = met.group;
    }

    /// Adds all who share an order with those seen.
    pub(super) fn spread(&mut self, seen: &mut [bool]) {
        let mut groups = vec![false; seen.len()];
        for (customer, seen) in seen.iter().enumerate() {
            groups[self.root(customer as u32) as usize] |= seen;
        }
        for (customer, seen) in seen.iter_mut().enumerate() {
            *seen = groups[self.root(customer as u32) as usize];
        }
    }
}
