//! Documents that are made from the code say what the code says.
//! `cargo xtask docs` runs these tests in the mode in which they write instead of compare.

use std::{env, fmt::Write as _, fs, path::Path};

use pasar_contracts::{asyncapi, problem::ProblemType};

fn compare_or_write(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if env::var_os("PASAR_WRITE_DOCUMENTS").is_some() {
        fs::write(&path, wanted).unwrap();
        return;
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == wanted,
        "docs/{name} is out of date; write it with `cargo xtask docs`"
    );
}

#[test]
fn the_list_of_problems_is_up_to_date() {
    let mut text = String::from(
        "# Problems\n\n\
         An answer that is not a success carries a problem (RFC 9457, `application/problem+json`). Its `type` is\n\
         `/problems/` and one of the names below; a name never changes its meaning. `detail` says what happened\n\
         this time, and other members say more where the text below names them.\n\n\
         <!-- Made by `cargo xtask docs` from pasar-contracts; a test compares it. -->\n",
    );
    for problem in ProblemType::ALL {
        let (slug, status, title) = (problem.slug(), problem.status(), problem.title());
        let description = problem.description().trim();
        let _ = write!(text, "\n## {slug}\n\n{status} · {title}\n\n{description}\n");
    }
    compare_or_write("problems.md", &text);
}

#[test]
fn the_asyncapi_document_is_up_to_date() {
    let document = asyncapi::document(env!("CARGO_PKG_VERSION"));
    let text = serde_json::to_string_pretty(&document).unwrap();
    compare_or_write("asyncapi.json", &format!("{text}\n"));
}
