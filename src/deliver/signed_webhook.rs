//! A signed request after Standard Webhooks 1.0.0, to an address that people
//! configured: which Zapier, Make, n8n and own services take.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use standardwebhooks::Webhook;
use url::{Host, Url};

use super::row::made;
use super::sink::DeliveryError;
use crate::http::{BaseUrl, Response};
use crate::model::{Check, Secrets};
use crate::text;

/// Where signed requests go.
pub(super) struct SignedWebhook {
    url: Url,
    allow_private: bool,
    webhook: Webhook,
    /// In messages: `the welcome webhook`.
    what: &'static str,
    /// Its section: `deliver.welcome`.
    section: &'static str,
    /// The secret that signs.
    secret: &'static str,
}

impl SignedWebhook {
    /// Checks address and secret.
    ///
    /// # Errors
    /// With every problem there is.
    pub(super) fn new(
        url: &Url,
        allow_private: bool,
        secrets: &Secrets,
        (what, section, secret): (&'static str, &'static str, &'static str),
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        // The query belongs to the receiver; scheme, host and user are checked without it.
        let mut bare = url.clone();
        bare.set_query(None);
        if let Err(problem) = BaseUrl::parse(bare.as_str()) {
            problems.push(format!("url: {problem}"));
        } else if url.scheme() == "http" && !allow_private {
            problems.push("url: plain http needs allow_private: true, and is for tests".to_owned());
        }
        let webhook = match secrets.get(secret) {
            None => Err(format!("set {secret} to the receiver's signing secret, whsec_…")),
            Some(value) => Webhook::new(value.expose_secret())
                .map_err(|_| format!("{secret} is not whsec_ followed by base64")),
        };
        let webhook = made(webhook, problems)?;
        Ok(Self { url: url.clone(), allow_private, webhook, what, section, secret })
    }

    /// The receiver's host.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Sends one request. The id and body are the same at every try, so that
    /// the receiver can tell a repeat.
    pub(super) async fn send(
        &self,
        id: &str,
        body: String,
        now: DateTime<Utc>,
    ) -> Result<(), DeliveryError> {
        let client = self.client().await?;
        let what = self.what;
        let stamp = now.timestamp();
        let signature = self
            .webhook
            .sign(id, stamp, body.as_bytes())
            .map_err(|error| unavailable(&format!("the request cannot be signed: {error}")))?;
        let sent = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", stamp.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            // The URL may carry a secret in its query.
            Err(error) => {
                let error = error.without_url();
                let message = format!("{what} gave no answer: {error}");
                return Err(if error.is_connect() {
                    unavailable(&message)
                } else {
                    DeliveryError::unclear(message)
                });
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(());
        }
        let response = Response { status, headers, body: bytes::Bytes::new() };
        let message = format!("{what} answered {}", status.as_u16());
        let (section, secret) = (self.section, self.secret);
        Err(match status.as_u16() {
            // The receiver has not worked on it, or knows the repeat by its id.
            429 | 500.. => {
                DeliveryError::Transient { message, retry_after: response.retry_after() }
            }
            410 => DeliveryError::permanent(
                message,
                format!("the receiver wants no more; remove {section} or give its new address"),
            ),
            300..=399 => DeliveryError::permanent(
                message,
                "redirects are not followed; give the address it points to",
            ),
            _ => DeliveryError::permanent(
                message,
                format!("check {section}.url and {secret} with the receiver"),
            ),
        })
    }

    /// For `doctor`.
    pub(super) async fn check(&self, offline: bool) -> Check {
        let name = self.section.trim_start_matches("deliver.");
        let what = format!("{name}: {}", self.host());
        if offline {
            return Check::ok(
                what,
                format!("{} is set, the address was not resolved", self.secret),
            );
        }
        match self.client().await {
            Ok(_) => Check::ok(what, "the address is usable; nothing was sent"),
            Err(error) => error.as_check(what, &format!("check {}.url", self.section)),
        }
    }

    /// A client that connects to exactly the addresses that were looked at, so
    /// that a name cannot turn to another address in between. No redirects.
    async fn client(&self) -> Result<reqwest::Client, DeliveryError> {
        crate::http::use_ring();
        let builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("handoff/", env!("CARGO_PKG_VERSION")));
        let port = self.url.port_or_known_default().unwrap_or(443);
        let builder = match self.url.host() {
            Some(Host::Domain(name)) => {
                let found: Vec<SocketAddr> = tokio::net::lookup_host((name, port))
                    .await
                    .map_err(|error| unavailable(&format!("{name} cannot be resolved: {error}")))?
                    .collect();
                self.refuse_private(name, found.iter().map(SocketAddr::ip))?;
                builder.resolve_to_addrs(name, &found)
            }
            Some(Host::Ipv4(ip)) => {
                self.refuse_private(&ip.to_string(), [IpAddr::V4(ip)])?;
                builder
            }
            Some(Host::Ipv6(ip)) => {
                self.refuse_private(&ip.to_string(), [IpAddr::V6(ip)])?;
                builder
            }
            None => builder,
        };
        builder.build().map_err(|error| unavailable(&error.to_string()))
    }

    fn refuse_private(
        &self,
        host: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), DeliveryError> {
        let private = addresses.into_iter().find(|address| is_private(*address));
        match private {
            Some(address) if !self.allow_private => Err(DeliveryError::permanent(
                format!("{host} is {address}, an address that is not on the public Internet"),
                format!("if that is meant, set {}.allow_private: true", self.section),
            )),
            _ => Ok(()),
        }
    }
}

fn unavailable(message: &str) -> DeliveryError {
    let message = text::shorten(&text::one_line(message), 300);
    DeliveryError::transient(message)
}

/// Whether an address is not on the public Internet, also where IPv6 wraps an
/// IPv4 one.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (b == 18 || b == 19))
                || (a == 192 && b == 0 && v4.octets()[2] == 0)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            let wrapped = v6.to_ipv4_mapped().or_else(|| match v6.segments() {
                // NAT64 and 6to4 carry an IPv4 address too.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4_of(high, low)),
                [0x2002, high, low, ..] => Some(v4_of(high, low)),
                _ => None,
            });
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || (first & 0xfe00) == 0xfc00
                || (first & 0xffc0) == 0xfe80
                || wrapped.is_some_and(|v4| is_private(IpAddr::V4(v4)))
        }
    }
}

fn v4_of(high: u16, low: u16) -> std::net::Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    std::net::Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_however_they_are_written() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(is_private(private.parse().expect("an address")), "{private}");
        }
        for public in ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_private(public.parse().expect("an address")), "{public}");
        }
    }
}
