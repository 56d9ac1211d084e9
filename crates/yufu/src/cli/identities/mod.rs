//! `yufu identities …`: bringing users in, finding those who have two accounts or will, and making
//! one of two.
//!
//! `row`, `shape` and `entry` read exports; `import` gives what they hold to accounts; `examine`
//! looks at accounts, in a database or in an export, and `doctor` says what it saw; `plan` decides
//! which accounts become one, and `merge` has the engine do it.

mod doctor;
mod entry;
mod examine;
mod generate;
mod house;
mod import;
mod merge;
mod plan;
mod row;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use yufu_core::login::LoginSettings;
use yufu_web::clock;

use crate::ports::SystemEntropy;
use entry::{Complaint, Scopes, What};
use house::House;
use import::{Counts, Importer, Pair, Told};
use row::Reader;
use shape::{Row, Shape, Unsure};

#[derive(Subcommand)]
pub(crate) enum IdentitiesCommand {
    /// Brings users in from an export: CSV with a line of columns, or JSON objects.
    Import(Import),
    /// Finds people with two accounts, those who will get a second one, and keys that lead nowhere.
    /// Changes nothing.
    Doctor(doctor::Doctor),
    /// Makes one account of two: says what it would do, and does it with --yes.
    Merge(merge::Merge),
    /// Lists the merges that can still be undone.
    Merges {
        #[command(flatten)]
        house: House,
    },
    /// Takes a merge back.
    Undo {
        /// The merge's id.
        id: String,
        #[command(flatten)]
        house: House,
    },
    /// Writes an export of invented people, to measure with.
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// What an export looks like.
#[derive(Args, Clone)]
struct Form {
    /// Whose export it is.
    #[arg(long, value_enum, default_value = "plain", value_name = "PROJECT")]
    from: Shape,
    /// The Open Platform account in which unionids mean something: NAME, or APPID=NAME for one app.
    #[arg(long, value_name = "[APPID=]NAME")]
    account: Vec<String>,
    /// The appid of what the project calls an app: NAME=APPID (WECHAT_OPEN, 31, wechat).
    #[arg(long, value_name = "NAME=APPID")]
    app: Vec<String>,
    /// What keys are that may be an openid or a unionid.
    #[arg(long, value_enum, default_value = "keep", value_name = "WHAT")]
    keys: Unsure,
    /// Whose user ids these are; two systems that both have a user 1 need two names.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Bringing users in.
#[derive(Args)]
pub(crate) struct Import {
    /// The export; `-` for the standard input.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Judge every row and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write everything that is wrong to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    complaints: Option<PathBuf>,
    /// Write the pairs of accounts that seem to be one person's to this file: a plan for merging.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    #[command(flatten)]
    house: House,
}

/// How many complaints are said; all are counted.
const SAID: u64 = 20;

/// `yufu identities …`
pub(crate) async fn run(command: IdentitiesCommand) -> Result<(), String> {
    match command {
        IdentitiesCommand::Import(import) => bring(import).await,
        IdentitiesCommand::Doctor(doctor) => doctor::run(doctor).await,
        IdentitiesCommand::Merge(merge) => merge::run(merge).await,
        IdentitiesCommand::Merges { house } => merge::list(&house).await,
        IdentitiesCommand::Undo { id, house } => merge::undo(&id, &house).await,
        IdentitiesCommand::Generate(generate) => generate::run(&generate),
    }
}

impl Form {
    /// The source of the export's user ids.
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(self.from.word())
    }

    /// The words that say the same again, for the next command to type.
    fn words(&self) -> String {
        let mut words = String::new();
        if self.from != Shape::Plain {
            words += &format!(" --from {}", self.from.word());
        }
        let all = [("account", &self.account), ("app", &self.app)];
        for (option, given) in all
            .iter()
            .flat_map(|(o, all)| all.iter().map(move |it| (o, it)))
        {
            words += &format!(" --{option} {given}");
        }
        words
    }

    /// In which accounts unionids mean something: by the command line, or else by the settings.
    fn scopes(&self, login: &LoginSettings) -> Result<Scopes, String> {
        let mut scopes = Scopes::default();
        for app in &login.apps {
            if let Some(account) = &app.union_scope {
                scopes.of_app.insert(app.appid.to_string(), account.clone());
            }
        }
        for given in &self.account {
            match given.split_once('=') {
                Some((appid, name)) if !appid.is_empty() && !name.is_empty() => {
                    scopes.of_app.insert(appid.to_owned(), name.to_owned());
                }
                None if !given.is_empty() => scopes.of_all = Some(given.clone()),
                _ => return Err(format!("--account {given} is neither NAME nor APPID=NAME")),
            }
        }
        Ok(scopes)
    }

    fn apps(&self) -> Result<BTreeMap<String, String>, String> {
        let pair = |given: &String| match given.split_once('=') {
            Some((name, appid)) if !name.is_empty() && !appid.is_empty() => {
                Ok((name.to_lowercase(), appid.to_owned()))
            }
            _ => Err(format!("--app {given} is not NAME=APPID")),
        };
        self.app.iter().map(pair).collect()
    }

    /// Begins to read an export.
    fn export<R: BufRead>(&self, from: R) -> Result<Export<'_, R>, String> {
        let apps = self.apps()?;
        let reader = Reader::new(from)?;
        for names in self.from.needs() {
            if !names.iter().any(|name| reader.has(name)) {
                return Err(format!(
                    "the export has no column {}; what {} exports look like: docs/identities.md",
                    names.join(" or "),
                    self.from.word()
                ));
            }
        }
        Ok(Export {
            form: self,
            apps,
            reader,
        })
    }
}

/// An export that is being read.
struct Export<'a, R: BufRead> {
    form: &'a Form,
    apps: BTreeMap<String, String>,
    reader: Reader<R>,
}

impl<R: BufRead> Export<'_, R> {
    /// What the next row holds, and its line.
    fn next(&mut self) -> Option<(u64, Result<Vec<Row>, String>)> {
        let (line, record) = self.reader.next()?;
        let rows = record.map(|record| {
            let fields = self.reader.fields(&record);
            shape::rows(self.form.from, &self.apps, self.form.keys, &fields, line)
        });
        Some((line, rows))
    }
}

/// Opens an export; the bar follows how far it was read.
fn open(path: &Path) -> Result<(Box<dyn BufRead>, ProgressBar), String> {
    const STYLE: &str = "{bar:32} {bytes} of {total_bytes}, {eta} left";
    let target = ProgressDrawTarget::stderr();
    let (from, bar): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
        (
            Box::new(std::io::stdin()),
            ProgressBar::with_draw_target(None, target),
        )
    } else {
        let said = |error| format!("{} cannot be read: {error}", path.display());
        let file = File::open(path).map_err(said)?;
        let length = file.metadata().map_err(said)?.len();
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        (Box::new(file), bar)
    };
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let from = BufReader::with_capacity(1 << 16, bar.wrap_read(from));
    Ok((Box::new(from), bar))
}

/// Says and writes down what an import tells.
struct Reporter {
    said: u64,
    bar: ProgressBar,
    complaints: Option<csv::Writer<File>>,
    pairs: Option<csv::Writer<File>>,
}

impl Told for Reporter {
    fn complaint(&mut self, complaint: Complaint) {
        self.said += 1;
        if self.said <= SAID {
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{}", complaint.text());
            });
        }
        if let Some(file) = &mut self.complaints {
            let Complaint {
                line, user, what, ..
            } = &complaint;
            let row = [&line.to_string(), user, what.word(), &complaint.text()];
            // What could not be written is found out when the file is closed.
            let _ = file.write_record(row);
        }
    }

    fn pair(&mut self, pair: Pair) {
        if let Some(file) = &mut self.pairs {
            let row = [
                &pair.from.to_string(),
                &pair.to.to_string(),
                pair.why,
                plan::UNJUDGED,
            ];
            let _ = file.write_record(row);
        }
    }
}

impl Reporter {
    fn new(import: &Import, bar: ProgressBar) -> Result<Self, String> {
        let table = |path: &Option<PathBuf>, heads: &[&str]| match path {
            Some(path) => table(path, heads).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            said: 0,
            bar,
            complaints: table(&import.complaints, &["line", "user", "what", "says"])?,
            pairs: table(&import.pairs, plan::COLUMNS)?,
        })
    }

    fn close(self) -> Result<(), String> {
        for mut file in [self.complaints, self.pairs].into_iter().flatten() {
            file.flush()
                .map_err(|error| format!("a list cannot be written: {error}"))?;
        }
        Ok(())
    }
}

/// A new table, for its owner alone: it holds who is who.
fn table(path: &Path, heads: &[&str]) -> Result<csv::Writer<File>, String> {
    let said = |error: String| format!("{} cannot be written: {error}", path.display());
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options
        .open(path)
        .map_err(|error| said(error.to_string()))?;
    let mut table = csv::Writer::from_writer(file);
    table
        .write_record(heads)
        .map_err(|error| said(error.to_string()))?;
    Ok(table)
}

async fn bring(import: Import) -> Result<(), String> {
    let scopes = import.form.scopes(&import.house.settings()?)?;
    let (from, bar) = open(&import.file)?;
    let mut export = import.form.export(from)?;
    // Not before the export is known to be one: what fails makes no database.
    let store = import.house.shelf(import.dry_run)?;
    let mut reporter = Reporter::new(&import, bar)?;
    let (now, entropy) = (clock::real(), SystemEntropy);
    let source = import.form.source();
    let mut importer = Importer::new(store.port(), &entropy, source, import.dry_run, now);
    let mut read = Ok(());
    while let Some((line, rows)) = export.next() {
        read = take(&mut importer, line, rows, &scopes, &mut reporter).await;
        if read.is_err() {
            break;
        }
    }
    let done = match read {
        Ok(()) => importer.finish(&mut reporter).await,
        Err(error) => Err(error),
    };
    reporter.bar.finish_and_clear();
    let said = reporter.said;
    reporter.close()?;
    store.close();
    summary(&import, &done?, said);
    Ok(())
}

/// Gives the rows of a line to the importer.
async fn take(
    importer: &mut Importer<'_>,
    line: u64,
    rows: Result<Vec<Row>, String>,
    scopes: &Scopes,
    reporter: &mut Reporter,
) -> Result<(), String> {
    importer.row(rows.as_ref().map_or(true, |rows| !rows.is_empty()));
    let rows = match rows {
        Ok(rows) => rows,
        Err(detail) => {
            let (user, what) = (String::new(), What::Broken);
            importer.complain(
                Complaint {
                    line,
                    user,
                    what,
                    detail,
                },
                reporter,
            );
            return Ok(());
        }
    };
    for row in rows {
        let mut complaints = Vec::new();
        let entry = entry::judge(row, scopes, clock::real(), &mut |it| complaints.push(it));
        for complaint in complaints {
            importer.complain(complaint, reporter);
        }
        if let Some(entry) = entry {
            importer.take(entry, reporter).await?;
        }
    }
    Ok(())
}

fn summary(import: &Import, counts: &Counts, said: u64) {
    let wrong: u64 = counts.complaints.values().sum();
    if import.house.json {
        say!("{}", counts_json(counts, import.dry_run));
        return;
    }
    if said > SAID {
        let rest = grouped(said - SAID);
        let hint = match import.complaints {
            Some(_) => "",
            None => "; --complaints FILE writes them all",
        };
        let _ = writeln!(std::io::stderr(), "… and {rest} more complaints{hint}");
    }
    let done = if import.dry_run {
        "would be made"
    } else {
        "made"
    };
    let skipped = match counts.skipped {
        0 => String::new(),
        skipped => format!(" ({} about other things)", grouped(skipped)),
    };
    let unkeyed = match counts.unkeyed {
        0 => String::new(),
        unkeyed => format!(" ({} without an app)", grouped(unkeyed)),
    };
    say!(
        "{} rows{skipped}: {} accounts {done}, {} changed, {} as they were; {} identities{unkeyed}, {} numbers; {} complaints",
        grouped(counts.rows),
        grouped(counts.made),
        grouped(counts.changed),
        grouped(counts.same),
        grouped(counts.identities),
        grouped(counts.phones),
        grouped(wrong)
    );
    let place = import.house.words();
    if import.dry_run {
        say!("Next: the same without --dry-run");
    } else {
        say!("Next: yufu identities doctor{place}");
    }
}

fn counts_json(counts: &Counts, dry_run: bool) -> Value {
    let wrong: BTreeMap<&str, u64> = counts
        .complaints
        .iter()
        .map(|(what, n)| (what.word(), *n))
        .collect();
    json!({
        "dry_run": dry_run,
        "rows": counts.rows,
        "skipped": counts.skipped,
        "made": counts.made,
        "changed": counts.changed,
        "same": counts.same,
        "identities": counts.identities,
        "unkeyed": counts.unkeyed,
        "phones": counts.phones,
        "complaints": wrong,
    })
}

/// A number as people read it: 1,000,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
