//! Refresh tokens: one successor each, whatever goes wrong on the way (invariant 10).

use std::{collections::BTreeSet, time::Duration};

use pasar_contracts::api::users::Tokens;
use serde_json::json;

use crate::house::{House, PASSWORD};

async fn logged_in(house: &House) -> Tokens {
    house.register("sari").await;
    house.login("sari").await
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_refreshes_succeed_with_one_successor() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let body = json!({ "refresh_token": tokens.refresh_token });
    let calls: Vec<_> = (0..50)
        .map(|_| tokio::spawn(house.client.post("/v1/auth/refresh").json(&body).send()))
        .collect();
    let mut successors = BTreeSet::new();
    let mut answers = 0;
    for call in calls {
        let tokens: Tokens = call.await.unwrap().expect(200).json();
        house.check(&tokens.access_token).await.unwrap();
        successors.insert(tokens.refresh_token);
        answers += 1;
    }
    assert_eq!((answers, successors.len()), (50, 1));
    assert!(!successors.contains(&tokens.refresh_token));
    for successor in successors {
        house.refresh(&successor).await.expect(200);
    }
}

#[tokio::test]
async fn whoever_lost_the_response_gets_it_again() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let lost: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    house.host.advance(Duration::from_secs(30));
    let again: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    assert_eq!(again.refresh_token, lost.refresh_token);
    house.refresh(&again.refresh_token).await.expect(200);
}

#[tokio::test]
async fn a_replay_after_the_grace_ends_the_session_for_everybody() {
    let house = House::open().await;
    let stolen = logged_in(&house).await;
    let session = house.check(&stolen.access_token).await.unwrap().sid;
    let owner: Tokens = house
        .refresh(&stolen.refresh_token)
        .await
        .expect(200)
        .json();
    assert!(house.session_status(session).await.live);
    house.host.advance(Duration::from_secs(31));

    let replay = house.refresh(&stolen.refresh_token).await.expect(401);
    assert_eq!(replay.problem(), "unauthenticated");
    assert_eq!(
        replay.header("www-authenticate"),
        Some("Bearer realm=\"pasar\"")
    );
    house.refresh(&owner.refresh_token).await.expect(401);
    assert!(!house.session_status(session).await.live);
    let last = house.store.events_after(house.store.head() - 1, 1).unwrap();
    assert_eq!(last[0].event_type, "session.ended.v1");
    assert!(
        last[0].data.contains("refresh_token_reused"),
        "{}",
        last[0].data
    );
}

#[tokio::test]
async fn after_a_logout_nothing_refreshes_and_the_session_is_over() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let session = house.check(&tokens.access_token).await.unwrap().sid;
    for _ in 0..2 {
        let body = json!({ "refresh_token": tokens.refresh_token });
        house
            .client
            .post("/v1/auth/logout")
            .json(&body)
            .send()
            .await
            .expect(204);
    }
    house.refresh(&tokens.refresh_token).await.expect(401);
    assert!(!house.session_status(session).await.live);
    house.host.advance(Duration::from_secs(600));
    assert_eq!(
        house.check(&tokens.access_token).await,
        Err("expired".to_owned())
    );
    let body = json!({ "refresh_token": "nonsense" });
    house
        .client
        .post("/v1/auth/logout")
        .json(&body)
        .send()
        .await
        .expect(204);
}

#[tokio::test]
async fn after_a_change_of_password_only_the_session_that_changed_it_goes_on() {
    let house = House::open().await;
    let here = logged_in(&house).await;
    let elsewhere = house.login("sari").await;
    let identity = house.identity(&here.access_token).await;
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let call = house
            .client
            .put("/v1/users/me/password")
            .as_(identity.clone())
            .json(&body);
        call.send().await
    };
    let wrong = change("wrong password", "a better one").await.expect(422);
    assert_eq!(wrong.value()["errors"][0]["field"], "current_password");
    let weak = change(PASSWORD, "short").await.expect(422);
    assert_eq!(weak.value()["errors"][0]["field"], "new_password");
    change(PASSWORD, "a better one").await.expect(204);

    house.refresh(&elsewhere.refresh_token).await.expect(401);
    let other = house.check(&elsewhere.access_token).await.unwrap().sid;
    assert!(!house.session_status(other).await.live);
    house.refresh(&here.refresh_token).await.expect(200);
    house.try_login("sari", PASSWORD).await.expect(401);
    house.try_login("sari", "a better one").await.expect(200);
}

#[tokio::test]
async fn a_token_that_was_not_made_here_is_refused_and_ends_nothing() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let token = &tokens.refresh_token;
    let flipped = |at: usize| {
        let mut text = token.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    let mut forged: Vec<String> = [12, 30, 40, 60, token.len() - 2].map(flipped).to_vec();
    forged.extend([
        String::new(),
        "pasar_rt_".to_owned(),
        tokens.access_token.clone(),
        format!("{token}{token}"),
        "x".repeat(100_000),
    ]);
    for token in &forged {
        house.refresh(token).await.expect(401);
    }
    house.refresh(token).await.expect(200);
}

#[tokio::test]
async fn tokens_outlive_a_restart() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let house = house.restarted().await;
    house.check(&tokens.access_token).await.unwrap();
    let next: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    let house = house.restarted().await;
    let again: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    assert_eq!(again.refresh_token, next.refresh_token);
}

#[tokio::test]
async fn no_token_or_password_is_stored_as_it_is() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let next: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    house.host.drain().await;
    house.store.close();
    if pasar_testkit::fresh::is_on_server() {
        // Its files are not ours to read; the rows are the same.
        return;
    }
    let secrets = [
        PASSWORD,
        tokens.refresh_token.trim_start_matches("pasar_rt_"),
        next.refresh_token.trim_start_matches("pasar_rt_"),
        tokens.access_token.rsplit('.').next().unwrap(),
    ];
    let mut looked_at = 0;
    for file in std::fs::read_dir(&house.host.host.data).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        looked_at += bytes.len();
        for secret in secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in the database");
        }
    }
    assert!(looked_at > 10_000, "{looked_at} bytes were looked at");
}
