//! What happened, in what order? Touchpoints and conversions made into journeys.
