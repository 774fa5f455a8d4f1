//! Deals from an export file: CSV, JSON, a workbook or a page. The exports of twelve CRMs are
//! recognised, any other is described by its columns. What cannot be read
//! exactly is refused with file, row and column.

mod cell;
mod columns;
mod content;
mod deal;
mod encoding;
mod figures;
mod files;
mod headers;
mod json;
mod load;
mod markup;
mod no_deals;
mod outcome;
mod problem;
mod record;
mod remarks;
mod rows;
mod settings;
mod source;
mod table;
mod totals;
mod typed;

pub use deal::{Counted, Detail, WonTest};
pub use files::{ExportRoot, ReadCommitted};
pub use settings::{
    Column, Currency, DateOrder, DateSettings, DecimalSign, FileSettings, JoinRole, JoinSettings,
    NumberSettings, STANDARD_INPUT,
};
pub use source::FileCrm;
