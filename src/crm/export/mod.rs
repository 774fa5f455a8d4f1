//! Deals from an export file, CSV or JSON: HubSpot's, Salesforce's and
//! Pipedrive's are recognised, any other is described by its columns. What
//! cannot be read exactly is refused with file, row and column.

mod columns;
mod deal;
mod encoding;
mod every;
mod footer;
mod join;
mod json;
mod load;
mod numbers;
mod problems;
mod record;
mod remarks;
mod rows;
mod settings;
mod source;
mod table;
mod tally;
mod vendor;
mod vendor_columns;
mod won;

pub use deal::{Counted, Detail};
pub use settings::{
    Column, Currency, DateOrder, DateSettings, DecimalSign, FileSettings, JoinRole, JoinSettings,
    NumberSettings, ZoneName,
};
pub use source::{FileCrm, WonTest};
