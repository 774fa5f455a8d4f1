//! The export of the won deals, as HubSpot writes it.

use std::fs::File;
use std::path::Path;

use crate::content::{Deal, time};

/// An export under way.
pub(crate) struct Export {
    csv: csv::Writer<File>,
    rows: usize,
}

impl Export {
    /// Begins the file with its headers.
    pub(crate) fn create(path: &Path) -> Result<Self, csv::Error> {
        let mut csv =
            csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_path(path)?;
        csv.write_record([
            "Record ID",
            "Deal Name",
            "Deal Stage",
            "Close Date",
            "Deal owner",
            "Amount",
            "Pipeline",
            "Deal Type",
            "Currency",
            "Create Date",
            "Is Closed Won",
            "Associated Company",
        ])?;
        Ok(Self { csv, rows: 0 })
    }

    /// Adds a won deal.
    pub(crate) fn row(&mut self, deal: &Deal, kind: &str) -> Result<(), csv::Error> {
        self.rows += 1;
        let minute = |at| time(at).format("%Y-%m-%d %H:%M").to_string();
        self.csv.write_record([
            &deal.id.to_string(),
            &format!("{} - {}", deal.company, deal.product),
            "Closed Won",
            &minute(deal.signed_at + 60),
            deal.rep,
            &format!("{}.0", deal.amount),
            "Sales Pipeline",
            kind,
            "USD",
            &minute(deal.signed_at - 90 * 86_400),
            "true",
            &deal.company,
        ])
    }

    /// Ends the file; how many deals it holds.
    pub(crate) fn finish(mut self) -> std::io::Result<usize> {
        self.csv.flush()?;
        Ok(self.rows)
    }
}
