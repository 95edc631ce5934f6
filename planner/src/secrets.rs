//! Which values are secrets, by their names; and a plan as it may be shown.

/// Tells whether a value of this name is a secret, wherever it comes from. Tokens that page through results are not.
pub fn is_secret_name(name: &str) -> bool {
    const ENDINGS: [&str; 20] = [
        "password",
        "passwd",
        "pwd",
        "pw",
        "pass",
        "passphrase",
        "signature",
        "sig",
        "auth",
        "cookie",
        "secret",
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "apitoken",
        "idtoken",
        "apikey",
        "privatekey",
        "authorization",
        "credential",
    ];
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let paging = ["page", "next", "cursor", "continuation", "sync"]
        .iter()
        .any(|p| plain.contains(p));
    plain == "token" || (!paging && (ENDINGS.iter().any(|e| plain.ends_with(e)) || plain.ends_with("token")))
}

/// Tells whether the value of a variable of this name is a secret, by the words in it: `api_key`, `SHOP_TOKEN`, `dbPassword`.
/// Keys of tables and marks of pages are not.
pub fn is_secret_variable(name: &str) -> bool {
    const ROOTS: [&[u8]; 7] = [
        b"token",
        b"key",
        b"secret",
        b"pass",
        b"pwd",
        b"credential",
        b"auth",
    ];
    let bytes = name.as_bytes();
    let has = |root: &[u8]| {
        bytes
            .windows(root.len())
            .any(|part| part.eq_ignore_ascii_case(root))
    };
    // Asked of each variable that is read: most names have none of them.
    if !ROOTS.iter().any(|root| has(root)) {
        return false;
    }
    let words = words(name);
    let word = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if word(&["page", "next", "cursor", "continuation", "sync"]) {
        return false;
    }
    if word(&["key", "keys"])
        && !word(&[
            "primary",
            "foreign",
            "sort",
            "partition",
            "public",
            "unique",
            "natural",
        ])
    {
        return true;
    }
    is_secret_name(name)
        || word(&[
            "token",
            "tokens",
            "secret",
            "secrets",
            "password",
            "passwords",
            "pwd",
            "credential",
            "credentials",
            "auth",
        ])
}

/// The words of a name, in lower case: parts between signs, and those that begin with a capital.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && lower_before) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        lower_before = c.is_ascii_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::is_secret_variable;

    #[test]
    fn names_that_say_so() {
        for name in [
            "KEY",
            "api_key",
            "apiKey",
            "SHOP_TOKEN",
            "db_password",
            "dbPwd",
            "auth",
            "client_secret",
            "apikey",
        ] {
            assert!(is_secret_variable(name), "{name}");
        }
        for name in [
            "keyword",
            "monkey",
            "primary_key",
            "next_page_token",
            "author",
            "passenger",
            "shop",
            "page_token",
        ] {
            assert!(!is_secret_variable(name), "{name}");
        }
    }
}
