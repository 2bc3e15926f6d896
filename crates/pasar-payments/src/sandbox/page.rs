//! The page that a sandbox customer sees: a bank's, in the smallest form.

/// It posts back to its own address, so it needs no script.
pub const ACTION: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>Sandbox payment</title>
<h1>Sandbox payment</h1>
<p>This stands for your bank's page. No money moves.</p>
<form method="post" action="?outcome=complete"><button>Pay</button></form>
<form method="post" action="?outcome=decline"><button>Decline</button></form>
</html>
"#;
