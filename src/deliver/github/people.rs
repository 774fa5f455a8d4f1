//! Who a task is given to.

use super::api::Api;
use crate::deliver::letters::answer;
use crate::deliver::{DeliveryError, Handoff};
use crate::text;

/// The CSM's login, or why there is none.
pub(super) enum Assignee {
    /// This login may be assigned.
    Login(String),
    /// Nobody, and what to tell people about it.
    Nobody(String),
}

impl Assignee {
    /// Reads the brief's owner and asks GitHub whether it may be assigned: a
    /// login that may not would make GitHub refuse the whole task.
    pub(super) async fn find(api: &Api, handoff: &Handoff) -> Result<Self, DeliveryError> {
        let Some(login) = answer(&handoff.brief, "first_action.owner.github") else {
            return Ok(Self::Nobody("the brief's owner has no GitHub login".to_owned()));
        };
        let login = login.trim_start_matches('@').to_owned();
        let plain = !login.is_empty()
            && login.len() <= 100
            && login.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !plain {
            return Ok(Self::Nobody(format!("{} is no GitHub login", text::quoted(&login))));
        }
        let path = api.repository().path(&format!("/assignees/{login}"));
        let answer = api.get(&path).await?;
        match answer.status.as_u16() {
            204 => Ok(Self::Login(login)),
            404 => Ok(Self::Nobody(format!(
                "{login} may not be assigned in {}; give {login} access to it",
                api.repository()
            ))),
            _ => Err(answer.fault()),
        }
    }
}
