//! Deliveries out: one file per sink, and the planner that decides what is
//! missing. A vendor's field names stop at the door of its own file. May use
//! floors below (`brief`, `model`, `finding`, `time`, `text`, `yaml`, `http`).

mod answer;
mod asana;
mod command;
mod config;
mod email;
mod failure;
mod github;
mod jira;
mod message_kind;
mod messages;
mod observations;
mod outbox;
mod plan;
mod port;
mod reader;
mod run;
mod sink_context;
mod slack;
mod tasks;
mod templates;
mod welcome;

pub use asana::AsanaSettings;
pub use config::{BuildProblem, DeliverConfig, build, readers};
pub use email::EmailSettings;
pub use github::{GithubSettings, ProjectSettings, Repository, TaskForm, draft_pull_request};
pub use jira::JiraSettings;
pub use message_kind::{MessageKind, answered_part};
pub use messages::Messages;
pub use outbox::OutboxSettings;
pub use plan::{Backoff, Circumstances, Plan, Settled, State, Step, WantedDelivery, plan};
pub use port::{DeliveryError, Handoff, Mark, Missing, Sink};
pub use reader::{MovedDeadline, Observed, ReadBack, Reader};
pub use run::{DeliveryResult, Follower, Moment, run};
pub use sink_context::{Clock, SinkContext, WholeDays, WorkingDays};
pub use slack::SlackSettings;
pub use tasks::{OnboardingTask, TaskList, Who};
pub use templates::{Medium, Message, SHIPPED, TemplateError, Templates};
pub use welcome::WelcomeSettings;
