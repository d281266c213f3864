//! Model files.

use headwater::attribution::Fitted;
use headwater::clv::dynamic::Dynamic;
use headwater::clv::posterior::{Hierarchy as CoreHierarchy, Posterior as CorePosterior};
use headwater::clv::{
    Contractual, GammaGammaModel, Purchases, RfmBuilder as CoreRfm, SeasonalClock as CoreClock,
    purchases_from_bytes,
};
use headwater::identity::IdentityGraph as CoreGraph;
use headwater::journey::{
    ChannelRules as CoreRules, JourneyBuilder as CoreBuilder, PathCounts as CoreCounts,
};
use headwater::segment::KMeansModel;
use headwater::{Error as CoreError, Result as CoreResult, model};
use napi::bindgen_prelude::{Either, Either14, Uint8ArraySlice, Unknown};
use napi::{Env, Result};
use napi_derive::napi;

use crate::attribution::FittedModel;
use crate::channels::ChannelRules;
use crate::clv::{GammaGamma, PurchaseModel};
use crate::contractual::ContractualModel;
use crate::dynamic::DynamicModel;
use crate::hierarchy::Hierarchy;
use crate::identity::IdentityGraph;
use crate::job::{self, Call};
use crate::journey::{JourneyBuilder, PathCounts};
use crate::posterior::Posterior;
use crate::rfm::{RfmBuilder, SeasonalClock};
use crate::segment::KMeans;

/// Whatever a model file may hold. There is one at a time: its size does not matter.
#[allow(clippy::large_enum_variant)]
enum Loaded {
    Graph(CoreGraph),
    Attribution(Fitted),
    Counts(CoreCounts),
    Builder(CoreBuilder),
    Rfm(CoreRfm),
    Clock(CoreClock),
    Rules(CoreRules),
    Purchases(Box<dyn Purchases>),
    Contractual(Contractual),
    GammaGamma(GammaGammaModel),
    KMeans(KMeansModel),
    Posterior(CorePosterior),
    Dynamic(Dynamic),
    Hierarchy(CoreHierarchy),
}

fn open(bytes: &[u8]) -> CoreResult<Loaded> {
    if let Some(fitted) = Fitted::from_bytes(bytes)? {
        return Ok(Loaded::Attribution(fitted));
    }
    if let Some(fitted) = purchases_from_bytes(bytes)? {
        return Ok(Loaded::Purchases(fitted));
    }
    if let Some(fitted) = Contractual::from_bytes(bytes)? {
        return Ok(Loaded::Contractual(fitted));
    }
    if let Some(fitted) = Dynamic::from_bytes(bytes)? {
        return Ok(Loaded::Dynamic(fitted));
    }
    Ok(match model::kind(bytes)?.as_str() {
        "identity.IdentityGraph" => Loaded::Graph(model::from_bytes(bytes)?),
        "journey.ChannelRules" => Loaded::Rules(model::from_bytes(bytes)?),
        "journey.JourneyBuilder" => Loaded::Builder(model::from_bytes(bytes)?),
        "journey.PathCounts" => Loaded::Counts(model::from_bytes(bytes)?),
        "clv.GammaGamma" => Loaded::GammaGamma(model::from_bytes(bytes)?),
        "clv.SeasonalClock" => Loaded::Clock(model::from_bytes(bytes)?),
        "clv.RfmBuilder" => Loaded::Rfm(model::from_bytes(bytes)?),
        "clv.Hierarchy" => Loaded::Hierarchy(model::from_bytes(bytes)?),
        "clv.Posterior" => Loaded::Posterior(model::from_bytes(bytes)?),
        "segment.KMeans" => Loaded::KMeans(model::from_bytes(bytes)?),
        other => return Err(CoreError::model_file(format!("holds a `{other}`, which Node cannot use yet"))),
    })
}

/// `load`, behind the face that gives models of attribution their class.
#[napi(skip_typescript)]
pub fn read_model<'e>(
    env: &'e Env,
    file: Either<String, Uint8ArraySlice<'e>>,
    options: Unknown<'e>,
) -> Result<Unknown<'e>> {
    let prepare = |_: &Call<'e>| {
        let file = match file {
            Either::A(path) => Either::A(path),
            Either::B(bytes) => Either::B(bytes.to_vec()),
        };
        Ok(move |_: &headwater::Run| match file {
            Either::A(path) => open(&model::read(path)?),
            Either::B(bytes) => open(&bytes),
        })
    };
    job::start(env, options, prepare, |loaded| match loaded {
        Loaded::Graph(graph) => Either14::A(IdentityGraph::from(graph)),
        Loaded::Attribution(fitted) => Either14::B(FittedModel::from(fitted)),
        Loaded::Purchases(model) => Either14::C(PurchaseModel::from(model)),
        Loaded::GammaGamma(model) => Either14::D(GammaGamma::from(model)),
        Loaded::KMeans(model) => Either14::E(KMeans::from(model)),
        Loaded::Counts(counts) => Either14::F(PathCounts::from(counts)),
        Loaded::Rules(rules) => Either14::G(ChannelRules::from(rules)),
        Loaded::Builder(builder) => Either14::H(JourneyBuilder::from(builder)),
        Loaded::Contractual(model) => Either14::I(ContractualModel::from(model)),
        Loaded::Posterior(draws) => Either14::J(Posterior::from(draws)),
        Loaded::Rfm(builder) => Either14::K(RfmBuilder::from(builder)),
        Loaded::Clock(clock) => Either14::L(SeasonalClock::from(clock)),
        Loaded::Dynamic(model) => Either14::M(DynamicModel::from(model)),
        Loaded::Hierarchy(draws) => Either14::N(Hierarchy::from(draws)),
    })
}

/// Writes a model's bytes to a file, on a worker thread.
pub(crate) fn save<'e>(
    env: &'e Env,
    path: String,
    bytes: impl FnOnce() -> CoreResult<Vec<u8>> + Send + 'static,
) -> Result<Unknown<'e>> {
    use napi::bindgen_prelude::{JsValue, Object};
    let work = move |_: &headwater::Run| {
        let bytes = bytes()?;
        std::fs::write(&path, bytes).map_err(|source| CoreError::Io { path, source })
    };
    job::start(env, Object::new(env)?.to_unknown(), |_: &Call<'e>| Ok(work), |()| ())
}
