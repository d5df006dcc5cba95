//! A table as a picture: horizontal bars, a panel for each column, readable on light and dark pages.

use std::fmt::Write;

use crate::report::{Figures, Group};
use crate::tables::{Table, Unit};

const WIDTH: f64 = 860.0;
const NAMES: f64 = 170.0;
const TOP: f64 = 52.0;
const PITCH: f64 = 19.0;
const BAR: f64 = 13.0;
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
    let count = figures.lines.len() as f64;
    let height = TOP + count * PITCH + 8.0;
    let panels = table.columns.len() as f64;
    let panel = (WIDTH - NAMES) / panels;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{0}</title>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"0\" y=\"16\">{0}{1}</text>\n",
        escape(table.title),
        match table.columns[0].unit {
            Unit::Ratio => format!(": server CPU, {} = 1", table.reference),
            _ => String::new(),
        },
    );
    for (index, line) in figures.lines.iter().enumerate() {
        let y = TOP + index as f64 * PITCH + BAR - 2.0;
        let class = match line.group {
            Group::Ours => "right ours-name",
            _ => "right",
        };
        let (x, name) = (NAMES - 10.0, escape(&line.name));
        push(
            &mut picture,
            &format!("<text class=\"{class}\" x=\"{x}\" y=\"{y:.1}\">{name}</text>"),
        );
    }
    for (index, column) in table.columns.iter().enumerate() {
        let x = NAMES + index as f64 * panel;
        let (title, above) = (escape(&column.head()), TOP - 12.0);
        push(
            &mut picture,
            &format!("<text class=\"column\" x=\"{x:.1}\" y=\"{above}\">{title}</text>"),
        );
        let values = figures.lines.iter().filter_map(|line| line.values[index]);
        let limit = limit(values.map(|(value, _)| value).collect());
        let room = panel - GAP - FIGURE;
        if column.unit == Unit::Ratio {
            let one = x + room / limit;
            let (from, to) = (TOP - 6.0, TOP + count * PITCH);
            push(
                &mut picture,
                &format!(
                    "<line class=\"one\" x1=\"{one:.1}\" y1=\"{from}\" x2=\"{one:.1}\" y2=\"{to}\"/>"
                ),
            );
        }
        for (row, line) in figures.lines.iter().enumerate() {
            let Some((value, _)) = line.values[index] else {
                continue;
            };
            let y = TOP + row as f64 * PITCH;
            let width = room * (value / limit).min(1.0);
            let class = match line.group {
                Group::Raw => "raw",
                Group::Ours => "ours",
                Group::Peer => "peer",
            };
            push(
                &mut picture,
                &format!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
                ),
            );
            if value > limit {
                let (from, to, below) = (x + room - 14.0, x + room - 8.0, y + BAR + 1.0);
                push(
                    &mut picture,
                    &format!(
                        "<line class=\"cut\" x1=\"{from:.1}\" y1=\"{below:.1}\" x2=\"{to:.1}\" y2=\"{:.1}\"/>",
                        y - 1.0
                    ),
                );
            }
            let (after, below) = (x + width + 5.0, y + BAR - 2.0);
            let figure = column.unit.show(value);
            push(
                &mut picture,
                &format!(
                    "<text class=\"figure\" x=\"{after:.1}\" y=\"{below:.1}\">{figure}</text>"
                ),
            );
        }
    }
    picture + "</svg>\n"
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

fn push(picture: &mut String, element: &str) {
    // A string takes everything.
    let _ = writeln!(picture, "{element}");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
