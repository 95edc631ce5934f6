//! Paging against an API that does what APIs do: pages that are short, empty, capped or filtered, totals that lie, keys that
//! are missing, marks that come again. All rows come out or there is an error; never fewer rows with exit 0, and never more
//! than two requests beyond the pages.

use std::sync::Arc;

use indoc::formatdoc;

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

/// Marsaglia's xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    PageNumber,
    Offset,
    Cursor,
    Link,
    Header,
}

const KINDS: [Kind; 5] = [
    Kind::PageNumber,
    Kind::Offset,
    Kind::Cursor,
    Kind::Link,
    Kind::Header,
];

/// What the API says of the total.
#[derive(Debug, Clone, PartialEq)]
enum Total {
    NotAsked,
    Right,
    Says(&'static str),
}

#[derive(Debug, Clone)]
struct Api {
    kind: Kind,
    /// The ids of each page's rows.
    pages: Vec<Vec<u64>>,
    total: Total,
    has_more: bool,
    /// The last page leads back to an earlier one.
    circle: bool,
    /// Where the step looks for the rows: only the odd ones are kept.
    filtered: bool,
}

impl Api {
    fn random(random: &mut Random) -> Api {
        let kind = KINDS[random.below(5) as usize];
        let size = 1 + random.below(4);
        let by_marks = matches!(kind, Kind::Cursor | Kind::Link | Kind::Header);
        let mut next = 0;
        let count = 1 + random.below(6);
        let pages: Vec<Vec<u64>> = (0..count)
            .map(|_| {
                // An empty page ends what is counted: there it can't be in the middle.
                let rows = match by_marks && random.one_in(4) {
                    true => 0,
                    false => 1 + random.below(size),
                };
                (0..rows)
                    .map(|_| {
                        next += 1;
                        next
                    })
                    .collect()
            })
            .collect();
        let totals = ["0", "null", "\"many\"", "1000", "-3"];
        let total = match random.below(4) {
            _ if by_marks => Total::NotAsked,
            0 => Total::NotAsked,
            1 => Total::Right,
            _ => Total::Says(totals[random.below(5) as usize]),
        };
        Api {
            kind,
            total,
            has_more: random.one_in(3),
            circle: by_marks && count > 1 && random.one_in(5),
            filtered: random.one_in(2),
            pages,
        }
    }

    /// Which page is asked for; none past the end.
    fn page(&self, asked: &Asked) -> Option<usize> {
        let number = |name: &str| asked.parameter(name).and_then(|text| text.parse::<usize>().ok());
        let at = match self.kind {
            Kind::PageNumber => number("page")? - 1,
            Kind::Offset => {
                let offset = number("offset")?;
                let mut before = 0;
                let mut found = self.pages.len();
                for (at, page) in self.pages.iter().enumerate() {
                    if before == offset {
                        found = at;
                        break;
                    }
                    before += page.len();
                }
                found
            }
            _ => number("mark").unwrap_or(0),
        };
        (at < self.pages.len()).then_some(at)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let page = self.page(asked);
        let rows = page.map_or(&[][..], |at| &self.pages[at]);
        let rows: Vec<String> = rows
            .iter()
            .map(|id| format!("{{\"id\": {id}, \"odd\": {}}}", id % 2))
            .collect();
        let mut body = format!("{{\"rows\": [{}]", rows.join(","));
        let all: usize = self.pages.iter().map(Vec::len).sum();
        match &self.total {
            Total::NotAsked => {}
            Total::Right if self.kind == Kind::PageNumber => {
                body.push_str(&format!(", \"total\": {}", self.pages.len()));
            }
            Total::Right => body.push_str(&format!(", \"total\": {all}")),
            Total::Says(total) => body.push_str(&format!(", \"total\": {total}")),
        }
        let last = page.is_none_or(|at| at + 1 == self.pages.len());
        if self.has_more && !(last && self.circle) {
            body.push_str(&format!(", \"more\": {}", !last));
        } else if self.has_more {
            body.push_str(", \"more\": true");
        }
        let next = match (last, self.circle) {
            (false, _) => page.map(|at| at + 1),
            (true, true) => Some(0),
            (true, false) => None,
        };
        let next = next.map(|next| format!("/x?mark={next}"));
        match (self.kind, &next) {
            (Kind::Cursor, Some(next)) => {
                let (_, mark) = next.split_once('=').expect("a mark");
                body.push_str(&format!(", \"next\": \"{mark}\""));
            }
            (Kind::Link, Some(next)) => body.push_str(&format!(", \"next\": \"{next}\"")),
            _ => {}
        }
        body.push('}');
        match (self.kind, next) {
            (Kind::Header, Some(next)) => json(body).header("link", &format!("<{next}>; rel=\"next\"")),
            _ => json(body),
        }
    }

    fn pagination(&self) -> String {
        let mut keys = match self.kind {
            Kind::PageNumber => "type: page_number".to_string(),
            Kind::Offset => "type: offset, size: 4".into(),
            Kind::Cursor => "type: cursor, cursor_path: next, param: mark".into(),
            Kind::Link => "type: json_link, next_path: next".into(),
            Kind::Header => "type: header_link".into(),
        };
        match (self.kind, &self.total) {
            (_, Total::NotAsked) => {}
            (Kind::PageNumber, _) => keys.push_str(", total_pages_path: total"),
            _ => keys.push_str(", total_path: total"),
        }
        if self.has_more {
            keys.push_str(", has_more_path: more");
        }
        keys
    }
}

#[test]
fn all_rows_or_an_error() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..80 {
        let api = Arc::new(Api::random(&mut random));
        let server = {
            let api = api.clone();
            Server::start(move |asked: &Asked| api.answer(asked))
        };
        let path = if api.filtered {
            "$.rows[?@.odd == 1]"
        } else {
            "rows"
        };
        let project = Project::new()
            .file("sources/stage.yaml", "type: staging\n")
            .file(
                "sources/api.yaml",
                // One at a time: those under way past a total that lies are not counted as requests too many.
                &format!("type: http\nbase_url: {}\nconcurrency: 1\n", server.url),
            )
            .file(
                "flows/main.yaml",
                &formatdoc!(
                    r#"
                    - op: http_request
                      id: get
                      request: {{source: api, url: /x, pagination: {{{}}}}}
                      response:
                        tables:
                          - {{source: stage, table: t, columns: {{id: bigint}}, data_path: "{path}"}}
                    "#,
                    api.pagination()
                ),
            );
        let ran = project.sequor(&["run", "main"]);
        let asked = server.asked().len();
        let told = || format!("round {round}: {api:?}\n{asked} requests\n{}", ran.all());
        assert!(asked <= api.pages.len() + 2, "{}", told());
        if ran.code != 0 {
            assert!(api.circle, "{}", told());
            continue;
        }
        assert!(!api.circle, "{}", told());
        let all = api.pages.iter().flatten();
        let wanted: Vec<String> = all
            .filter(|id| !api.filtered || *id % 2 == 1)
            .map(u64::to_string)
            .collect();
        assert_eq!(
            project.rows("stage", "select id from t order by id"),
            wanted,
            "{}",
            told()
        );
    }
}
