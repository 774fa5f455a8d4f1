//! Deals from an export file: CSV, JSON or a workbook. The exports of ten CRMs are
//! recognised, any other is described by its columns. What cannot be read
//! exactly is refused with file, row and column.

mod columns;
mod content;
mod deal;
mod encoding;
mod every;
mod footer;
mod ids;
mod join;
mod json;
mod load;
mod numbers;
mod outcome;
mod problems;
mod record;
mod remarks;
mod rows;
mod settings;
mod source;
mod table;

pub use deal::{Counted, Detail};
pub use settings::{
    Column, Currency, DateOrder, DateSettings, DecimalSign, FileSettings, JoinRole, JoinSettings,
    NumberSettings, ZoneName,
};
pub use source::{FileCrm, WonTest};
