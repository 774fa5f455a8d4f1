//! A ledger whose template makes too much: the server says so and goes on.

use super::server::{KEY, Running, document, eventually, get, ledger, pandadoc};

#[test]
fn a_template_that_makes_too_much_stops_no_server() {
    let sandbox = ledger();
    // Only a real brief sets it off; the trial with an empty one passes.
    sandbox.write(
        "ledger/templates/brief.md.j2",
        "{% if brief.key %}{% set ns = namespace(x='ab') %}{% for i in range(60) %}\
         {% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}{% endif %}",
    );
    let server = Running::serve(&sandbox);
    for id in ["doc1", "doc2"] {
        assert_eq!(pandadoc(server.address(), KEY, id, &document(id)).unwrap().status, 200);
    }
    eventually("the server names the fault", || {
        server.log().contains("more than 4 MiB").then_some(())
    });
    assert!(get(server.address(), "/healthz").json()["inbox"]["work"].is_number());
    assert_eq!(pandadoc(server.address(), KEY, "doc3", &document("doc3")).unwrap().status, 200);
}
