//! What a person who has just started Pasar needs to know, once it is ready.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use super::{boot::System, demo::Demo, set::Set};
use crate::demo_env;

/// The first line is for programs too: it ends in the address. Nobody has to read any of it: a closed
/// output does not end the system.
pub(super) fn print(system: &System, set: &Set, data: &Path, demo: Option<&Demo>, took: Duration) {
    let text = if set.gateway {
        text(system, data, demo, took)
    } else {
        of_services(system, set, data, demo, took)
    };
    let mut output = io::stdout().lock();
    if let Err(error) = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        tracing::debug!(%error, "nobody reads the welcome");
    }
}

/// Of a process that only other processes talk to.
fn of_services(
    system: &System,
    set: &Set,
    data: &Path,
    demo: Option<&Demo>,
    took: Duration,
) -> String {
    let mut text = format!(
        "pasar {} ({}) is ready after {} ms at {}\n\n  clients go to the gateway   {}\n  data and keys               {}\n",
        env!("CARGO_PKG_VERSION"),
        set.names(),
        took.as_millis(),
        system.url,
        system.host.public_url,
        data.display()
    );
    if demo.is_some_and(|demo| demo.has_keys) {
        text += &format!(
            "  a key for each role         {}\n",
            data.join(demo_env::FILE_NAME).display()
        );
    }
    text += &first_admin(system);
    text
}

fn text(system: &System, data: &Path, demo: Option<&Demo>, took: Duration) -> String {
    let url = &system.url;
    let mut text = format!(
        "pasar {} is ready after {} ms at {url}\n\n  the API, to read and try   {url}/docs\n  is it well                 \
         {url}/readyz\n  data and keys              {}\n",
        env!("CARGO_PKG_VERSION"),
        took.as_millis(),
        data.display()
    );
    text += &first_admin(system);
    if let Some(demo) = demo {
        text += &format!("\n{}\n", walk(data, demo));
    }
    text
}

fn first_admin(system: &System) -> String {
    let Some(admin) = &system.first_admin else {
        return String::new();
    };
    let email = &admin.email;
    match &admin.generated_password {
        Some(password) => format!(
            "\n  This is the first start. Log in as {email} with the password\n      {password}\n  It is not shown \
             again; `pasar user reset {email}` makes another.\n"
        ),
        None => format!("\n  Log in as {email} with the password of PASAR_ADMIN_PASSWORD.\n"),
    }
}

/// Ready-made calls: a message, and in the order of an order's life.
fn walk(data: &Path, demo: &Demo) -> String {
    let file = data.join(demo_env::FILE_NAME);
    let file = file.display();
    let mut text = match demo.has_keys {
        true => format!("  A key for each role is in {file}. In another terminal:\n\n    . {file}"),
        false => format!(
            "  {file} holds the address. The keys are made by the process that runs users, if it is started with \
             --demo, and are\n  in {} of its own data folder. In another terminal:\n\n    . {file}\n    . \
             USERS_DATA_FOLDER/{}",
            demo_env::FILE_NAME,
            demo_env::FILE_NAME
        ),
    };
    let key = match demo.is_relay_open {
        true => "",
        false => r#" -H "Authorization: Bearer $INTEGRATOR""#,
    };
    text += &format!(
        r#"
    # follow messages, live (Ctrl-C ends it)
    curl -sN $PASAR/v1/streams/client -H "Authorization: Bearer $INTEGRATOR"
    # send one
    curl -s $PASAR/messages{key} -H "Content-Type: application/json" -d '{{"text":"halo"}}'"#
    );
    if let Some(product) = demo.product {
        text.push('\n');
        text += &order(product);
    }
    text
}

fn order(product: &str) -> String {
    format!(
        r#"    # order, wait until it is settled, keep its id
    ORDER=$(curl -s $PASAR/v1/orders -H "Authorization: Bearer $CUSTOMER" -H "Prefer: wait=5" \
      -H "Idempotency-Key: $(date +%s%N)" -H "Content-Type: application/json" \
      -d '{{"lines":[{{"sku":"{product}","quantity":1}}],"payment":{{"method":"sandbox","token":"tok_ok"}}}}' \
      | tee /dev/stderr | sed -E 's/.*"id":"(ord_[^"]*)".*/\1/')
    # follow it, live, from its first change on (Ctrl-C ends it)
    curl -sN $PASAR/v1/orders/$ORDER/events -H "Authorization: Bearer $CUSTOMER"
    # make it, call it, hand it over
    curl -s -X POST $PASAR/v1/orders/$ORDER/start -H "Authorization: Bearer $STAFF"
    curl -s -X POST $PASAR/v1/orders/$ORDER/ready -H "Authorization: Bearer $STAFF"
    curl -s -X POST $PASAR/v1/orders/$ORDER/collect -H "Authorization: Bearer $STAFF"
    # the board that calls the numbers
    curl -s $PASAR/v1/board"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Demo = Demo {
        product: None,
        has_keys: true,
        is_relay_open: true,
    };

    #[test]
    fn a_message_is_sent_with_a_key_unless_the_relay_here_takes_it_without() {
        let sent = |demo: &Demo| {
            let walk = walk(Path::new("data"), demo);
            let line = walk.lines().find(|line| line.contains("/messages"));
            line.unwrap().to_owned()
        };
        assert!(!sent(&OPEN).contains("Authorization"), "{}", sent(&OPEN));
        let elsewhere = Demo {
            is_relay_open: false,
            ..OPEN
        };
        assert!(sent(&elsewhere).contains("Authorization: Bearer $INTEGRATOR"));
    }

    #[test]
    fn keys_that_are_elsewhere_are_not_promised_here() {
        let whole = walk(Path::new("data"), &OPEN);
        assert!(whole.contains("A key for each role is in data/demo.env"));
        let keyless = Demo {
            has_keys: false,
            ..OPEN
        };
        let keyless = walk(Path::new("data"), &keyless);
        assert!(!keyless.contains("A key for each role"), "{keyless}");
        assert!(keyless.contains("data/demo.env holds the address"));
        assert!(keyless.contains("    . USERS_DATA_FOLDER/demo.env\n"));
    }
}
