//! The brief: model, schema check, rules, mapping, rendering. Pure: no file,
//! clock, network, environment or git.

mod answer;
mod completeness;
mod expression;
mod form;
mod mapping;
mod merge;
mod model;
mod proposed;
mod render;
mod rules;
mod schema;
mod sources;
mod timeline;
mod view;

pub use answer::{is_blank, is_placeholder};
pub use completeness::{
    Absence, AnswerState, Completeness, MissingField, QUESTIONS, UnknownAnswer, question,
};
pub(crate) use expression::fold_property;
pub use expression::{
    Decision, Expression, ExpressionError, Holds, Print, RECORDS, Template, TemplateFault,
};
pub use form::{
    AskedAnswer, FormAnswers, FormProblem, asked_answer, asked_answers, issue_form, put_answer,
    read_answer, read_form, unknown_answer, violation,
};
pub use mapping::{
    BaseMapping, FirstTouch, GivenAnswers, MappedBrief, Mapping, MappingInput, MappingProblem,
    MappingRemark, Proposal, TracedAnswer, propose,
};
pub use merge::{
    ChangedAnswer, ChangedData, changed_answers, changed_data, in_one_line, in_words, kept_answers,
    merge,
};
pub use model::{BRIEF_SCHEMA, Brief, check_version};
pub use proposed::{PROPOSED_SCHEMA, Proposals, ProposedAnswer, ToolProposal};
pub use render::{DEFAULT_TEMPLATE, RenderError, RenderInput, Renderer, without_edit_hint};
pub use rules::{
    CheckContext, CheckedFolder, FirstTouchDeadline, Fix, FolderSummary, HandoffCheck, NamedMember,
    Refused, TeamNames, brief_rules, check_again, check_handoff, check_ledger, fixes,
};
pub use schema::{
    Field, Outline, Role, SHIPPED_SCHEMA, Schema, SchemaError, Shape, TIMELINE_JSON_SCHEMA,
    Violation,
};
pub use sources::{
    AnswerSource, BriefAnswer, BriefSources, ConfirmedAnswers, SOURCES_SCHEMA, SourceKind,
    SourcesFile, brief_answers, nearest_above,
};
pub use timeline::{
    DEAL_GONE, DEAL_LOST, DEAL_MISSING, DecidedBy, Event, EventKind, TIMELINE_SCHEMA, Timeline,
    TouchEvidence, deadline_in_force, deadline_moves,
};
pub use view::{Colleague, Commitment, CustomerContact, View};
