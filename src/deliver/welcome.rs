//! The customer's welcome sequence: a signed request after Standard Webhooks
//! 1.0.0, which Zapier, Make, n8n and own services take.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use standardwebhooks::Webhook;
use url::{Host, Url};

use super::messages::Messages;
use super::row::{SinkRow, SinkSettings, Sinks};
use super::sink::{DeliveryError, Handoff, Mark, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::{BaseUrl, Response};
use crate::model::{Check, Secrets};
use crate::settings::SettingsReader;
use crate::text;

/// `deliver.welcome`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WelcomeSettings {
    /// Where the request goes; `https`, with path and query as the receiver gave it.
    #[schemars(with = "String", extend("format" = "uri"))]
    pub url: Url,
    /// Whether it may be an address of a private network or of this machine.
    #[serde(default)]
    pub allow_private: bool,
}

/// Sends one signed request for each handoff.
struct Welcome {
    url: Url,
    allow_private: bool,
    webhook: Webhook,
    messages: Messages,
}

pub(super) const ROW: SinkRow = SinkRow {
    name: "welcome",
    title: "the welcome webhook",
    secrets: &["WELCOME_SECRET"],
    events: &[EventKind::Welcomed],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<WelcomeSettings>(),
};

impl From<WelcomeSettings> for Box<dyn SinkSettings> {
    fn from(settings: WelcomeSettings) -> Self {
        Box::new(settings)
    }
}

impl SinkSettings for WelcomeSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let mut problems = Vec::new();
        // The query belongs to the receiver; scheme, host and user are checked without it.
        let mut bare = self.url.clone();
        bare.set_query(None);
        if let Err(problem) = BaseUrl::parse(bare.as_str()) {
            problems.push(format!("url: {problem}"));
        } else if self.url.scheme() == "http" && !self.allow_private {
            problems.push("url: plain http needs allow_private: true, and is for tests".to_owned());
        }
        let webhook = match secrets.get("WELCOME_SECRET") {
            None => Err("set WELCOME_SECRET to the receiver's signing secret, whsec_…".to_owned()),
            Some(secret) => Webhook::new(secret.expose_secret())
                .map_err(|_| "WELCOME_SECRET is not whsec_ followed by base64".to_owned()),
        };
        match webhook {
            Ok(webhook) if problems.is_empty() => Ok(vec![Box::new(Welcome {
                url: self.url.clone(),
                allow_private: self.allow_private,
                webhook,
                messages: messages.clone(),
            })]),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }
}

impl Welcome {
    /// The same at every try, so that the receiver can tell a repeat. An id
    /// may hold no dot, a key no tilde.
    fn id(handoff: &Handoff) -> String {
        format!("hnd_{}_welcome", handoff.key.as_str().replace('.', "~"))
    }

    /// A client that connects to exactly the addresses that were looked at, so
    /// that a name cannot turn to another address in between. No redirects.
    async fn client(&self) -> Result<reqwest::Client, DeliveryError> {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
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
            Some(address) if !self.allow_private => Err(DeliveryError::Permanent {
                message: format!(
                    "{host} is {address}, an address that is not on the public Internet"
                ),
                help: "if that is meant, set deliver.welcome.allow_private: true".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Sink for Welcome {
    fn event(&self) -> EventKind {
        EventKind::Welcomed
    }

    fn via(&self) -> &'static str {
        "welcome"
    }

    fn can_look_up(&self) -> bool {
        false
    }

    /// The receiver knows a repeat by its id.
    fn repeats_when_unclear(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("ask {} for the welcome sequence", self.url.host_str().unwrap_or_default())
    }

    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let client = self.client().await?;
        let id = Self::id(handoff);
        let body = self.messages.welcome(handoff).to_string();
        let stamp = (self.messages.context().clock)().timestamp();
        let signature = self
            .webhook
            .sign(&id, stamp, body.as_bytes())
            .map_err(|error| unavailable(&format!("the request cannot be signed: {error}")))?;
        let sent = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
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
                let message = format!("the welcome webhook gave no answer: {error}");
                return Err(if error.is_connect() {
                    unavailable(&message)
                } else {
                    DeliveryError::Unclear { message }
                });
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(Mark { reference: id, at: None, remark: None });
        }
        let response = Response { status, headers, body: bytes::Bytes::new() };
        let message = format!("the welcome webhook answered {}", status.as_u16());
        Err(match status.as_u16() {
            // The receiver has not worked on it, or knows the repeat by its id.
            429 | 500.. => {
                DeliveryError::Transient { message, retry_after: response.retry_after() }
            }
            410 => permanent(
                message,
                "the receiver wants no more; remove deliver.welcome or give its new address",
            ),
            300..=399 => {
                permanent(message, "redirects are not followed; give the address it points to")
            }
            _ => {
                permanent(message, "check deliver.welcome.url and WELCOME_SECRET with the receiver")
            }
        })
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = format!("welcome: {}", self.url.host_str().unwrap_or_default());
        if offline {
            return vec![Check::ok(what, "WELCOME_SECRET is set, the address was not resolved")];
        }
        vec![match self.client().await {
            Ok(_) => Check::ok(what, "the address is usable; nothing was sent"),
            Err(DeliveryError::Permanent { message, help }) => Check::failed(what, message, help),
            Err(error) => Check::failed(what, error.to_string(), "check deliver.welcome.url"),
        }]
    }
}

fn unavailable(message: &str) -> DeliveryError {
    let message = text::shorten(&text::one_line(message), 300);
    DeliveryError::Transient { message, retry_after: None }
}

fn permanent(message: String, help: &str) -> DeliveryError {
    DeliveryError::Permanent { message, help: help.to_owned() }
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
