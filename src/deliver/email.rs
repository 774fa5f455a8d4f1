//! E-mail by SMTP: the brief as HTML and plain text, with the deadline for the
//! calendar. A mail cannot be looked up; its Message-ID is the same at every
//! try, so that many mail stores keep one copy of two.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use icalendar::{Calendar, Component as _, Event as CalendarEvent, EventLike as _, EventStatus};
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::links::person;
use super::message_kind::{MessageKind, Reminder};
use super::message_sink::{MessageChannel, MessageSink, Outgoing};
use super::messages::{Audience, Messages, answer, customer, due, is_touched};
use super::row::{Made, SinkRow, SinkSettings, Sinks};
use super::sink::{DeliveryError, Handoff, Mark, Notice, Sink};
use super::templates::{Medium, Message as Text};
use crate::brief::EventKind;
use crate::http::Forwarder;
use crate::link::LinkRole;
use crate::model::{Check, Remarks, Secrets};
use crate::settings::SettingsReader;
use crate::text;
use crate::text::Look;

/// `deliver.email`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmailSettings {
    /// The sender's address.
    pub from: String,
    /// Whether the owner of the first action gets it.
    #[serde(default = "crate::settings::yes")]
    pub to_csm: bool,
    /// Whether the deal's owner gets it.
    #[serde(default = "crate::settings::yes")]
    pub to_rep: bool,
    /// Further addresses.
    #[serde(default)]
    pub list: Vec<String>,
    /// Whether it is sent again, with the same Message-ID, after an unclear outcome.
    #[serde(default = "crate::settings::yes")]
    pub repeat: bool,
}

/// How long a proxy may take to make the connection.
const PROXY_TIME: Duration = Duration::from_secs(10);
/// How long the server may take until it has accepted the password.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// How long the server may take to accept one mail.
const SEND_TIME: Duration = Duration::from_secs(120);
/// How long the server may take to say goodbye.
const QUIT_TIME: Duration = Duration::from_secs(5);

/// Sends mails through one server.
struct Email {
    from: Mailbox,
    list: Vec<Mailbox>,
    settings: EmailSettings,
    server: MailServer,
    /// What went out in this run, so that a retry for one person is none for
    /// the others.
    sent: Mutex<BTreeSet<String>>,
}

/// One mail's readers, and whose link it holds.
struct Addressees {
    audience: Audience,
    to: Vec<Mailbox>,
}

pub(super) const ROW: SinkRow = SinkRow {
    name: "email",
    title: "e-mail",
    secrets: &["SMTP_URL"],
    events: &[EventKind::Emailed, EventKind::RepTold, EventKind::CsmTold],
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<EmailSettings>(),
};

impl SinkSettings for EmailSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        Ok(MessageSink::all(&channel(self, secrets)?, messages))
    }

    fn sends_notices(&self) -> bool {
        true
    }

    fn draft_notice(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn Sink> {
        let kind = MessageKind::Drafted;
        Ok(Some(MessageSink::of(channel(self, secrets)?, messages, kind)))
    }
}

fn channel(
    settings: &EmailSettings,
    secrets: &Secrets,
) -> Result<Arc<dyn MessageChannel>, Vec<String>> {
    let mut problems = Vec::new();
    let mut mailbox = |field: &str, address: &str| {
        address
            .parse::<Mailbox>()
            .map_err(|_| {
                problems
                    .push(format!("{field}: {} is not an e-mail address", text::quoted(address)))
            })
            .ok()
    };
    let from = mailbox("from", &settings.from);
    let list = settings.list.iter().filter_map(|address| mailbox("list", address)).collect();
    let server = match secrets.get("SMTP_URL") {
        Some(url) => MailServer::parse(&url).map_err(|problem| problems.push(problem)).ok(),
        None => {
            problems.push("set SMTP_URL, such as smtps://user:password@smtp.example.com".into());
            None
        }
    };
    match (from, server) {
        (Some(from), Some(server)) if problems.is_empty() => {
            let (settings, sent) = (settings.clone(), Mutex::default());
            Ok(Arc::new(Email { from, list, settings, server, sent }))
        }
        _ => Err(problems),
    }
}

/// What keeps other programs from answering.
fn generated() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

/// The server behind `SMTP_URL`.
struct MailServer {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
}

/// A connection to the server, signed in.
struct MailConnection {
    smtp: AsyncSmtpConnection,
    /// What it goes through where there is a proxy.
    forwarder: Option<Forwarder>,
}

impl MailServer {
    /// Without encryption on loopback only.
    fn parse(secret: &SecretString) -> Result<Self, String> {
        let url = Url::parse(secret.expose_secret())
            .map_err(|_| "SMTP_URL is not a URL such as smtps://user:password@smtp.example.com")?;
        let wrong =
            || "SMTP_URL: give scheme smtp or smtps, user, password, host and port".to_owned();
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let loopback = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value);
        if url.scheme() == "smtp" && tls.as_deref() != Some("required") && !loopback {
            return Err(
                "SMTP_URL: mail without encryption is accepted on loopback only; use smtps://, or smtp://…?tls=required for STARTTLS"
                    .to_owned(),
            );
        }
        if host.is_empty() {
            return Err(wrong());
        }
        let name = || {
            TlsParameters::new(host.clone())
                .map_err(|error| format!("SMTP_URL: TLS cannot be used: {error}"))
        };
        let (standard_port, tls) = match (url.scheme(), tls.as_deref()) {
            ("smtps", _) => (465, Tls::Wrapper(name()?)),
            ("smtp", None) => (25, Tls::None),
            ("smtp", Some("required")) => (587, Tls::Required(name()?)),
            ("smtp", Some("opportunistic")) => (587, Tls::Opportunistic(name()?)),
            _ => return Err(wrong()),
        };
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| wrong())?;
            Ok::<_, String>(text.into_owned())
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let hello = match url.path().trim_matches('/') {
            "" => ClientId::default(),
            name => ClientId::Domain(name.to_owned()),
        };
        let port = url.port().unwrap_or(standard_port);
        Ok(Self { host, port, tls, hello, credentials })
    }

    /// Connects and signs in, through a proxy where one counts for the server.
    /// Nothing was sent where this fails.
    async fn connect(&self) -> Result<MailConnection, DeliveryError> {
        let forwarder =
            Forwarder::to(&self.host, self.port, PROXY_TIME).await.map_err(|error| {
                DeliveryError::transient(format!("loopback, on the way to the proxy: {error}"))
            })?;
        let server = match &forwarder {
            Some(it) => format!("the mail server through the proxy {}", it.proxy()),
            None => "the mail server".to_owned(),
        };
        let greeted = self.greet(forwarder.as_ref().map(Forwarder::address));
        let error = match tokio::time::timeout(CONNECT_TIME, greeted).await {
            Ok(Ok(smtp)) => return Ok(MailConnection { smtp, forwarder }),
            Ok(Err(error)) => error,
            Err(_) => {
                let time = CONNECT_TIME.as_secs();
                return Err(DeliveryError::transient(format!("{server}: no answer in {time} s")));
            }
        };
        if let Some(fault) = forwarder.and_then(|it| it.fault()) {
            return Err(DeliveryError::transient(fault.to_string()));
        }
        let message = format!("{server}: {}", words(&error));
        Err(if error.is_permanent() || error.is_client() {
            DeliveryError::permanent(message, "check SMTP_URL: host, port, user, password")
        } else {
            DeliveryError::transient(message)
        })
    }

    /// `instead` is where to connect to in the place of the server itself.
    async fn greet(&self, instead: Option<SocketAddr>) -> Result<AsyncSmtpConnection, SmtpError> {
        let (host, port) = match instead {
            Some(address) => (address.ip().to_string(), address.port()),
            None => (self.host.clone(), self.port),
        };
        let wrapped = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let mut smtp = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), port),
            Some(CONNECT_TIME),
            &self.hello,
            wrapped,
            None,
        )
        .await?;
        match &self.tls {
            Tls::Required(parameters) => smtp.starttls(parameters.clone(), &self.hello).await?,
            Tls::Opportunistic(parameters) if smtp.can_starttls() => {
                smtp.starttls(parameters.clone(), &self.hello).await?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            smtp.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(smtp)
    }
}

impl MailConnection {
    /// Hands one mail over.
    async fn send(&mut self, mail: &Message) -> Result<(), DeliveryError> {
        let bytes = mail.formatted();
        let sent = self.smtp.send(mail.envelope(), &bytes);
        match tokio::time::timeout(SEND_TIME, sent).await {
            Ok(sent) => sent.map(drop).map_err(|error| judge(&error)),
            Err(_) => Err(DeliveryError::unclear(format!(
                "the mail server: no answer within {} s",
                SEND_TIME.as_secs()
            ))),
        }
    }

    /// Whether the next mail can be sent with it.
    async fn is_open(&mut self) -> bool {
        !self.smtp.has_broken()
            && tokio::time::timeout(QUIT_TIME, self.smtp.test_connected()).await == Ok(true)
    }

    /// Says goodbye. What was sent is sent, whatever the answer.
    async fn close(mut self) {
        if !self.smtp.has_broken() {
            let _ = tokio::time::timeout(QUIT_TIME, self.smtp.quit()).await;
        }
    }
}

impl Email {
    /// Who gets it; addresses of the brief that are none are left out and named.
    fn recipients(&self, outgoing: Outgoing<'_>) -> (Vec<Mailbox>, Remarks) {
        let Outgoing { handoff, kind, .. } = outgoing;
        let (mut to, mut remarks) = (Vec::<Mailbox>::new(), Remarks::default());
        if let MessageKind::Reminder(reminder) = kind {
            return to_remind(reminder);
        }
        let (csm, rep) = match kind {
            MessageKind::Signed => (self.settings.to_csm, self.settings.to_rep),
            // To whom the word is: settings about new handoffs do not keep it back.
            MessageKind::Returned | MessageKind::Drafted => (false, true),
            MessageKind::Changed | MessageKind::Reminder(_) => (true, false),
        };
        for (wanted, at) in [(csm, "first_action.owner"), (rep, "deal.owner")] {
            let address = answer(&handoff.brief, &format!("{at}.email")).filter(|_| wanted);
            let Some(address) = address else { continue };
            match address.trim().parse::<Address>() {
                Ok(address) => {
                    let name = answer(&handoff.brief, &format!("{at}.name"));
                    let name = name.map(|name| text::shorten(&text::one_line(&name), 80));
                    to.push(Mailbox::new(name, address));
                }
                Err(_) => remarks
                    .push(format!("{at}: {} is not an e-mail address", text::quoted(&address))),
            }
        }
        to.extend(Self::former(outgoing));
        if *kind == MessageKind::Signed || to.is_empty() {
            to.extend(self.list.iter().cloned());
        }
        let mut seen = std::collections::BTreeSet::new();
        to.retain(|mailbox| seen.insert(mailbox.email.to_string().to_lowercase()));
        (to, remarks)
    }

    /// Whom a handoff was taken from, who learns it, too.
    fn former(Outgoing { handoff, kind, .. }: Outgoing<'_>) -> Option<Mailbox> {
        let before = handoff.previous_owner().filter(|_| *kind == MessageKind::Changed)?;
        let name = before["name"].as_str().map(|name| text::shorten(&text::one_line(name), 80));
        Some(Mailbox::new(name, before["email"].as_str()?.trim().parse().ok()?))
    }

    fn message_id(&self, outgoing: Outgoing<'_>) -> String {
        self.id_of(outgoing.handoff, &outgoing.step("brief"))
    }

    fn id_of(&self, handoff: &Handoff, step: &str) -> String {
        format!("<handoff.{}.{step}@{}>", handoff.key, self.from.email.domain())
    }

    /// One mail for all; where links are made one for each of them who has a
    /// link, since whoever has a link answers in that person's name.
    fn addressees(outgoing: Outgoing<'_>, to: Vec<Mailbox>) -> Vec<Addressees> {
        let Outgoing { handoff, messages, .. } = outgoing;
        let mut groups: Vec<Addressees> = Vec::new();
        let has_links = messages.context().links.is_some();
        let former = Self::former(outgoing).map(|it| it.email.to_string());
        for mailbox in to {
            let is = |role: &LinkRole| {
                let person = person(&handoff.brief, *role).filter(|_| has_links);
                person.is_some_and(|it| mailbox.email.to_string().eq_ignore_ascii_case(&it))
            };
            // A reminder goes to leads as well; who is no party to the handoff has no link.
            let role = [LinkRole::Csm, LinkRole::Rep].into_iter().find(is);
            let is_former =
                former.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(mailbox.email.as_ref()));
            let audience = match role {
                Some(role) => Audience::Person(role),
                None if is_former => Audience::Former,
                None => Audience::Public,
            };
            match groups.iter_mut().find(|group| group.audience == audience) {
                Some(group) => group.to.push(mailbox),
                None => groups.push(Addressees { audience, to: vec![mailbox] }),
            }
        }
        groups
    }

    /// Who is to be answered: the rep by the CSM, and the other way round.
    fn reply_to(Outgoing { handoff, kind, .. }: Outgoing<'_>) -> Option<Mailbox> {
        let at = match kind {
            MessageKind::Returned | MessageKind::Drafted => "first_action.owner",
            _ => "deal.owner",
        };
        let address = answer(&handoff.brief, &format!("{at}.email"))?;
        let name = answer(&handoff.brief, &format!("{at}.name"));
        let name = name.map(|name| text::shorten(&text::one_line(&name), 80));
        Some(Mailbox::new(name, address.trim().parse().ok()?))
    }

    fn message(
        &self,
        outgoing: Outgoing<'_>,
        group: &Addressees,
    ) -> Result<Message, DeliveryError> {
        let (Outgoing { handoff, kind, messages }, medium) = (outgoing, Medium::Markdown);
        // Who takes over has had no mail about it: they get the brief.
        let takes_over = *kind == MessageKind::Changed
            && handoff.previous_owner().is_some()
            && group.audience != Audience::Former;
        let mut message = match kind {
            MessageKind::Signed => messages.mail(handoff, medium, group.audience)?,
            again => messages.again(handoff, again, medium, group.audience, None)?,
        };
        if takes_over {
            message.body = format!("{}\n\n---\n\n{}", message.body, Messages::page(handoff));
        }
        let mail = MailText::of(&message);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(mail.subject)
            .message_id(Some(self.message_id(outgoing)))
            .date((messages.context().clock)().into())
            .raw_header(generated());
        if let Some(reply_to) = Self::reply_to(outgoing) {
            builder = builder.reply_to(reply_to);
        }
        if !matches!(kind, MessageKind::Signed | MessageKind::Drafted) {
            // One thread in the reader's mailbox, also of who has not had the first.
            let first = self.id_of(handoff, "brief");
            builder = builder.in_reply_to(first.clone()).references(first);
        }
        for mailbox in &group.to {
            builder = builder.to(mailbox.clone());
        }
        let words = MultiPart::alternative_plain_html(mail.plain, mail.html);
        // The deadline is the CSM's, until the first touch is made.
        let is_former = group.audience == Audience::Former;
        let has_deadline = matches!(kind, MessageKind::Signed | MessageKind::Changed)
            && group.audience != Audience::Person(LinkRole::Rep)
            && (is_former || !is_touched(handoff));
        let entry = Some(self.from.email.domain()).filter(|_| has_deadline);
        let method = if is_former { Method::Cancel } else { Method::Publish };
        let entry = entry.and_then(|domain| calendar(handoff, messages, domain, method));
        let built = match entry {
            Some(entry) => {
                let kind = format!("text/calendar; charset=utf-8; method={}", method.as_str());
                let kind = ContentType::parse(&kind).expect("a constant content type is valid");
                let entry = Attachment::new("first-touch.ics".to_owned()).body(entry, kind);
                builder.multipart(MultiPart::mixed().multipart(words).singlepart(entry))
            }
            None => builder.multipart(words),
        };
        built.map_err(|error| {
            DeliveryError::permanent(
                format!("the mail cannot be made: {error}"),
                "check deliver.email and the addresses in the brief",
            )
        })
    }

    /// Sends each mail that did not go out in this run yet. Somebody whom the
    /// server refuses keeps nobody else from theirs, and is named.
    async fn send_each(
        &self,
        outgoing: Outgoing<'_>,
        groups: &[Addressees],
        remarks: &mut Remarks,
    ) -> Result<(), DeliveryError> {
        let mut connection = None;
        let result = self.send_over(&mut connection, outgoing, groups, remarks).await;
        if let Some(connection) = connection {
            connection.close().await;
        }
        result
    }

    /// The same over one connection, or another where it was ended.
    async fn send_over(
        &self,
        connection: &mut Option<MailConnection>,
        outgoing: Outgoing<'_>,
        groups: &[Addressees],
        remarks: &mut Remarks,
    ) -> Result<(), DeliveryError> {
        let (mut reached, mut refused) = (false, None);
        for group in groups {
            let to: Vec<String> = group.to.iter().map(|it| it.email.to_string()).collect();
            let mail = format!("{} {}", self.message_id(outgoing), to.join(" "));
            let sent = || self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if sent().contains(&mail) {
                reached = true;
                continue;
            }
            let message = self.message(outgoing, group)?;
            if let Some(open) = connection.as_mut()
                && !open.is_open().await
            {
                *connection = None;
            }
            let open = match connection {
                Some(open) => open,
                None => connection.insert(self.server.connect().await?),
            };
            match open.send(&message).await {
                Ok(()) => {
                    sent().insert(mail);
                    reached = true;
                }
                Err(error @ DeliveryError::Permanent { .. }) => {
                    remarks.push(format!("not to {}: {error}", to.join(", ")));
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(error) if !reached => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl MessageChannel for Email {
    fn event(&self) -> EventKind {
        EventKind::Emailed
    }

    fn via(&self) -> &'static str {
        "email"
    }

    fn repeats_when_unclear(&self) -> bool {
        self.settings.repeat
    }

    async fn notify(&self, notice: &Notice, messages: &Messages) -> Result<bool, DeliveryError> {
        if notice.to.is_empty() {
            return Ok(false);
        }
        let permanent = |message: String| DeliveryError::Permanent {
            message,
            help: "check the addresses in handoff.yaml".to_owned(),
        };
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(notice.title.clone())
            .message_id(Some(format!("<handoff.{}@{}>", notice.id, self.from.email.domain())))
            .date((messages.context().clock)().into())
            .raw_header(generated())
            .header(ContentType::TEXT_PLAIN);
        for address in &notice.to {
            let address = address.parse::<Address>().map_err(|_| {
                permanent(format!("{} is not an e-mail address", text::quoted(address)))
            })?;
            builder = builder.to(Mailbox::new(None, address));
        }
        let mail = builder
            .body(notice.body.clone())
            .map_err(|error| permanent(format!("the mail cannot be made: {error}")))?;
        let mut connection = self.server.connect().await?;
        let sent = connection.send(&mail).await;
        connection.close().await;
        sent.map(|()| true)
    }

    fn describe(&self, outgoing: Outgoing<'_>) -> String {
        let (to, _) = self.recipients(outgoing);
        let to: Vec<String> = to.iter().map(|mailbox| mailbox.email.to_string()).collect();
        format!(
            "send a mail to {}",
            if to.is_empty() { "nobody".to_owned() } else { to.join(", ") }
        )
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Mark, DeliveryError> {
        let (to, mut remarks) = self.recipients(outgoing);
        if to.is_empty() {
            return Err(DeliveryError::permanent(
                format!("nobody to send to: {}", remarks.join("; ")),
                "give the CSM an address in team.csms, or name addresses in deliver.email.list",
            ));
        }
        let groups = Self::addressees(outgoing, to);
        self.send_each(outgoing, &groups, &mut remarks).await?;
        Ok(Mark::new(self.message_id(outgoing), None, &remarks))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        let what = "email: SMTP_URL";
        if offline {
            return vec![Check::ok(what, "it is set, the server was not asked")];
        }
        vec![match self.server.connect().await {
            Ok(connection) => {
                let proxy = connection.forwarder.as_ref().map(Forwarder::proxy);
                connection.close().await;
                let taken = "the server takes the connection and the password";
                let detail = match proxy {
                    Some(proxy) => format!("{taken}, through the proxy {proxy}"),
                    None => taken.to_owned(),
                };
                Check::ok(what, detail)
            }
            Err(error) => error.as_check(what, "check SMTP_URL: host, port, user, password"),
        }]
    }
}

/// Those of a reminder who have an address.
fn to_remind(reminder: &Reminder) -> (Vec<Mailbox>, Remarks) {
    let (mut to, mut remarks) = (Vec::new(), Remarks::default());
    for person in &reminder.to {
        let name = person.name.as_deref().map(|name| text::shorten(&text::one_line(name), 80));
        match person.email.as_deref().map(|email| email.trim().parse::<Address>()) {
            Some(Ok(address)) => to.push(Mailbox::new(name, address)),
            Some(Err(_)) | None => remarks.push(format!(
                "{} has no address",
                text::quoted(person.name.as_deref().unwrap_or("somebody"))
            )),
        }
    }
    (to, remarks)
}

fn words(error: &SmtpError) -> String {
    text::shorten(&text::one_line(&error.to_string()), 300)
}

/// Which of the outcomes an error is while a mail is sent: the server's own
/// words are certain; whatever else broke off may have come after it was taken.
fn judge(error: &SmtpError) -> DeliveryError {
    let message = format!("the mail server: {}", words(error));
    if error.is_permanent() || error.is_client() {
        let help = "see what the mail server says; often an address does not exist".to_owned();
        DeliveryError::permanent(message, help)
    } else if error.is_transient() {
        DeliveryError::transient(message)
    } else {
        DeliveryError::unclear(message)
    }
}

/// How long the entry in the calendar is, up to the deadline.
const LENGTH: TimeDelta = TimeDelta::minutes(30);

/// Events after which the deadline may be another one.
const MOVES: &[EventKind] = &[
    EventKind::Resubmitted,
    EventKind::Corrected,
    EventKind::Amended,
    EventKind::Assigned,
    EventKind::DeadlineMoved,
];

/// One mail's words.
struct MailText {
    subject: String,
    html: String,
    plain: String,
}

impl MailText {
    /// From a text in Markdown.
    fn of(message: &Text) -> Self {
        // Titles hold zero-width spaces for GitHub, which a reader would copy.
        let subject = text::one_line(&message.title);
        let html = page(&subject, &text::markdown_to_html(&message.body, Look::Mail));
        Self { html, plain: text::markdown_to_plain(&message.body), subject }
    }
}

/// The body in a frame of tables, which Outlook understands. The style sheet
/// is for those that know the dark scheme; the rest go by each element's style.
fn page(title: &str, body: &str) -> String {
    const STYLE: &str = include_str!("../../templates/mail.css");
    let title = text::html(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\
         <title>{title}</title><style>{STYLE}</style></head>\n\
         <body class=\"g\" style=\"margin:0;padding:0;background:#f2f4f7\">\
         <table role=\"presentation\" class=\"g\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"background:#f2f4f7\">\
         <tr><td align=\"center\" style=\"padding:16px 8px\">\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"max-width:680px\">\
         <tr><td class=\"m\" style=\"padding:20px 24px;background:#ffffff;color:#1f2328;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px\">\n\
         {body}</td></tr></table></td></tr></table></body></html>\n"
    )
}

/// What a calendar is to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Publish,
    Cancel,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Cancel => "CANCEL",
        }
    }
}

/// The first touch's deadline as a calendar's entry; the same entry, with a
/// higher sequence, whenever the deadline may have moved. Of somebody whose it
/// is no more it is taken back.
fn calendar(
    handoff: &Handoff,
    messages: &Messages,
    domain: &str,
    method: Method,
) -> Option<String> {
    let due = due(handoff)?;
    let events = &handoff.timeline.events;
    let moves = events.iter().filter(|event| MOVES.contains(&event.event)).count();
    let mut entry = CalendarEvent::new();
    entry
        .uid(&format!("handoff-{}@{domain}", handoff.key))
        .sequence(u32::try_from(moves).unwrap_or(u32::MAX))
        .timestamp((messages.context().clock)())
        .summary(&format!("First touch due: {}", customer(handoff)))
        .starts(due.checked_sub_signed(LENGTH)?)
        .ends(due);
    if let Some(words) = super::messages::answer(&handoff.brief, "first_action.instruction") {
        entry.description(&text::shorten(&text::one_line(&words), 1_000));
    }
    if let Some(url) = handoff.url.as_deref().and_then(super::templates::web_address) {
        entry.url(&url);
    }
    if method == Method::Cancel {
        entry.status(EventStatus::Cancelled);
    }
    let mut calendar = Calendar::new();
    calendar.append_property(("METHOD", method.as_str()));
    calendar.push(entry.done());
    Some(calendar.done().to_string())
}
