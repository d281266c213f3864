//! Who belongs together?
//!
//! * [`rfm`]: recency, frequency and monetary value, scored by any of six
//!   conventions and named by a map that is checked to be total.
//! * [`KMeans`]: exact Lloyd with greedy k-means++ and Hamerly's bounds.

mod kmeans;
mod rfm;

pub use kmeans::{Init, KMeans, KMeansFit, KMeansModel, Membership, Scale};
pub use rfm::{
    Convention, Features, FrequencyBy, MapChoice, MonetaryBy, NamedMap, Refunds, RfmBreaks, RfmOptions,
    RfmSegments, Scores, SegmentMap, SegmentRule, Spec, aggregate, rfm, score,
};
