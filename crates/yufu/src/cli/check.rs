//! `yufu check`: the verdict on an app's own login backend.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use yufu_web::clock;

use crate::check::recipe::{self, Recipe, shipped};
use crate::check::report::{self, About};
use crate::check::rows::{self, Row};
use crate::check::run::{Check, chosen, like};
use crate::check::start;
use crate::check::verdict::{Outcome, Tally, Verdict};
use crate::check::watch::{self, Watch};
use crate::launch::found::{self, Ready, Which};
use crate::sandbox::{self, DevOptions, Running};

/// Where a recipe is looked for.
const RECIPE: &str = "yufu-check.toml";
/// What is said when it is the check that fails, and not the backend.
const NO_VERDICT: u8 = 2;

/// The verdict.
#[derive(Subcommand)]
pub(crate) enum CheckCommand {
    /// Judges a login backend by the rows of the login matrix.
    #[command(args_conflicts_with_subcommands = true)]
    Check(CheckOptions),
}

/// How to check.
#[derive(Args)]
pub(crate) struct CheckOptions {
    #[command(subcommand)]
    command: Option<InitCommand>,
    /// How your backend is talked to; `yufu check init` writes it. `yufu-check.toml` unless given.
    #[arg(value_name = "RECIPE")]
    recipe: Option<PathBuf>,
    /// A recipe that comes with the program, as it is: yufu, authjs, better-auth, justauth, ruoyi.
    #[arg(long, value_name = "NAME", conflicts_with = "recipe")]
    like: Option<String>,
    /// Where your backend is, instead of what the recipe says.
    #[arg(long, value_name = "URL")]
    base: Option<String>,
    /// Only these rows or groups: COD-09, UPS. May be given again.
    #[arg(long, value_name = "ID|GROUP")]
    only: Vec<String>,
    /// Starts your backend with this command, below `yufu run`, and ends it afterwards.
    #[arg(long, value_name = "COMMAND")]
    start: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Write JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write JSON; `-` for the standard output, instead of the report.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Whole sentences in the table.
    #[arg(long, short)]
    verbose: bool,
    /// Only names the rows that are judged, and the others with the reason.
    #[arg(long)]
    list: bool,
    /// Without a recipe: judges the logins that pass by, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["recipe", "like", "only", "start", "junit", "list"])]
    watch: bool,
    /// How long to watch, such as 60s or 5m.
    #[arg(long = "for", value_name = "TIME", requires = "watch", value_parser = time)]
    lasts: Option<Duration>,
}

#[derive(Subcommand)]
enum InitCommand {
    /// Writes a recipe with comments.
    Init {
        /// For a backend like this: yufu, authjs, better-auth, justauth, ruoyi.
        #[arg(long, value_name = "NAME", default_value = "justauth")]
        like: String,
        /// Where to write it; `-` for the standard output.
        #[arg(long, value_name = "FILE", default_value = RECIPE)]
        out: PathBuf,
    },
}

fn time(text: &str) -> Result<Duration, String> {
    let unit = text.chars().last().unwrap_or('s');
    let (number, seconds) = match unit {
        's' => (text.strip_suffix('s'), 1),
        'm' => (text.strip_suffix('m'), 60),
        'h' => (text.strip_suffix('h'), 3600),
        _ => (Some(text), 1),
    };
    let number = number.and_then(|number| number.parse::<u64>().ok());
    let number = number.filter(|number| (1..=86_400).contains(&(number * seconds)));
    number
        .map(|number| Duration::from_secs(number * seconds))
        .ok_or_else(|| "write a time such as 60s, 5m or 1h".to_owned())
}

pub(crate) async fn run(command: CheckCommand) -> ExitCode {
    let CheckCommand::Check(options) = command;
    let done = match &options.command {
        Some(InitCommand::Init { like, out }) => init(like, out),
        None if options.list => {
            list();
            Ok(0)
        }
        None if options.watch => passing_by(&options).await,
        None => judge(&options).await,
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(words) => {
            eprintln!("yufu: {words}");
            ExitCode::from(NO_VERDICT)
        }
    }
}

// --- init, list ---------------------------------------------------------------------------------

fn init(name: &str, out: &Path) -> Result<u8, String> {
    let text = like(name)?;
    if out == Path::new("-") {
        say!("{}", text.trim_end());
        return Ok(0);
    }
    let file = std::fs::File::create_new(out);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(format!(
                "{} is there already, and is left as it is.\n  Write elsewhere with --out FILE.",
                out.display()
            ));
        }
        Err(error) => return Err(format!("{} cannot be written: {error}", out.display())),
    }
    say!(
        "{} is written: look at base, paths and names, then: yufu check",
        out.display()
    );
    Ok(0)
}

fn list() {
    for (group, about) in rows::groups() {
        say!("{group}  {about}");
        for row in rows::all().iter().filter(|row| row.id.starts_with(group)) {
            say!("  {}  {}", row.id, row.does);
        }
    }
    say!("not judged");
    for (id, reason) in rows::UNJUDGED {
        say!("  {id}  {reason}");
    }
}

// --- the check ----------------------------------------------------------------------------------

async fn judge(options: &CheckOptions) -> Result<u8, String> {
    let rows = chosen(&options.only)?;
    let (name, text) = text_of(options)?;
    // What is wrong with the recipe is told before anything is started.
    read(&name, &text, options.base.as_deref())?;
    let place = Place::find(&options.which).await?;
    let judged = judge_at(options, &rows, &name, &text, place.ready()).await;
    place.leave().await;
    judged
}

/// The recipe's name and text.
fn text_of(options: &CheckOptions) -> Result<(String, String), String> {
    if let Some(name) = &options.like {
        return Ok((name.clone(), like(name)?.to_owned()));
    }
    let path = options.recipe.clone().unwrap_or_else(|| RECIPE.into());
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let names: Vec<&str> = shipped::ALL.iter().map(|it| it.name).collect();
            Err(format!(
                "there is no recipe {}.\n  Write one with: yufu check init --like {}",
                path.display(),
                names.join("|")
            ))
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn read(name: &str, text: &str, base: Option<&str>) -> Result<Recipe, String> {
    recipe::read(text, base).map_err(|complaints| complaints.about(Path::new(name)))
}

async fn judge_at(
    options: &CheckOptions,
    rows: &[&'static Row],
    name: &str,
    text: &str,
    ready: &Ready,
) -> Result<u8, String> {
    // The sandbox's own login backend is where the sandbox says.
    let own = (options.like.as_deref() == Some("yufu")).then_some(ready.login.as_str());
    let recipe = read(name, text, options.base.as_deref().or(own))?;
    let base = recipe.base.clone();
    let environment = recipe.environment.clone();
    let mut check = Check::ready(recipe, ready).await?;
    let started = match &options.start {
        None => None,
        Some(command) => {
            let given = &check.backend().given;
            let environment: Vec<(String, String)> = environment
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.fill(given).ok()?)))
                .collect();
            Some(start::start(command, &base, ready, &environment).await?)
        }
    };
    let there = check.backend().answers().await;
    let verdicts = match there {
        Ok(()) => Ok(watched(options, &mut check, rows).await),
        Err(silence) => Err(format!(
            "your backend does not answer at {base}: {}.\n  Start it, or let the check do it: yufu check --start \"npm start\"",
            silence.words(check.backend().recipe.patience)
        )),
    };
    check.clean().await;
    if let Some(started) = started {
        started.end().await;
    }
    let (verdicts, took) = verdicts?;
    let stopped = check.is_stopping();
    let about = About {
        backend: base.as_str().trim_end_matches('/'),
        sandbox: &ready.platform,
        recipe: name,
        took,
    };
    let status = tell(options, &about, &verdicts)?;
    // What was not judged was not found to be good.
    Ok(if stopped { NO_VERDICT } else { status })
}

/// Runs the rows, with a bar on a terminal.
async fn watched(
    options: &CheckOptions,
    check: &mut Check,
    rows: &[&'static Row],
) -> (Vec<Verdict>, u128) {
    let began = clock::mark();
    let total = u64::try_from(rows.len()).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    if options.start.is_some() || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let mut failed = 0;
    let verdicts = check
        .run(
            rows,
            |row| bar.set_message(row.id),
            |verdict| {
                failed += usize::from(verdict.outcome == Outcome::Fail);
                bar.inc(1);
                if failed > 0 {
                    bar.set_prefix(format!("{failed} failed"));
                }
            },
        )
        .await;
    bar.finish_and_clear();
    (verdicts, began.elapsed().as_millis())
}

/// Tells what came of it, wherever it is wanted.
fn tell(options: &CheckOptions, about: &About<'_>, verdicts: &[Verdict]) -> Result<u8, String> {
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(path) = &options.junit {
        write(path, &report::junit::write(about, verdicts))?;
    }
    let json = report::json(about, verdicts);
    match &options.json {
        Some(path) if path == Path::new("-") => say!("{json}"),
        Some(path) => {
            write(path, &format!("{json}\n"))?;
            say!(
                "{}",
                report::text::write(about, verdicts, options.verbose).trim_end()
            );
        }
        None => say!(
            "{}",
            report::text::write(about, verdicts, options.verbose).trim_end()
        ),
    }
    Ok(Tally::of(verdicts).status())
}

async fn passing_by(options: &CheckOptions) -> Result<u8, String> {
    let ready = found::find(&options.which).await?;
    let json = options.json.is_some();
    let how = Watch {
        lasts: options.lasts,
        json,
    };
    if !json {
        let end = match options.lasts {
            Some(lasts) => format!("for {} s", lasts.as_secs()),
            None => "until Ctrl-C".to_owned(),
        };
        eprintln!("yufu: judging what passes {} {end}", ready.platform);
    }
    let seen = watch::watch(&ready.client(), &how, |line| say!("{line}")).await?;
    if !json {
        say!(
            "{} logins seen: {} errors, {} warnings",
            seen.flows,
            seen.errors,
            seen.warnings
        );
    }
    Ok(seen.status())
}

// --- the sandbox --------------------------------------------------------------------------------

/// A sandbox: one that runs, or one for this check alone.
enum Place {
    Joined(Box<Ready>),
    Own(Box<Running>),
}

impl Place {
    async fn find(which: &Which) -> Result<Self, String> {
        if let Some(ready) = found::search(which, |_| true).await? {
            return Ok(Self::Joined(Box::new(ready)));
        }
        let options = DevOptions {
            port: 0,
            app_port: None,
            login_port: None,
            proxy_port: None,
            proxy_listen: None,
            proxy_anywhere: false,
            gate_port: None,
            data: None,
            json: true,
            lent: true,
            until_stdin_closes: false,
            no_adopt: false,
            lan: None,
            poll_hold: None,
            max_pages: None,
        };
        sandbox::start(&options)
            .await
            .map(|own| Self::Own(Box::new(own)))
    }

    fn ready(&self) -> &Ready {
        match self {
            Self::Joined(ready) => ready,
            Self::Own(own) => &own.ready,
        }
    }

    async fn leave(self) {
        if let Self::Own(own) = self {
            own.end().await;
        }
    }
}
