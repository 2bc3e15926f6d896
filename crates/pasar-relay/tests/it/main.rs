//! The relay from outside: between the services' feeds, its routes and its destinations.

mod following;
mod shop;
