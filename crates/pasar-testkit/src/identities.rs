//! One identity of each kind. People of the same role differ by a number.

use pasar_chassis::identity::Identity;
use pasar_contracts::{api::users::Role, event::Service};
use pasar_types::id::UserId;

#[must_use]
pub fn customer(number: u8) -> Identity {
    person(Role::Customer, number)
}

#[must_use]
pub fn staff() -> Identity {
    person(Role::Staff, 0)
}

#[must_use]
pub fn admin() -> Identity {
    person(Role::Admin, 0)
}

#[must_use]
pub fn kiosk() -> Identity {
    person(Role::Kiosk, 0)
}

#[must_use]
pub fn integrator() -> Identity {
    person(Role::Integrator, 0)
}

#[must_use]
pub fn anonymous() -> Identity {
    Identity::anonymous()
}

/// Another service, as it calls internal routes.
#[must_use]
pub fn service(service: Service) -> Identity {
    Identity::service(service)
}

fn person(role: Role, number: u8) -> Identity {
    let mut bytes = [0; 16];
    bytes[0] = role as u8 + 1;
    bytes[15] = number;
    Identity::user(UserId::from_bytes(bytes), [role])
}
