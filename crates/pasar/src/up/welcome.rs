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
        of_services(system, set, data, took)
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
fn of_services(system: &System, set: &Set, data: &Path, took: Duration) -> String {
    let mut text = format!(
        "pasar {} ({}) is ready after {} ms at {}\n\n  clients go to the gateway   {}\n  data and keys               {}\n",
        env!("CARGO_PKG_VERSION"),
        set.names(),
        took.as_millis(),
        system.url,
        system.host.public_url,
        data.display()
    );
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
    let mut text = format!(
        r#"  A key for each role is in {file}. In another terminal:

    . {file}
    # follow messages, live (Ctrl-C ends it)
    curl -sN $PASAR/v1/streams/client -H "Authorization: Bearer $INTEGRATOR"
    # send one
    curl -s $PASAR/messages -H "Content-Type: application/json" -d '{{"text":"halo"}}'"#
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
