//! How a front-end asks for a language server and how it is told that there is one.
//!
//! Read by the kernel when a comm is opened. Several forms are in use, by the age of the front-end: all are accepted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

/// The comm targets that stand for a language server.
pub const TARGETS: [&str; 2] = ["positron.lsp", "lsp"];

/// The address on which a front-end wants the server: `ip_address`, `host`, or the host of `client_address`.
/// What is missing or unreadable becomes 127.0.0.1, since a front-end waits for a port and takes no refusal.
pub fn requested_address(data: &Value) -> IpAddr {
    let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::trim);
    let parse = |text: &str| match text {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text.trim_matches(['[', ']']).parse().ok(),
    };
    text("ip_address")
        .and_then(parse)
        .or_else(|| text("host").and_then(parse))
        .or_else(|| {
            let address = text("client_address")?;
            let socket = address.parse::<SocketAddr>().ok().map(|it| it.ip());
            socket.or_else(|| parse(address.rsplit_once(':').map_or(address, |(host, _)| host)))
        })
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The `data` of the comm message that tells the port, in the form that the target's front-ends read.
pub fn server_started(target: &str, port: u16) -> Value {
    match target {
        "positron.lsp" => json!({"msg_type": "server_started", "content": {"port": port}}),
        _ => json!({"method": "server_started", "params": {"port": port}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for (data, address) in [
            (json!({"ip_address": "127.0.0.2"}), "127.0.0.2"),
            (json!({"host": "::1"}), "::1"),
            (json!({"client_address": "127.0.0.3:44951"}), "127.0.0.3"),
            (json!({"client_address": "[::1]:1"}), "::1"),
            (json!({"ip_address": 7, "host": "localhost"}), "127.0.0.1"),
        ] {
            assert_eq!(
                requested_address(&data),
                address.parse().unwrap_or(loopback),
                "{data}"
            );
        }
        for nonsense in [
            json!(null),
            json!({}),
            json!({"host": "no such host"}),
            json!([1]),
        ] {
            assert_eq!(requested_address(&nonsense), loopback);
        }
    }
}
