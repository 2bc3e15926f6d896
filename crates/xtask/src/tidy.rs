//! What no compiler checks: files that grew too long, traces of one machine, dead links, arrows, steps of a schema that
//! would stop the version before.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::{arrows, migrations, workspace::Workspace};

const LONGEST_FILE_LINES: usize = 500;
/// In a comment within the first lines of a long file, with the reason after it.
const REASON_MARK: &str = "tidy: long because ";
/// Written in two pieces, so that this file passes its own check.
const MACHINE_TRACES: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("bash", "_jobs"),
    concat!("loca", "lhost:90"),
];
const LINT_SILENCED: &str = concat!("#[al", "low(");
const LINT_SILENCED_IN_FILE: &str = concat!("#![al", "low(");
const SKIPPED_FOLDERS: [&str; 5] = [
    ".git",
    "target",
    "pasar-data",
    "node_modules",
    "__pycache__",
];
const TEXT_ENDINGS: [&str; 12] = [
    "rs", "md", "toml", "sql", "py", "sh", "json", "yml", "yaml", "service", "snap", "csv",
];

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let files = text_files(workspace.root())?;
    ensure!(
        files.len() > 20,
        "only {} files found: this is not the workspace",
        files.len()
    );
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let name = path.strip_prefix(workspace.root())?.display().to_string();
        wrong.extend(complaints(&name, &text));
        wrong.extend(migrations::complaints(&name, &text));
        if name.ends_with(".md") {
            wrong.extend(dead_links(path, &name, &text));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    arrows::check(workspace)?;
    println!(
        "{} files are tidy, and the arrows point the right way",
        files.len()
    );
    Ok(())
}

fn text_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if is_text(&path) || name == "run" {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| TEXT_ENDINGS.contains(&ending))
}

fn complaints(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = text.lines().count();
    if name.ends_with(".rs") && lines > LONGEST_FILE_LINES && !gives_a_reason(text) {
        wrong.push(format!(
            "{name}: {lines} lines; split it, or say `// {REASON_MARK}..` at its top"
        ));
    }
    for (index, line) in text.lines().enumerate() {
        let at = || format!("{name}:{}", index + 1);
        if let Some(trace) = MACHINE_TRACES.iter().find(|trace| line.contains(**trace)) {
            wrong.push(format!("{}: `{trace}` belongs to one machine", at()));
        }
        if name.ends_with(".rs")
            && (line.contains(LINT_SILENCED) || line.contains(LINT_SILENCED_IN_FILE))
        {
            wrong.push(format!("{}: use `#[expect(.., reason = \"..\")]`", at()));
        }
    }
    wrong
}

fn gives_a_reason(text: &str) -> bool {
    text.lines().take(15).any(|line| line.contains(REASON_MARK))
}

/// Links from one file of the repository to another that is not there.
fn dead_links(path: &Path, name: &str, text: &str) -> Vec<String> {
    let folder = path.parent().unwrap_or(path);
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{name}: the link to {target} leads nowhere"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason() {
        let long = "// line\n".repeat(LONGEST_FILE_LINES + 1);
        assert_eq!(complaints("a.rs", &long).len(), 1);
        let with_reason = format!("// {REASON_MARK}it is one table\n{long}");
        assert_eq!(complaints("a.rs", &with_reason), [""; 0]);
        assert_eq!(complaints("a.md", &long), [""; 0]);
    }

    #[test]
    fn a_path_of_one_machine_is_named_with_its_line() {
        let text = format!("fine\nread {}x\n", MACHINE_TRACES[0]);
        let wrong = complaints("a.toml", &text);
        assert!(wrong[0].starts_with("a.toml:2: "), "{wrong:?}");
    }

    #[test]
    fn a_silenced_lint_is_named() {
        assert_eq!(
            complaints("a.rs", &format!("{LINT_SILENCED}dead_code)]")).len(),
            1
        );
    }

    #[test]
    fn a_dead_link_is_named_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("there.md"), "").unwrap();
        let text = "[a](there.md#part) [b](gone.md) [c](https://example.com) [d](#here)";
        let wrong = dead_links(&folder.path().join("a.md"), "a.md", text);
        assert_eq!(wrong, ["a.md: the link to gone.md leads nowhere"]);
    }
}
