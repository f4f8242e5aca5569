//! Writes `contracts/`: what flows on every topic, and the schema of every message.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use messaging::topic::topics;

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let schemas = root.join("schema");
    fs::create_dir_all(&schemas).context("making contracts/schema")?;
    write(&root.join("topics.json"), &topics())?;
    for topic in topics() {
        write(&schemas.join(format!("{}.schema.json", topic.message)), &topic.schema)?;
    }
    Ok(())
}

fn write(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}
