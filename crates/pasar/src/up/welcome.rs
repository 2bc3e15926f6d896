//! What a person who has just started Pasar needs to know, once it is ready.

use std::{path::Path, time::Duration};

use super::{boot::System, demo::Demo};
use crate::demo_env;

/// The first line is for programs too: it ends in the address.
pub(super) fn print(system: &System, data: &Path, demo: Option<&Demo>, took: Duration) {
    let url = &system.url;
    println!(
        "pasar {} is ready after {} ms at {url}",
        env!("CARGO_PKG_VERSION"),
        took.as_millis()
    );
    println!();
    println!("  the API, to read and try   {url}/docs");
    println!("  is it well                 {url}/readyz");
    println!("  data and keys              {}", data.display());
    if let Some(admin) = &system.first_admin {
        println!();
        let email = &admin.email;
        match &admin.generated_password {
            Some(password) => {
                println!("  This is the first start. Log in as {email} with the password");
                println!("      {password}");
                println!("  It is not shown again; `pasar user reset {email}` makes another.");
            }
            None => println!("  Log in as {email} with the password of PASAR_ADMIN_PASSWORD."),
        }
    }
    if let Some(demo) = demo {
        println!();
        println!("{}", walk(data, demo));
    }
}

/// Ready-made calls, in the order of an order's life.
fn walk(data: &Path, demo: &Demo) -> String {
    let file = data.join(demo_env::FILE_NAME);
    let file = file.display();
    let product = &demo.product;
    format!(
        r#"  The menu is loaded; a key for each role is in {file}. In another terminal:

    . {file}
    # order, wait until it is settled, keep its id
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
