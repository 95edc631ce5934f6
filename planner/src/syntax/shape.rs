//! The shapes of the language's maps: one definition that reads them, describes them in a JSON Schema and documents them.

/// A map of the language: which keys it takes.
#[derive(Debug)]
pub struct Shape {
    /// As messages say it ("a transform").
    pub what: &'static str,
    pub doc: &'static str,
    /// Shapes whose keys it has, too.
    pub with: &'static [&'static Shape],
    pub keys: &'static [Key],
}

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// A second name, from 1.x.
    pub alias: Option<&'static str>,
    pub form: Form,
    pub required: bool,
    /// Whether `name_expression` gives the value by Python.
    pub python: bool,
    /// Whether the run may give the value when the step starts, by Jinja or Python, though the plan needs it.
    pub deferred: bool,
    /// Whether empty text counts as missing.
    pub filled: bool,
    /// What holds where it is left out, as Markdown.
    pub default: Option<&'static str>,
    pub doc: &'static str,
}

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Plain text, known when planning: no template.
    Name,
    /// Text for people, as it stands: templates in it are text, too.
    Label,
    /// A step's id: one line of text.
    Id,
    /// An HTTP method, as text.
    Method,
    /// A path into the JSON of a response: `data.items[0]`.
    Path,
    /// A path as above, or a JSONPath (RFC 9535): `$.orders[?@.total > 10]`.
    JsonPath,
    /// One of these.
    Choice(&'static [&'static str]),
    /// `true` or `false`, known when planning.
    Flag,
    /// A number above 0, known when planning.
    Positive,
    /// A time above 0, known when planning: seconds, or text like `500ms`, `10s`, `minute`.
    Duration,
    /// A whole number above 0, known when planning.
    Whole,
    /// A whole number above 0, or `auto`.
    Concurrency,
    /// A number of bytes above 0, known when planning: a number, or text like `64MB`.
    Size,
    /// A number of rows from 0, or a part of them like `5%`, known when planning.
    Rejects,
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// A whole number from 0, known when planning.
    Count,
    /// Text, a number or a boolean; text may hold Jinja.
    Text,
    /// Any value; the strings in it may hold Jinja.
    Value,
    /// Only Python: `name` alone does not exist.
    Code,
    /// A map whose single entries may be given as `entry_expression`.
    Entries,
    /// HTTP statuses: one, or a list.
    Statuses,
    /// Variables to set.
    Variables,
    /// Column names and types.
    Columns,
    /// An id, or a list of them.
    Ids,
    /// A host (`api.shop.com`, `*.shop.com`), or a list of them.
    Hosts,
    /// A list of steps.
    Steps,
    /// A map of names to plain values: no templates.
    Plain,
    /// A map of this shape.
    Map(&'static Shape),
    /// A list of maps of this shape.
    List(&'static Shape),
    /// A map whose `type` says which of these shapes it has.
    OneOf(&'static [(&'static str, &'static Shape)]),
}

impl Key {
    /// Creates an optional key.
    pub const fn new(name: &'static str, form: Form, doc: &'static str) -> Key {
        // Known when planning, or when the step starts at the latest.
        let deferred = matches!(
            form,
            Form::Choice(_)
                | Form::Flag
                | Form::Positive
                | Form::Duration
                | Form::Whole
                | Form::Concurrency
                | Form::Size
                | Form::Rejects
                | Form::Words(_)
                | Form::Count
        );
        let python = deferred
            || matches!(
                form,
                Form::Text
                    | Form::Method
                    | Form::Value
                    | Form::Code
                    | Form::Entries
                    | Form::Statuses
                    | Form::Columns
            );
        Key {
            name,
            alias: None,
            form,
            required: false,
            python,
            deferred,
            filled: false,
            default: match form {
                Form::Flag => Some("`false`"),
                _ => None,
            },
            doc,
        }
    }

    /// Returns the same key, and what holds where it is left out, as Markdown.
    pub const fn default(self, default: &'static str) -> Key {
        Key {
            default: Some(default),
            ..self
        }
    }

    /// Returns the same key, and missing is an error.
    pub const fn required(self) -> Key {
        Key {
            required: true,
            ..self
        }
    }

    /// Returns the same key, and empty text is as good as none.
    pub const fn filled(self) -> Key {
        Key { filled: true, ..self }
    }

    /// Returns the same key, also known by another name.
    pub const fn or(self, alias: &'static str) -> Key {
        Key {
            alias: Some(alias),
            ..self
        }
    }

    /// Returns the same key, also as `name_expression`.
    pub const fn or_python(self) -> Key {
        Key { python: true, ..self }
    }

    /// Returns the same key, and its value may be computed when the step starts.
    pub const fn deferred(self) -> Key {
        Key {
            deferred: true,
            python: true,
            ..self
        }
    }

    /// Returns the same key, and its value is needed to plan the flow.
    pub const fn planned(self) -> Key {
        Key {
            deferred: false,
            python: false,
            ..self
        }
    }

    /// Tells whether `name` itself can be written.
    pub fn plain(&self) -> bool {
        !matches!(self.form, Form::Code)
    }

    /// Tells whether `written` is a way to write the key.
    pub fn is(&self, written: &str) -> bool {
        let named = |name: &str| name == self.name || Some(name) == self.alias;
        match written.strip_suffix(EXPRESSION) {
            Some(name) => self.python && named(name),
            None => self.plain() && named(written),
        }
    }

    /// Returns every way to write the key.
    pub fn spellings(&self) -> impl Iterator<Item = String> {
        let names = || std::iter::once(self.name).chain(self.alias);
        let plain = names().filter(|_| self.plain()).map(str::to_string);
        let python = names()
            .filter(|_| self.python)
            .map(|n| format!("{n}{EXPRESSION}"));
        plain.chain(python)
    }
}

/// What the names of keys begin with that mean nothing to us: room for anchors, notes and other tools.
pub const FREE: &str = "x-";

/// What a key ends in when its value is Python.
pub const EXPRESSION: &str = "_expression";

impl Shape {
    /// Returns all keys, shared ones first.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> {
        let with = self.with.iter().flat_map(|shape| shape.keys);
        with.chain(self.keys)
    }

    /// Returns the key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|k| k.name == name)
    }
}
