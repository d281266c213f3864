//! Finds a pattern on a line of steps, in one pass.
//!
//! State i: i elements are served. Each state holds the latest step at which an attempt that got there
//! began, so the match that ends first and is the shortest of those is found without going back.

use super::grammar::{Element, Takes, Times, parse};
use super::{CONVERSION, ChannelSet, NULL_END, START};
use crate::{Error, Result};

/// Elements that fit a word of bits, beside the state in which all are served.
const MOST: usize = 63;

/// A pattern made ready for these channels.
#[derive(Debug)]
pub(in super::super) struct Automaton {
    /// By step (channels, the conversion, the end): the elements that take it.
    takes: Vec<u64>,
    /// Elements that may take several steps.
    many: u64,
    /// Elements that may take none.
    skip: u64,
    states: usize,
    anchored: bool,
    within: i64,
}

/// Where attempts stand.
#[derive(Default)]
pub(in super::super) struct Room {
    began: Vec<usize>,
    next: Vec<usize>,
}

impl Automaton {
    /// Conversions may only end a pattern where lines are journeys.
    pub(super) fn new(
        pattern: &str,
        labels: &[String],
        customers: bool,
        within: Option<i64>,
    ) -> Result<Self> {
        let mut elements = parse(pattern)?;
        let wrong = |reason: &str| Error::option("pattern", format!("`{pattern}`: {reason}"));
        let anchored = elements.first().is_some_and(|e| e.takes == Takes::Start);
        if anchored {
            elements.remove(0);
        }
        let last = elements.len().saturating_sub(1);
        for (i, element) in elements.iter().enumerate() {
            match element.takes {
                Takes::Start => return Err(wrong(&format!("`{START}` can only stand first"))),
                Takes::Null if i < last => return Err(wrong(&format!("`{NULL_END}` can only stand last"))),
                Takes::Conversion if i < last && !customers => {
                    return Err(wrong(&format!(
                        "a journey ends with its `{CONVERSION}`: look at customers for what follows"
                    )));
                }
                _ => {}
            }
        }
        let mut out = Self {
            takes: vec![0; labels.len() + 2],
            many: 0,
            skip: 0,
            states: 0,
            anchored,
            within: within.unwrap_or(i64::MAX),
        };
        for element in &elements {
            if element.times == Times::Some {
                out.push(element, Times::Once, labels)?;
                out.push(element, Times::Many, labels)?;
            } else {
                out.push(element, element.times, labels)?;
            }
        }
        let all = (1_u64 << out.states) - 1;
        if out.skip == all {
            return Err(wrong("every journey holds what may be nothing: name a step"));
        }
        Ok(out)
    }

    fn push(&mut self, element: &Element, times: Times, labels: &[String]) -> Result<()> {
        if self.states == MOST {
            return Err(Error::option("pattern", format!("has more than {MOST} elements")));
        }
        let bit = 1 << self.states;
        let channels = labels.len();
        match &element.takes {
            Takes::Any => self.takes[..channels].iter_mut().for_each(|mask| *mask |= bit),
            Takes::These(set) | Takes::Others(set) => {
                let others = matches!(element.takes, Takes::Others(_));
                let members = ChannelSet(set.clone()).members("pattern", labels)?;
                for (mask, _) in self.takes.iter_mut().zip(members).filter(|(_, member)| *member != others) {
                    *mask |= bit;
                }
            }
            Takes::Conversion => self.takes[channels] |= bit,
            Takes::Null => self.takes[channels + 1] |= bit,
            Takes::Start => {}
        }
        if times == Times::Many {
            self.many |= bit;
        }
        if times != Times::Once {
            self.skip |= bit;
        }
        self.states += 1;
        Ok(())
    }

    /// Hands over the first and the last step of each match, which do not overlap, until `take` wants no
    /// more. An `end` comes after the last step, and has no time.
    pub(super) fn find(
        &self,
        steps: &[u32],
        times: &[i64],
        end: Option<u32>,
        room: &mut Room,
        mut take: impl FnMut(usize, usize) -> bool,
    ) {
        let Room { began, next } = room;
        for list in [&mut *began, &mut *next] {
            list.clear();
            list.resize(self.states + 1, usize::MAX);
        }
        let mut live = 0_u64;
        for (at, step) in steps.iter().copied().chain(end).enumerate() {
            if !self.anchored || at == 0 {
                self.reach(began, &mut live, 0, at);
            }
            let late = |start: usize| match (times.get(start), times.get(at)) {
                (Some(from), Some(to)) => to.saturating_sub(*from) > self.within,
                _ => false,
            };
            let (mut took, mut alive) = (live & self.takes[step as usize], 0);
            while took > 0 {
                let state = took.trailing_zeros() as usize;
                took &= took - 1;
                let start = began[state];
                if !late(start) {
                    let to = if self.many >> state & 1 == 1 { state } else { state + 1 };
                    self.reach(next, &mut alive, to, start);
                }
            }
            if alive >> self.states & 1 == 1 {
                if !take(next[self.states], at) {
                    return;
                }
                alive = 0;
            }
            std::mem::swap(began, next);
            live = alive;
        }
    }

    /// An attempt that began there stands in a state, and in those behind elements that may take nothing.
    fn reach(&self, began: &mut [usize], live: &mut u64, mut state: usize, start: usize) {
        loop {
            let bit = 1 << state;
            if *live & bit == 0 || began[state] < start {
                began[state] = start;
                *live |= bit;
            }
            if self.skip & bit == 0 {
                return;
            }
            state += 1;
        }
    }
}
