//! Labels of several builds in one list.

use std::sync::Arc;

use crate::column::{Labels, NULL};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Text(String),
    Int(i64),
}

impl Name {
    pub(super) fn of(labels: &Labels, code: u32) -> Self {
        match labels {
            Labels::Text(_) => Self::Text(labels.get(code).into_owned()),
            Labels::Int(ints) => Self::Int(ints.get(code as usize).copied().unwrap_or_default()),
        }
    }
}

pub(super) type Shared = Option<Arc<Labels>>;

/// Two sorted lists of labels in one, and the new codes of each.
pub(super) fn joined(lists: [&Shared; 2]) -> (Shared, [Vec<u32>; 2]) {
    let [a, b] = lists.map(names);
    let key = |name: &Name| match name {
        Name::Int(i) => (*i, String::new()),
        Name::Text(text) => (0, text.clone()),
    };
    let mut all: Vec<Name> = a.iter().chain(&b).cloned().collect();
    all.sort_by_key(key);
    all.dedup();
    let place = |list: &[Name]| -> Vec<u32> {
        let at = |name: &Name| all.binary_search_by_key(&key(name), key).unwrap_or_default() as u32;
        list.iter().map(at).collect()
    };
    let recode = [place(&a), place(&b)];
    if lists.iter().all(|list| list.is_none()) {
        return (None, recode);
    }
    (Some(Arc::new(listed(&all))), recode)
}

fn names(list: &Shared) -> Vec<Name> {
    list.as_deref()
        .map_or_else(Vec::new, |list| (0..list.len() as u32).map(|code| Name::of(list, code)).collect())
}

fn listed(names: &[Name]) -> Labels {
    let int = |name: &Name| if let Name::Int(i) = name { Some(*i) } else { None };
    if names.iter().any(|name| int(name).is_some()) {
        return Labels::Int(names.iter().filter_map(int).collect());
    }
    let text = |name: &'_ Name| if let Name::Text(text) = name { text.clone() } else { String::new() };
    Labels::Text(names.iter().map(text).collect())
}

/// The code that each label of a list has in another; `NULL` where it has none.
pub(super) fn codes_in(all: &Shared, list: &Shared) -> Vec<u32> {
    let all = names(all);
    let code = |name: &Name| all.iter().position(|other| other == name).map_or(NULL, |c| c as u32);
    names(list).iter().map(code).collect()
}

/// The labels that are kept, and the new code of each.
pub(super) fn kept(all: &Shared, keep: &[bool]) -> (Shared, Vec<u32>) {
    let mut next = 0;
    let code = |keep: &bool| {
        next += u32::from(*keep);
        if *keep { next - 1 } else { NULL }
    };
    let codes = keep.iter().map(code).collect();
    let left: Vec<Name> =
        names(all).into_iter().zip(keep).filter(|(_, k)| **k).map(|(name, _)| name).collect();
    (all.as_ref().map(|_| Arc::new(listed(&left))), codes)
}
