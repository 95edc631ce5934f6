//! Random flows, run as planned and run top to bottom: the end must be the same, also when steps fail.

use std::fmt::Write;
use std::sync::Mutex;

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};
use crate::support::state::{Stage, tables, variables};

/// Flows tried in one run of the tests.
const FLOWS: u64 = 40;

/// xorshift64*: the same flows in every run, so that a failure can be looked at.
struct Random {
    state: u64,
    /// Whether some steps fail.
    failing: bool,
}

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn variable(&mut self) -> char {
        ['a', 'b', 'c'][self.below(3)]
    }

    fn table(&mut self) -> String {
        format!("t{}", self.below(4))
    }
}

/// An API with a state: a sum that POSTs add to, and pages.
fn api() -> Server {
    let sum = Mutex::new(0);
    Server::start(move |asked: &Asked| -> Reply {
        let mut sum = sum.lock().unwrap();
        match asked.method.as_str() {
            "GET" if asked.path == "/fails" => json(r#"{"error": "no"}"#).status(404),
            "POST" => {
                let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
                *sum = (*sum + body["v"].as_i64().unwrap()) % 1009;
                json("{}")
            }
            _ => match asked.parameter("page") {
                Some(page) => {
                    let next = page.parse::<i64>().unwrap() + 1;
                    json(format!(
                        r#"{{"rows":[{{"k":{page},"v":{}}}],"next":{next}}}"#,
                        *sum
                    ))
                }
                None => json(format!(r#"{{"rows":[{{"k":1,"v":{}}}],"next":0}}"#, *sum)),
            },
        }
    })
}

const COLUMNS: &str = "columns: {k: integer, v: integer}, data_expression: \"response.json()['rows']\"";

fn steps(random: &mut Random, count: usize, indent: usize, depth: usize, out: &mut String) {
    for _ in 0..count {
        step(random, indent, depth, out);
    }
}

#[allow(clippy::too_many_lines)]
fn step(random: &mut Random, indent: usize, depth: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    let (x, y) = (random.variable(), random.variable());
    let (t, u) = (random.table(), random.table());
    let failing = random.failing && random.below(6) == 0;
    let simple = match if failing {
        20 + random.below(5)
    } else {
        random.below(17)
    } {
        0 => format!("- op: set_variable\n  set: {{{x}_expression: (var('{y}') * 3 + 1) % 101}}\n"),
        1 => format!(
            "- op: transform\n  source: stage\n  target_table: {t}\n  query: select k, (v + {{{{ var('{x}') }}}}) % 997 as v from {u}\n"
        ),
        2 => format!(
            "- op: transform\n  source: stage\n  target_table: {t}\n  write_mode: append\n  query: select k, v from {u} where k = 1 and v % 3 = 0\n"
        ),
        3 => format!(
            "- op: execute\n  source: stage\n  statement: |\n    update {t} set v = v + 1 where k = 1;\n    delete from {u} where v > 900\n"
        ),
        4 => format!(
            "- op: execute\n  source: stage\n  statement: \"insert into {t} values (3, {{{{ var('{x}') }}}})\"\n"
        ),
        5 => format!(
            "- op: http_request\n  request: {{source: api, url: /rows}}\n  response:\n    tables:\n      - {{source: stage, table: {t}, {COLUMNS}}}\n    variables: {{{x}_expression: \"response.json()['rows'][0]['v']\"}}\n"
        ),
        6 => format!(
            "- op: http_request\n  for_each: {{source: stage, table: {t}, as: row}}\n  request:\n    source: api\n    url: /add\n    method: POST\n    body_expression: \"{{'v': var('row')['v']}}\"\n"
        ),
        7 => format!("- op: print\n  message: \"{{{{ var('{x}') }}}} {{{{ var('{y}') }}}}\"\n"),
        8 => format!(
            "- op: set_variable\n  set: {{{x}_expression: \"int(query_scalar('stage', 'select coalesce(sum(v), 0) from {t}')) % 101\"}}\n"
        ),
        9 => format!(
            "- op: http_request\n  init: {{variables: {{page: 1}}}}\n  request:\n    source: api\n    url: /rows\n    parameters: {{page: \"{{{{ var('page') }}}}\"}}\n  response:\n    tables:\n      - {{source: stage, table: {t}, {COLUMNS}}}\n    variables: {{page_expression: \"response.json()['next']\"}}\n    while_expression: response.json()['next'] < 4\n"
        ),
        10 => format!("- op: run_flow\n  flow: helper\n  parameters: {{p_expression: var('{x}')}}\n"),
        // The flow's own variables, by the names of the project's; a null lets those be seen.
        11 => format!(
            "- op: set_variable\n  set: {{{x}: {{value_expression: (var('{y}') + 5) % 101, scope: local}}}}\n"
        ),
        12 => format!("- op: set_variable\n  set: {{{x}: {{value: null, scope: local}}}}\n"),
        // What only the run knows.
        13 => format!(
            "- op: run_flow\n  flow: \"{{{{ 'help' ~ 'er' }}}}\"\n  parameters: {{p_expression: var('{x}')}}\n"
        ),
        14 => format!("- op: run_flow\n  flow: down\n  parameters: {{{x}: 2}}\n"),
        15 => format!(
            "- op: transform\n  source: \"{{{{ 'stage' }}}}\"\n  target_table: \"{{{{ '{t}' }}}}\"\n  write_mode: \"{{{{ 'create' }}}}\"\n  query: select k, (v + 1) % 997 as v from {u}\n"
        ),
        // Steps that fail, some of them passed over.
        20 => format!(
            "- op: http_request\n  request: {{source: api, url: /fails}}\n  response:\n    tables:\n      - {{source: stage, table: {t}, {COLUMNS}}}\n"
        ),
        21 => format!(
            "- op: transform\n  source: stage\n  target_table: {t}\n  query: select k, v, nothing from {u}\n"
        ),
        22 => format!("- op: set_variable\n  set: {{{x}_expression: 1 // (var('{y}') % 2)}}\n"),
        23 => format!(
            "- op: http_request\n  on_error: continue\n  request: {{source: api, url: /fails}}\n  response:\n    variables: {{{x}: 1}}\n"
        ),
        24 => format!("- op: print\n  on_error: continue\n  message_expression: 1 // (var('{x}') % 2)\n"),
        _ if depth == 0 => format!("- op: set_variable\n  set: {{{x}_expression: var('{y}')}}\n"),
        _ => {
            nested(random, indent, depth - 1, x, &t, out);
            return;
        }
    };
    for line in simple.lines() {
        let _ = writeln!(out, "{pad}{line}");
    }
}

/// A step with steps inside.
fn nested(random: &mut Random, indent: usize, depth: usize, x: char, t: &str, out: &mut String) {
    let pad = "  ".repeat(indent);
    let inside = |random: &mut Random, more: usize, out: &mut String| {
        let count = 1 + random.below(2);
        steps(random, count, indent + more, depth, out);
    };
    match random.below(5) {
        0 => {
            let _ = writeln!(
                out,
                "{pad}- op: if\n{pad}  conditions:\n{pad}    - condition_expression: var('{x}') % 2 == 0\n{pad}      then:"
            );
            inside(random, 4, out);
            let _ = writeln!(out, "{pad}  else:");
            inside(random, 2, out);
        }
        1 => {
            let _ = writeln!(out, "{pad}- op: block\n{pad}  steps:");
            inside(random, 2, out);
        }
        2 => {
            let n = format!("n{}", random.below(1000));
            let _ = writeln!(
                out,
                "{pad}- op: set_variable\n{pad}  set: {{{n}: {{value: 0, scope: local}}}}"
            );
            let _ = writeln!(
                out,
                "{pad}- op: while\n{pad}  condition_expression: var('{n}') < 2\n{pad}  steps:"
            );
            let _ = writeln!(
                out,
                "{pad}    - op: set_variable\n{pad}      set: {{{n}: {{value_expression: var('{n}') + 1, scope: local}}}}"
            );
            inside(random, 2, out);
        }
        3 => {
            let _ = writeln!(
                out,
                "{pad}- op: for_each\n{pad}  source: stage\n{pad}  table: {t} order by k, v\n{pad}  as: each\n{pad}  steps:"
            );
            let _ = writeln!(
                out,
                "{pad}    - op: set_variable\n{pad}      set: {{{x}_expression: \"(var('{x}') + var('each')['v']) % 101\"}}"
            );
        }
        _ => {
            let _ = writeln!(out, "{pad}- op: try\n{pad}  steps:");
            inside(random, 2, out);
            let _ = writeln!(
                out,
                "{pad}    - op: print\n{pad}      message_expression: 1 // (var('{x}') % 2)\n{pad}  catch:"
            );
            inside(random, 2, out);
        }
    }
}

const HELPER: &str = "\
- op: transform
  source: stage
  target_table: t3
  write_mode: append
  query: \"select 5 as k, {{ var('p') }} as v\"
- op: set_variable
  set: {c_expression: (var('p') + 7) % 101}
";

/// Calls itself, its parameter being one of the names of variables.
const DOWN: &str = "\
- op: set_variable
  set: {depth_expression: \"(var('depth') if is_var_defined('depth') else 0) + 1\"}
- op: print
  message: \"down {{ var('depth') }} {{ var('a') }} {{ var('b') }} {{ var('c') }}\"
- op: if
  conditions:
    - condition_expression: var('depth') % 3 != 0
      then:
        - op: run_flow
          flow: down
          parameters: {b_expression: (var('a') + 1) % 50}
- op: transform
  source: stage
  target_table: t2
  write_mode: append
  query: \"select 7 as k, {{ var('depth') }} as v\"
";

fn flow(seed: u64) -> String {
    let mut random = Random {
        state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        failing: seed % 2 == 1,
    };
    let mut out = String::from("- op: set_variable\n  set: {a: 1, b: 2, c: 3}\n");
    for t in 0..4 {
        let _ = writeln!(
            out,
            "- op: execute\n  source: stage\n  statement: create or replace table t{t} as select 1 as k, {t} as v union all select 2, 10"
        );
    }
    steps(&mut random, 9, 0, 2, &mut out);
    out
}

/// What is left after a run: what it printed, the tables, the variables, and the requests that change something; and the
/// other requests.
fn end(flow: &str, args: &[&str]) -> (String, Vec<String>) {
    let api = api();
    let project = Project::new()
        .file("flows/main.yaml", flow)
        .file("flows/helper.yaml", HELPER)
        .file("flows/down.yaml", DOWN)
        .file(
            "sources/api.yaml",
            &format!("type: http\nbase_url: {}\n", api.url),
        );
    let ran = project.sequor(&[&["run", "main"], args].concat());
    let mut out = format!("exit {}\n{}", ran.code, ran.stdout);
    assert!(matches!(ran.code, 0 | 1), "{flow}\n{}", ran.all());
    tables(&project, &Stage::Staging, &mut out);
    variables(&project, &mut out);
    let asked = api.asked();
    let (reads, writes): (Vec<_>, Vec<_>) = asked.iter().partition(|a| a.method == "GET");
    let line = |a: &&Asked| format!("{} {} {} {}", a.method, a.path, a.query, a.body);
    let mut writes: Vec<String> = writes.iter().map(line).collect();
    // Those of one fan-out come in any order.
    writes.sort();
    let _ = writeln!(out, "\n{}", writes.join("\n"));
    (out, reads.iter().map(line).collect())
}

#[test]
fn concurrent_runs_end_as_runs_in_order() {
    let (from, flows) = match std::env::var("FLOW_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => (seed, 1),
        None => (0, FLOWS),
    };
    let seeds = Mutex::new(from..from + flows);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.lock().unwrap().next() else {
                        return;
                    };
                    let flow = flow(seed);
                    let ((planned, asked), (ordered, reads)) = (end(&flow, &[]), end(&flow, &["--in-order"]));
                    // What is asked ahead may be more than what was asked in order, and not less.
                    let mut left = asked.clone();
                    let missing = reads
                        .iter()
                        .any(|read| match left.iter().position(|a| a == read) {
                            Some(at) => {
                                left.swap_remove(at);
                                false
                            }
                            None => true,
                        });
                    if planned != ordered || missing {
                        let text =
                            format!("FLOW_SEED={seed}\n{flow}\nas planned:\n{planned}\nin order:\n{ordered}");
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} flows:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
