//! Which completed documents are contracts, as `documents:` says.

use crate::brief::Expression;
use crate::model::{DocumentKind, ProviderName};
use crate::settings::Problem;
use crate::time::HumanDuration;
use crate::yaml::{Node, from_node};

/// What an expression under `documents` can read.
const NAMES: &[&str] = &["signature", "deal", "company", "contacts", "line_items"];

/// One rule; the first that applies decides.
#[derive(Debug)]
pub struct DocumentRule {
    /// The provider whose documents it is for; `None` for those of all.
    pub provider: Option<ProviderName>,
    /// When it applies, over the document and its deal.
    pub when: Expression,
    /// What the document is.
    pub is: DocumentKind,
    /// Why, for whoever looks for the document.
    pub reason: Option<String>,
}

/// The rules about completed documents.
#[derive(Debug)]
pub struct Documents {
    /// Those of one provider first, then those of all.
    pub rules: Vec<DocumentRule>,
    /// Whether test and sandbox documents count.
    pub accept_tests: bool,
    /// How long a document waits for a deal that the CRM does not have.
    pub wait_for_deal: HumanDuration,
}

impl Default for Documents {
    fn default() -> Self {
        let wait_for_deal = HumanDuration::hours(48);
        Self { rules: Vec::new(), accept_tests: false, wait_for_deal }
    }
}

impl Documents {
    /// Reads `documents`, `test_documents` and `wait_for_deal`.
    pub(super) fn read(root: &Node, problems: &mut Vec<Problem>) -> Self {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            when: String,
            is: DocumentKind,
            #[serde(default)]
            reason: Option<String>,
        }
        let mut documents = Self::default();
        if let Some(node) = root.get("documents") {
            let Some(items) = node.as_list() else {
                problems.push(
                    Problem::at(node.span, "`documents` is a list of rules")
                        .help("such as `- {when: \"'NDA' in signature.document_name\", is: ignored, reason: NDA}`"),
                );
                return documents;
            };
            for item in items {
                let span = item.get("when").map_or(item.span, |node| node.span);
                match from_node::<Raw>(item) {
                    Ok(raw) => match Expression::compile(&raw.when) {
                        Ok(when) => {
                            for unknown in when.unknown_names(NAMES) {
                                let mut problem = Problem::at(span, unknown.message);
                                problem.help = unknown.help;
                                problems.push(problem);
                            }
                            let (is, reason) = (raw.is, raw.reason);
                            documents.rules.push(DocumentRule { provider: None, when, is, reason });
                        }
                        Err(error) => problems.push(Problem::at(
                            span,
                            format!("`when` is not a valid expression: {error}"),
                        )),
                    },
                    Err(error) => problems.push(error.into()),
                }
            }
        }
        if let Some(node) = root.get("test_documents") {
            match node.as_str() {
                Some("accept") => documents.accept_tests = true,
                Some("ignore") => {}
                _ => problems.push(
                    Problem::at(node.span, "`test_documents` is `ignore` or `accept`")
                        .help("`ignore` is the default; `accept` is for trying handoff out"),
                ),
            }
        }
        documents.wait_for_deal =
            super::parse::duration(root, "wait_for_deal", documents.wait_for_deal, problems);
        documents
    }
}
