//! Stitching all events at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::book::{Book, Evidence, NEVER, Refused, UNTIMED, last_of};
use super::forest::{Child, Forest, Reason, flatten, unite};
use super::graph::IdentityGraph;
use super::id::{self, Namer};
use super::people::{BlockedValue, People};
use super::rules::IdentityRules;
use super::space::{BlockReason, Spaces};
use crate::column::{Columns, Dropped, Intake, Kept, Labels, NULL, Names, OnInvalid, Text, TimeUnit};
use crate::run::CHUNK;
use crate::{Error, Result, Run};

/// The columns of [`stitch`], and its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StitchOptions {
    /// The columns that hold identifiers; each is the namespace of its values. Nulls are allowed.
    pub identifiers: Vec<String>,
    /// The namespaces of columns that are not called after them: `{column: namespace}`.
    pub namespaces: BTreeMap<String, String>,
    /// The column of times; by default the rows are taken to be in order.
    pub time: Option<String>,
    /// The column that says where a row comes from; nulls are allowed.
    pub source: Option<String>,
    /// The rules.
    pub rules: IdentityRules,
    /// What to do with rows without a valid time; default `error`.
    pub on_invalid: OnInvalid,
    /// The unit of times that are plain integers.
    pub time_unit: Option<TimeUnit>,
}

/// Identifiers seen together, read from a frame.
struct Seen {
    columns: Vec<(String, Names)>,
    times: Option<Vec<i64>>,
    sources: Option<Names>,
    kept: Kept,
}

fn read(events: &Columns, options: &StitchOptions, run: &Run) -> Result<Seen> {
    if options.identifiers.is_empty() {
        return Err(Error::option("identifiers", "name at least one column that holds identifiers"));
    }
    if let Some(column) = options.namespaces.keys().find(|c| !options.identifiers.contains(c)) {
        return Err(Error::option("namespaces", format!("`{column}` is not among the identifiers")));
    }
    let mut intake = Intake::new(events, options.on_invalid, run);
    intake.int_unit(options.time_unit);
    let mut columns = Vec::with_capacity(options.identifiers.len());
    for (i, column) in options.identifiers.iter().enumerate() {
        if options.identifiers[..i].contains(column) {
            return Err(Error::option("identifiers", format!("`{column}` is named twice")));
        }
        run.stage("read identifiers", 0)?;
        let namespace = options.namespaces.get(column).unwrap_or(column);
        columns.push((namespace.clone(), intake.optional_names(column)?));
    }
    let times = options.time.as_deref().map(|c| intake.times(c)).transpose()?;
    let sources = options.source.as_deref().map(|c| intake.optional_names(c)).transpose()?;
    let kept = intake.finish()?;
    Ok(Seen {
        columns: columns.into_iter().map(|(namespace, names)| (namespace, kept.names(names))).collect(),
        times: times.map(|t| kept.values(t).into_owned()),
        sources: sources.map(|s| kept.names(s)),
        kept,
    })
}

/// Stitches the identifiers of a frame, one event a row, into customers.
///
/// Without limits in the rules customers are connected components, and the
/// order of the rows does not matter. With limits the events are taken in the
/// order of their times (of equal ones in the order of rows), as
/// [`IdentityGraph::observe`] would.
///
/// ```
/// use headwater::Run;
/// use headwater::column::Columns;
/// use headwater::identity::{StitchOptions, stitch};
///
/// let events = Columns::new()
///     .with("cookie", vec![Some("7f3"), Some("9a1"), Some("9a1"), Some("c00")])
///     .with("email", vec![Some("a@x.org"), None, Some("A@X.org"), None])
///     .with("time", vec!["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]);
/// let options = StitchOptions {
///     identifiers: vec!["cookie".into(), "email".into()],
///     time: Some("time".into()),
///     ..StitchOptions::default()
/// };
/// let people = stitch(&events, &options, &Run::new())?;
/// assert_eq!(people.n_customers(), 2);
/// assert_eq!(people.assign().codes, [0, 0, 0, 1]);
/// let why = people.explain(("cookie", "7f3"), ("cookie", "9a1")).unwrap_or_default();
/// assert_eq!(why[0].to.value, "a@x.org");
/// # Ok::<(), headwater::Error>(())
/// ```
pub fn stitch(events: &Columns, options: &StitchOptions, run: &Run) -> Result<People> {
    // Rules that cannot be kept are found before the data is read.
    Spaces::new(&options.rules)?;
    let seen = read(events, options, run)?;
    let people = stitch_names(seen.columns, seen.times, seen.sources, &options.rules, run)?;
    let namespace = |c: &String| options.namespaces.get(c).unwrap_or(c).clone();
    let given = options.identifiers.iter().map(|c| (c.clone(), namespace(c))).collect();
    Ok(people.with_kept(seen.kept, events.rows(), given))
}

/// [`stitch`] on codes: for each namespace a column of names ([`NULL`] for
/// none), the times of the rows in microseconds and their sources.
pub fn stitch_names(
    columns: Vec<(String, Names)>,
    times: Option<Vec<i64>>,
    sources: Option<Names>,
    rules: &IdentityRules,
    run: &Run,
) -> Result<People> {
    let rows = columns.first().map_or(0, |(_, names)| names.len());
    let lengths = columns.iter().map(|(name, names)| (name.as_str(), names.len()));
    let others = [("time", times.as_ref().map(Vec::len)), ("source", sources.as_ref().map(Names::len))];
    let others = others.into_iter().filter_map(|(name, len)| Some((name, len?)));
    if let Some((name, len)) = lengths.chain(others).find(|(_, len)| *len != rows) {
        return Err(Error::column(name, format!("has {len} rows where the first column has {rows}")));
    }
    if rows >= NULL as usize {
        return Err(Error::column("identifiers", format!("{rows} rows are more than codes can tell apart")));
    }
    if let Some(row) = times.iter().find_map(|all| all.iter().position(|t| !(-UNTIMED..UNTIMED).contains(t)))
    {
        return Err(Error::column("time", format!("row {row} is 146,000 years from now or more")));
    }
    let mut spaces = Spaces::new(rules)?;
    let mut people = People::new(Namer::new(&rules.salt));
    let mut columns = columns
        .into_iter()
        .map(|(name, names)| Ok((spaces.of(&name)?, names)))
        .collect::<Result<Vec<_>>>()?;
    // Columns in order of strength, so that a row's first identifier is its strongest.
    columns.sort_by(|a, b| spaces.compare(a.0, b.0));
    people.spaces = spaces;
    people.times = times;
    people.sources = sources;
    code_columns(&mut people, columns, run)?;
    join_rows(&mut people, rows, run)?;
    name_customers(&mut people, rows, run)?;
    Ok(people)
}

/// The fate of a label.
enum Form {
    Same,
    Changed(Box<str>),
    Blocked(BlockReason),
}

/// Turns labels into nodes: the same node for the same value of a namespace.
fn code_columns(people: &mut People, columns: Vec<(u16, Names)>, run: &Run) -> Result<()> {
    let spaces = &people.spaces;
    let mut groups: Vec<(u16, Vec<Names>)> = Vec::new();
    for (space, names) in columns {
        match groups.last_mut() {
            Some((last, group)) if *last == space => group.push(names),
            _ => groups.push((space, vec![names])),
        }
    }
    let mut blocked: BTreeMap<(u16, String), (BlockReason, u64)> = BTreeMap::new();
    let mut base = 0u64;
    for (space, group) in groups {
        let mut forms = Vec::with_capacity(group.len());
        for names in &group {
            let clean = |code: usize| {
                let raw = names.labels.get(code as u32);
                match spaces.clean(space, &raw) {
                    Ok(value) if value == raw => Form::Same,
                    Ok(value) => Form::Changed(value.into()),
                    Err(reason) => Form::Blocked(reason),
                }
            };
            let parts = run.map_chunks("normalise", names.labels.len(), |range| {
                let mut changed = Vec::new();
                for code in range {
                    match clean(code) {
                        Form::Same => {}
                        form => changed.push((code, form)),
                    }
                }
                Ok(changed)
            })?;
            let mut all = Vec::new();
            if parts.iter().any(|part| !part.is_empty()) {
                all.resize_with(names.labels.len(), || Form::Same);
                for (code, form) in parts.into_iter().flatten() {
                    all[code] = form;
                }
            }
            forms.push(all);
        }
        let one = group.len() == 1 && !forms[0].iter().any(|f| matches!(f, Form::Changed(_)));
        let (pool, maps) = if one {
            let map = (0u32..).zip(&forms[0]).map(|(i, f)| if matches!(f, Form::Same) { i } else { NULL });
            (Arc::clone(&group[0].labels), vec![map.collect()])
        } else {
            intern(&group, &forms, run)?
        };
        let start = base as u32;
        base += pool.len() as u64;
        if base >= u64::from(NULL) {
            return Err(Error::column("identifiers", "hold more different values than codes can tell apart"));
        }
        people.pools.push((base as u32, space, pool));
        for ((names, map), forms) in group.into_iter().zip(&maps).zip(&forms) {
            let Names { mut codes, labels } = names;
            let lost = if one && forms.is_empty() {
                shift(&mut codes, start)
            } else {
                recode(&mut codes, map, start, run)?
            };
            for (label, events) in lost {
                if let Some(Form::Blocked(reason)) = forms.get(label as usize) {
                    let key = (space, labels.get(label).into_owned());
                    blocked.entry(key).or_insert((*reason, 0)).1 += events;
                }
            }
            people.columns.push((space, codes));
        }
    }
    people.blocked = blocked
        .into_iter()
        .map(|((space, value), (reason, events))| BlockedValue { space, value, reason, events })
        .collect();
    Ok(())
}

/// One pool for the values of several columns, or of one in which values had
/// to change.
fn intern(group: &[Names], forms: &[Vec<Form>], run: &Run) -> Result<(Arc<Labels>, Vec<Vec<u32>>)> {
    let hasher = RandomState::default();
    let mut table: HashTable<u32> = HashTable::new();
    let mut text = Text::new();
    let mut maps = Vec::with_capacity(group.len());
    for (names, forms) in group.iter().zip(forms) {
        let mut map = Vec::with_capacity(names.labels.len());
        run.stage("compare values", names.labels.len() as u64)?;
        for label in 0..names.labels.len() as u32 {
            if label as usize % CHUNK == CHUNK - 1 {
                run.advance(CHUNK as u64)?;
            }
            let raw;
            let value: &str = match forms.get(label as usize).unwrap_or(&Form::Same) {
                Form::Blocked(_) => {
                    map.push(NULL);
                    continue;
                }
                Form::Changed(value) => value,
                Form::Same => {
                    raw = names.labels.get(label);
                    &raw
                }
            };
            let hash = hasher.hash_one(value);
            let same = |i: &u32| text.get(*i as usize) == Some(value);
            let code = if let Some(code) = table.find(hash, same) {
                *code
            } else {
                let code = text.len() as u32;
                text.push(value);
                table.insert_unique(hash, code, |i| {
                    hasher.hash_one(text.get(*i as usize).unwrap_or_default())
                });
                code
            };
            map.push(code);
        }
        maps.push(map);
    }
    Ok((Arc::new(Labels::Text(text)), maps))
}

/// Labels that all are nodes to nodes, in place.
fn shift(codes: &mut [u32], start: u32) -> HashMap<u32, u64> {
    if start > 0 {
        for code in codes {
            *code = if *code == NULL { NULL } else { *code + start };
        }
    }
    HashMap::new()
}

/// Labels to nodes, in place; returns how many rows each blocked label had.
fn recode(codes: &mut [u32], map: &[u32], start: u32, run: &Run) -> Result<HashMap<u32, u64>> {
    let mut lost: HashMap<u32, u64> = HashMap::new();
    run.stage("code rows", codes.len() as u64)?;
    for chunk in codes.chunks_mut(CHUNK) {
        for code in &mut *chunk {
            *code = match map.get(*code as usize) {
                Some(&NULL) => {
                    *lost.entry(*code).or_default() += 1;
                    NULL
                }
                Some(node) => start + node,
                None => NULL,
            };
        }
        run.advance(chunk.len() as u64)?;
    }
    Ok(lost)
}

/// What is known of a node while rows are joined, in one place of memory.
struct Node {
    born: i64,
    last: i64,
    events: u32,
    parent: u32,
}

impl Child for Node {
    fn parent(&mut self) -> &mut u32 {
        &mut self.parent
    }
}

impl Node {
    fn add(&mut self, at: i64) {
        self.born = self.born.min(at);
        self.last = self.last.max(last_of(at));
        self.events += 1;
    }
}

const BLOCK: usize = 128;

/// Joins the nodes of rows where every column has its own namespace.
fn join_block(people: &People, rows: Range<usize>, all: &mut [Node]) {
    for (_, codes) in &people.columns {
        for (row, node) in rows.clone().zip(&codes[rows.clone()]) {
            if *node != NULL {
                all[*node as usize].add(people.at(row));
            }
        }
    }
    for row in rows {
        let mut first = NULL;
        for (_, codes) in &people.columns {
            let node = codes[row];
            if node == NULL {
                continue;
            }
            if first == NULL {
                first = node;
            } else {
                unite(all, first, node);
            }
        }
    }
}

/// Joins the nodes of rows.
fn join_any(people: &People, rows: Range<usize>, all: &mut [Node]) {
    let mut nodes = Vec::new();
    for row in rows {
        people.row_nodes(row, &mut nodes);
        let Some(&first) = nodes.first() else { continue };
        for &node in &nodes {
            all[node as usize].add(people.at(row));
            unite(all, first, node);
        }
    }
}

/// Finds the customers: `people.home` becomes a smaller node of each node's
/// customer, and for the smallest node itself.
fn join_rows(people: &mut People, rows: usize, run: &Run) -> Result<()> {
    let n = people.pools.last().map_or(0, |(end, ..)| *end as usize);
    let mut all: Vec<Node> =
        (0..n as u32).map(|parent| Node { born: i64::MAX, last: NEVER, events: 0, parent }).collect();
    run.stage("stitch", rows as u64)?;
    let simple = people.columns.windows(2).all(|pair| pair[0].0 != pair[1].0);
    for start in (0..rows).step_by(CHUNK) {
        let end = rows.min(start + CHUNK);
        if simple {
            // By column and in small blocks: nodes are far apart, and one must not wait for the other.
            for block in (start..end).step_by(BLOCK) {
                join_block(people, block..end.min(block + BLOCK), &mut all);
            }
        } else {
            join_any(people, start..end, &mut all);
        }
        run.advance((end - start) as u64)?;
    }
    people.born = all.iter().map(|node| node.born).collect();
    people.last = all.iter().map(|node| node.last).collect();
    people.events = all.iter().map(|node| node.events).collect();
    let mut parent: Vec<u32> = all.iter().map(|node| node.parent).collect();
    drop(all);
    if people.spaces.limits.none() {
        people.home = parent;
        return Ok(());
    }
    flatten(&mut parent);
    let over = over_limits(people, &parent);
    people.home = parent;
    if over.is_empty() { Ok(()) } else { replay(people, &over, rows, run) }
}

/// The components that the limits forbid. Where a component keeps them, so
/// does every part of it, and no event could have been refused.
fn over_limits(people: &People, parent: &[u32]) -> HashSet<u32> {
    let limits = &people.spaces.limits;
    let mut over = HashSet::new();
    let mut count = vec![0u32; parent.len()];
    let mut tally = |limit: u32, within: &mut dyn FnMut(usize) -> bool| {
        count.fill(0);
        for (node, root) in parent.iter().enumerate() {
            if people.events[node] > 0 && within(node) {
                let count = &mut count[*root as usize];
                *count += 1;
                if *count > limit {
                    over.insert(*root);
                }
            }
        }
    };
    for (_, space, _) in &people.pools {
        if let Some(slot) = people.spaces.list[*space as usize].slot {
            tally(limits.slots[slot as usize], &mut |node| people.space(node as u32) == *space);
        }
    }
    if let Some(most) = limits.size {
        tally(most, &mut |_| true);
    }
    over
}

/// Takes the events of some components one by one, in the order of their times.
fn replay(people: &mut People, over: &HashSet<u32>, rows: usize, run: &Run) -> Result<()> {
    let limits = people.spaces.limits.clone();
    let mut nodes = Vec::new();
    let mut order: Vec<u32> = Vec::new();
    for row in 0..rows {
        people.row_nodes(row, &mut nodes);
        if nodes.first().is_some_and(|node| over.contains(&people.home[*node as usize])) {
            order.push(row as u32);
        }
    }
    if people.times.is_some() {
        order.sort_by_key(|row| people.at(*row as usize));
    }
    let mut local: HashMap<u32, u32> = HashMap::new();
    let mut global: Vec<u32> = Vec::new();
    let mut forest = Forest::new(&limits);
    let mut log: HashMap<(u32, u32, Reason), u32> = HashMap::new();
    let (mut here, mut kept, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let none = BTreeSet::new();
    run.stage("keep to the limits", order.len() as u64)?;
    for chunk in order.chunks(CHUNK / 16) {
        for &row in chunk {
            people.row_nodes(row as usize, &mut nodes);
            here.clear();
            for &node in &nodes {
                let next = global.len() as u32;
                here.push(*local.entry(node).or_insert_with(|| {
                    global.push(node);
                    forest.push(people.spaces.list[people.space(node) as usize].slot);
                    next
                }));
            }
            forest.admit(&here, &limits, &none, &mut kept, &mut refused);
            let (at, source) = (people.at(row as usize), people.source_of(row as usize));
            for &(node, reason) in &refused {
                let node = global[node as usize];
                people.refused_rows.push((row, node));
                let known = *log.entry((node, nodes[0], reason)).or_insert(people.refused.len() as u32);
                if let Some(entry) = people.refused.get_mut(known as usize) {
                    let sources = &people.sources;
                    let name = |s: u32| sources.as_ref().filter(|_| s != NULL).map(|n| n.labels.get(s));
                    entry.evidence.add(at, source, name);
                } else {
                    let evidence = Evidence::new(at, source);
                    people.refused.push(Refused { node, with: nodes[0], reason, evidence });
                }
            }
        }
        run.advance(chunk.len() as u64)?;
    }
    people.refused_rows.sort_unstable();
    let mut smallest = vec![NULL; global.len()];
    for (i, node) in (0u32..).zip(&global) {
        let slot = &mut smallest[forest.find(i) as usize];
        *slot = (*slot).min(*node);
    }
    for (i, node) in (0u32..).zip(&global) {
        people.home[*node as usize] = smallest[forest.find(i) as usize];
    }
    Ok(())
}

/// Makes `home` a number of each node's customer, and [`NULL`] for a node
/// without events; returns for each customer when it was born, and its founder.
fn find_founders(people: &People, home: &mut [u32]) -> Vec<(i64, u32)> {
    let mut customers: Vec<(i64, u32)> = Vec::new();
    let mut start = 0;
    for (end, ..) in &people.pools {
        for node in start..*end {
            let i = node as usize;
            let parent = home[i];
            if people.events[i] == 0 {
                home[i] = NULL;
            } else if parent == node {
                home[i] = customers.len() as u32;
                customers.push((people.born[i], node));
            } else {
                home[i] = home[parent as usize];
                let (born, founder) = &mut customers[home[i] as usize];
                let at = people.born[i];
                // Earlier pools are stronger. One condition that is hardly
                // ever met, so that reads of the next nodes do not wait for it.
                let rival = (at < *born) | ((at == *born) & (*founder >= start));
                if rival && (at < *born || people.strength(node, *founder).is_lt()) {
                    (*born, *founder) = (at, node);
                }
            }
        }
        start = *end;
    }
    customers
}

/// Numbers the customers in the order of the rows, and names them.
fn name_customers(people: &mut People, rows: usize, run: &Run) -> Result<()> {
    run.stage("name customers", rows as u64)?;
    let mut home = std::mem::take(&mut people.home);
    let customers = find_founders(people, &mut home);
    let mut number = vec![NULL; customers.len()];
    let mut order = vec![0u32; customers.len() + 1];
    let mut next = 0u32;
    let mut take = |customer: u32| {
        let slot = &mut number[customer as usize];
        // Without branches: whether a customer is new cannot be foretold.
        let new = *slot == NULL;
        *slot = if new { next } else { *slot };
        order[next as usize] = customer;
        next += u32::from(new);
        *slot
    };
    // Where nothing was refused, all identifiers of a row have one customer,
    // and the weakest are most often new, which is to say near.
    let united = people.refused_rows.is_empty();
    let mut assigned = Vec::with_capacity(rows);
    for row in 0..rows {
        let node = if united {
            people
                .columns
                .iter()
                .rev()
                .map(|(_, codes)| codes[row])
                .find(|node| *node != NULL)
                .unwrap_or(NULL)
        } else {
            people.top(row)
        };
        if node == NULL {
            people.unidentified += 1;
            assigned.push(NULL);
        } else {
            assigned.push(take(home[node as usize]));
        }
        if row % CHUNK == CHUNK - 1 {
            run.advance(CHUNK as u64)?;
        }
    }
    // Identifiers that were refused in every event of theirs.
    for home in &mut home {
        if *home != NULL {
            *home = take(*home);
        }
    }
    people.home = home;
    people.founders = order.iter().take(next as usize).map(|c| customers[*c as usize].1).collect();
    people.assigned = assigned;
    let parts = run.map_chunks("name customers", people.founders.len(), |range| {
        let mut part = Text::with_capacity(range.len(), range.len() * 26);
        for founder in &people.founders[range] {
            part.push(std::str::from_utf8(&id::ascii(people.id(*founder))).unwrap_or_default());
        }
        Ok(part)
    })?;
    let mut labels = Text::with_capacity(people.founders.len(), people.founders.len() * 26);
    for part in &parts {
        labels.append(part);
    }
    people.labels = Arc::new(Labels::Text(labels));
    Ok(())
}

impl IdentityGraph {
    /// Observes every row of a frame, in the order of their times (of equal
    /// ones, and without times, in the order of rows). The `rules` in the
    /// options are ignored: the graph has its own. Returns what was dropped.
    ///
    /// When the work is cancelled, the rows before that were observed.
    pub fn extend(&mut self, events: &Columns, options: &StitchOptions, run: &Run) -> Result<Dropped> {
        let seen = read(events, options, run)?;
        let rows = seen.columns.first().map_or(0, |(_, names)| names.len());
        let mut order: Vec<u32> = (0..rows as u32).collect();
        if let Some(times) = &seen.times {
            order.sort_by_key(|row| times[*row as usize]);
        }
        run.stage("observe", rows as u64)?;
        for chunk in order.chunks(CHUNK / 16) {
            for &row in chunk {
                let row = row as usize;
                let values: Vec<_> =
                    seen.columns.iter().filter_map(|(n, names)| Some((n, names.get(row)?))).collect();
                let identifiers: Vec<_> = values.iter().map(|(n, value)| (n.as_str(), &**value)).collect();
                let source = seen.sources.as_ref().and_then(|s| s.get(row));
                self.observe(&identifiers, seen.times.as_ref().map(|t| t[row]), source.as_deref())?;
            }
            run.advance(chunk.len() as u64)?;
        }
        Ok(seen.kept.into_dropped())
    }
}
