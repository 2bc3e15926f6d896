//! Locations and products over HTTP.

use std::time::Duration;

use http::{Method, header::LINK};
use pasar_contracts::api::users::Role;
use serde_json::{Value, json};

use crate::system::System;

fn product(name: &str) -> Value {
    json!({ "name": name, "price": { "amount_minor": 2_500_000, "currency": "IDR" } })
}

async fn skus(system: &System, path: &str) -> Vec<String> {
    let answer = system.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    let items = answer.body["items"].as_array().unwrap().iter();
    items
        .map(|item| item["sku"].as_str().unwrap().to_owned())
        .collect()
}

async fn put_if_match(system: &System, path: &str, tag: &str, body: Value) -> u16 {
    let headers = [("if-match", tag)];
    let answer = system
        .call(Method::PUT, path, Some(Role::Admin), Some(body), &headers)
        .await;
    answer.status.as_u16()
}

#[tokio::test]
async fn a_product_is_created_replaced_and_read_with_its_version() {
    let system = System::start().await;
    let path = "/v1/products/kopi-susu";
    assert_eq!(system.get(path).await.status, 404);
    let mut body = product(" Milk coffee ");
    body["names"] = json!({ "id": "Kopi susu" });
    body["tax_rate"] = json!(1100);
    body["category"] = json!("drinks");
    let created = system.put(path, body.clone()).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.headers["etag"], "\"v1\"");
    assert_eq!(
        created.body,
        json!({
            "sku": "kopi-susu", "name": "Milk coffee", "names": { "id": "Kopi susu" },
            "price": { "amount_minor": 2_500_000, "currency": "IDR" }, "tax_rate": 1100,
            "category": "drinks", "track_stock": true, "withdrawn": false,
            "sold_out_today": false, "orderable": true, "available": 0,
        })
    );
    let same = system.put(path, body.clone()).await;
    assert_eq!(
        (same.status.as_u16(), &same.headers["etag"]),
        (200, &created.headers["etag"])
    );
    body["withdrawn"] = json!(true);
    body["track_stock"] = json!(false);
    assert_eq!(
        put_if_match(&system, path, "\"v1\"", body.clone()).await,
        200
    );
    assert_eq!(
        put_if_match(&system, path, "\"v1\"", product("x")).await,
        412
    );
    assert_eq!(
        put_if_match(&system, "/v1/products/new", "*", product("x")).await,
        412
    );
    let read = system.get(path).await;
    assert_eq!(read.headers["etag"], "\"v2\"");
    assert_eq!(read.body["orderable"], false);
    assert_eq!(read.body.get("available"), None, "nobody counts it");
    let told = system.told();
    let changes = told.iter().filter(|event| event.key == "product:kopi-susu");
    assert_eq!(changes.count(), 2, "the identical product is not told");
}

#[tokio::test]
async fn what_a_product_cannot_be_is_refused_with_the_field_named() {
    let system = System::start().await;
    let refused = async |change: fn(&mut Value)| {
        let mut body = product("Tea");
        change(&mut body);
        let answer = system.put("/v1/products/tea", body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        answer.body["errors"][0]["field"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(refused(|body| body["name"] = json!("")).await, "name");
    assert_eq!(
        refused(|body| body["name"] = json!("x".repeat(201))).await,
        "name"
    );
    assert_eq!(
        refused(|body| body["price"]["amount_minor"] = json!(-1)).await,
        "price.amount_minor"
    );
    assert_eq!(
        refused(|body| body["price"]["currency"] = json!("rupiah")).await,
        "price.currency"
    );
    assert_eq!(
        refused(|body| body["tax_rate"] = json!(10_001)).await,
        "tax_rate"
    );
    assert_eq!(
        refused(|body| body["names"] = json!({ "not a tag": "x" })).await,
        "names"
    );
    assert_eq!(
        refused(|body| body["available"] = json!(5)).await,
        "available"
    );
    assert_eq!(
        refused(|body| body["sold_out_today"] = json!(true)).await,
        "sold_out_today"
    );
    let wrong_sku = system.put("/v1/products/a%20b", product("Tea")).await;
    assert_eq!(wrong_sku.status, 400);
    assert_eq!(skus(&system, "/v1/products").await, Vec::<String>::new());
}

#[tokio::test]
async fn products_are_found_by_name_sku_and_category_in_any_case() {
    let system = System::start().await;
    for (sku, name, category) in [
        ("latte", "Caffè LATTE", "coffee"),
        ("kopi", "Milk coffee", "coffee"),
        ("sale", "50% off_cake", "cake"),
        ("cake", "500 cakes", "cake"),
    ] {
        let mut body = product(name);
        body["names"] = json!({ "id": format!("{sku} ENAK") });
        body["category"] = json!(category);
        assert_eq!(
            system
                .put(&format!("/v1/products/{sku}"), body)
                .await
                .status,
            201
        );
    }
    let find = async |query: &str| skus(&system, &format!("/v1/products?{query}")).await;
    assert_eq!(find("").await, ["cake", "kopi", "latte", "sale"]);
    assert_eq!(
        find("q=CAFF%C3%88").await,
        ["latte"],
        "letters beyond ASCII too"
    );
    assert_eq!(find("q=LATT").await, ["latte"]);
    assert_eq!(
        find("q=50%25").await,
        ["sale"],
        "a percent sign is only itself"
    );
    assert_eq!(find("q=f_c").await, ["sale"], "so is an underscore");
    assert_eq!(find("q=enak&category=coffee").await, ["kopi", "latte"]);
    assert_eq!(find("category=Coffee").await, Vec::<String>::new());
    assert_eq!(find("q=%5C").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let system = System::start().await;
    for n in 0..7 {
        system.product(&format!("p-{n}"), true).await;
    }
    let mut path = "/v1/products?q=p-&limit=3".to_owned();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let answer = system.get(&path).await;
        pages += 1;
        for item in answer.body["items"].as_array().unwrap() {
            seen.push(item["sku"].as_str().unwrap().to_owned());
        }
        let Some(link) = answer.headers.get(LINK) else {
            break;
        };
        let link = link.to_str().unwrap();
        path = link[1..link.find('>').unwrap()].to_owned();
        assert!(path.contains(answer.body["next_cursor"].as_str().unwrap()));
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (0..7).map(|n| format!("p-{n}")).collect::<Vec<_>>());
    for wrong in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=%3F",
        "nonsense=1",
        "q=a&q=b",
    ] {
        let answer = system.get(&format!("/v1/products?{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_sold_out_is_so_at_its_location_until_the_cut_off() {
    let system = System::start().await;
    system.stocked("tea", 5).await;
    let there = json!({
        "name": "Blok M", "time_zone": "Asia/Jakarta", "cut_off": "04:00", "currency": "IDR",
    });
    let there = system.post("/v1/locations", "-", there).await;
    let there = there.body["id"].as_str().unwrap().to_owned();
    let marked = system.put("/v1/products/tea/sold-out", json!({})).await;
    assert_eq!(marked.status, 200, "{marked:?}");
    assert_eq!(marked.body["sold_out_today"], true);
    assert_eq!(marked.body["orderable"], false);
    let elsewhere = system
        .get(&format!("/v1/products/tea?location={there}"))
        .await;
    assert_eq!(elsewhere.body["orderable"], true);
    system.place(1, &[("tea", 1)]).await;
    system.heard("stock.refused.v1", 1).await;

    // The clock stands at 07:00 in Jakarta; the business day ends at 04:00.
    system.advance(Duration::from_secs(21 * 60 * 60 - 1));
    system.all_taken(250).await;
    assert_eq!(
        system.get("/v1/products/tea").await.body["orderable"],
        false
    );
    system.advance(Duration::from_secs(1));
    system
        .until("the product is orderable again", |events| {
            let last = events.iter().rfind(|event| event.key == "product:tea")?;
            (!last.data.contains("sold_out_at")).then_some(())
        })
        .await;
    assert_eq!(system.get("/v1/products/tea").await.body["orderable"], true);
}

#[tokio::test]
async fn staff_ends_sold_out_by_hand_and_the_timer_has_nothing_left_to_do() {
    let system = System::start().await;
    system.product("tea", true).await;
    system.put("/v1/products/tea/sold-out", json!({})).await;
    let delete = async || {
        system
            .call(
                Method::DELETE,
                "/v1/products/tea/sold-out",
                Some(Role::Staff),
                None,
                &[],
            )
            .await
    };
    assert_eq!(delete().await.body["sold_out_today"], false);
    assert_eq!(delete().await.status, 200, "again is harmless");
    assert_eq!(
        system.get("/v1/products/tea").await.headers["etag"],
        "\"v3\""
    );
    let unknown = system.put("/v1/products/coffee/sold-out", json!({})).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn an_import_is_all_or_nothing_and_names_every_wrong_row() {
    let system = System::start().await;
    let row = |sku: &str, minor: i64| json!({ "sku": sku, "name": sku, "price": { "amount_minor": minor, "currency": "IDR" } });
    let rows = json!({ "products": [row("a", 1), row("b", -1), row("a", 2), { "sku": "c" }] });
    let refused = system.post("/v1/products/imports", "-", rows).await;
    assert_eq!(refused.status, 422);
    let rows: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["row"])
        .collect();
    assert_eq!(rows, [2, 3, 4]);
    assert_eq!(skus(&system, "/v1/products").await, Vec::<String>::new());

    let good = json!({ "products": [row("a", 1), row("b", 1)] });
    let first = system.post("/v1/products/imports", "-", good.clone()).await;
    assert_eq!(
        first.body,
        json!({ "created": 2, "changed": 0, "unchanged": 0 })
    );
    let again = system.post("/v1/products/imports", "-", good).await;
    assert_eq!(
        again.body,
        json!({ "created": 0, "changed": 0, "unchanged": 2 })
    );
    for wrong in [
        json!({}),
        json!({ "products": [] }),
        json!({ "products": [], "dry_run": true }),
    ] {
        assert_eq!(
            system.post("/v1/products/imports", "-", wrong).await.status,
            422
        );
    }
}

#[tokio::test]
async fn the_largest_import_passes_as_one_command() {
    let system = System::start().await;
    let row = |n: u32| {
        json!({
            "sku": format!("p-{n:05}"), "name": format!("Product number {n}"),
            "names": { "id": format!("Produk nomor {n}"), "nl": format!("Artikel nummer {n}") },
            "price": { "amount_minor": 100, "currency": "IDR" }, "category": "things",
        })
    };
    let body = json!({ "products": (0..10_000).map(row).collect::<Vec<_>>() });
    let answer = system.post("/v1/products/imports", "-", body).await;
    assert_eq!(answer.body["created"], 10_000, "{answer:?}");
}

#[tokio::test]
async fn a_location_is_added_and_changed_by_its_version() {
    let system = System::start().await;
    let body = json!({
        "name": "Ubud", "time_zone": "asia/makassar", "cut_off": "03:30", "currency": "IDR",
        "starts_unpaid": true,
    });
    let created = system.post("/v1/locations", "-", body.clone()).await;
    assert_eq!(created.status, 201);
    let path = created.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(created.body["time_zone"], "Asia/Makassar");
    assert_eq!(created.body["is_default"], false);
    let read = system.get(&path).await;
    assert_eq!(
        (read.body, &read.headers["etag"]),
        (created.body, &created.headers["etag"])
    );

    let mut changed = body.clone();
    changed["cut_off"] = json!("05:00");
    assert_eq!(
        put_if_match(&system, &path, "\"v9\"", changed.clone()).await,
        412
    );
    assert_eq!(put_if_match(&system, &path, "\"v1\"", changed).await, 200);
    assert_eq!(system.get(&path).await.body["cut_off"], "05:00");

    let all = system.get("/v1/locations").await.body;
    let defaults: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["is_default"])
        .collect();
    assert_eq!(defaults, [true, false]);

    for (field, wrong) in [
        ("time_zone", "Mars/Olympus"),
        ("cut_off", "25:00"),
        ("name", " "),
    ] {
        let mut body = body.clone();
        body[field] = json!(wrong);
        let answer = system.post("/v1/locations", "-", body).await;
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    let nowhere = "/v1/locations/loc_01h455vb4pex5vsknk084sn02q";
    assert_eq!(system.get(nowhere).await.status, 404);
    assert_eq!(system.put(nowhere, body).await.status, 404);
    assert_eq!(
        system
            .get("/v1/locations/ord_01h455vb4pex5vsknk084sn02q")
            .await
            .status,
        400
    );
}
