//! Deals from an export file: CSV, JSON or a workbook. The exports of ten CRMs are
//! recognised, any other is described by its columns. What cannot be read
//! exactly is refused with file, row and column.

mod columns;
mod content;
mod deal;
mod json;
mod load;
mod outcome;
mod record;
mod remarks;
mod settings;
mod source;
mod table;

pub use deal::{Counted, Detail};
pub use settings::{
    Column, Currency, DateOrder, DateSettings, DecimalSign, FileSettings, JoinRole, JoinSettings,
    NumberSettings, ZoneName,
};
pub use source::{FileCrm, WonTest};
