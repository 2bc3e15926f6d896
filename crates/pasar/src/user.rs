//! `pasar user`: what an operator does to accounts on the machine itself, while nothing else runs.

use std::{path::PathBuf, process::ExitCode};

use anyhow::ensure;
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::event::Service;
use pasar_store::ids::SystemIds;
use pasar_users::operator;

use crate::{cli::Data, config::Config, keyring_text, lock::DataLock};

#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Give an account a new password, print it, and end its sessions
    Reset(Reset),
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reset {
    /// Email address of the account
    email: String,
    #[command(flatten)]
    data: Data,
    /// Configuration file, as `pasar up` has it
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Reset(reset) => reset_password(reset).await,
    }
}

async fn reset_password(args: Reset) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config)?;
    let data = args.data.data;
    let databases = config.database.databases()?;
    ensure!(
        databases.are_on_server() || data.join("users.db").is_file(),
        "there are no users in {}; name the data folder with --data",
        data.display()
    );
    let _lock = DataLock::take(&data, Service::Users.as_str())?;
    let environment = keyring_text::given()?;
    let keyring = Keyring::open(&data, environment.as_deref(), &SystemIds::default())?;
    let host = Host {
        databases,
        ..Host::system(&data, keyring, "")
    };
    let users = pasar_users::open(&host)?;
    let password = operator::reset_password(&users, &config.users, &args.email, None).await?;
    users.close();
    println!(
        "{} has a new password, and is logged out everywhere:",
        args.email
    );
    println!("{}", password.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
