//! A table as a picture: horizontal bars, a panel for each column, on light and dark pages.

use std::fmt::{self, Write};

use crate::report::{Figures, Group};
use crate::tables::{Column, Table, Unit};

const WIDTH: f64 = 860.0;
const NAMES: f64 = 170.0;
const TOP: f64 = 52.0;
const PITCH: f64 = 19.0;
const BAR: f64 = 13.0;
/// From the top of a bar to the baseline of its text.
const BASE: f64 = BAR - 2.0;
const GAP: f64 = 14.0;
/// Room for the figure behind the longest bar.
const FIGURE: f64 = 46.0;

const STYLE: &str = "
  text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .column { font-weight: 600; }
  .figure { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
  .right { text-anchor: end; }
  .ours-name { font-weight: 600; }
  .raw { fill: #8c959f; } .ours { fill: #0969da; } .peer { fill: #b6a0d8; }
  .one { stroke: #57606a; stroke-dasharray: 3 3; }
  .cut { stroke: #ffffff; stroke-width: 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .raw { fill: #6e7681; } .ours { fill: #58a6ff; } .peer { fill: #7d62a8; }
    .one { stroke: #9198a1; } .cut, .figure { stroke: #0d1117; }
  }
";

pub fn draw(table: &Table, figures: &Figures) -> String {
    let height = TOP + figures.lines.len() as f64 * PITCH + 8.0;
    let title = match table.columns[0].unit {
        Unit::Ratio => format!("{}: server CPU, {} = 1", table.title, table.reference),
        _ => table.title.to_owned(),
    };
    let mut picture = Picture(String::new());
    picture.text("title", 0.0, 16.0, &title);
    for (row, line) in figures.lines.iter().enumerate() {
        let class = match line.group {
            Group::Ours => "right ours-name",
            _ => "right",
        };
        picture.text(class, NAMES - 10.0, top_of(row) + BASE, &line.name);
    }
    let width = (WIDTH - NAMES) / table.columns.len() as f64;
    for (index, column) in table.columns.iter().enumerate() {
        let left = NAMES + index as f64 * width;
        picture.text("column", left, TOP - 12.0, &column.head());
        picture.panel(column, index, figures, left, width - GAP - FIGURE);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n{}</svg>\n",
        escape(table.title),
        picture.0
    )
}

fn top_of(row: usize) -> f64 {
    TOP + row as f64 * PITCH
}

/// The elements so far.
struct Picture(String);

impl Picture {
    /// The bars of a column, the longest of them `room` wide.
    fn panel(&mut self, column: &Column, index: usize, figures: &Figures, left: f64, room: f64) {
        let values = figures.lines.iter().filter_map(|line| line.values[index]);
        let limit = limit(values.map(|(value, _)| value).collect());
        if column.unit == Unit::Ratio {
            let one = left + room / limit;
            let bottom = top_of(figures.lines.len());
            self.line("one", (one, TOP - 6.0), (one, bottom));
        }
        for (row, line) in figures.lines.iter().enumerate() {
            let Some((value, _)) = line.values[index] else {
                continue;
            };
            let top = top_of(row);
            let length = room * (value / limit).min(1.0);
            let class = match line.group {
                Group::Raw => "raw",
                Group::Ours => "ours",
                Group::Peer => "peer",
            };
            self.element(format_args!(
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" \
                 height=\"{BAR}\" rx=\"2\"/>"
            ));
            if value > limit {
                let cut = left + room - 14.0;
                self.line("cut", (cut, top + BAR + 1.0), (cut + 6.0, top - 1.0));
            }
            let figure = column.unit.show(value);
            self.text("figure", left + length + 5.0, top + BASE, &figure);
        }
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let text = escape(text);
        self.element(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        ));
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.element(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    fn element(&mut self, element: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = writeln!(self.0, "{element}");
    }
}

/// Bars end here: a few that are many times as long as most must not make those invisible.
fn limit(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(most) = values.last() else {
        return 1.0;
    };
    let usual = values[values.len() * 2 / 5];
    most.min(4.0 * usual).max(f64::MIN_POSITIVE)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
