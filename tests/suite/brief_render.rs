//! README.md: what a CSM reads, and what hostile text cannot do in it.

use comrak::{Options, markdown_to_html};
use handoff::brief::{
    AnswerState, Brief, Completeness, ConfirmedAnswers, QUESTIONS, RenderError, RenderInput,
    Renderer, SHIPPED_SCHEMA, Schema,
};
use serde_json::{Value, json};

use crate::brief_schema::sample;
use crate::browser;

fn render(brief: &Brief) -> String {
    render_with(None, brief, Schema::shipped())
}

fn render_with(template: Option<&str>, brief: &Brief, schema: &Schema) -> String {
    let renderer = Renderer::new(template).expect("compiles");
    let confirmed = &ConfirmedAnswers::default();
    renderer.readme(&RenderInput { brief, schema, confirmed }).expect("renders")
}

/// The lines of the page that are marked, where these answers have this source.
fn marked(brief: &Brief, answers: &[(&str, &str)]) -> Vec<String> {
    let answers = answers.iter().map(|(pointer, from)| (*pointer, json!({"from": from})));
    let answers: serde_json::Map<String, Value> =
        answers.map(|(pointer, source)| (pointer.to_owned(), source)).collect();
    let key = brief.view().key().expect("a key");
    let sources = json!({
        "schema": "handoff/sources/v1", "key": key, "brief": "0".repeat(40), "answers": answers
    });
    let sources = handoff::yaml::write(&sources);
    let confirmed = &ConfirmedAnswers::written(&sources);
    let renderer = Renderer::new(None).expect("compiles");
    let input = RenderInput { brief, schema: Schema::shipped(), confirmed };
    let page = renderer.readme(&input).expect("renders");
    let marked = |line: &&str| line.contains('✓') && !line.starts_with("<sub>");
    assert_eq!(page.contains("<sub>") && page.contains("✓ a person"), !confirmed.is_empty());
    page.lines().filter(marked).map(str::to_owned).collect()
}

#[test]
fn the_page_marks_what_a_person_gave_and_nothing_else() {
    let brief = sample("complete");
    let lists = |pointer: &str| brief.json().pointer(pointer).unwrap().as_array().unwrap().len();
    assert_eq!(marked(&brief, &[]), [""; 0]);
    let machines = [("/success/metric", "crm"), ("/commitments", "form"), ("/customer", "ledger")];
    assert_eq!(marked(&brief, &machines), [""; 0]);
    for from in ["person", "link", "proposed"] {
        let lines = marked(&brief, &[("/success/metric", from), ("/success/baseline", "crm")]);
        assert!(matches!(&*lines, [one] if one.ends_with(" ✓") && !one.contains("aseline")));
    }
    // A list is one answer, so each of its rows is.
    assert_eq!(marked(&brief, &[("/commitments", "person")]).len(), lists("/commitments"));
    // A person of whom one part is theirs and the rest the CRM's is not marked whole.
    assert_eq!(marked(&brief, &[("/contacts/signer/email", "person")]), [""; 0]);
    let signer = brief.json().pointer("/contacts/signer").unwrap().as_object().unwrap();
    let whole: Vec<String> = signer.keys().map(|it| format!("/contacts/signer/{it}")).collect();
    let whole: Vec<(&str, &str)> = whole.iter().map(|it| (&**it, "person")).collect();
    let in_another_role = marked(&brief, &whole);
    assert_eq!(in_another_role, [""; 0], "the same person as economic buyer is the CRM's word");
    let both: Vec<(&str, &str)> =
        whole.iter().copied().chain([("/contacts/economic_buyer", "link")]).collect();
    assert_eq!(marked(&brief, &both).len(), 1);
    // Of a file that cannot be read nothing is believed.
    let torn = ConfirmedAnswers::written("answers: {/success/metric: {from: person");
    assert!(torn.is_empty());
}

/// As GitHub would show it, with raw HTML let through to see whether any gets there.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.alerts = true;
    options.render.r#unsafe = true;
    markdown_to_html(markdown, &options)
}

#[test]
fn the_page_of_a_complete_brief() {
    insta::assert_snapshot!(render(&sample("complete")));
}

#[test]
fn the_page_of_a_brief_with_gaps() {
    insta::assert_snapshot!(render(&sample("gaps")));
}

#[test]
fn the_page_of_an_empty_draft() {
    insta::assert_snapshot!(render(&Brief::from_json(json!({"key": "csv-1"}))));
}

#[test]
fn what_is_said_twice_is_read_once() {
    let mut json = sample("complete").into_json();
    let goal = json["success"]["primary_goal"].clone();
    json["success"]["metric"] = goal;
    let page = render(&Brief::from_json(json));
    assert!(page.contains("**Primary goal, metric:** Cut pick errors"), "{page}");
    assert!(page.contains("| **Signer, Economic buyer** | Dana Okafor |"), "{page}");
    assert_eq!(page.matches("| Dana Okafor |").count(), 1, "{page}");
}

#[test]
fn the_first_screen_holds_who_what_and_when() {
    let page = html(&render(&sample("complete")));
    assert!(page.contains("<h1>Northwind Robotics</h1>"), "{page}");
    let markdown = render(&sample("complete"));
    let first: Vec<&str> = markdown.lines().take(16).collect();
    let first = first.join("\n");
    for words in
        ["First action, due Sat 2026-10-31 16:40 UTC, Sam Lee", "**Write to:** ", "**Promised ("]
    {
        assert!(first.contains(words), "{words} is not on the first screen:\n{first}");
    }
    assert!(page.contains("markdown-alert-important"), "{page}");
    assert!(page.matches("<table>").count() == 2, "{page}");
    assert!(page.contains("href=\"mailto:dana.okafor@northwind-robotics.example\""), "{page}");
    let lines = markdown.lines().count();
    assert!(lines <= 90, "{lines} lines are more than two screens");
}

#[test]
fn the_seven_questions_stand_in_their_order_each_with_its_state() {
    for name in ["complete", "gaps"] {
        let brief = sample(name);
        let completeness = Completeness::of(Schema::shipped(), brief.json());
        let page = render(&brief);
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("### ")).collect();
        for (at, question) in QUESTIONS.iter().enumerate() {
            let number = u8::try_from(at).unwrap() + 1;
            let state = match completeness.answer(number).unwrap() {
                AnswerState::Unanswered => " Missing",
                AnswerState::Unknown => " Not known yet",
                AnswerState::Answered if brief.json()["commitments"] == "none" && number == 4 => {
                    " None"
                }
                AnswerState::Answered => "",
            };
            assert_eq!(headings[at], format!("### {number}. {question}{state}"), "{page}");
        }
        for missing in &completeness.missing {
            let ask = missing.ask.as_deref().unwrap_or("the rep");
            assert!(page.contains(&format!("**Missing: ask {ask}** for ")), "{ask}: {page}");
        }
    }
    let empty = render(&Brief::from_json(json!({"key": "csv-1", "commitments": "none"})));
    assert!(empty.contains("### 4. What did the rep promise? None\n"), "{empty}");
    assert_eq!(empty.matches(" Missing\n").count(), 6, "{empty}");
}

#[test]
fn times_are_on_the_companys_clock() {
    let renderer = Renderer::new(None).unwrap().in_zone(chrono_tz::America::New_York);
    let brief = sample("complete");
    let confirmed = &ConfirmedAnswers::default();
    let input = RenderInput { brief: &brief, schema: Schema::shipped(), confirmed };
    let page = renderer.readme(&input).unwrap();
    assert!(page.contains("First action, due Sat 2026-10-31 12:40 EDT, Sam Lee"), "{page}");
    assert!(!page.contains("UTC"), "{page}");
}

#[test]
fn long_answers_many_promises_and_text_from_right_to_left_keep_their_form() {
    let mut json = sample("complete").into_json();
    let promises: Vec<Value> = (1..=30)
        .map(|n| json!({"promise": format!("Promise number {n}"), "made_by": "Riley Ross", "owner": "Platform team"}))
        .collect();
    json["commitments"] = promises.into();
    json["success"]["primary_goal"] = "A goal of a thousand characters. ".repeat(32).into();
    json["customer"]["industry"] = "تصنيع (الرياض)".into();
    let page = render(&Brief::from_json(json.clone()));
    assert_eq!(page.matches("| Promise number ").count(), 30, "{page}");
    assert!(
        page.contains(
            "**Promised (30):** Promise number 1; Promise number 2; Promise number 3; 27 more below"
        ),
        "{page}"
    );
    assert!(page.contains("\u{2068}تصنيع \\(الرياض\\)\u{2069}"), "{page}");
    // A long cell makes a table of promises a list, with nothing lost.
    json["commitments"][4]["promise"] = "A promise with many conditions. ".repeat(32).into();
    let page = render(&Brief::from_json(json));
    assert!(!page.contains("| Promise number "), "{page}");
    assert!(page.contains("- Promise number 30<br>**Owner:** Platform team"), "{page}");
}

/// The page as a reader of GitHub has it: Markdown made HTML, and GitHub's
/// measures of text, tables and alerts.
fn on_github(brief: &Brief) -> String {
    let style = include_str!("../fixtures/pages/github.css");
    // GitHub lets the keyboard into tables, so that wide ones can be moved.
    let page = html(&render(brief)).replace("<table>", "<table tabindex=\"0\">");
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Brief</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <style>{style}</style></head><body><main class=\"markdown-body\">{page}</main></body></html>"
    )
}

#[test]
fn the_page_fits_a_browser_on_a_desk_and_on_a_phone() {
    if !browser::is_here("the page of a brief") {
        return;
    }
    let mut many = sample("complete").into_json();
    let promises = (1..=30).map(|n| json!({"promise": format!("Promise number {n}: single sign-on with their identity provider before go-live"), "made_by": "Riley Ross", "due": "2027-01-15", "owner": "Platform team"}));
    many["commitments"] = promises.collect();
    many["success"]["primary_goal"] = "A goal of a thousand characters. ".repeat(32).into();
    let mut arabic = sample("complete").into_json();
    arabic["customer"]["name"] = "شركة النور للتصنيع".into();
    arabic["customer"]["industry"] = "تصنيع (الرياض)".into();
    arabic["success"]["primary_goal"] = "خفض أخطاء الانتقاء بنسبة 30٪ قبل الصيف".into();
    let briefs = [
        ("full", sample("complete")),
        ("gaps", sample("gaps")),
        ("thirty promises", Brief::from_json(many)),
        ("right to left", Brief::from_json(arabic)),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let desk = browser::Look { width: 1000, height: 1000, dark: false, scripts: true };
    let looks = [desk, browser::Look { dark: true, ..desk }, browser::PHONE];
    for look in looks {
        let mut chromium = browser::Browser::start(look);
        for (name, brief) in &briefs {
            let file = folder.path().join("page.html");
            std::fs::write(&file, on_github(brief)).expect("a file");
            chromium.open(&format!("file://{}", file.display()));
            chromium.assert_accessible(name);
            // Who, what and by when stand on the first screen.
            let first = "(() => { const at = [...document.querySelectorAll('p')].find(it => it.textContent.includes('Write to:')); return at ? at.getBoundingClientRect().bottom : null; })()";
            let bottom = chromium.tell(first);
            let is_there = bottom.as_f64().is_some_and(|it| it < f64::from(look.height));
            assert!(is_there || *name == "gaps", "{name} at {}: {bottom}", look.width);
            let picture = chromium.picture((look.width == 1000).then_some(1180));
            match (*name, look.dark, look.width) {
                ("full", false, 1000) => browser::keep_picture("brief.png", &picture),
                ("gaps", false, 390) => browser::keep_picture("brief-phone.png", &picture),
                _ => {}
            }
        }
    }
}

const HOSTILE: &[&str] = &[
    "{{7*7}}<script>alert(1)</script>@everyone",
    "fixes #1 and closes GH-2, see acme/repo#3",
    "![x](https://e.example/p.png) [y](javascript:alert(1))",
    "<img src=x onerror=alert(1)><!-- --><details open>",
    "a | b || c \\| d",
    "one\ntwo\r\n\r\n# three\n> four\n- five\n```\nsix",
    "\u{202e}desrever\u{2066}\u{0}\u{1b}[31m",
    "</details></sub>\n\n# Owned",
    "https://evil.example www.evil.example user@evil.example",
    "`code` ``more`` ~~~ *bold* _it_ ~~no~~ $x$",
    "&lt;script&gt; &#60;b&#62; &amp;",
    "{% for x in range(9) %}{{ brief }}{% endfor %}{# no #}",
    "| | |\n|---|---|\n| injected | row |",
    "[!IMPORTANT]",
    "--> <b>out</b>",
    "\\",
    "x](https://e.example",
];

/// Every text of the sample replaced by one hostile text.
fn poison(value: &Value, text: &str) -> Value {
    match value {
        Value::String(_) => text.into(),
        Value::Array(items) => items.iter().map(|item| poison(item, text)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), poison(value, text))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn hostile_text_is_only_ever_text() {
    let long = "Ltd ".repeat(75);
    let sample = sample("complete");
    let clean = html(&render(&sample));
    for text in HOSTILE.iter().copied().chain([long.as_str()]) {
        let brief = Brief::from_json(poison(sample.json(), text));
        let markdown = render(&brief);
        let page = html(&markdown);
        let own = page
            .replace("<!-- Rendered from brief.yaml; edit that. -->", "")
            .replace("<details><summary>", "")
            .replace("</summary>", "")
            .replace("</details>", "")
            .replace("<sub>", "")
            .replace("</sub>", "");
        for act in [
            "<script",
            "<img",
            "<b>",
            "<details",
            "<!--",
            "<pre",
            "<code",
            "<del",
            "<em>x",
            "href=\"javascript",
            "href=\"https://e.example",
            "src=",
        ] {
            assert!(
                !own.contains(act) || act == "src=" && !own.contains("<img"),
                "{text:?}: {act} in\n{page}"
            );
        }
        assert!(!page.contains("evil.example\""), "{text:?} links\n{page}");
        assert!(!markdown.contains("@everyone"), "{text:?} mentions\n{markdown}");
        assert!(
            !markdown.contains("fixes #1") && !markdown.contains("GH-2"),
            "{text:?}\n{markdown}"
        );
        assert!(!markdown.contains('\u{202e}') && !markdown.contains('\u{1b}'), "{text:?}");
        for element in ["<h1>", "<h3>", "<tr>", "<table>"] {
            let count = |page: &str| page.matches(element).count();
            if text.len() > 200 && matches!(element, "<tr>" | "<table>") {
                continue; // tables with long cells are lists
            }
            let (found, wanted) = (count(&page), count(&clean));
            // People with one name are one row.
            let fits = if element == "<tr>" { found <= wanted } else { found == wanted };
            assert!(fits, "{text:?} changes the number of {element}\n{page}");
        }
    }
}

#[test]
fn a_ledgers_own_template_is_safe_whatever_it_does() {
    let brief =
        Brief::from_json(json!({"customer": {"name": "<b>@team</b> [x](y)"}, "key": "csv-1"}));
    let safe = "&lt;b&gt;@&#8203;team&lt;/b&gt; \\[x\\]\\(y\\)\n";
    for template in [
        "{{ brief.customer.name }}\n",
        "{% autoescape false %}{{ brief.customer.name }}{% endautoescape %}\n",
        "{% set x %}{{ brief.customer.name }}{% endset %}{{ x }}\n",
        "{{ brief.customer.name ~ '' }}\n",
        "{{ [brief.customer.name] | join }}\n",
        "{{ brief.customer.name | escape }}\n",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(brief.customer.name) }}\n",
    ] {
        assert_eq!(render_with(Some(template), &brief, Schema::shipped()), safe, "{template}");
    }
    for template in
        ["{{ brief.customer.name | safe }}", "{{ brief | tojson }}", "{{ x", "{% include 'y' %}"]
    {
        let error = Renderer::new(Some(template)).expect_err(template);
        assert!(matches!(error, RenderError::Template { line: 1, .. }), "{template}: {error}");
    }
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(Renderer::new(Some(endless)).is_err(), "an endless template is refused");
}

#[test]
fn a_template_knows_where_in_a_loop_it_is() {
    let brief = Brief::from_json(json!({"key": "csv-1"}));
    for (inside, page) in [
        ("{{ loop.index }}/{{ loop.length }} ", "1/3 2/3 3/3 "),
        ("{{ loop.index0 }} ", "0 1 2 "),
        ("{{ loop.revindex }}{{ loop.revindex0 }} ", "32 21 10 "),
        ("{{ loop.first }} ", "True False False "),
        ("{{ loop.last }} ", "False False True "),
        ("{{ loop.previtem }}{{ x }}{{ loop.nextitem }} ", "ab abc bc "),
        ("{{ loop.cycle('odd', 'even') }} ", "odd even odd "),
        ("{% for y in 'd' %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %} ", "21 21 21 "),
        ("{{ loop.depth }} ", "1 1 1 "),
        ("{{ loop.nothing }}.", "..."),
    ] {
        let template = format!("{{% for x in ['a', 'b', 'c'] %}}{inside}{{% endfor %}}");
        assert_eq!(
            render_with(Some(&template), &brief, Schema::shipped()),
            format!("{}\n", page.trim_end()),
            "{inside}"
        );
    }
}

#[test]
fn outside_of_the_ledger_a_page_does_not_say_to_edit_a_file() {
    let page = render_with(None, &crate::brief_schema::sample("complete"), Schema::shipped());
    let hint = "Edit brief.yaml in this folder.";
    let (before, after) = page.split_once(hint).expect("the page in the ledger says so");
    let sent = handoff::brief::without_edit_hint(&page);
    assert!(!sent.contains("brief.yaml in this folder"), "{sent}");
    assert!(sent.starts_with(before.lines().next().unwrap()) && sent.ends_with(after), "{sent}");
}

#[test]
fn who_finds_out_is_on_the_page_also_where_nobody_is_known() {
    let mut json = sample("complete").into_json();
    let gap = json!({"unknown": {"why": "the rep left", "owner": "Priya Raman", "resolve_by": "2026-11-20"}});
    json["contacts"] = json!({"signer": gap, "day_to_day": gap, "economic_buyer": gap});
    let page = render_with(None, &Brief::from_json(json), Schema::shipped());
    let line = page.lines().find(|line| line.contains("**Signer, Day to day, Economic buyer**"));
    let line = line.unwrap_or_else(|| panic!("no line of the roles in\n{page}"));
    assert!(line.contains("the rep left") && line.contains("Priya Raman"), "{line}");
}

#[test]
fn a_template_sets_compares_and_calls() {
    let brief = Brief::from_json(json!({"key": "csv-1"}));
    for (template, page) in [
        ("{% set a, b = ['x', 'y'] %}{{ b }}{{ a }}", "yx"),
        ("{% set (a, b) = ['x', 'y'] %}{{ b }}{{ a }}", "yx"),
        ("{% for a, b in [['x', 'y'], ['z', 'w']] %}{{ b }}{{ a }}{% endfor %}", "yxwz"),
        (
            "{% macro m(a, b='z') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }} {{ m('x', 'y') }}",
            "xz xy",
        ),
        ("{% macro m(a, b='z') %}{{ a }}{{ b }}{% endmacro %}{{ m(b='y', a='x') }}", "xy"),
        (
            "{% set ns = namespace(x=1, y=2) %}{% set ns.x = 3 %}{{ ns.x }}{{ ns.y }}{{ ns.z }}",
            "32",
        ),
        ("{% filter upper %}a{{ 'b' }}{% endfilter %}", "AB"),
        ("{% filter trim | upper %} a {% endfilter %}", "A"),
        ("{% set x | upper %}ab{% endset %}{{ x }}", "AB"),
        ("{{ 'a' in ['a'] }} {{ 'a' not in ['a'] }} {{ 'b' not in ['a'] }}", "True False True"),
        ("{{ 1 < 2 not in [3] }} {{ 1 < 2 not in [2] }} {{ 1 < 2 in [2] }}", "True False True"),
        ("{{ 'b' < 'c' }} {{ 2 >= 2 }} {{ 2 != 2 }} {{ 'a' in 'cat' }}", "True True False True"),
        (
            "{{ 'ab' * 3 }} {{ [1] * 2 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }}",
            "ababab \\[1, 1\\] 3 3 8",
        ),
    ] {
        let rendered = render_with(Some(template), &brief, Schema::shipped());
        assert_eq!(rendered, format!("{page}\n"), "{template}");
    }
    let confirmed = &ConfirmedAnswers::default();
    let input = RenderInput { brief: &brief, schema: Schema::shipped(), confirmed };
    for (template, words) in [
        ("{% set a, b = ['x'] %}", "2 names for 1 values"),
        ("{% set a, b = ['x', 'y', 'z'] %}", "2 names for 3 values"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "`m` takes 1 values"),
        ("{% set x = 1 %}{% set x.a = 2 %}", "`x` is not a namespace"),
        (
            "{% set n = namespace() %}{% set n.n = n %}",
            "a namespace cannot be put into a namespace",
        ),
    ] {
        let rendered = Renderer::new(Some(template)).and_then(|renderer| renderer.readme(&input));
        let error = rendered.expect_err(template).to_string();
        assert!(error.contains(words), "{template}: {error}");
    }
}

#[test]
fn a_companys_own_fields_are_on_the_page_under_their_titles() {
    let mut document: Value = serde_json::from_str(SHIPPED_SCHEMA).expect("JSON");
    document["properties"]["customer"]["properties"]["region"] =
        json!({"title": "Sales region", "type": "string"});
    document["properties"]["success"]["properties"]["reference"] =
        json!({"title": "May we name them?", "type": "boolean"});
    document["properties"]["partner"] = json!({
        "title": "Which partner brought them?", "type": "object",
        "additionalProperties": {"$ref": "#/$defs/person"}, "properties": {"name": {"type": "string"}, "fee": {"title": "Fee", "$ref": "#/$defs/money"}}});
    let schema = Schema::compile(document.to_string().as_bytes()).expect("compiles");
    let mut json = sample("complete").into_json();
    json["customer"]["region"] = "EMEA".into();
    json["success"]["reference"] = true.into();
    json["partner"] = json!({"name": "Acme", "fee": {"amount": "1234567.5", "currency": "EUR"},
        "account_manager": {"name": "Kim Doe"}});
    let page = render_with(None, &Brief::from_json(json), &schema);
    for line in [
        "- **Sales region:** EMEA",
        "**May we name them?** yes",
        "### Which partner brought them?",
        "- **Name:** Acme",
        "- **Fee:** EUR 1,234,567.5",
        "- **Account manager:** Kim Doe",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}
