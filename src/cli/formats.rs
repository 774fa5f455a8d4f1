//! `--format` and `--output`: text or JSON for most commands; for reports,
//! given several times and read in their order.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use serde_json::Value;

use super::error::CliError;
use super::invocation::Invocation;
use super::offered::Offered;
use crate::disk::{self, Access};
use crate::report::{Format, Options};

/// `--format` of a command whose result is no report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ResultFormat {
    /// For people
    #[default]
    Text,
    /// One JSON value on a line
    Json,
}

/// What a command takes that writes to the ledger and prints a result.
#[derive(Debug, Args)]
pub(super) struct RecordedResult {
    /// Do not push
    #[arg(long)]
    pub(super) no_push: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(super) format: ResultFormat,
}

impl Invocation {
    /// Prints a result in the format that was asked for. The text is made
    /// harmless for terminals by whoever puts customer text into it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(super) fn emit(
        &self,
        format: ResultFormat,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        match format {
            ResultFormat::Json => self.print(format!("{}\n", json())),
            ResultFormat::Text => self.print(text()),
        }
    }
}

/// What is printed and what is written where. Never changes the exit code.
#[derive(Debug, Clone, Default)]
pub(super) struct Formats {
    wanted: Vec<(WantedFormat, Option<PathBuf>)>,
}

/// A format that was named, or one that the file's name tells.
#[derive(Debug, Clone)]
enum WantedFormat {
    Named(String),
    ByName,
}

impl Args for Formats {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new("format")
                    .long("format")
                    .value_name("FORMAT")
                    .action(ArgAction::Append)
                    .value_parser(Offered(|| Format::all().map(Format::as_str).collect()))
                    .help_heading("Output")
                    .help("What to print; may be given several times"),
            )
            .arg(
                Arg::new("output")
                    .long("output")
                    .short('o')
                    .value_name("FILE")
                    .action(ArgAction::Append)
                    .value_parser(clap::value_parser!(PathBuf))
                    .help_heading("Output")
                    .help("Write the preceding --format to this file; without one, the file's extension decides"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Formats {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let formats = matches.get_many::<String>("format").into_iter().flatten().cloned();
        let outputs = matches.get_many::<PathBuf>("output").into_iter().flatten().cloned();
        let mut given: Vec<(usize, Given)> = matches
            .indices_of("format")
            .into_iter()
            .flatten()
            .zip(formats.map(Given::Format))
            .chain(
                matches.indices_of("output").into_iter().flatten().zip(outputs.map(Given::Output)),
            )
            .collect();
        given.sort_by_key(|(index, _)| *index);
        let mut wanted: Vec<(WantedFormat, Option<PathBuf>)> = Vec::new();
        for (_, given) in given {
            match given {
                Given::Format(name) => wanted.push((WantedFormat::Named(name), None)),
                Given::Output(path) => match wanted.last_mut() {
                    Some((WantedFormat::Named(_), output @ None)) => *output = Some(path),
                    _ => wanted.push((WantedFormat::ByName, Some(path))),
                },
            }
        }
        Ok(Self { wanted })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

enum Given {
    Format(String),
    Output(PathBuf),
}

impl Formats {
    /// Checks the names before any work is done: `(format, file)`, text on
    /// standard output when nothing was asked for.
    ///
    /// # Errors
    /// When a format is unknown, more than one would go to standard output, or a
    /// file's folder is not there.
    pub(super) fn check(&self, at: &Path) -> Result<Vec<(Format, Option<PathBuf>)>, CliError> {
        let mut checked = Vec::new();
        for (wanted, output) in &self.wanted {
            let format = match (wanted, output) {
                (WantedFormat::Named(name), _) => {
                    name.parse::<Format>().map_err(|error| CliError::usage(error.to_string()))?
                }
                (WantedFormat::ByName, Some(path)) => Format::from_path(path).ok_or_else(|| {
                    CliError::usage(format!(
                        "--output {}: the file name does not show the format",
                        path.display()
                    ))
                    .help("put --format before it")
                })?,
                (WantedFormat::ByName, None) => Format::Text,
            };
            let folder = output.as_deref().and_then(Path::parent);
            if let Some(folder) =
                folder.map(|it| disk::clean(&at.join(it))).filter(|it| !it.is_dir())
            {
                let folder = folder.display();
                return Err(CliError::usage(format!("--output: there is no folder {folder}"))
                    .help(format!("create it: mkdir -p {folder}")));
            }
            checked.push((format, output.clone()));
        }
        if checked.iter().filter(|(_, output)| output.is_none()).count() > 1 {
            return Err(CliError::usage("two formats would be printed one after the other")
                .help("give --output FILE after each --format but one"));
        }
        if checked.is_empty() {
            checked.push((Format::Text, None));
        }
        Ok(checked)
    }

    /// Writes each format to where it belongs; of a file a line says what is in it. A file is replaced whole or not
    /// at all; `/dev/…` and pipes are written to.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(
        checked: &[(Format, Option<PathBuf>)],
        invocation: &Invocation,
        summary: &str,
        render: impl Fn(Format, &Options, &mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        for (format, output) in checked {
            let options = Options {
                color: invocation.color && output.is_none(),
                width: if output.is_none() { invocation.width() } else { None },
            };
            let render = |out: &mut dyn Write| render(*format, &options, out);
            match output {
                None => invocation.print_with(render)?,
                Some(given) => {
                    let path = invocation.path(given);
                    write_whole(&path, render).map_err(|error| {
                        CliError::could_not(format!("{} cannot be written: {error}", given.display()))
                            .help("name a file in a folder that this user may write to, on a disk with room")
                    })?;
                    invocation.say(format!("wrote {}: {summary}", given.display()));
                }
            }
        }
        Ok(())
    }
}

fn write_whole(
    path: &std::path::Path,
    render: impl Fn(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let special = path.metadata().is_ok_and(|meta| !meta.is_file());
    if special {
        return render(&mut std::fs::OpenOptions::new().write(true).open(path)?);
    }
    // A link stays, and the file that it points at is written.
    let path = match (path.canonicalize(), path.read_link()) {
        (Ok(file), _) => file,
        (Err(_), Ok(target)) => path.parent().unwrap_or(path).join(target),
        (Err(_), Err(_)) => path.to_path_buf(),
    };
    let in_place = || render(&mut std::fs::File::create(&path)?);
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(std::path::Path::new("."));
    let there = path.metadata().ok();
    let mut file = match disk::temporary_in(folder, Access::Shared) {
        Ok(file) => file,
        // In a folder that is closed, a file may be open.
        Err(_) if there.is_some() => return in_place(),
        Err(error) => return Err(error),
    };
    render(&mut file)?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions())?;
    }
    match file.persist(&path) {
        Ok(_) => Ok(()),
        // A file that is mounted by itself cannot be replaced.
        Err(error)
            if matches!(
                error.error.kind(),
                ErrorKind::ResourceBusy | ErrorKind::CrossesDevices
            ) =>
        {
            in_place()
        }
        Err(error) => Err(error.error),
    }
}
