//! One command a file: the command, its outcome, its handler, its tests.

pub mod abandon_payment;
pub mod cancel_payment;
pub mod capture_cash;
pub mod capture_payment;
pub mod give_back_again;
pub mod hand_back_cash;
pub mod initiate_payment;
pub mod look_up_payment;
pub mod receive_notice;
pub mod record_answer;
pub mod record_authorization;
pub mod record_capture;
pub mod record_refund;
pub mod record_void;
pub mod request_refund;
pub mod try_later;

mod change;
