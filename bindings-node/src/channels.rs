//! Where visits come from, and channels with their campaigns.

use std::sync::Arc;

use headwater::journey::{self as core, ChannelOptions, ChannelRule, Visit};
use napi::bindgen_prelude::{Uint8Array, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::frame::Frame;
use crate::job::{self, Call};
use crate::models::save;

/// Source, medium, campaign and channel of every row of a frame of visits; all
/// missing in a visit that goes on. No address is an error: `extras.summary`
/// has channel, visits, share, and `extras.accounting` what could not be read:
/// column, reason, count, first_row.
#[napi(
    ts_args_type = "visits: FrameInput, options: ChannelOptions & RunOptions",
    ts_return_type = "Promise<Frame>"
)]
pub fn group_channels<'e>(env: &'e Env, visits: Unknown<'e>, options: Unknown<'e>) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let (options, visits) = (call.options::<ChannelOptions>()?, call.columns(visits)?);
        Ok(move |run: &headwater::Run| core::group_channels(&visits.columns()?, &options, run))
    };
    job::start(env, options, prepare, |found| {
        Frame::new(found.table()).and("summary", found.summary()).and("accounting", found.accounting())
    })
}

/// `drillDown`, behind the face that takes the channels' credits out of the options.
#[napi(skip_typescript)]
pub fn drill_down_credits<'e>(
    env: &'e Env,
    credits: Unknown<'e>,
    channels: Unknown<'e>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |call: &Call<'e>| {
        let levels: core::Hierarchy = call.options()?;
        let (credits, channels) = (call.columns(credits)?, call.optional_columns(channels)?);
        Ok(move |run: &headwater::Run| {
            let channels = channels.map(crate::intake::Input::columns).transpose()?;
            levels.drill_down_frame(&credits.columns()?, channels.as_ref(), run)
        })
    };
    job::start(env, options, prepare, Frame::new)
}

/// What became of a visit. Source, medium, campaign and channel are missing
/// only for visits that go on.
#[napi(object, use_nullable = true)]
pub struct Classified {
    /// Where the visit came from.
    pub source: Option<String>,
    /// By which means.
    pub medium: Option<String>,
    /// The campaign.
    pub campaign: Option<String>,
    /// The channel of the first rule that applies.
    pub channel: Option<String>,
    /// `utm_term`.
    pub term: Option<String>,
    /// `utm_content`.
    pub content: Option<String>,
    /// The parameter of the click id.
    pub click_id: Option<String>,
    /// The kind of site that the source is, where it is known.
    pub source_category: Option<String>,
    /// What told the source: columns, utm, click_id, referrer, internal, direct or unknown.
    pub origin: String,
    /// Whether the landing page was there but is no address.
    pub bad_landing_page: bool,
    /// Whether the referrer was there but is no address with a host.
    pub bad_referrer: bool,
}

impl From<core::Classified> for Classified {
    fn from(found: core::Classified) -> Self {
        Self {
            source: found.source,
            medium: found.medium,
            campaign: found.campaign,
            channel: found.channel,
            term: found.term,
            content: found.content,
            click_id: found.click_id,
            source_category: found.source_category,
            origin: found.origin.name().to_owned(),
            bad_landing_page: found.bad_landing_page,
            bad_referrer: found.bad_referrer,
        }
    }
}

/// Ordered rules that give visits their channels; the first whose condition holds wins.
#[napi]
pub struct ChannelRules {
    rules: Arc<core::ChannelRules>,
}

impl From<core::ChannelRules> for ChannelRules {
    fn from(rules: core::ChannelRules) -> Self {
        Self { rules: Arc::new(rules) }
    }
}

#[napi]
impl ChannelRules {
    /// Rules; without any those of Google Analytics 4.
    #[napi(constructor, ts_args_type = "options?: ChannelRulesOptions")]
    pub fn new(env: &Env, options: Unknown<'_>) -> Result<Self> {
        Call::open(env, options)?.options::<core::ChannelRules>().map(Self::from)
    }

    /// The default channel group of Google Analytics 4.
    #[napi(factory)]
    pub fn ga4() -> Self {
        Self::from(core::ChannelRules::ga4())
    }

    /// The source, medium, campaign and channel of one visit, in microseconds.
    #[napi(ts_args_type = "visit: Visit")]
    pub fn classify<'e>(&self, env: &'e Env, visit: Unknown<'e>) -> Result<Classified> {
        let visit: Visit<'_> = job::value(env, visit)?;
        job::now(env, || Ok(self.rules.classify(&visit).into()))
    }

    /// These rules after another one.
    #[napi(ts_args_type = "rule: ChannelRule")]
    pub fn prepend<'e>(&self, env: &'e Env, rule: Unknown<'e>) -> Result<Self> {
        let rule: ChannelRule = job::value(env, rule)?;
        Ok(core::ChannelRules::clone(&self.rules).prepend(rule).into())
    }

    /// These rules before another one.
    #[napi(ts_args_type = "rule: ChannelRule")]
    pub fn append<'e>(&self, env: &'e Env, rule: Unknown<'e>) -> Result<Self> {
        let rule: ChannelRule = job::value(env, rule)?;
        Ok(core::ChannelRules::clone(&self.rules).append(rule).into())
    }

    /// These rules with a source in a category: a host with all below it, or a name as in `utm_source`.
    #[napi]
    pub fn with_source(&self, env: &Env, source: String, category: String) -> Result<Self> {
        job::now(env, || Ok(core::ChannelRules::clone(&self.rules).with_source(&source, &category)?.into()))
    }

    /// These rules with what the parameter of a click id stands for.
    #[napi]
    pub fn with_click_id(
        &self,
        env: &Env,
        parameter: String,
        source: String,
        medium: String,
    ) -> Result<Self> {
        let rules = || core::ChannelRules::clone(&self.rules);
        job::now(env, || Ok(rules().with_click_id(&parameter, &source, &medium)?.into()))
    }

    /// The rules as JSON, the same in every language.
    #[napi]
    pub fn spec(&self, env: &Env) -> Result<String> {
        job::now(env, || {
            serde_json::to_string(&*self.rules).map_err(|e| headwater::Error::option("rules", e.to_string()))
        })
    }

    /// The channels that a visit can have, in the order of the rules, the default last.
    #[napi(getter)]
    pub fn channels(&self) -> Vec<String> {
        self.rules.channels().into_iter().map(str::to_owned).collect()
    }

    /// The rules as the bytes of a model file.
    #[napi]
    pub fn to_bytes(&self, env: &Env) -> Result<Uint8Array> {
        job::now(env, || headwater::model::to_bytes(&*self.rules)).map(Uint8Array::new)
    }

    /// Writes the rules to a file; `load` reads them back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save<'e>(&self, env: &'e Env, path: String) -> Result<Unknown<'e>> {
        let rules = Arc::clone(&self.rules);
        save(env, path, move || headwater::model::to_bytes(&*rules))
    }
}
