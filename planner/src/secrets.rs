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
