//! Where an API lives.

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

/// The root of an API: `https`, or plain `http` on loopback only; without
/// user, password, query or fragment; paths are joined below it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct BaseUrl(Url);

/// Why a text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not a URL at all.
    #[error("this is not a URL such as https://api.example.com")]
    NotAUrl,
    /// Plain HTTP to another machine.
    #[error("plain http is accepted on loopback only; use https")]
    PlainHttp,
    /// Another scheme, or user, query, fragment.
    #[error("give scheme, host and path only, such as https://api.example.com/v2")]
    Extra,
}

impl BaseUrl {
    /// Parses and checks.
    ///
    /// # Errors
    /// See [`BaseUrlError`].
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let mut url = Url::parse(text).map_err(|_| BaseUrlError::NotAUrl)?;
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(BaseUrlError::NotAUrl),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BaseUrlError::PlainHttp),
            _ => return Err(BaseUrlError::Extra),
        }
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(BaseUrlError::Extra);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a path below the base; the path may carry a query. Parts
    /// from outside must be percent-encoded by the caller.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        let base = self.0.as_str().trim_end_matches('/');
        if path.is_empty() {
            return base.to_owned();
        }
        format!("{base}/{}", path.trim_start_matches('/'))
    }

    /// The base as text, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;
    fn try_from(text: String) -> Result<Self, BaseUrlError> {
        Self::parse(&text)
    }
}
