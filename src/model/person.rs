//! Who is meant by a login, an e-mail address or a name, and whether two words
//! mean one person.

use super::Person;

/// Whether two words are the same login, e-mail address or name: capitals, a
/// leading `@` and the white space around count nothing.
#[must_use]
pub fn is_same_person(a: &str, b: &str) -> bool {
    let (a, b) = (bare(a), bare(b));
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    a.eq_ignore_ascii_case(b) || !(a.is_ascii() && b.is_ascii()) && lower(a) == lower(b)
}

fn bare(word: &str) -> &str {
    word.trim().trim_start_matches('@')
}

/// Whether a word that is none of somebody's own may still mean them: their
/// first or last name alone (`Tom` of Tom Becker), initials (`T. Becker`), the
/// name as a login (`tom.becker`), or the part of their address before the `@`,
/// alone or at another domain. `words` are their logins, addresses and names.
#[must_use]
pub fn may_be_person(word: &str, words: &[String]) -> bool {
    let word = bare(word).to_lowercase();
    let own = || words.iter().map(|own| bare(own).to_lowercase());
    let local = |text: &str| text.split_once('@').map(|(local, _)| local.to_owned());
    let of_word = local(&word);
    let is_address = of_word.is_some();
    let given = of_word.unwrap_or(word);
    let has_address = own().any(|own| own.contains('@'));
    let given = parts(&given);
    !given.is_empty()
        && own().any(|own| {
            let of_address = local(&own);
            let names = parts(of_address.as_deref().unwrap_or(&own));
            // Where both have a whole address, a part of a name tells nothing: `tom@` may be anybody's.
            let may_be_part = of_address.is_none() && !(is_address && has_address);
            names.concat() == given.concat() || (may_be_part && is_part(&given, &names))
        })
}

/// Whether each part of a name is one of another's, or the initial of one, and
/// not all of them are initials.
fn is_part(given: &[String], names: &[String]) -> bool {
    let is_whole = |part: &String| names.contains(part);
    let is_initial = |part: &String| {
        part.chars().count() == 1 && names.iter().any(|name| name.starts_with(part.as_str()))
    };
    given.iter().any(is_whole) && given.iter().all(|part| is_whole(part) || is_initial(part))
}

fn parts(name: &str) -> Vec<String> {
    let parts = name.split(|c: char| !c.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl Person {
    /// Whether two are one person: by address where both have one, else by name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| {
            a.as_deref().zip(b.as_deref()).map(|(a, b)| is_same_person(a, b))
        };
        same(&self.email, &other.email).or_else(|| same(&self.name, &other.name)).unwrap_or(false)
    }
}
