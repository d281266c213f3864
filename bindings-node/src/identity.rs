//! Who is this?

use std::sync::{Arc, Mutex, TryLockError};

use headwater::Error as CoreError;
use headwater::Table;
use headwater::column::{Columns, Values};
use headwater::identity::{self as core, AssignOptions, EvaluateOptions, IdentityRules, StitchOptions};
use napi::bindgen_prelude::{Array, JsObjectValue, JsValue, Object, Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::intake::moment;
use crate::job::{self, Call};
use crate::models::save;

/// An identifier: a value in a namespace.
#[napi(object, object_from_js = false)]
pub struct Identifier {
    /// The namespace.
    pub namespace: String,
    /// The value.
    pub value: String,
}

impl From<core::Identifier> for Identifier {
    fn from(core::Identifier { namespace, value }: core::Identifier) -> Self {
        Self { namespace, value }
    }
}

/// What `observe` did.
#[napi(object, object_from_js = false)]
pub struct Observation {
    /// The customer of the event; missing when no identifier could be used.
    pub customer: Option<String>,
    /// The ids of the customers that became this one; they still resolve to it.
    pub merged: Vec<String>,
    /// The identifiers that a rule kept out of this customer.
    pub refused: Vec<Refusal>,
    /// The values that identify nobody.
    pub blocked: Vec<Blocked>,
}

/// An identifier that a rule kept out of an event's customer.
#[napi(object, object_from_js = false)]
pub struct Refusal {
    /// The identifier.
    pub identifier: Identifier,
    /// Whose it stays.
    pub customer: String,
    /// The rule: `limit:NAMESPACE`, `max_identifiers` or `unlinked`.
    pub rule: String,
}

/// A value that identifies nobody.
#[napi(object, object_from_js = false)]
pub struct Blocked {
    /// The value as it came.
    pub identifier: Identifier,
    /// `blank`, `garbage`, `rule` or `unparsable`.
    pub reason: String,
}

/// What `forget` or `unlink` changed.
#[napi(object, object_from_js = false)]
pub struct Change {
    /// The customer as it was called before.
    pub customer: String,
    /// The customers that its identifiers are now, the first seen first.
    pub customers: Vec<String>,
    /// How many links were removed.
    pub links: f64,
}

impl From<core::Change> for Change {
    fn from(core::Change { customer, customers, links }: core::Change) -> Self {
        Self { customer, customers, links: links as f64 }
    }
}

fn chain(env: &Env, links: Option<Vec<core::Link>>) -> Result<Option<Array<'_>>> {
    let Some(links) = links else { return Ok(None) };
    let mut out = env.create_array(links.len() as u32)?;
    for (i, link) in (0u32..).zip(links) {
        let mut step = Object::new(env)?;
        step.set("from", Identifier::from(link.from))?;
        step.set("to", Identifier::from(link.to))?;
        for (name, time) in [("time", link.time), ("lastTime", link.last_time)] {
            step.set(name, time.map(|t| env.create_date(t as f64 / 1000.0)).transpose()?)?;
        }
        step.set("source", link.source)?;
        step.set("events", link.events as f64)?;
        out.set(i, step)?;
    }
    Ok(Some(out))
}

/// A (namespace, value) pair.
type Pair = (String, String);

fn borrowed(pair: &Pair) -> (&str, &str) {
    (&pair.0, &pair.1)
}

/// Who is who, and why: the result of `stitch`.
#[napi]
pub struct People {
    people: Arc<core::People>,
}

/// Stitches identifiers that were seen together into customers.
///
/// Each row of the frame is one event: the identifiers in it belong to one
/// person, as far as the rules allow.
#[napi(
    ts_args_type = "events: FrameInput, options: StitchOptions & RunOptions",
    ts_return_type = "Promise<People>"
)]
pub fn stitch<'e>(env: &'e Env, events: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, events) = (call.options::<StitchOptions>()?, call.columns(events)?);
        Ok(move |run: &headwater::Run| core::stitch(&events.columns()?, &options, run))
    };
    job::start(env, options, prepare, |people| People { people: Arc::new(people) })
}

#[napi]
impl People {
    /// How many customers there are.
    #[napi(getter)]
    pub fn customer_count(&self) -> f64 {
        self.people.n_customers() as f64
    }

    /// How many identifiers there are.
    #[napi(getter)]
    pub fn identifier_count(&self) -> f64 {
        self.people.n_identifiers() as f64
    }

    /// How many rows had no identifier that could be used; they have no customer.
    #[napi(getter)]
    pub fn unidentified(&self) -> f64 {
        self.people.unidentified() as f64
    }

    /// All identifiers and their customers: namespace, identifier, customer,
    /// first_seen, last_seen, events.
    #[napi]
    pub fn customers(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.people.customers())))
    }

    /// `assign`, behind the face that puts the customers beside the caller's columns.
    #[napi(skip_typescript)]
    pub fn assign_customer<'e>(
        &self,
        env: &'e Env,
        events: Unknown<'e>,
        options: Unknown<'e>,
    ) -> Result<Unknown<'e>> {
        let people = Arc::clone(&self.people);
        let prepare = |call: &Call<'e>| {
            let (options, events) = (call.options::<AssignOptions>()?, call.optional_columns(events)?);
            Ok(move |run: &headwater::Run| match events {
                None => Ok(people.assign_table()),
                Some(events) => {
                    let customer = people.assign_frame(&events.columns()?, &options, run)?;
                    Ok(Table::new().with("customer", Values::Names(customer)))
                }
            })
        };
        job::start(env, options, prepare, Frame::new)
    }

    /// The customer of an identifier; `null` when it does not occur, or identifies nobody.
    #[napi]
    pub fn resolve(&self, env: &Env, namespace: String, value: String) -> Result<Option<String>> {
        job::now(env, || Ok(self.people.resolve(&namespace, &value)))
    }

    /// The identifiers of a customer, the first seen first.
    #[napi]
    pub fn members(&self, env: &Env, customer: String) -> Result<Vec<Identifier>> {
        job::now(env, || Ok(self.people.members(&customer).into_iter().map(Identifier::from).collect()))
    }

    /// Why two identifiers, `[namespace, value]` each, are one customer's: the
    /// shortest chain of links; `null` when they are not.
    #[napi(ts_args_type = "a: [string, string], b: [string, string]", ts_return_type = "Link[] | null")]
    pub fn explain<'e>(&self, env: &'e Env, a: Pair, b: Pair) -> Result<Option<Array<'e>>> {
        chain(env, job::now(env, || Ok(self.people.explain(borrowed(&a), borrowed(&b))))?)
    }

    /// The links that a rule refused, and which rule.
    #[napi]
    pub fn refused(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.people.refused())))
    }

    /// The values that identify nobody: namespace, value, reason, events.
    #[napi]
    pub fn blocked(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.people.blocked())))
    }

    /// How many customers have how many identifiers.
    #[napi]
    pub fn sizes(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.people.sizes())))
    }

    /// The rows that were dropped, and why.
    #[napi]
    pub fn dropped(&self, env: &Env) -> Result<Frame> {
        job::now(env, || Ok(Frame::new(self.people.dropped().table())))
    }
}

/// An e-mail address in its one form; `null` when it is none. With `gmail`,
/// dots and tags of Gmail addresses do not count.
#[napi]
pub fn normalize_email(env: &Env, value: String, gmail: Option<bool>) -> Result<Option<String>> {
    job::now(env, || Ok(core::normalize_email(&value, gmail.unwrap_or_default())))
}

/// A telephone number in its international form; `null` when it is none.
/// `region` is the country of numbers without a country code, such as `"GB"`.
#[napi]
pub fn normalize_phone(env: &Env, value: String, region: Option<String>) -> Result<Option<String>> {
    job::now(env, || Ok(core::normalize_phone(&value, region.as_deref())))
}

/// Compares a stitching with the truth: precision, recall and F1 over pairs, and B-cubed.
#[napi(
    ts_args_type = "frame: FrameInput, options: EvaluateOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn evaluate<'e>(env: &'e Env, frame: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, frame) = (call.options::<EvaluateOptions>()?, call.columns(frame)?);
        Ok(move |run: &headwater::Run| core::evaluate(&frame.columns()?, &options, run))
    };
    job::start(env, options, prepare, |found| {
        Frame::new(found.table()).and("dropped", found.dropped().table())
    })
}

/// Customers from identifiers, one event at a time, in microseconds each.
#[napi]
pub struct IdentityGraph {
    graph: Arc<Mutex<core::IdentityGraph>>,
}

impl From<core::IdentityGraph> for IdentityGraph {
    fn from(graph: core::IdentityGraph) -> Self {
        Self { graph: Arc::new(Mutex::new(graph)) }
    }
}

impl IdentityGraph {
    fn with<T>(
        &self,
        env: &Env,
        work: impl FnOnce(&mut core::IdentityGraph) -> headwater::Result<T>,
    ) -> Result<T> {
        job::now(env, || match self.graph.try_lock() {
            Ok(mut graph) => work(&mut graph),
            Err(TryLockError::Poisoned(graph)) => work(&mut graph.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(CoreError::option("graph", "is busy: wait for the `extend` or `save` that is running"))
            }
        })
    }
}

#[napi]
impl IdentityGraph {
    /// An empty graph.
    #[napi(constructor, ts_args_type = "rules?: IdentityRules")]
    pub fn new(env: &Env, rules: Unknown<'_>) -> Result<Self> {
        let rules: IdentityRules = Call::open(env, rules)?.options()?;
        job::now(env, || core::IdentityGraph::new(&rules)).map(Self::from)
    }

    /// Takes in one event: identifiers seen together, by namespace. `null`s are skipped.
    #[napi(
        ts_args_type = "identifiers: Record<string, string | number | bigint | null | undefined>, event?: { time?: Date | string | number, source?: string }"
    )]
    pub fn observe(
        &self,
        env: &Env,
        identifiers: Object<'_>,
        event: Option<Object<'_>>,
    ) -> Result<Observation> {
        use napi::ValueType::{Null, Undefined};
        let mut seen: Vec<Pair> = Vec::new();
        for name in Object::keys(&identifiers)? {
            let value: Unknown<'_> = identifiers.get_named_property(&name)?;
            if !matches!(value.get_type()?, Undefined | Null) {
                seen.push((name, value.coerce_to_string()?.into_utf8()?.into_owned()?));
            }
        }
        let (mut time, mut source) = (None, None);
        if let Some(event) = event {
            time = event.get::<Unknown<'_>>("time")?.map(|t| moment(env, t)).transpose()?.flatten();
            source = event.get::<Option<String>>("source")?.flatten();
        }
        let seen: Vec<_> = seen.iter().map(borrowed).collect();
        let found = self.with(env, |graph| graph.observe(&seen, time, source.as_deref()))?;
        let refusal = |r: core::Refusal| Refusal {
            identifier: r.identifier.into(),
            customer: r.customer,
            rule: r.rule,
        };
        let block = |b: core::Blocked| Blocked {
            identifier: b.identifier.into(),
            reason: b.reason.as_str().to_owned(),
        };
        Ok(Observation {
            customer: found.customer,
            merged: found.merged,
            refused: found.refused.into_iter().map(refusal).collect(),
            blocked: found.blocked.into_iter().map(block).collect(),
        })
    }

    /// Takes in a frame of events, in their order of time.
    #[napi(
        ts_args_type = "events: FrameInput, options: Omit<StitchOptions, 'rules'> & RunOptions",
        ts_return_type = "Promise<Frame>"
    )]
    pub fn extend<'e>(&self, env: &'e Env, events: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
        let graph = Arc::clone(&self.graph);
        let prepare = |call: &Call<'e>| {
            let (options, events) = (call.options::<StitchOptions>()?, call.columns(events)?);
            Ok(move |run: &headwater::Run| {
                let events: Columns = events.columns()?;
                let mut graph = graph.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                graph.extend(&events, &options, run)
            })
        };
        job::start(env, options, prepare, |dropped| Frame::new(dropped.table()))
    }

    /// The customer of an identifier; `null` when it was never seen, or identifies nobody.
    #[napi]
    pub fn resolve(&self, env: &Env, namespace: String, value: String) -> Result<Option<String>> {
        self.with(env, |graph| Ok(graph.resolve(&namespace, &value)))
    }

    /// The id that a customer has now, by its id or a former one; `null` for an unknown id.
    #[napi]
    pub fn current(&self, env: &Env, customer: String) -> Result<Option<String>> {
        self.with(env, |graph| Ok(graph.current(&customer)))
    }

    /// The identifiers of a customer, by its id or a former one, the first seen first.
    #[napi]
    pub fn members(&self, env: &Env, customer: String) -> Result<Vec<Identifier>> {
        self.with(env, |graph| Ok(graph.members(&customer).into_iter().map(Identifier::from).collect()))
    }

    /// Why two identifiers, `[namespace, value]` each, are one customer's: the
    /// shortest chain of links; `null` when they are not.
    #[napi(ts_args_type = "a: [string, string], b: [string, string]", ts_return_type = "Link[] | null")]
    pub fn explain<'e>(&self, env: &'e Env, a: Pair, b: Pair) -> Result<Option<Array<'e>>> {
        chain(env, self.with(env, |graph| Ok(graph.explain(borrowed(&a), borrowed(&b))))?)
    }

    /// Erases an identifier and all that came of it; `null` when it is unknown.
    #[napi]
    pub fn forget(&self, env: &Env, namespace: String, value: String) -> Result<Option<Change>> {
        self.with(env, |graph| Ok(graph.forget(&namespace, &value).map(Change::from)))
    }

    /// Takes back that two identifiers are one customer's, for good; `null` when one is unknown.
    #[napi(ts_args_type = "a: [string, string], b: [string, string]")]
    pub fn unlink(&self, env: &Env, a: Pair, b: Pair) -> Result<Option<Change>> {
        self.with(env, |graph| Ok(graph.unlink(borrowed(&a), borrowed(&b)).map(Change::from)))
    }

    /// All identifiers and their customers.
    #[napi]
    pub fn customers(&self, env: &Env) -> Result<Frame> {
        self.with(env, |graph| Ok(Frame::new(graph.customers())))
    }

    /// The links that a rule refused, and which rule.
    #[napi]
    pub fn refused(&self, env: &Env) -> Result<Frame> {
        self.with(env, |graph| Ok(Frame::new(graph.refused())))
    }

    /// How many identifiers there are.
    #[napi(getter)]
    pub fn identifier_count(&self, env: &Env) -> Result<f64> {
        self.with(env, |graph| Ok(graph.len() as f64))
    }

    /// How many customers there are.
    #[napi(getter)]
    pub fn customer_count(&self, env: &Env) -> Result<f64> {
        self.with(env, |graph| Ok(graph.n_customers() as f64))
    }

    /// The graph as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        self.with(env, |graph| headwater::model::to_bytes(graph)).map(Uint8Array::new)
    }

    /// Writes the graph to a model file; `load` reads it back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let graph = Arc::clone(&self.graph);
        save(env, path, move || {
            headwater::model::to_bytes(&*graph.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        })
    }
}
