//! What is wrong with an incremental request where it stands.

use serde_json::Value as Json;

use super::frame::Frame;
use super::steps::Resolver;
use crate::codes::Code;
use crate::expr::Prop;
use crate::ops::{
    ColumnValue, Columns, FlowStep, INCREMENTAL_IN_LOOP, Incremental, Order, ParameterPlace, Precision,
    ResponseTable, WriteMode, check_cursor, counts_numbers, lead,
};
use crate::plan::HttpStep;
use crate::span::Place;

impl Resolver<'_> {
    /// Reports what can't be known of an incremental request by itself.
    pub(super) fn check_incremental(&mut self, step: &FlowStep, http: &HttpStep, frame: &Frame) {
        let (Some(incremental), Some(asks)) = (&http.request.request.incremental, &http.asks) else {
            return;
        };
        // What only the run knows is looked at when the step starts.
        if step.deferred.is_some() {
            return;
        }
        if step.id.is_none() {
            let message = "how far `incremental` got is kept under the step's name, and this one has no `id`";
            self.d
                .error(Code::MissingKey, step.place.clone(), message)
                .help("add an `id`");
        }
        check_cursor(&http.request.response, incremental, self.d);
        self.check_names_around(frame, &incremental.place);
        if frame.rounds > 0 {
            let (message, help) = INCREMENTAL_IN_LOOP;
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help(help);
        }
        self.check_window_parameters(http, incremental);
        self.check_clock(http, incremental);
        self.check_format(http, incremental);
        if asks.start && incremental.start_param.is_none() && incremental.initial.is_none() {
            let message = "the request uses `var('window')['start']`, which is null in the first run";
            self.d
                .error(Code::MissingKey, incremental.place.clone(), message)
                .help("add `initial`, like `initial: 2024-01-01`; `start_param` leaves the parameter out where there is no start");
        }
        let tables = http.request.response.tables.iter();
        for table in tables.filter(|table| table.write_mode == WriteMode::ReplaceRange) {
            self.check_whose(table, http, &incremental.place);
        }
        if incremental.order == Order::Ascending && !asks.start {
            let message = "`order: ascending` goes on from the last row that came, and the request does not say where it starts";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("add `start_param`, or use `{{ var('window')['start'] }}` in the request");
        }
        // Of a number nobody knows where it ends, which is told.
        let windows = incremental.window.is_some() && !counts_numbers(&http.request.response, incremental);
        if windows && !asks.end {
            let message = "`window` asks for a part at a time, and the request does not say where it ends";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("add `end_param`, or use `{{ var('window')['end'] }}` in the request");
        }
        if windows && !asks.start {
            let message = "`window` asks for a part at a time, and the request does not say where it starts";
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("add `start_param`, or use `{{ var('window')['start'] }}` in the request");
        }
        if windows && incremental.initial.is_none() {
            let message = "`window` begins at `initial`, which is missing";
            self.d
                .error(Code::MissingKey, incremental.place.clone(), message)
                .help("add `initial`, like `initial: 2024-01-01`");
        }
    }

    /// Reports parameters that would take each other's place.
    fn check_window_parameters(&mut self, http: &HttpStep, incremental: &Incremental) {
        let pages = http.request.request.pagination.as_ref();
        let pages = pages.filter(|pagination| pagination.place == ParameterPlace::Query);
        let pages = pages.map_or_else(Vec::new, |pagination| pagination.parameters());
        let given = match &http.request.request.parameters {
            Some(Prop::Map(entries)) => entries.iter().map(|(name, _)| name.as_str()).collect(),
            Some(Prop::Literal(Json::Object(entries))) => entries.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let params = [
            ("start_param", incremental.start_param.as_deref()),
            ("end_param", incremental.end_param.as_deref()),
        ];
        for (key, name) in params {
            let Some(name) = name else { continue };
            let other = match name {
                "" => Some("is empty".to_string()),
                name if pages.contains(&name) => Some(format!("is `{name}`, which `pagination` sets")),
                name if given.contains(&name) => Some(format!(
                    "is `{name}`, which `parameters` sets: one would take the place of the other"
                )),
                name if key == "end_param" && incremental.start_param.as_deref() == Some(name) => Some(
                    format!("is `{name}`, as `start_param`: one would take the place of the other"),
                ),
                _ => None,
            };
            if let Some(what) = other {
                self.d
                    .error(
                        Code::BadValue,
                        incremental.place.clone(),
                        format!("`{key}` {what}"),
                    )
                    .help("name the parameter that the API takes it by");
            }
        }
    }

    /// Reports a cursor that says when a row was loaded, and not how new it is.
    fn check_clock(&mut self, http: &HttpStep, incremental: &Incremental) {
        let Some((at, column)) = lead(&http.request.response, incremental) else {
            return;
        };
        let Columns::Declared(columns) = &http.request.response.tables[at].columns else {
            return;
        };
        let is_clock = |value: &Option<ColumnValue>| match value {
            Some(ColumnValue::Given(given)) => given.uses().clock,
            _ => false,
        };
        if columns
            .iter()
            .any(|known| known.name == column && is_clock(&known.value))
        {
            let message = format!(
                "the cursor `{column}` is the time of the load: what is older than the first run would never be asked for again"
            );
            self.d
                .error(Code::BadValue, incremental.place.clone(), message)
                .help("name a column that the API gives, like `updated_at`");
        }
    }

    /// Reports a format by which a range can't be told.
    fn check_format(&mut self, http: &HttpStep, incremental: &Incremental) {
        let Some(format) = &incremental.format else { return };
        let mut tables = http.request.response.tables.iter();
        let exact =
            tables.any(|table| matches!(table.write_mode, WriteMode::Append | WriteMode::ReplaceRange));
        let message = match format.precision() {
            Precision::Recurs => "names no date: the range that it says comes again and again",
            Precision::Period if exact => {
                "names no day, and rows are added or take the place of a range: what else is in its last month or year would be missing, or come twice"
            }
            _ => return,
        };
        self.d
            .error(
                Code::BadValue,
                incremental.place.clone(),
                format!("`format: {}` {message}", format.name()),
            )
            .help("write a day, like `%Y-%m-%d`; with `write_mode: upsert` a month or a year will do");
    }

    /// Reports a table that does not say whose rows it has: those of one row of the for_each would take the place of others.
    fn check_whose(&mut self, table: &ResponseTable, http: &HttpStep, place: &Place) {
        if http.request.for_each.is_none() {
            return;
        }
        let name = table.target.in_short();
        let partition = http.asks.as_ref().and_then(|asks| asks.partition.as_ref());
        let Some(partition) = partition.filter(|partition| !partition.is_empty()) else {
            let message = format!("`write_mode: replace_range` of {name} needs to know whose rows they are");
            self.d
                .error(Code::MissingKey, place.clone(), message)
                .help("name the columns of the for_each's rows in `incremental.partition`");
            return;
        };
        let Columns::Declared(columns) = &table.columns else {
            let message = format!(
                "`write_mode: replace_range` of {name} needs `columns`, which say whose rows they are"
            );
            self.d
                .error(Code::MissingKey, table.place.clone(), message)
                .help("declare the table's columns");
            return;
        };
        for wanted in partition {
            let mut named = columns
                .iter()
                .filter(|column| column.name.eq_ignore_ascii_case(wanted));
            let given = named
                .next()
                .map(|column| matches!(&column.value, Some(value) if !matches!(value, ColumnValue::Path(_))));
            let what = match given {
                Some(true) => continue,
                Some(false) => format!("its column `{wanted}` comes from the response"),
                None => format!("it has no column `{wanted}`"),
            };
            let message =
                format!("`write_mode: replace_range` of {name} goes by the rows of the for_each, and {what}");
            self.d
                .error(Code::BadValue, table.place.clone(), message)
                .help(format!(
                    "add the row's own: `{wanted}: {{type: text, value: \"{{{{ var('row')['{wanted}'] }}}}\"}}`; another name is given by the for_each's query"
                ));
        }
    }
}
