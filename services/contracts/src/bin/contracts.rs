//! Writes `contracts/`: what flows on every topic, and the schema of every message; and draws
//! the topics in `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use contracts::topic::{DEAD_LETTERS, TopicInfo, topics};
use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform as _};

const BEGIN: &str = "<!-- topics:begin -->";
const END: &str = "<!-- topics:end -->";
/// Reads along: it has no work to do with a record, and so no dead letters.
const ONLOOKER: &str = "explorer";

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schemas = root.join("contracts/schema");
    fs::create_dir_all(&schemas).context("making contracts/schema")?;
    let topics = topics();
    write_json(&root.join("contracts/topics.json"), &topics)?;
    for topic in &topics {
        let mut schema = topic.schema.clone();
        RecursiveTransform(with_upper_bound).transform(&mut schema);
        write_json(&schemas.join(format!("{}.schema.json", topic.message)), &schema)?;
    }
    draw(&root.join("ARCHITECTURE.md"), &topics)
}

/// `uint32` is a format, which validators ignore: the bound itself they check.
fn with_upper_bound(schema: &mut Schema) {
    if schema.get("format").is_some_and(|format| format == "uint32") {
        schema.insert("maximum".into(), u32::MAX.into());
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    write(path, &(serde_json::to_string_pretty(value)? + "\n"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Puts the diagram between its two marks.
fn draw(path: &Path, topics: &[TopicInfo]) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (before, after) = around_marks(&text).with_context(|| format!("{} lacks {BEGIN} or {END}", path.display()))?;
    let diagram = diagram(topics);
    let text = format!("{before}{BEGIN}\n```mermaid\n{diagram}```\n{END}{after}");
    write(path, &text)
}

fn around_marks(text: &str) -> Option<(&str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some((before, after))
}

/// A flowchart in mermaid's language: a line for each topic, from its writers to its readers,
/// among the collections of `MongoDB`.
fn diagram(topics: &[TopicInfo]) -> String {
    let flows: String = topics
        .iter()
        .map(|topic| {
            let (from, to) = (topic.producers.join(" & "), topic.consumers.join(" & "));
            format!("    {from} -- {} --> {to}\n", topic.name)
        })
        .collect();
    let mut readers: BTreeSet<_> = topics.iter().flat_map(|topic| topic.consumers).copied().collect();
    readers.remove(ONLOOKER);
    let readers = readers.into_iter().collect::<Vec<_>>().join(" & ");
    format!(
        "flowchart LR
    questions[(questions)] --> traffic-generator
{flows}    storage-service --> results[(results, metrics)]
    results -. earlier answers .-> cache-service
    results -.-> {ONLOOKER} --> labels[(labels)]
    {readers} -.-> {DEAD_LETTERS}
"
    )
}
