//! What the service can be told to do, one command a file: its outcome, its handler, its tests.

pub mod adjust_stock;
pub mod change_location;
pub mod clear_sold_out;
pub mod create_location;
pub mod ensure_default_location;
pub mod expire_reservation;
pub mod import_products;
pub mod mark_sold_out;
pub mod put_product;
pub mod receive_stock;
pub mod release_stock;
pub mod reserve_stock;
pub mod return_stock;
pub mod sell_stock;

mod ledger;
mod publish;
