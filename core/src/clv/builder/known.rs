//! Customers by label, numbered in the order in which they are first seen.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::column::{Labels, Text};
use crate::{Error, Result};

/// Labels and their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// `None` before the first customer: text and integers do not mix.
    labels: Option<Labels>,
    table: HashTable<u32>,
}

impl Known {
    pub(super) fn len(&self) -> usize {
        self.labels.as_ref().map_or(0, Labels::len)
    }

    /// The labels, in the order of their numbers.
    pub(super) fn labels(&self) -> Labels {
        self.labels.clone().unwrap_or_else(|| Labels::Text(Text::new()))
    }

    /// Whether these labels can be added: text to text, integers to integers.
    pub(super) fn agrees(&self, more: &Labels, column: &str) -> Result<()> {
        let mixed = match &self.labels {
            Some(Labels::Text(_)) => matches!(more, Labels::Int(_)),
            Some(Labels::Int(_)) => matches!(more, Labels::Text(_)),
            None => false,
        };
        if mixed && !more.is_empty() {
            return Err(Error::column(
                column,
                "holds integers in one part and text in another: convert one of the two",
            ));
        }
        if u32::try_from(self.len() + more.len()).is_err() {
            return Err(Error::column(column, "more than 4 billion customers; summarize them in parts"));
        }
        Ok(())
    }

    /// The number of each label, new or not, of labels that agree.
    pub(super) fn numbers(&mut self, more: &Labels) -> Vec<u32> {
        if more.is_empty() {
            return Vec::new();
        }
        let Self { labels, table } = self;
        let state = FixedState::default();
        match more {
            Labels::Int(more) => {
                let Labels::Int(known) = labels.get_or_insert_with(|| Labels::Int(Vec::new())) else {
                    return Vec::new();
                };
                let number = |label: &i64| {
                    let found =
                        table.find(state.hash_one(label), |id| known.get(*id as usize) == Some(label));
                    if let Some(id) = found {
                        return *id;
                    }
                    let id = known.len() as u32;
                    known.push(*label);
                    table.insert_unique(state.hash_one(label), id, |id| {
                        state.hash_one(known.get(*id as usize).copied().unwrap_or_default())
                    });
                    id
                };
                more.iter().map(number).collect()
            }
            Labels::Text(more) => {
                let Labels::Text(known) = labels.get_or_insert_with(|| Labels::Text(Text::new())) else {
                    return Vec::new();
                };
                let number = |label: &str| {
                    let found =
                        table.find(state.hash_one(label), |id| known.get(*id as usize) == Some(label));
                    if let Some(id) = found {
                        return *id;
                    }
                    let id = known.len() as u32;
                    known.push(label);
                    table.insert_unique(state.hash_one(label), id, |id| {
                        state.hash_one(known.get(*id as usize).unwrap_or_default())
                    });
                    id
                };
                more.iter().map(number).collect()
            }
        }
    }
}
