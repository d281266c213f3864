//! Which touch earned the conversion? Rules, Markov chains and Shapley values.
