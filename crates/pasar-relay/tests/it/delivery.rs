//! Delivering: what fails, what is ordered, what a restart leaves, and who is behind. The destinations are
//! doubles in the test's hand; the clock is moved by hand.

pub(crate) mod bench;
mod double;
mod encoded_once;
mod failures;
mod instances;
mod ordering;
mod pace;
mod places;
mod properties;
mod replay;
mod restarts;
mod retention;
mod shared_out;
