//! The order of day, month and year, and the days that three numbers can be.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// 10/30/2026
    Mdy,
    /// 30/10/2026
    Dmy,
    /// 2026/10/30
    Ymd,
}

/// The day that a date is in each order; `None` where there is no such day.
#[derive(Clone, Copy)]
pub(super) struct Readings {
    pub(super) mdy: Option<NaiveDate>,
    pub(super) dmy: Option<NaiveDate>,
    pub(super) ymd: Option<NaiveDate>,
}

impl Readings {
    pub(super) fn of(self, order: DateOrder) -> Option<NaiveDate> {
        match order {
            DateOrder::Mdy => self.mdy,
            DateOrder::Dmy => self.dmy,
            DateOrder::Ymd => self.ymd,
        }
    }

    pub(super) fn known(self) -> impl Iterator<Item = NaiveDate> {
        [self.mdy, self.dmy, self.ymd].into_iter().flatten()
    }

    pub(super) fn are_several(self) -> bool {
        self.known().zip(self.known().skip(1)).any(|(day, next)| day != next)
    }
}

pub(super) fn two(first: u32, second: u32, year: i32) -> Readings {
    Readings {
        mdy: NaiveDate::from_ymd_opt(year, first, second),
        dmy: NaiveDate::from_ymd_opt(year, second, first),
        ymd: None,
    }
}

pub(super) fn short([a, b, c]: [u32; 3]) -> Readings {
    let day = |year: u32, month, day| {
        let year = i32::try_from(year).ok().filter(|year| *year < 100)?;
        NaiveDate::from_ymd_opt(2000 + year, month, day)
    };
    Readings { mdy: day(c, a, b), dmy: day(c, b, a), ymd: day(a, b, c) }
}
