//! A session of an org: client credentials or a signed JWT become a token and
//! the URL of the instance; a session that has expired is renewed once.

use http::{HeaderMap, HeaderValue, Method, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::settings::SalesforceSettings;
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean};
use crate::http::{BaseUrl, Client, Limits, Schedule, Semantics};
use crate::model::Secrets;

pub(super) const CLIENT_ID: &str = "SALESFORCE_CLIENT_ID";
pub(super) const CLIENT_SECRET: &str = "SALESFORCE_CLIENT_SECRET";
pub(super) const PRIVATE_KEY: &str = "SALESFORCE_PRIVATE_KEY";

/// How long a JWT is valid; Salesforce's pages say three or five minutes at most.
const JWT_SECONDS: u64 = 180;

/// How a token is asked for.
enum Grant {
    Credentials { secret: SecretString },
    Jwt { key: EncodingKey, username: String, audience: String },
}

/// Where a token comes from, and the open session.
pub(super) struct Session {
    login_url: BaseUrl,
    client_id: SecretString,
    grant: Grant,
    pub(super) schedule: Schedule,
    pub(super) limits: Limits,
    open: Mutex<Option<Open>>,
}

/// A session that was opened.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) client: Client,
    pub(super) token: SecretString,
}

impl Session {
    /// Prepares a session; nothing is sent yet.
    pub(super) fn new(settings: &SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let missing =
            |message: String, help: &str| CrmError::Denied { message, help: help.to_owned() };
        let client_id = secrets.get(CLIENT_ID).ok_or_else(|| {
            missing(
                format!("{CLIENT_ID} is not set."),
                "Set it, or SALESFORCE_CLIENT_ID_FILE, to the consumer key of an External Client \
                 App of the org.",
            )
        })?;
        let grant = match (secrets.get(PRIVATE_KEY), secrets.get(CLIENT_SECRET)) {
            (Some(key), _) => Grant::Jwt {
                key: private_key(&key)?,
                username: settings.username.clone().ok_or_else(|| CrmError::Settings {
                    message: format!("{PRIVATE_KEY} is set, and crm.salesforce.username is not."),
                    help: "Name the user that the app is approved for.".to_owned(),
                })?,
                audience: settings.audience(),
            },
            (None, Some(secret)) => Grant::Credentials { secret },
            (None, None) => {
                return Err(missing(
                    format!("Neither {CLIENT_SECRET} nor {PRIVATE_KEY} is set."),
                    "Set the one that the External Client App uses: its consumer secret, or the \
                     PEM of the private key of its certificate.",
                ));
            }
        };
        if matches!(grant, Grant::Credentials { .. }) && settings.is_shared_login() {
            return Err(CrmError::Settings {
                message: format!(
                    "Client credentials are not valid on {}.",
                    settings.login().as_str()
                ),
                help: "Set crm.salesforce.login_url to the org's My Domain, such as \
                       https://acme.my.salesforce.com."
                    .to_owned(),
            });
        }
        Ok(Self {
            login_url: settings.login().clone(),
            client_id,
            grant,
            schedule: Schedule::interactive(),
            limits: Limits::default(),
            open: Mutex::new(None),
        })
    }

    /// The open session; the first call opens it.
    pub(super) async fn open(&self) -> Result<Open, Failure> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref() {
            return Ok(open.clone());
        }
        let new = self.login().await?;
        *open = Some(new.clone());
        Ok(new)
    }

    /// Another session in the place of one that has expired.
    pub(super) async fn renew(&self, expired: &Open) -> Result<Open, Failure> {
        {
            let mut open = self.open.lock().await;
            let same = open
                .as_ref()
                .is_some_and(|open| open.token.expose_secret() == expired.token.expose_secret());
            if same {
                *open = None;
            }
        }
        self.open().await
    }

    /// The form of a login, and what in it is secret.
    fn form(&self) -> Result<(String, SecretString), Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let secret = match &self.grant {
            Grant::Credentials { secret } => {
                form.append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", self.client_id.expose_secret())
                    .append_pair("client_secret", secret.expose_secret());
                secret.clone()
            }
            Grant::Jwt { key, username, audience } => {
                let assertion = self.assertion(key, username, audience)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", assertion.expose_secret());
                assertion
            }
        };
        Ok((form.finish(), secret))
    }

    async fn login(&self) -> Result<Open, Failure> {
        let (form, secret) = self.form()?;
        let body = ("application/x-www-form-urlencoded", form.into_bytes());
        let client = Client::new(self.login_url.clone(), HeaderMap::new(), self.schedule.clone())
            .with_limits(self.limits);
        let path = "services/oauth2/token";
        // A second token does no harm.
        let sent = client.send_bytes(Semantics::Idempotent, Method::POST, path, Some(body)).await;
        let answer = sent.map_err(|error| {
            Failure::unreachable(&error, "crm.salesforce.login_url", &[&secret, &self.client_id])
        })?;
        if let Some(failure) =
            Failure::redirected("Salesforce", path, &answer, "crm.salesforce.login_url")
        {
            return Err(failure);
        }
        let failure = |error: CrmError| Failure::new(Some(answer.status), error);
        let said = answer.json().unwrap_or_default();
        let text = |name: &str| said[name].as_str().unwrap_or_default();
        if !answer.status.is_success() {
            let words = format!("{}: {}", text("error"), text("error_description"));
            let words = clean(&words, &[&secret, &self.client_id]);
            return Err(failure(if answer.status.is_client_error() {
                CrmError::Denied {
                    message: format!("Salesforce does not let the app in: {words}."),
                    help: "Check SALESFORCE_CLIENT_ID with its secret or key, and in the org that \
                           the flow is switched on for the External Client App, and that its user \
                           is approved."
                        .to_owned(),
                }
            } else {
                CrmError::Unavailable {
                    message: format!("Salesforce's login answered {}.", answer.status),
                    help: "Run it again; status.salesforce.com tells of outages.".to_owned(),
                }
            }));
        }
        let token = SecretString::from(text("access_token"));
        let instance = BaseUrl::parse(text("instance_url")).ok().filter(|instance| {
            // A login over TLS does not lead to a place without it.
            instance.as_str().starts_with("https:")
                || !self.login_url.as_str().starts_with("https:")
        });
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok();
        let (Some(instance), Some(mut bearer), false) =
            (instance, bearer, token.expose_secret().is_empty())
        else {
            return Err(failure(CrmError::Unavailable {
                message: format!(
                    "The answer of {} has no access_token with an instance_url over https.",
                    self.login_url.join(path)
                ),
                help: "Check crm.salesforce.login_url: it is the org's My Domain.".to_owned(),
            }));
        };
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        let client = Client::new(instance, headers, self.schedule.clone()).with_limits(self.limits);
        Ok(Open { client, token })
    }

    /// The JWT of a login. Its end is measured from the machine's clock, as a
    /// timeout is; nothing that is kept depends on it.
    fn assertion(
        &self,
        key: &EncodingKey,
        username: &str,
        audience: &str,
    ) -> Result<SecretString, Failure> {
        let claims = json!({
            "iss": self.client_id.expose_secret(),
            "sub": username,
            "aud": audience,
            "exp": jsonwebtoken::get_current_timestamp() + JWT_SECONDS,
        });
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
            .map(SecretString::from)
            .map_err(|_| Failure::new(None, unusable_key()))
    }
}

/// The key; in variables its line ends are often written as `\n`.
fn private_key(text: &SecretString) -> Result<EncodingKey, CrmError> {
    let text = text.expose_secret().replace("\\n", "\n");
    EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|_| unusable_key())
}

fn unusable_key() -> CrmError {
    CrmError::Denied {
        message: format!("{PRIVATE_KEY} holds no RSA private key in PEM."),
        help: "Copy the whole file, from BEGIN to END, or name it in SALESFORCE_PRIVATE_KEY_FILE."
            .to_owned(),
    }
}
