//! The results as Markdown, with a picture for each table.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::measure::Sample;
use crate::peers::PEERS;
use crate::results::{Machine, PeerResults, Results};
use crate::svg;
use crate::tables::{Column, TABLES, Table, Unit};

/// Writes `RESULTS.md` and the pictures beside it.
pub fn write(results: &Results, folder: &Path) -> Result<()> {
    let pictures = folder.join("results");
    fs::create_dir_all(&pictures)?;
    let mut text = introduction(results);
    for table in TABLES {
        let figures = Figures::of(results, table);
        if figures.lines.is_empty() {
            continue;
        }
        let picture = format!("{}.svg", table.name);
        fs::write(pictures.join(&picture), svg::draw(table, &figures))?;
        writeln!(text, "\n## {}\n\n{}\n", table.title, table.about)?;
        writeln!(text, "![{}](results/{picture})\n", table.title)?;
        text.push_str(&markdown(table, &figures));
        text.push_str(&details(results, table)?);
    }
    Ok(fs::write(folder.join("RESULTS.md"), text)?)
}

/// A table's medians: a line for each peer that has any.
pub struct Figures {
    pub lines: Vec<Line>,
}

pub struct Line {
    pub name: String,
    pub group: Group,
    /// The figure of each column, and the microseconds beside a ratio.
    pub values: Vec<Option<(f64, f64)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Raw,
    Ours,
    Peer,
}

impl Figures {
    fn of(results: &Results, table: &Table) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        for peer in PEERS {
            if lines.iter().any(|line| line.name == peer.name) {
                continue;
            }
            let values = table.columns.iter().map(|column| {
                let peer = find(results, column.row, peer.name)?;
                Some((peer.median(column.value), peer.median(|sample| sample.cpu)))
            });
            let values: Vec<_> = values.collect();
            if values.iter().any(Option::is_some) {
                lines.push(Line {
                    name: peer.name.to_owned(),
                    group: match peer {
                        peer if peer.raw => Group::Raw,
                        peer if peer.name.starts_with("fullduplex") => Group::Ours,
                        _ => Group::Peer,
                    },
                    values,
                });
            }
        }
        Self { lines }
    }

    /// The least figure of a WebSocket in this column.
    fn best(&self, column: usize) -> f64 {
        let lines = self.lines.iter().filter(|line| line.group != Group::Raw);
        let values = lines.filter_map(|line| line.values.get(column).copied().flatten());
        values.fold(f64::INFINITY, |best, (value, _)| best.min(value))
    }
}

fn find<'a>(results: &'a Results, row: &str, peer: &str) -> Option<&'a PeerResults> {
    let row = results.rows.iter().find(|found| found.row == row)?;
    row.peers.iter().find(|found| found.name == peer)
}

fn markdown(table: &Table, figures: &Figures) -> String {
    let heads = table.columns.iter().map(Column::head);
    let mut text = head("", heads);
    let best: Vec<f64> = (0..table.columns.len())
        .map(|column| figures.best(column))
        .collect();
    for line in &figures.lines {
        let cells = table.columns.iter().zip(&line.values).zip(&best);
        let cells = cells.map(|((column, value), best)| match value {
            None => String::new(),
            Some((value, beside)) => {
                let figure = column.unit.show(*value);
                let figure = if line.group != Group::Raw && figure == column.unit.show(*best) {
                    format!("**{figure}**")
                } else {
                    figure
                };
                if column.unit == Unit::Ratio {
                    format!("{figure} ({} µs)", Unit::Microseconds.show(*beside))
                } else {
                    figure
                }
            }
        });
        text.push_str(&row(&line.name, cells));
    }
    text
}

/// What else was measured of echoes.
fn details(results: &Results, table: &Table) -> Result<String> {
    let columns: Vec<_> = table
        .columns
        .iter()
        .filter(|column| column.unit == Unit::Ratio)
        .collect();
    let mut text = String::new();
    if columns.is_empty() {
        return Ok(text);
    }
    writeln!(
        text,
        "\n<details><summary>Rates, latencies, spread</summary>\n\n\
         Per second; median and 99th percentile of microseconds until all echoes had come; the \
         lowest and the highest ratio of a round.\n"
    )?;
    text.push_str(&head(
        "",
        columns.iter().map(|column| column.title.to_owned()),
    ));
    let mut seen = Vec::new();
    for peer in PEERS {
        let found: Vec<_> = columns
            .iter()
            .map(|column| find(results, column.row, peer.name))
            .collect();
        if seen.contains(&peer.name) || found.iter().all(Option::is_none) {
            continue;
        }
        seen.push(peer.name);
        let cells = found
            .into_iter()
            .map(|peer| peer.map_or_else(String::new, spread));
        text.push_str(&row(peer.name, cells));
    }
    text.push_str("\n</details>\n");
    Ok(text)
}

fn spread(peer: &PeerResults) -> String {
    let of = |value: fn(&Sample) -> f64| peer.median(value);
    let ratios = peer.samples.iter().map(|sample| sample.ratio);
    let least = ratios.clone().fold(f64::INFINITY, f64::min);
    let most = ratios.fold(0.0, f64::max);
    let rate = of(|sample| sample.rate);
    let (p50, p99) = (of(|sample| sample.p50), of(|sample| sample.p99));
    let latencies = if p50 > 0.0 {
        format!("; {p50:.0}, {p99:.0}")
    } else {
        String::new()
    };
    format!("{rate:.0}{latencies}; {least:.2} to {most:.2}")
}

impl Column {
    pub fn head(&self) -> String {
        match self.unit {
            Unit::Ratio => self.title.to_owned(),
            Unit::Microseconds => format!("{}, µs", self.title),
            Unit::KiB => format!("{}, KiB", self.title),
            Unit::Bytes => format!("{}, bytes", self.title),
        }
    }
}

impl Unit {
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Bytes => format!("{value:.0}"),
            Self::Ratio => format!("{value:.2}"),
            Self::Microseconds if value < 1.0 => format!("{value:.3}"),
            _ if value < 10.0 => format!("{value:.2}"),
            _ if value < 100.0 => format!("{value:.1}"),
            _ => format!("{value:.0}"),
        }
    }
}

fn head(first: &str, columns: impl Iterator<Item = String> + Clone) -> String {
    let rule = format!("|---|{}\n", "--:|".repeat(columns.clone().count()));
    row(first, columns) + &rule
}

fn row(first: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {first} | {} |\n", cells.join(" | "))
}

fn introduction(results: &Results) -> String {
    let Machine {
        date,
        processor,
        cores,
        kernel,
        rustc,
        crates,
    } = &results.machine;
    let crates: Vec<_> = crates
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    format!(
        "# Results\n\n\
         Echo servers, each on one core, over loopback. What counts is the processor time \
         that a server takes for a message, in user and kernel mode: the rate is limited by \
         whichever side is slower. Ratios are to `raw tokio`, a task per connection that echoes \
         bytes and knows no protocol: it receives and sends exactly as many bytes as a WebSocket \
         server would. It ran beside each server, and the load alternated between both in short \
         slices until each had {} ms; tables have the medians of {} rounds. The reference was \
         compared with a second process of itself: how far its ratio is from 1.00, and how far \
         apart those of its rounds are (under \"spread\"), is chance, and so are differences between \
         others that are no larger. The least figure of a WebSocket in a column is bold. How it \
         is done: [peers/README.md](peers/README.md).\n\n\
         `fullduplex mio` is the example `echo_mio`, one loop over the core without a runtime; \
         `fullduplex tokio` lends events and answers on the connection, as the example \
         `echo_tokio` does, but sends 32 KiB and more from where they are; `feed` receives \
         messages and sends them back. All on tokio run on one thread.\n\n\
         {date}, {processor}, {cores} cores, Linux {kernel}, {rustc}, `lto = \"fat\"`, \
         `codegen-units = 1`, no flags for the processor. {}. permessage-deflate is zlib-rs \
         everywhere except in soketto, which brings C zlib (libz-sys).\n\n\
         This file and the pictures are written by `peers/run.sh`.\n",
        results.milliseconds,
        results.rounds,
        crates.join(", ")
    )
}
