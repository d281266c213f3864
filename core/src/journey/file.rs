//! The file of a [`JourneyBuilder`]: its options and events. What follows from
//! them is built anew.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EventOptions, JourneyBuilder};
use crate::column::Stored;
use crate::model::Model;
use crate::run::Run;
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    options: EventOptions,
    /// Missing before the first part.
    events: Option<Events>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    touches: Vec<Stored>,
    conversions: Option<Vec<Stored>>,
}

impl TryFrom<Saved> for JourneyBuilder {
    type Error = Error;

    fn try_from(Saved { options, events }: Saved) -> Result<Self> {
        options.check()?;
        let mut builder = Self::new(options);
        if let Some(Events { touches, conversions }) = events {
            let conversions = conversions.map(Stored::columns).transpose()?;
            builder.extend(&Stored::columns(touches)?, conversions.as_ref(), &Run::new())?;
        }
        Ok(builder)
    }
}

impl Serialize for JourneyBuilder {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let events = self.events().map(|events| Events {
            touches: Stored::of(events.touches),
            conversions: events.conversions.map(Stored::of),
        });
        Saved { options: self.options().clone(), events }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JourneyBuilder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Saved::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Model for JourneyBuilder {
    const KIND: &'static str = "journey.JourneyBuilder";

    fn check(&self) -> Result<()> {
        self.options().check()
    }
}
