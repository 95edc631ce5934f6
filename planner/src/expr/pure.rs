//! Which Python reaches outside of the run: what it does can't be taken back, so its step keeps its place in the flow.

use ruff_python_ast::{Expr, Stmt};

/// Modules whose functions only compute.
const PURE: &[&str] = &[
    "__future__",
    "abc",
    "array",
    "ast",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "colorsys",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "dateutil",
    "decimal",
    "difflib",
    "email.utils",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "jwt",
    "keyword",
    "locale",
    "math",
    "numbers",
    "numpy",
    "operator",
    "orjson",
    "os",
    "pprint",
    "pytz",
    "quopri",
    "random",
    "re",
    "secrets",
    "shlex",
    "slugify",
    "stat",
    "statistics",
    "string",
    "struct",
    "sys",
    "textwrap",
    "time",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "unicodedata",
    "unidecode",
    "urllib.parse",
    "uuid",
    "warnings",
    "xml.etree",
    "xml.sax.saxutils",
    "xmltodict",
    "yaml",
    "zlib",
    "zoneinfo",
];

/// Modules that only partly compute: the names that do.
const PARTLY: &[(&str, &[&str])] = &[
    (
        "os",
        &[
            "environ", "getenv", "path", "sep", "linesep", "name", "fspath", "urandom",
        ],
    ),
    (
        "time",
        &[
            "time",
            "time_ns",
            "strftime",
            "strptime",
            "gmtime",
            "localtime",
            "mktime",
            "monotonic",
            "perf_counter",
            "ctime",
            "asctime",
            "timezone",
            "tzname",
            "struct_time",
        ],
    ),
    (
        "sys",
        &["version", "version_info", "platform", "maxsize", "byteorder"],
    ),
    ("io", &["StringIO", "BytesIO"]),
];

/// Methods that change a list, a map or a set in place.
pub const CHANGING: &[&str] = &[
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// Functions that need no import.
const BUILTINS: &[&str] = &[
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "compile",
    "__import__",
    "breakpoint",
];

/// The part of a partly pure module that is not, if `name` of `module` is one.
fn part(module: &str, name: &str) -> Option<String> {
    let (_, names) = PARTLY.iter().find(|(known, _)| *known == module)?;
    (!names.contains(&name)).then(|| format!("uses {module}.{name}"))
}

fn is_pure(module: &str) -> bool {
    let below = |known: &str| {
        module
            .strip_prefix(known)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    PURE.iter().any(|known| module == *known || below(known))
}

/// Returns what an import brings that reaches outside, as messages say it.
pub fn imports_outside(stmt: &Stmt) -> Option<String> {
    match stmt {
        Stmt::Import(import) => {
            let names = import.names.iter().map(|alias| alias.name.as_str());
            names
                .filter(|name| !is_pure(name))
                .map(|name| format!("imports {name}"))
                .next()
        }
        Stmt::ImportFrom(import) => {
            let module = import.module.as_ref().map_or("", |name| name.as_str());
            import.names.iter().find_map(|alias| {
                let name = alias.name.as_str();
                let whole = format!("{module}.{name}");
                match is_pure(module) || is_pure(&whole) {
                    true => part(module, name),
                    false => Some(format!("imports {module}")),
                }
            })
        }
        _ => None,
    }
}

/// Returns what an expression does outside, as messages say it.
pub fn reaches_outside(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => BUILTINS
            .iter()
            .find(|known| **known == name.id.as_str())
            .map(|known| format!("calls {known}")),
        Expr::Attribute(attribute) => match &*attribute.value {
            Expr::Name(name) => part(name.id.as_str(), attribute.attr.as_str()),
            _ => None,
        },
        _ => None,
    }
}
