//! The plan as a diagram: Graphviz DOT and Mermaid.

use std::fmt::Write;

use crate::explain::summary;
use crate::plan::{Plan, Region, Step};

/// Returns the plan in Graphviz' language (<https://graphviz.org/doc/info/lang.html>).
pub fn dot(plan: &Plan) -> String {
    let mut out = format!(
        "digraph {} {{\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
        quoted(&plan.flow)
    );
    each(&plan.root, &mut |line| match line {
        Line::Open(step) => {
            let _ = writeln!(
                out,
                "  subgraph {} {{\n    label={};",
                quoted(&format!("cluster {}", step.id)),
                quoted(&label(step))
            );
        }
        Line::Close => out.push_str("  }\n"),
        Line::Step(step) => {
            let style = if step.outside {
                ", style=bold, color=red"
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "  {} [label={}{style}];",
                quoted(&step.id),
                quoted(&label(step))
            );
        }
        Line::Edge(from, to, reasons) => {
            let _ = writeln!(
                out,
                "  {} -> {} [label={}];",
                quoted(from),
                quoted(to),
                quoted(&reasons.join("\n"))
            );
        }
    });
    out.push_str("}\n");
    out
}

/// Returns the plan as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    each(&plan.root, &mut |line| match line {
        Line::Open(step) => {
            let _ = writeln!(
                out,
                "  subgraph {}[\"{}\"]",
                name(&step.id),
                escaped(&label(step))
            );
        }
        Line::Close => out.push_str("  end\n"),
        Line::Step(step) => {
            let class = if step.outside { ":::outside" } else { "" };
            let _ = writeln!(out, "  {}[\"{}\"]{class}", name(&step.id), escaped(&label(step)));
        }
        Line::Edge(from, to, reasons) => {
            let _ = writeln!(
                out,
                "  {} -->|\"{}\"| {}",
                name(from),
                escaped(&reasons.join("\n")),
                name(to)
            );
        }
    });
    out.push_str("  classDef outside stroke:#c00,stroke-width:2px\n");
    out
}

enum Line<'a> {
    Step(&'a Step),
    Open(&'a Step),
    Close,
    Edge(&'a str, &'a str, &'a [String]),
}

fn each<'a>(region: &'a Region, f: &mut impl FnMut(Line<'a>)) {
    for step in &region.steps {
        let inner: Vec<&Region> = step.action.regions().into_iter().map(|(_, r)| r).collect();
        f(Line::Step(step));
        if inner.iter().any(|r| !r.steps.is_empty()) {
            f(Line::Open(step));
            inner.into_iter().for_each(|r| each(r, f));
            f(Line::Close);
        }
    }
    for edge in &region.edges {
        f(Line::Edge(
            &region.steps[edge.from].id,
            &region.steps[edge.to].id,
            &edge.reasons,
        ));
    }
}

fn label(step: &Step) -> String {
    format!("{}\n{}", step.id, summary(step))
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\n', "<br/>")
}

/// A name that Mermaid takes: letters, digits and `_`, with a prefix so that none is a keyword.
fn name(id: &str) -> String {
    let plain: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_string()
            } else {
                format!("_{:x}_", c as u32)
            }
        })
        .collect();
    format!("s_{plain}")
}
