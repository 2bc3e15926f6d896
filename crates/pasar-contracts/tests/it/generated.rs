//! What stands in `src/grpc/generated/` is what the definitions in `proto/` say.

use std::{collections::BTreeMap, fs, path::PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

const FILES: [&str; 8] = [
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "pasar/inventory/v1/inventory.proto",
    "pasar/orders/v1/orders.proto",
    "pasar/payments/v1/payments.proto",
    "pasar/relay/v1/relay.proto",
    "pasar/types/v1/types.proto",
    "pasar/users/v1/users.proto",
];
const TYPES: &str = "pasar.types.v1";
/// Their `Debug` is written by hand: they carry secrets.
const SECRET: [&str; 2] = [
    ".pasar.orders.v1.PaymentMethod",
    ".pasar.users.v1.VerifyApiKeyRequest",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn definitions(with_comments: bool) -> FileDescriptorSet {
    let mut compiler = protox::Compiler::new([root().join("proto")]).unwrap();
    compiler
        .include_imports(true)
        .include_source_info(with_comments);
    compiler.open_files(FILES).unwrap();
    compiler.file_descriptor_set()
}

/// The files by name, as they should be.
fn generated() -> BTreeMap<String, Vec<u8>> {
    let all = definitions(true);
    let mut types = all.clone();
    types.file.retain(|file| file.package() == TYPES);
    let mut files = BTreeMap::new();
    generate(prost_build::Config::new(), types, &mut files);
    let mut config = prost_build::Config::new();
    config
        .extern_path(format!(".{TYPES}"), "crate::grpc::types")
        .bytes([".pasar.relay.v1.Message.data"])
        .skip_debug(SECRET)
        .type_attribute(
            ".pasar.relay.v1.SubscribeReply.reply",
            "#[expect(clippy::large_enum_variant, reason = \"nearly all are messages, and none is kept\")]",
        );
    generate(config, all, &mut files);
    let descriptors = definitions(false).encode_to_vec();
    files.insert("descriptors.bin".to_owned(), descriptors);
    files
}

fn generate(
    mut config: prost_build::Config,
    definitions: FileDescriptorSet,
    files: &mut BTreeMap<String, Vec<u8>>,
) {
    let folder = tempfile::tempdir().unwrap();
    config.out_dir(folder.path());
    config.compile_fds(definitions).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read(&path).unwrap();
        // What another file has is written as an empty one.
        if !text.trim_ascii().is_empty() && !files.contains_key(&name) {
            files.insert(name, text);
        }
    }
}

#[test]
fn the_code_is_generated_from_the_definitions() {
    let folder = root().join("src/grpc/generated");
    let generated = generated();
    if std::env::var_os("PASAR_NEW_GOLDEN").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &generated {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &generated {
        let is = fs::read(folder.join(name)).unwrap_or_default();
        let advice = "PASAR_NEW_GOLDEN=1 writes it anew";
        assert!(
            &is == text,
            "{name} is not as the definitions say; {advice}"
        );
    }
    let there = fs::read_dir(&folder).unwrap().count();
    assert_eq!(there, generated.len(), "a file is left over");
}
