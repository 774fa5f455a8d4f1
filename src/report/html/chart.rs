//! The stacked columns of coverage by month, as numbers for an SVG.

use serde::Serialize;

use crate::audit::{Class, Group};
use crate::report::sentences::percent;
use crate::report::{count, thousands};

const WIDTH: usize = 680;
const HEIGHT: usize = 286;
const LEFT: usize = 44;
const TOP: usize = 26;
const BOTTOM: usize = 26;

/// The classes from the bottom of a column to its top.
const STACK: [Class; 6] =
    [Class::OnTime, Class::Late, Class::Pending, Class::Exempt, Class::Removed, Class::Missing];

#[derive(Serialize)]
pub(super) struct Chart {
    width: usize,
    height: usize,
    left: usize,
    legend: Vec<Entry>,
    grid: Vec<Gridline>,
    months: Vec<Month>,
}

#[derive(Serialize)]
struct Entry {
    class: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Gridline {
    y: String,
    text_y: String,
    label: String,
}

#[derive(Serialize)]
struct Month {
    x: String,
    width: String,
    middle: String,
    top: String,
    label: Option<String>,
    coverage: Option<String>,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    class: &'static str,
    link: String,
    title: String,
    y: String,
    height: String,
}

/// The chart, and for each month the link to its deals; `None` without months.
pub(super) fn chart(months: &[Group], links: &[String]) -> Option<Chart> {
    let in_scope = |group: &Group| -> usize {
        STACK.into_iter().map(|class| group.figures.summary.of(class)).sum()
    };
    let most = months.iter().map(in_scope).max().filter(|most| *most > 0)?;
    let step = step(most);
    let high = most.div_ceil(step) * step;
    let plot = (HEIGHT - TOP - BOTTOM) as f64;
    let y = |number: usize| TOP as f64 + plot * (1.0 - number as f64 / high as f64);
    let slot = (WIDTH - LEFT) as f64 / months.len() as f64;
    let column = (slot * 0.68).min(64.0);
    // A label needs some 56 units.
    let every = (56.0 / slot).ceil().max(1.0) as usize;

    let drawn = months
        .iter()
        .zip(links)
        .enumerate()
        .map(|(at, (group, link))| {
            let middle = LEFT as f64 + slot * (at as f64 + 0.5);
            let mut below = 0;
            let parts = STACK
                .into_iter()
                .filter(|class| group.figures.summary.of(*class) > 0)
                .map(|class| {
                    let number = group.figures.summary.of(class);
                    let part = Part {
                        class: class.as_str(),
                        link: format!("{link}&class={}", class.as_str()),
                        title: format!(
                            "{}: {} {}",
                            group.name,
                            count(number, "deal"),
                            class.label()
                        ),
                        y: figure(y(below + number)),
                        height: figure(y(below) - y(below + number)),
                    };
                    below += number;
                    part
                })
                .collect();
            let share = &group.figures.coverage.handed_over;
            let wide = slot >= 40.0;
            Month {
                x: figure(middle - column / 2.0),
                width: figure(column),
                middle: figure(middle),
                top: figure(y(below) - 7.0),
                label: at.is_multiple_of(every).then(|| group.name.clone()),
                coverage: percent(share.count, share.of)
                    .filter(|_| wide)
                    .map(|p| p.replace(' ', "")),
                parts,
            }
        })
        .collect();
    Some(Chart {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        legend: STACK
            .into_iter()
            .filter(|class| months.iter().any(|group| group.figures.summary.of(*class) > 0))
            .map(|class| Entry { class: class.as_str(), name: class.label() })
            .collect(),
        grid: (0..=high / step)
            .map(|line| Gridline {
                y: figure(y(line * step)),
                text_y: figure(y(line * step) + 4.0),
                label: thousands(line * step),
            })
            .collect(),
        months: drawn,
    })
}

/// A round distance of grid lines, so that there are three to five.
fn step(most: usize) -> usize {
    let mut unit = 1;
    loop {
        for factor in [1, 2, 5] {
            if unit * factor * 5 >= most {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

/// A coordinate with one decimal.
fn figure(number: f64) -> String {
    format!("{number:.1}")
}
