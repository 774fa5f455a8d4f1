//! Who is meant by a login, an e-mail address or a name, and whether two words
//! mean one person.

use unicode_normalization::UnicodeNormalization as _;

use super::Person;

/// Whether two words are the same login, e-mail address or name: capitals, a
/// leading `@`, white space and what nobody sees count nothing, and neither do
/// the forms that Unicode has of one letter.
#[must_use]
pub fn is_same_person(a: &str, b: &str) -> bool {
    let (a, b) = (bare(a), bare(b));
    // Of those only the capitals are folded.
    let is_plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            && !text.starts_with(' ')
            && !text.contains("  ")
    };
    a.eq_ignore_ascii_case(b) || !(is_plain(a) && is_plain(b)) && folded(a) == folded(b)
}

/// A word as it is compared: compatible forms are one (NFKC), without what
/// nobody sees, in small letters, with single spaces.
fn folded(word: &str) -> String {
    let seen = word.nfkc().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase);
    let text: String = seen.collect();
    bare(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a character shows nothing: joiners, marks of direction, soft hyphens.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
        || (c.is_control() && !c.is_whitespace())
}

/// Letters that look like another, as small letters: Cyrillic and Greek for Latin.
const ALIKE: [(&str, &str); 2] =
    [("аеорсухіјѕһԁԛԝкмтӏүвн", "aeopcyxijshdqwkmtlybh"), ("αεικνορτυχβημζ", "aeikvoptuxbhmz")];

/// A word by what it looks like: without accents, with the Latin letter for
/// one that is drawn the same.
fn looks(word: &str) -> String {
    let plain = |c: &char| !unicode_normalization::char::is_combining_mark(*c);
    let latin = |c: char| {
        let found = ALIKE.iter().find_map(|(these, latin)| {
            these.chars().zip(latin.chars()).find(|(other, _)| *other == c)
        });
        found.map_or(c, |(_, latin)| latin)
    };
    folded(word).nfkd().filter(plain).map(latin).collect()
}

fn bare(word: &str) -> &str {
    word.trim().trim_start_matches('@')
}

/// Whether a word that is none of somebody's own may still mean them: their
/// first or last name alone (`Tom` of Tom Becker), initials (`T. Becker`), the
/// name as a login (`tom.becker`), the whole name with something between or
/// behind, letters that look alike, or the part of their address before the
/// `@`, alone or at another domain. `words` are their logins, addresses and names.
#[must_use]
pub fn may_be_person(word: &str, words: &[String]) -> bool {
    let word = looks(bare(word));
    let own = || words.iter().map(|own| looks(bare(own)));
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
            let holds_all = names.len() > 1 && names.iter().all(|name| given.contains(name));
            names.concat() == given.concat()
                || (may_be_part && (holds_all || is_part(&given, &names)))
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
