//! Deliveries out: one folder or file per sink with its row, and the planner
//! that decides what is missing. A vendor's field names stop at the door of
//! its own folder. May use floors below (`brief`, `model`, `finding`, `time`,
//! `text`, `yaml`, `http`, `settings`).

mod asana;
mod crm_task;
mod email;
mod events;
mod follow;
mod github;
mod http_answer;
mod incoming_webhook;
mod jira;
mod links;
mod machine_part;
mod message_kind;
mod message_sink;
mod messages;
mod outbox;
mod plan;
mod read_back;
mod row;
mod rows;
mod signed_webhook;
mod sink;
mod slack;
mod teams;
mod templates;
mod welcome;

pub use github::Forge;
pub use links::{LinkSettings, Links, person};
pub use message_kind::{MessageKind, RemindedPerson, Reminder, answered_part, is_change, is_told};
pub(crate) use messages::open_returns;
pub use messages::{Audience, Messages, TaskForm, TaskList};
pub use plan::{
    Circumstances, DeliveryPlan, DeliveryResult, DeliveryState, DeliveryStep, Follower, Settled,
    StepMoment, WantedDelivery, deliver_one, open_failures, plan, run,
};
pub use read_back::{
    Actor, MovedDeadline, Observed, Onboarding, OpenTask, ReadBack, Reader, Reassigned, Roles,
};
pub use row::{Made, ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds};
pub use rows::{BuildProblem, DeliverConfig, SINKS, build, readers, secret_names};
pub use sink::{
    BranchRequest, BranchRequests, DeliveryError, Handoff, LentCrmTasks, Mark, Missing, Notice,
    OnboardingTask, Sink, SinkContext, Who, WholeDays, WorkingDays,
};
pub use templates::{Medium, Message, SHIPPED, TemplateError, Templates};
