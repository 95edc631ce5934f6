//! The plan as a picture: SVG (<https://www.w3.org/TR/SVG11/>), stages from left to right, the steps of one below each other, what is
//! inside of a step in its box. The reasons of an arrow are its tooltip.

use std::fmt::Write;

use crate::explain::summary;
use crate::plan::{Plan, Region, Step};

/// The size of a step without others inside, in pixels.
const STEP: (usize, usize) = (236, 44);
/// Between stages, where the arrows are, and between the steps of one.
const GAP: (usize, usize) = (56, 14);
/// Around what is inside of a step.
const PADDING: usize = 12;
/// Letters of a line that fit into a box.
const LETTERS: usize = 34;

/// Returns the plan as SVG.
pub fn svg(plan: &Plan) -> String {
    let (width, height) = size_of_region(&plan.root);
    let (width, height) = (width + 2 * PADDING, height + 2 * PADDING);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#667\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        escaped(&plan.flow)
    );
    region(&plan.root, (PADDING, PADDING), &mut out);
    out.push_str("</svg>\n");
    out
}

/// The regions inside of a step that have steps.
fn inside(step: &Step) -> Vec<&Region> {
    let regions = step.action.regions().into_iter().map(|(_, region)| region);
    regions.filter(|region| !region.steps.is_empty()).collect()
}

fn size_of(step: &Step) -> (usize, usize) {
    let inner = inside(step);
    let Some(width) = inner.iter().map(|region| size_of_region(region).0).max() else {
        return STEP;
    };
    let heights = inner.iter().map(|region| size_of_region(region).1 + PADDING);
    ((width + 2 * PADDING).max(STEP.0), STEP.1 + heights.sum::<usize>())
}

fn size_of_stage(region: &Region, stage: &[usize]) -> (usize, usize) {
    let sizes: Vec<(usize, usize)> = stage.iter().map(|at| size_of(&region.steps[*at])).collect();
    let width = sizes.iter().map(|(width, _)| *width).max().unwrap_or_default();
    let height: usize = sizes.iter().map(|(_, height)| height + GAP.1).sum();
    (width, height.saturating_sub(GAP.1))
}

fn size_of_region(region: &Region) -> (usize, usize) {
    let stages = region.stages.iter().map(|stage| size_of_stage(region, stage));
    let (width, height) = stages.fold((0, 0), |(width, height), stage| {
        (width + stage.0 + GAP.0, height.max(stage.1))
    });
    (width.saturating_sub(GAP.0), height)
}

/// Where a box is, and how large.
#[derive(Clone, Copy, Default)]
struct Frame {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

fn region(region: &Region, at: (usize, usize), out: &mut String) {
    let mut frames = vec![Frame::default(); region.steps.len()];
    let mut x = at.0;
    for stage in &region.stages {
        let mut y = at.1;
        for index in stage {
            let (width, height) = size_of(&region.steps[*index]);
            frames[*index] = Frame { x, y, width, height };
            y += height + GAP.1;
        }
        x += size_of_stage(region, stage).0 + GAP.0;
    }
    for edge in &region.edges {
        let (from, to) = (frames[edge.from], frames[edge.to]);
        let (x1, y1) = (from.x + from.width, from.y + STEP.1 / 2);
        let (x2, y2) = (to.x, to.y + STEP.1 / 2);
        let bend = GAP.0 / 2;
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#667\" marker-end=\"url(#arrow)\">\
             <title>{}</title></path>",
            x1 + bend,
            x2.saturating_sub(bend),
            escaped(&edge.reasons.join("\n"))
        );
    }
    for (step, frame) in region.steps.iter().zip(&frames) {
        draw(step, *frame, out);
    }
}

fn draw(step: &Step, frame: Frame, out: &mut String) {
    let Frame { x, y, width, height } = frame;
    let (stroke, thick) = match step.outside {
        true => ("#c00", 2),
        false => ("#99a", 1),
    };
    let summary = summary(step);
    let _ = writeln!(
        out,
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\" fill=\"#f6f7fb\" stroke=\"{stroke}\" \
         stroke-width=\"{thick}\"/><text x=\"{}\" y=\"{}\" font-weight=\"bold\" fill=\"#223\">{}</text>\
         <text x=\"{}\" y=\"{}\" fill=\"#445\">{}</text></g>",
        escaped(&summary),
        x + 10,
        y + 18,
        escaped(&short(&step.id)),
        x + 10,
        y + 35,
        escaped(&short(&summary))
    );
    let mut below = y + STEP.1;
    for inner in inside(step) {
        region(inner, (x + PADDING, below), out);
        below += size_of_region(inner).1 + PADDING;
    }
}

fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > LETTERS {
        true => format!("{}…", line.chars().take(LETTERS - 1).collect::<String>()),
        false => line,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
