//! Who a task is given to.

use crate::deliver::Handoff;
use crate::deliver::messages::answer;
use crate::text;

/// The login of the brief's owner, or why there is none. Whether it may be
/// assigned is asked by assigning it: GitHub refuses the whole task when not,
/// and that refusal makes nothing, so the task is sent again without.
pub(super) fn assignee(handoff: &Handoff) -> Result<String, String> {
    let Some(login) = answer(&handoff.brief, "first_action.owner.github") else {
        return Err("the brief's owner has no GitHub login".to_owned());
    };
    let login = login.trim().trim_start_matches('@').to_owned();
    let plain = !login.is_empty()
        && login.len() <= 100
        && login.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if plain { Ok(login) } else { Err(format!("{} is no GitHub login", text::quoted(&login))) }
}
