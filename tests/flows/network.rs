//! How sources are reached: TLS, proxies, redirects, and hosts that are allowed.

use crate::support::program::{Project, Ran};
use crate::support::server::{Asked, Server, answer, json};
use crate::support::tls::{Authority, TlsServer};
use indoc::formatdoc;

fn project(source: &str, request: &str) -> Project {
    Project::new()
        .file("sources/api.yaml", &format!("type: http\n{source}"))
        .file(
            "flows/main.yaml",
            &formatdoc!(
                "
                - op: http_request
                  request: {{source: api, {request}}}
            "
            ),
        )
}

#[test]
fn an_authority_of_ones_own_and_http2_where_it_is_offered() {
    let authority = Authority::new();
    for (protocols, version) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1")] {
        let server = TlsServer::start(&authority, protocols, false, |_| json("{}"));
        let base = format!("base_url: {}\n", server.url);
        project(&base, "url: /x")
            .sequor(&["run", "main"])
            .fails(1, &["the certificate of localhost", "is not trusted", "ca_cert"]);
        assert!(server.asked().is_empty());
        let trusting = project(&format!("{base}tls: {{ca_cert: certs/ca.pem}}\n"), "url: /x");
        trusting.write("certs/ca.pem", &authority.ca);
        trusting.run("main");
        assert_eq!(server.asked()[0].version, version);
    }
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_where_it_is_named() {
    let own = Authority::of_itself(&["localhost"]);
    let server = TlsServer::start(&own, &["http/1.1"], false, |_| json("{}"));
    let source = format!("base_url: {}\ntls: {{ca_cert: ca.pem}}\n", server.url);
    let trusting = project(&source, "url: /x");
    trusting.write("ca.pem", &own.ca);
    trusting.run("main");
    assert_eq!(server.asked().len(), 1);

    // Another one is not, and neither is this one for another host.
    let other = project(&source, "url: /x");
    other.write("ca.pem", &Authority::of_itself(&["localhost"]).ca);
    other
        .sequor(&["run", "main"])
        .fails(1, &["the certificate of localhost", "ca_cert"]);
    let elsewhere = Authority::of_itself(&["elsewhere.test"]);
    let server = TlsServer::start(&elsewhere, &["http/1.1"], false, |_| json("{}"));
    let source = format!("base_url: {}\ntls: {{ca_cert: ca.pem}}\n", server.url);
    let named = project(&source, "url: /x");
    named.write("ca.pem", &elsewhere.ca);
    named.sequor(&["run", "main"]).fails(1, &["localhost"]);
    assert!(server.asked().is_empty());
}

#[test]
fn a_certificate_of_the_client() {
    let authority = Authority::new();
    let server = TlsServer::start(&authority, &["http/1.1"], true, |_| json("{}"));
    let base = format!("base_url: {}\n", server.url);
    let run = |tls: &str| -> Ran {
        let project = project(
            &formatdoc!(
                "
                {base}tls: {{ca_cert: ca.pem{tls}}}
                retry: {{max_attempts: 1}}
            "
            ),
            "url: /x",
        );
        project.write("ca.pem", &authority.ca);
        project.write("cert.pem", &authority.client_cert);
        project.write("key.pem", &authority.client_key);
        project.write(
            "both.pem",
            &format!("{}{}", authority.client_cert, authority.client_key),
        );
        project.sequor_with(&["run", "main"], &[("CERT", "both.pem")])
    };
    run("").fails(1, &["localhost"]);
    assert!(server.asked().is_empty());
    for tls in [
        ", client_cert: cert.pem, client_key: key.pem",
        ", client_cert: \"{{ env_var('CERT') }}\"",
        ", client_cert_expression: \"'both.pem'\"",
    ] {
        let ran = run(tls);
        assert_eq!(ran.code, 0, "{tls}: {}", ran.all());
    }
    run(", client_cert: none.pem").fails(2, &["none.pem can't be read", "sources/api.yaml"]);
    run(", client_cert: ca.pem").fails(2, &["ca.pem is not what it should be", "PRIVATE KEY"]);
    run(", client_key: key.pem").fails(2, &["`tls` has a `client_key` and no `client_cert`"]);
    // A key never shows, whatever goes wrong with it.
    let ran = run(", client_cert: key.pem");
    ran.fails(2, &["key.pem is not what it should be"]);
    assert!(
        !ran.all()
            .contains(authority.client_key.lines().nth(1).expect("a line"))
    );
}

#[test]
fn proxies_as_the_environment_says() {
    let proxy = Server::start(|asked: &Asked| match asked.method.as_str() {
        "CONNECT" => json("{}").status(403),
        _ => json("{}"),
    });
    let direct = Server::start(|_| json("{}"));
    let run = |url: &str, environment: &[(&str, &str)]| {
        project("", &format!("url: \"{url}\"")).sequor_with(&["run", "main"], environment)
    };
    let ran = run("http://shop.invalid/orders?a=1", &[("HTTP_PROXY", &proxy.url)]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(proxy.asked()[0].header("host"), "shop.invalid");
    let tunnel = run("https://shop.invalid/orders", &[("HTTPS_PROXY", &proxy.url)]);
    tunnel.fails(1, &["shop.invalid"]);
    let asked = proxy.asked();
    assert!(asked.iter().any(|a| a.method == "CONNECT"), "{asked:?}");
    let before = asked.len();
    let here = format!("{}/x", direct.url);
    let ran = run(&here, &[("HTTP_PROXY", &proxy.url), ("NO_PROXY", "127.0.0.1")]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!((proxy.asked().len(), direct.asked().len()), (before, 1));
}

/// A server that redirects `/there/<status>` to another and `/here/<status>` to itself.
fn redirecting(other: &str) -> Server {
    let other = other.to_string();
    Server::start(move |asked: &Asked| {
        let parts: Vec<&str> = asked.path.split('/').collect();
        match parts.as_slice() {
            [_, "there", status] => json("")
                .status(status.parse().expect("a status"))
                .header("location", &format!("{other}/end")),
            [_, "here", status] => json("")
                .status(status.parse().expect("a status"))
                .header("location", "/end?b=2"),
            [_, "file", ..] => json("").status(302).header("location", "file:///etc/passwd"),
            _ => json("{}"),
        }
    })
}

#[test]
fn redirects_keep_credentials_only_at_the_same_server() {
    let other = Server::start(|_| json("{}"));
    let auths = [
        "auth: {type: bearer_token, token: s3cret-token}",
        "auth: {type: basic_auth, username: u, password: s3cret-token}",
        "auth: {type: api_key, key_name: X-Shop, key_value: s3cret-token}",
        "auth: {type: api_key, key_name: k, key_value: s3cret-token, add_to: query}",
        "headers: {X-Api-Key: s3cret-token, Cookie: a=s3cret-token, X-Plain: kept}",
    ];
    for auth in auths {
        let server = redirecting(&other.url);
        for status in [301, 302, 303, 307, 308] {
            let source = format!("base_url: {}\n{auth}\n", server.url);
            project(&source, &format!("url: /there/{status}")).run("main");
            let asked = other.asked();
            let last = asked.last().expect("asked");
            assert_eq!((last.path.as_str(), last.query.as_str()), ("/end", ""));
            assert!(
                !format!("{:?}", last.headers).contains("s3cret"),
                "{auth}: {:?}",
                last.headers
            );
            assert!(last.header("authorization").is_empty() && last.header("x-shop").is_empty());
            // What a source adds is for its API, whatever its name.
            assert!(last.header("x-plain").is_empty());
            project(&source, &format!("url: /here/{status}")).run("main");
            let asked = server.asked();
            let last = asked.last().expect("asked");
            let query = if auth.contains("query") {
                "b=2&k=s3cret-token"
            } else {
                "b=2"
            };
            assert_eq!((last.path.as_str(), last.query.as_str()), ("/end", query));
            if auth.contains("bearer") {
                assert_eq!(last.header("authorization"), "Bearer s3cret-token");
            }
        }
    }
}

#[test]
fn redirected_writes() {
    let other = Server::start(|_| json("{}"));
    let server = redirecting(&other.url);
    let source = format!("base_url: {}\n", server.url);
    let post = |path: &str| {
        project(&source, &format!("url: {path}, method: POST, body: {{a: 1}}")).sequor(&["run", "main"])
    };
    let last = || server.asked().last().cloned().expect("asked");
    // The answer is elsewhere: as browsers do, it is asked for.
    for status in [301, 302, 303] {
        assert_eq!(post(&format!("/here/{status}")).code, 0);
        assert_eq!((last().method.as_str(), last().body.as_str()), ("GET", ""));
    }
    let delete =
        |path: &str| project(&source, &format!("url: {path}, method: DELETE")).sequor(&["run", "main"]);
    assert_eq!(delete("/here/301").code, 0);
    assert_eq!(last().method, "DELETE");
    assert_eq!(delete("/here/302").code, 0);
    assert_eq!(last().method, "GET");
    for status in [307, 308] {
        assert_eq!(post(&format!("/here/{status}")).code, 0);
        assert_eq!(
            (last().method.as_str(), last().body.as_str()),
            ("POST", "{\"a\":1}")
        );
        post(&format!("/there/{status}")).fails(1, &["is redirected to another server"]);
    }
    assert!(other.asked().is_empty());
    project(&source, "url: /file")
        .sequor(&["run", "main"])
        .fails(1, &["redirected to a file url"]);
}

#[test]
fn a_row_can_not_send_requests_elsewhere() {
    let other = Server::start(|_| json("{}"));
    // The same server under another name.
    let elsewhere = other.url.replace("127.0.0.1", "localhost");
    let server = Server::start(move |asked: &Asked| match asked.path.as_str() {
        "/redirect" => json("")
            .status(302)
            .header("location", &format!("{elsewhere}/stolen")),
        _ => json("{}"),
    });
    let source = formatdoc!(
        r#"
            base_url: {}
            allowed_hosts: [api.shop.test, "*.cdn.test"]
            auth: {{type: bearer_token, token: s3cret}}
        "#,
        server.url
    );
    let run = |url: &str| project(&source, &format!("url: \"{url}\"")).sequor(&["run", "main"]);
    assert_eq!(run("/x").code, 0);
    let says = &["`allowed_hosts`", "requests may not go to localhost"];
    run(&other.url.replace("127.0.0.1", "localhost")).fails(1, says);
    run("/redirect").fails(1, says);
    // The host that `allowed_hosts` names as user.
    let port = other.url.rsplit(':').next().expect("a port");
    run(&format!("http://api.shop.test@localhost:{port}/")).fails(1, says);
    assert!(other.asked().is_empty());
    project(
        "allowed_hosts: [\"https://shop.test\", \"a b\"]\n",
        "url: \"http://x\"",
    )
    .sequor(&["validate"])
    .fails(
        2,
        &[
            "`https://shop.test` is not a host",
            "`a b` is not a host",
            "no scheme, no path",
        ],
    );
}

#[test]
fn files_in_a_form() {
    let server = Server::start(|_| answer("text/plain", "ok"));
    let source = format!("base_url: {}\n", server.url);
    let post = |body: &str| {
        let request = format!("url: /x, method: POST, body_format: multipart_form_data, {body}");
        let project = project(&source, &request);
        project.write("invoices/a.pdf", "%PDF-1.7 content");
        project.sequor(&["run", "main"])
    };
    let sent = || server.asked().last().cloned().expect("asked");
    let ran = post("body: {note: x, doc: {file: invoices/a.pdf, content_type: application/pdf}}");
    assert_eq!(ran.code, 0, "{}", ran.all());
    let boundary = "--sequor-form-boundary";
    assert_eq!(
        sent().body,
        format!(
            "{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n{boundary}\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.7 content\r\n{boundary}--\r\n"
        )
    );
    let ran = post(
        "body_expression: \"{'doc': [{'content': b'\\\\x00\\\\x01', 'filename': 'x\\\"y.bin'}, {'content': 'text'}]}\"",
    );
    assert_eq!(ran.code, 0, "{}", ran.all());
    let body = sent().body;
    assert!(
        body.contains("filename=\"x%22y.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\u{1}\r\n"),
        "{body:?}"
    );
    assert!(body.contains("name=\"doc\"; filename=\"doc\""), "{body:?}");
    post("body: {doc: {file: ../../etc/passwd}}").fails(1, &["is not in the project's folder"]);
    post("body: {doc: {file: /etc/passwd}}").fails(1, &["is not in the project's folder"]);
    post("body: {doc: {file: none.pdf}}").fails(1, &["the file `none.pdf` can't be read"]);
    post("body: {doc: {file: invoices/a.pdf, content_type: \"a\\r\\nX: y\"}}")
        .fails(1, &["the content type of `doc`"]);
    post("body: {doc: {file: a, name: b}}").fails(
        1,
        &[
            "`doc` is a file, which takes file, content, filename",
            "no `name`",
        ],
    );
    post("body: {doc: {file: }}").fails(1, &["the path of the file `doc` is empty"]);
    // A map that is no file is JSON.
    assert_eq!(post("body: {doc: {content: a, size: 3}}").code, 0);
    assert!(sent().body.contains("{\"content\":\"a\",\"size\":3}"));
}
