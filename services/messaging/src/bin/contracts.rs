//! Writes `contracts/`: what flows on every topic, and the schema of every message.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use messaging::topic::topics;
use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform as _};

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let schemas = root.join("schema");
    fs::create_dir_all(&schemas).context("making contracts/schema")?;
    write(&root.join("topics.json"), &topics())?;
    for topic in topics() {
        let mut schema = topic.schema;
        RecursiveTransform(with_upper_bound).transform(&mut schema);
        write(&schemas.join(format!("{}.schema.json", topic.message)), &schema)?;
    }
    Ok(())
}

/// `uint32` is a format, which validators ignore: the bound itself they check.
fn with_upper_bound(schema: &mut Schema) {
    if schema.get("format").is_some_and(|format| format == "uint32") {
        schema.insert("maximum".into(), u32::MAX.into());
    }
}

fn write(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}
