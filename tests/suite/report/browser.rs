//! The page in a browser. Chromium is not on every machine, so this runs only
//! where `HANDOFF_BROWSER=1` asks for it, and says so where it does not.
//! `HANDOFF_BROWSER_OUT` names a folder in which the pages and screenshots stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use handoff::audit::AuditReport;
use handoff::report::Format;

use super::audits::{clean, company, hostile, incomplete, shown};
use super::samples::{self, three_briefs};
use crate::browser::{self, Look, PHONE, is_here, keep_picture, wanted};

/// No browser lives longer.
const AT_MOST: [&str; 4] = ["--kill-after=5", "240", "chromium", "--disable-dev-shm-usage"];

struct Browser {
    folder: PathBuf,
    _kept_until_the_end: Option<tempfile::TempDir>,
}

impl Browser {
    fn start(test: &str) -> Option<Self> {
        if !is_here(test) {
            return None;
        }
        let (folder, kept) = match wanted("HANDOFF_BROWSER_OUT") {
            Some(folder) => (PathBuf::from(folder), None),
            None => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                (folder.path().to_owned(), Some(folder))
            }
        };
        fs::create_dir_all(&folder).expect("a folder");
        Some(Self { folder, _kept_until_the_end: kept })
    }

    fn page(&self, name: &str, report: &AuditReport) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, shown(Format::Html, report)).expect("a page");
        path
    }

    /// The page's elements after its script has run.
    fn dom(&self, page: &Path, hash: &str) -> String {
        let profile = tempfile::tempdir().expect("an empty profile");
        let output = Command::new("timeout")
            .args(AT_MOST)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
            ])
            .args(["--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}{hash}", page.display()))
            .output()
            .expect("chromium runs");
        let log = String::from_utf8_lossy(&output.stderr);
        let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "the page complains: {complaints:#?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn rows(dom: &str) -> usize {
    dom.matches("<tr class=\"row\">").count()
}

#[test]
fn links_filter_the_table() {
    let Some(browser) = Browser::start("links_filter_the_table") else { return };
    let report = company(456);
    let page = browser.page("company.html", &report);
    assert_eq!(rows(&browser.dom(&page, "")), 100, "the first hundred");
    assert_eq!(rows(&browser.dom(&page, "#deals?class=missing")), report.summary.missing);
    assert_eq!(
        rows(&browser.dom(&page, "#deals?class=missing,removed")),
        report.summary.missing + report.summary.removed
    );
    let march =
        report.metrics.by_month.iter().position(|group| group.name == "2026-03").expect("a month");
    let found = browser.dom(&page, &format!("#deals?set=month.{march}"));
    assert_eq!(rows(&found), report.metrics.by_month[march].deals.len().min(100));
    assert_eq!(rows(&browser.dom(&page, &format!("#deals?q={}", report.deals[5].key))), 1);
    let sorted = browser.dom(&page, "#deals?sort=latency&down=1");
    assert!(sorted.contains("aria-sort=\"descending\""));
    let slowest = &report.metrics.latency.signature_to_brief.samples[0].key;
    let first = sorted.find("class=\"key mono\">").expect("a row");
    assert!(sorted[first..].starts_with(&format!("class=\"key mono\">{slowest}<")));
}

#[test]
fn hostile_text_does_not_run() {
    let Some(browser) = Browser::start("hostile_text_does_not_run") else { return };
    let dom = browser.dom(&browser.page("hostile.html", &hostile()), "");
    assert_eq!(rows(&dom), hostile().deals.len());
    assert!(!dom.contains("<script>alert"));
    assert!(!dom.contains("href=\"javascript:"));
}

#[test]
fn the_page_of_findings_works() {
    let Some(browser) = Browser::start("the_page_of_findings_works") else { return };
    let page = browser.folder.join("findings.html");
    fs::write(&page, samples::shown(Format::Html, &three_briefs())).expect("a page");
    let dom = browser.dom(&page, "");
    assert_eq!(dom.matches("<article class=\"finding\"").count(), 4);
}

#[test]
fn ten_thousand_deals_and_odd_companies_work() {
    let Some(browser) = Browser::start("ten_thousand_deals_and_odd_companies_work") else { return };
    assert_eq!(rows(&browser.dom(&browser.page("large.html", &company(10_000)), "")), 100);
    let dom = browser.dom(&browser.page("clean.html", &clean()), "");
    assert_eq!(rows(&dom), 9);
    let dom = browser.dom(&browser.page("incomplete.html", &incomplete(40)), "");
    assert!(dom.contains("not everything could be read"));
}

/// The page's picture in the docs. Fonts differ between machines, so it is not
/// compared; `HANDOFF_BROWSER=1 HANDOFF_UPDATE_PICTURES=1` draws it again.
#[test]
fn the_page_can_be_photographed() {
    let Some(browser) = Browser::start("the_page_can_be_photographed") else { return };
    let page = browser.page("picture.html", &company(456));
    let picture = browser.folder.join("audit.png");
    let profile = tempfile::tempdir().expect("an empty profile");
    let status = Command::new("timeout")
        .args(AT_MOST)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .args(["--hide-scrollbars", "--virtual-time-budget=4000", "--window-size=1280,1150"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium runs")
        .status;
    assert!(status.success(), "{status}");
    keep_picture("audit.png", &fs::read(&picture).expect("a picture"));
}

/// On a phone and on paper, in both schemes, with a keyboard and a screen reader.
#[test]
fn in_a_browser_both_pages_can_be_read_by_everybody() {
    let Some(browser) = Browser::start("both pages on a phone and on paper") else { return };
    let audit = browser.page("everybody.html", &company(60));
    let findings = browser.folder.join("everybody-findings.html");
    fs::write(&findings, samples::shown(Format::Html, &three_briefs())).expect("a page");
    for dark in [false, true] {
        let mut chromium = browser::Browser::start(Look { dark, ..PHONE });
        for (name, path) in [("audit.html", &audit), ("validate.html", &findings)] {
            chromium.open(&format!("file://{}", path.display()));
            let scheme = if dark { "dark" } else { "light" };
            chromium.assert_accessible(&format!("{name}, {scheme}"));
            let back = "getComputedStyle(document.body).backgroundColor";
            let (paper, shade) = ("rgb(255, 255, 255)", if dark { "rgb(15," } else { "rgb(246," });
            let seen = chromium.tell(back);
            assert!(seen.as_str().is_some_and(|it| it.starts_with(shade)), "{name}: {seen}");
            chromium.screen("print");
            assert_eq!(chromium.tell(back), paper, "{name}, {scheme}: ink is saved");
            let shown =
                "[...document.querySelectorAll('.noprint')].filter(it => it.offsetParent).length";
            assert_eq!(chromium.tell(shown), 0, "{name}: what only a screen can do");
            chromium.assert_accessible(&format!("{name}, {scheme}, printed"));
            chromium.screen("");
        }
    }
}

/// How many pages a PDF has.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    text.split("/Type /Page").skip(1).filter(|rest| !rest.starts_with('s')).count()
}

#[test]
fn on_paper_the_audit_is_a_few_pages_with_whole_names_and_every_column() {
    let Some(browser) = Browser::start("the audit on paper") else { return };
    let page = browser.page("paper.html", &company(24));
    let pdf = browser.folder.join("audit.pdf");
    let profile = tempfile::tempdir().expect("an empty profile");
    let printed = Command::new("timeout")
        .args(AT_MOST)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .args(["--virtual-time-budget=4000", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium runs");
    assert!(printed.status.success(), "{printed:?}");
    let count = pages(&fs::read(&pdf).expect("a PDF"));
    assert!((2..=8).contains(&count), "{count} pages for 24 deals");
    // What fits between the margins of a Letter page that lies on its side.
    let paper = Look { width: 980, height: 730, dark: false, scripts: true };
    let mut chromium = browser::Browser::start(paper);
    chromium.open(&format!("file://{}", page.display()));
    chromium.screen("print");
    let cut = "[...document.querySelectorAll('table, .card, .scroll')]\
        .filter(it => it.scrollWidth > it.clientWidth + 1 || \
        it.getBoundingClientRect().right > innerWidth + 1).map(it => it.id || it.className)";
    assert_eq!(chromium.tell(cut), serde_json::json!([]), "a column is cut off");
    // A name is in as many lines as it has words at most.
    let broken = "[...document.querySelectorAll('#table .name, .panel th[scope=row]')].filter(it => {\
        const range = document.createRange(); range.selectNodeContents(it);\
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));\
        return lines.size > it.textContent.trim().split(/\\s+/).length;\
        }).map(it => it.textContent)";
    assert_eq!(chromium.tell(broken), serde_json::json!([]), "a name is broken within a word");
}
