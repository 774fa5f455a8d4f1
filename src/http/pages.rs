//! Reading a list page by page, for every connector: what may be believed of
//! cursors, empty pages and totals. Pure: asks nobody, and knows no vendor.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use serde_json::Value;

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its records, in its order.
    pub records: Vec<Value>,
    /// The answer as it came, for the evidence's hash.
    pub bytes: Bytes,
    /// How many records the whole list has, where the server says.
    pub total: Option<usize>,
    /// Where the next page is; `None` after the last one.
    pub next: Option<String>,
}

/// Why a list is not whole although its server answered each request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagesFault {
    /// The next page is one that was read already.
    #[error("it names as the next page one that was read already, so the pages repeat")]
    Circle,
    /// Page after page without a record that was not there before.
    #[error("{0} pages in a row held nothing new and named a next one")]
    NothingNew(usize),
    /// More pages than any list has.
    #[error("the list goes on after {0} pages")]
    Endless(usize),
    /// The pages hold far more than the server counts.
    #[error("{total} are counted, the pages held {read}, and a next one is named")]
    Long {
        /// As counted by the server.
        total: usize,
        /// Different records on the pages.
        read: usize,
    },
    /// The server counts more records than its pages held.
    #[error("{total} are counted, and the pages held {read}")]
    Short {
        /// As counted by the server.
        total: usize,
        /// Different records on the pages.
        read: usize,
    },
}

/// Pages in a row that may hold nothing new: servers filter after paging.
const MOST_EMPTY: usize = 50;
/// Pages of one list: two million records, a hundred a page.
const MOST_PAGES: usize = 20_000;
/// So many records may come while a list is read that counts as many.
const MOST_NEW: usize = 10_000;

/// The way through a list: where the next page is, and whether the list is
/// whole in the end.
///
/// ```
/// use handoff::http::{Page, PageWalk, PagesFault};
///
/// let mut walk = PageWalk::new("deals?limit=2");
/// while let Some(place) = walk.next() {
///     let page = Page { next: Some(place), ..Page::default() }; // read it here
///     assert_eq!(walk.take(&page), Err(PagesFault::Circle));
/// }
/// assert_eq!(walk.page(), 1);
/// ```
#[derive(Debug)]
pub struct PageWalk {
    next: Option<String>,
    places: HashSet<String>,
    ids: HashSet<u64>,
    page: usize,
    read: usize,
    nothing_new: usize,
    total: Option<usize>,
}

impl PageWalk {
    /// A list whose first page is at this place.
    #[must_use]
    pub fn new(first: impl Into<String>) -> Self {
        Self {
            next: Some(first.into()),
            places: HashSet::new(),
            ids: HashSet::new(),
            page: 0,
            read: 0,
            nothing_new: 0,
            total: None,
        }
    }

    /// The place of the page to read now; `None` when there is no other.
    #[expect(clippy::should_implement_trait, reason = "each page is read before the next is known")]
    pub fn next(&mut self) -> Option<String> {
        let place = self.next.take()?;
        self.page += 1;
        self.places.insert(place.clone());
        Some(place)
    }

    /// The number of the page that is read now, from 1.
    #[must_use]
    pub fn page(&self) -> usize {
        self.page
    }

    /// Different records so far: those with one id count once.
    #[must_use]
    pub fn read(&self) -> usize {
        self.read
    }

    /// How many records the server counts, where it says.
    #[must_use]
    pub fn total(&self) -> Option<usize> {
        self.total
    }

    /// Takes a page that was read. Its records are good even when what it says
    /// of the next page is not.
    ///
    /// # Errors
    /// When the pages behind it cannot be read; the walk has ended then.
    pub fn take(&mut self, page: &Page) -> Result<(), PagesFault> {
        let before = self.read;
        for record in &page.records {
            // A record without an id cannot be told from others.
            if identity(record).is_none_or(|id| self.ids.insert(id)) {
                self.read += 1;
            }
        }
        self.total = self.total.or(page.total);
        self.nothing_new = if self.read > before { 0 } else { self.nothing_new + 1 };
        let Some(next) = &page.next else { return Ok(()) };
        if self.places.contains(next) {
            return Err(PagesFault::Circle);
        }
        if self.nothing_new >= MOST_EMPTY {
            return Err(PagesFault::NothingNew(self.nothing_new));
        }
        if self.page >= MOST_PAGES {
            return Err(PagesFault::Endless(self.page));
        }
        if let Some(total) = self.total
            && self.read > total.saturating_mul(2).saturating_add(MOST_NEW)
        {
            return Err(PagesFault::Long { total, read: self.read });
        }
        self.next = Some(next.clone());
        Ok(())
    }

    /// After the last page: whether it was the whole list.
    ///
    /// # Errors
    /// When the server counted more records than there were. More than it
    /// counted is no fault: some may have come meanwhile.
    pub fn finish(&self) -> Result<(), PagesFault> {
        match self.total {
            Some(total) if self.read < total => Err(PagesFault::Short { total, read: self.read }),
            _ => Ok(()),
        }
    }
}

/// What a record is known by, as a number of its own.
fn identity(record: &Value) -> Option<u64> {
    let names = ["id", "Id", "gid", "ts"].iter();
    let id = names.filter_map(|name| record.get(name)).find(|id| !id.is_null())?;
    let mut hasher = DefaultHasher::new();
    id.to_string().hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(ids: &[u64], next: Option<&str>) -> Page {
        let records = ids.iter().map(|id| json!({"id": id})).collect();
        Page { records, next: next.map(str::to_owned), ..Page::default() }
    }

    /// Walks pages by place; the fault, where it came, and the records.
    fn walk(pages: impl Fn(&str) -> Page) -> (Option<PagesFault>, usize, usize) {
        let mut walk = PageWalk::new("1");
        while let Some(place) = walk.next() {
            if let Err(fault) = walk.take(&pages(&place)) {
                return (Some(fault), walk.page(), walk.read());
            }
        }
        (walk.finish().err(), walk.page(), walk.read())
    }

    #[test]
    fn what_ends_a_list_early_is_a_fault_with_its_page() {
        assert_eq!(walk(|_| page(&[1, 2], None)), (None, 1, 2));
        // The second page names itself, or the pages go round.
        let circle = Some(PagesFault::Circle);
        assert_eq!(walk(|_| page(&[1], Some("1"))), (circle.clone(), 1, 1));
        let round = |place: &str| match place {
            "1" => page(&[1], Some("2")),
            "2" => page(&[2], Some("3")),
            _ => page(&[3], Some("2")),
        };
        assert_eq!(walk(round), (circle, 3, 3));
        // An empty page that names a next one is not the end.
        let filtered = |place: &str| match place {
            "1" => page(&[], Some("2")),
            "2" => page(&[], Some("3")),
            _ => page(&[7], None),
        };
        assert_eq!(walk(filtered), (None, 3, 1));
        // Always another place, and nothing new.
        let after = |place: &str| (place.parse::<u64>().expect("a number") + 1).to_string();
        let nothing = Some(PagesFault::NothingNew(MOST_EMPTY));
        assert_eq!(walk(|at| page(&[], Some(&after(at)))), (nothing.clone(), MOST_EMPTY, 0));
        assert_eq!(walk(|at| page(&[5], Some(&after(at)))), (nothing, MOST_EMPTY + 1, 1));
        let endless = |at: &str| page(&[at.parse().expect("a number")], Some(&after(at)));
        assert_eq!(walk(endless), (Some(PagesFault::Endless(MOST_PAGES)), MOST_PAGES, MOST_PAGES));
        let beyond = |at: &str| Page { total: Some(5), ..endless(at) };
        let read = 2 * 5 + MOST_NEW + 1;
        assert_eq!(walk(beyond), (Some(PagesFault::Long { total: 5, read }), read, read));
    }

    #[test]
    fn a_total_counts_each_record_once() {
        let of = |total, ids: &[u64]| Page { total: Some(total), ..page(ids, None) };
        assert_eq!(walk(|_| of(2, &[1, 2])), (None, 1, 2));
        assert_eq!(walk(|_| of(1, &[1, 2])), (None, 1, 2), "one came meanwhile");
        let short = Some(PagesFault::Short { total: 3, read: 2 });
        assert_eq!(walk(|_| of(3, &[1, 2, 2])), (short, 1, 2));
    }
}
