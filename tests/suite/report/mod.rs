//! The report room through its public face.

mod findings;
mod format;
mod hostile;
mod samples;
mod table;
