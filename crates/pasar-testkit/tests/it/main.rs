//! The tools, tried on a service of three columns.

mod command_tests;
mod other_ends;
mod reactions;
mod thing;
