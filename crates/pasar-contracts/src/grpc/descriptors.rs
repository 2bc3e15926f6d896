//! The definitions themselves, for clients that ask for them (server reflection).

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

/// All files with what they import, as an encoded `FileDescriptorSet`.
pub const SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// All files, each after what it imports.
///
/// # Panics
/// Never: a test reads what is included.
#[must_use]
pub fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(SET).expect("the included descriptors are whole");
    set.file
}

/// The paths of a service's methods: `/pasar.orders.v1.Orders/PlaceOrder`.
#[must_use]
pub fn methods(service: &str) -> Vec<String> {
    let files = files();
    let services = files.iter().flat_map(|file| {
        let package = file.package();
        let services = file.service.iter();
        services.map(move |defined| (format!("{package}.{}", defined.name()), defined))
    });
    services
        .filter(|(name, _)| name == service)
        .flat_map(|(name, defined)| {
            let methods = defined.method.iter();
            methods.map(move |method| format!("/{name}/{}", method.name()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::{health, inventory, orders, payments, reflection, relay, users};

    #[test]
    fn every_service_is_defined() {
        for (service, count) in [
            (orders::ORDERS, 9),
            (inventory::INVENTORY, 6),
            (payments::PAYMENTS, 4),
            (users::USERS, 3),
            (relay::RELAY, 2),
            (health::HEALTH, 2),
            (reflection::REFLECTION, 1),
        ] {
            assert_eq!(methods(service).len(), count, "{service}");
        }
    }

    /// Compilers look a method's messages up among the methods first.
    #[test]
    fn no_method_has_the_name_of_a_message() {
        let mut looked_at = 0;
        for file in files() {
            for method in file.service.iter().flat_map(|service| &service.method) {
                let name = method.name();
                let same = file.message_type.iter().find(|each| each.name() == name);
                assert!(same.is_none(), "{}: {name}", file.name());
                looked_at += 1;
            }
        }
        assert_eq!(looked_at, 27);
    }

    #[test]
    fn a_file_comes_after_what_it_imports() {
        let mut seen = Vec::new();
        for file in files() {
            for import in &file.dependency {
                assert!(seen.contains(import), "{} before {import}", file.name());
            }
            seen.push(file.name().to_owned());
        }
    }
}
