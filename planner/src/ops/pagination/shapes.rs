//! The keys of `pagination`, by its types.

use crate::syntax::{Form, Key, Shape};

static COMMON: Shape = Shape {
    what: "`pagination`",
    doc: "How the API gives its rows page by page.",
    with: &[],
    keys: &[
        Key::new("type", Form::Name, "What tells the next page.").required(),
        Key::new("max_pages", Form::Whole, "How many pages are asked for at most."),
        Key::new(
            "rows_path",
            Form::Path,
            "Where the page's list of rows is in the response, where the tables don't say it: for rows that Python gives, and for several lists.",
        ),
        Key::new(
            "has_more_path",
            Form::Path,
            "Where the response says whether there is another page: false, 0, null, empty or absent ends the paging.",
        ),
        Key::new(
            "stop_status",
            Form::Statuses,
            "HTTP statuses that mean: past the last page. On the first page they are failures as ever.",
        )
        .deferred(),
    ],
};

/// What puts a parameter into the request.
static PARAMETERS: Shape = Shape {
    what: "`pagination`",
    doc: "Where the parameters go.",
    with: &[],
    keys: &[
        Key::new(
            "in",
            Form::Choice(&["query", "body", "header"]),
            "Where the parameters go. In a body their names are paths: `variables.after`.",
        )
        .default("`query`"),
        Key::new(
            "inject_on_first_request",
            Form::Flag,
            "`false`: the first request goes without the parameters.",
        )
        .default("`true`"),
    ],
};

/// What counts rows.
static COUNTED: Shape = Shape {
    what: "`pagination`",
    doc: "What ends a paging that counts.",
    with: &[],
    keys: &[Key::new(
        "stop_on",
        Form::Choice(&["empty_page", "short_page"]),
        "What ends the paging: a page without rows, or one with fewer than `size`. Rows are counted as the API gave them.",
    ).default("`empty_page`")],
};

/// Every type of pagination.
pub static PAGINATIONS: &[(&str, &Shape)] = &[
    (
        "page_number",
        &Shape {
            what: "`pagination` of type page_number",
            doc: "Pages have numbers. It ends with an empty page, the last of `total_pages_path`, or as `has_more_path` says.",
            with: &[&COMMON, &PARAMETERS, &COUNTED],
            keys: &[
                Key::new("start", Form::Count, "The number of the first page.").default("`1`"),
                Key::new("param", Form::Name, "The parameter that holds the number.")
                    .default("`page`")
                    .deferred(),
                Key::new("size", Form::Whole, "How many rows a page has."),
                Key::new(
                    "size_param",
                    Form::Name,
                    "The parameter that asks for so many rows.",
                )
                .deferred(),
                Key::new(
                    "total_pages_path",
                    Form::Path,
                    "Where the response says how many pages there are.",
                ),
            ],
        },
    ),
    (
        "offset",
        &Shape {
            what: "`pagination` of type offset",
            doc: "Rows have positions; the next page begins behind the rows that came. It ends with an empty page, at the total of `total_path`, or as `has_more_path` says.",
            with: &[&COMMON, &PARAMETERS, &COUNTED],
            keys: &[
                Key::new("start", Form::Count, "The position of the first row.").default("`0`"),
                Key::new("size", Form::Whole, "How many rows a page has.").required(),
                Key::new("param", Form::Name, "The parameter that holds the position.")
                    .default("`offset`")
                    .deferred(),
                Key::new("size_param", Form::Name, "The parameter that holds the size.")
                    .default("`limit`")
                    .deferred(),
                Key::new(
                    "total_path",
                    Form::Path,
                    "Where the response says how many rows there are.",
                ),
            ],
        },
    ),
    (
        "cursor",
        &Shape {
            what: "`pagination` of type cursor",
            doc: "Each response has a mark for the next page, in its body or in a header. It ends when there is none.",
            with: &[&COMMON, &PARAMETERS],
            keys: &[
                Key::new(
                    "cursor_path",
                    Form::JsonPath,
                    "Where the mark is in the response: `meta.next`, `data[-1].id` for that of the last row, or a JSONPath.",
                ),
                Key::new(
                    "cursor_header",
                    Form::Name,
                    "The response header that holds the mark.",
                ),
                Key::new(
                    "cursor",
                    Form::Code,
                    "The mark by Python, of `response`; None or empty when there is no next page.",
                ),
                Key::new("param", Form::Name, "The parameter that holds it.")
                    .default("`cursor`")
                    .deferred(),
            ],
        },
    ),
    (
        "json_link",
        &Shape {
            what: "`pagination` of type json_link",
            doc: "Each response has the url of the next page. It ends when there is none.",
            with: &[&COMMON],
            keys: &[Key::new("next_path", Form::Path, "Where the url is in the response.").required()],
        },
    ),
    (
        "header_link",
        &Shape {
            what: "`pagination` of type header_link",
            doc: "The header `Link` has the url of the next page (RFC 8288). It ends when there is none. Where it has that of the last, too, the pages between are asked for at the same time.",
            with: &[&COMMON],
            keys: &[],
        },
    ),
    (
        "single_page",
        &Shape {
            what: "`pagination` of type single_page",
            doc: "There is one page.",
            with: &[],
            keys: &[Key::new("type", Form::Name, "What tells the next page.").required()],
        },
    ),
    (
        "auto",
        &Shape {
            what: "`pagination` of type auto",
            doc: "The first response shows how to go on: a link in the header `Link` or in the JSON, a cursor, or a count of pages, under the names that APIs use for them.",
            with: &[&COMMON],
            keys: &[],
        },
    ),
];
