//! The keys of a request.

use super::incremental::INCREMENTAL;
use super::pagination::PAGINATIONS;
use crate::syntax::{Form, Key, REQUEST_LIMITS, Shape};

pub(super) static REQUEST: Shape = Shape {
    what: "a request",
    doc: "The HTTP request. It is evaluated once for each row; from page to page only what `pagination` sets changes, and `while` evaluates it anew.",
    with: &[&REQUEST_LIMITS],
    keys: &[
        Key::new(
            "source",
            Form::Name,
            "The http source: its auth, variables, headers and limits.",
        )
        .deferred(),
        Key::new(
            "url",
            Form::Text,
            "The whole url, or a path from `/` that is joined to the source's `base_url`.",
        )
        .required()
        .filled(),
        Key::new("method", Form::Method, "The HTTP method.").default("`GET`"),
        Key::new(
            "path_parameters",
            Form::Entries,
            "What stands for `{name}` in the url: each value is one segment of the path, encoded.",
        ),
        Key::new(
            "parameters",
            Form::Entries,
            "The query string; null entries are left out.",
        )
        .or("params"),
        Key::new("headers", Form::Entries, "Headers; null entries are left out."),
        Key::new(
            "body_format",
            Form::Choice(&[
                "json",
                "form_urlencoded",
                "text",
                "xml",
                "multipart_form_data",
                "binary",
            ]),
            "How the body is written.",
        ).default("`json`")
        .deferred(),
        Key::new(
            "pagination",
            Form::OneOf(PAGINATIONS),
            "How the API gives its rows page by page, instead of `while`.",
        ),
        Key::new(
            "incremental",
            Form::Map(&INCREMENTAL),
            "How it asks only for what is new since the last run.",
        ),
        Key::new(
            "conditional",
            Form::Flag,
            "`true`: the marks of the last run (`ETag`, `Last-Modified`) are sent along; where the API answers 304, nothing has changed and the tables stay as they are.",
        ),
        Key::new(
            "safe",
            Form::Flag,
            "`true`: the request changes nothing at the other side, though its method is none of GET, HEAD and OPTIONS (a search by POST, a query).",
        ),
        Key::new(
            "idempotent",
            Form::Flag,
            "Whether sending the request twice is the same as sending it once, so that a run that is gone on with may send it again.",
        ).default("as its method says (PUT, DELETE and PATCH are), or `idempotency_key`"),
        Key::new(
            "idempotency_key",
            Form::Text,
            "Sent as `Idempotency-Key`, the same in every attempt; `true` makes one up for each request. With it a POST may be sent again.",
        ),
        Key::new(
            "body",
            Form::Value,
            "The body. In it, a string that renders to exactly `__NULL__` becomes null.",
        ),
    ],
};
