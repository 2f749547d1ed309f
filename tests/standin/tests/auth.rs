use serde_json::{Value, json};
use standin::{ACCESS_TOKEN, API_KEY, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN};

use crate::stand::Stand;

const QUERY: &str = "{ allTaxes { name } }";

async fn status_with(stand: &Stand, header: &str, value: &str) -> u16 {
    stand
        .post(QUERY, json!({}))
        .header(header, value)
        .send()
        .await
        .expect("an answer")
        .status()
        .as_u16()
}

async fn bearer(stand: &Stand, token: &str) -> u16 {
    status_with(stand, "authorization", &format!("Bearer {token}")).await
}

async fn token(stand: &Stand, fields: &[(&str, &str)]) -> (u16, Value) {
    let form: Vec<(&str, &str)> = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]
        .into_iter()
        .chain(fields.iter().copied())
        .collect();
    let answer = stand
        .http
        .post(&stand.running.urls.token)
        .form(&form)
        .send()
        .await
        .expect("an answer");
    (
        answer.status().as_u16(),
        answer.json().await.expect("a JSON answer"),
    )
}

async fn refresh(stand: &Stand, refresh_token: &str) -> (u16, Value) {
    token(
        stand,
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ],
    )
    .await
}

#[tokio::test]
async fn a_key_or_a_live_token_is_let_in_and_nothing_else() {
    let stand = Stand::small().await;
    assert_eq!(status_with(&stand, "x-gazelle-api-key", API_KEY).await, 200);
    assert_eq!(bearer(&stand, ACCESS_TOKEN).await, 200);
    assert_eq!(status_with(&stand, "x-gazelle-api-key", "wrong").await, 401);
    assert_eq!(bearer(&stand, "wrong").await, 401);
    assert_eq!(status_with(&stand, "x-other", "nothing").await, 401);
}

#[tokio::test]
async fn the_address_needs_its_trailing_slash() {
    let stand = Stand::small().await;
    let url = stand.running.urls.graphql.trim_end_matches('/');
    let answer = stand
        .http
        .post(url)
        .header("x-gazelle-api-key", API_KEY)
        .json(&json!({"query": QUERY}))
        .send()
        .await;
    assert_eq!(answer.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_code_buys_tokens_once_and_only_with_its_verifier() {
    let stand = Stand::small().await;
    let redirect = "http://127.0.0.1:9/back";
    let page = [
        ("client_id", CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", redirect),
        ("state", "s1"),
        ("code_challenge", "plain-verifier"),
    ];
    let mut codes = Vec::new();
    for _ in 0..2 {
        let answer = stand
            .http
            .get(
                url::Url::parse_with_params(&stand.running.urls.authorize, &page)
                    .expect("an address"),
            )
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 302);
        let location = url::Url::parse(answer.headers()["location"].to_str().expect("text"))
            .expect("an address");
        let pairs: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
        assert_eq!(pairs["state"], "s1");
        codes.push(pairs["code"].clone());
    }
    let grant = |code: String, verifier: &'static str| {
        [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", redirect.to_owned()),
            ("code_verifier", verifier.to_owned()),
        ]
    };
    let buy = async |code: &str, verifier: &'static str| {
        let fields = grant(code.to_owned(), verifier);
        token(
            &stand,
            &fields
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect::<Vec<_>>(),
        )
        .await
    };
    assert_eq!(buy(&codes[0], "another").await.0, 400);
    let (status, tokens) = buy(&codes[1], "plain-verifier").await;
    assert_eq!(
        (status, &tokens["token_type"], &tokens["expires_in"]),
        (200, &json!("bearer"), &json!(2_592_000))
    );
    assert_eq!(
        bearer(&stand, tokens["access_token"].as_str().expect("a token")).await,
        200
    );
    assert_eq!(
        buy(&codes[1], "plain-verifier").await.1["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn expiry_leaves_the_refresh_token_and_revocation_does_not() {
    let stand = Stand::small().await;
    stand.fault("token_expired", Value::Null).await;
    assert_eq!(bearer(&stand, ACCESS_TOKEN).await, 401);
    let (status, tokens) = refresh(&stand, REFRESH_TOKEN).await;
    assert_eq!(status, 200);
    let fresh = tokens["access_token"].as_str().expect("a token");
    assert_eq!(bearer(&stand, fresh).await, 200);
    assert_eq!(stand.stats().await["auth_refreshes"], 1);
    stand.fault("token_revoked", Value::Null).await;
    assert_eq!(bearer(&stand, fresh).await, 401);
    assert_eq!(
        refresh(&stand, REFRESH_TOKEN).await.1["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn rotation_keeps_omits_rotates_or_forgives_once() {
    // Mode, whether the answer carries a new refresh token, and the statuses of using the old one again
    // twice.
    for (mode, renewed, again) in [
        ("keep", Some(false), [200, 200]),
        ("omit", None, [200, 200]),
        ("rotate", Some(true), [400, 400]),
        ("grace", Some(true), [200, 400]),
    ] {
        let stand = Stand::small().await;
        stand.fault("token_rotation", json!(mode)).await;
        let (_, tokens) = refresh(&stand, REFRESH_TOKEN).await;
        assert_eq!(
            tokens
                .get("refresh_token")
                .map(|token| token != REFRESH_TOKEN),
            renewed,
            "{mode}"
        );
        for expected in again {
            assert_eq!(refresh(&stand, REFRESH_TOKEN).await.0, expected, "{mode}");
        }
    }
}

#[tokio::test]
async fn client_credentials_need_their_switch_and_any_grant_can_be_unsupported() {
    let stand = Stand::small().await;
    let (status, answer) = token(&stand, &[("grant_type", "client_credentials")]).await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("unsupported_grant_type"))
    );
    stand.fault("client_credentials", Value::Null).await;
    assert_eq!(
        token(&stand, &[("grant_type", "client_credentials")])
            .await
            .0,
        200
    );
    stand.fault("unsupported_grant", Value::Null).await;
    assert_eq!(
        refresh(&stand, REFRESH_TOKEN).await.1["error"],
        "unsupported_grant_type"
    );
}

#[tokio::test]
async fn short_lived_tokens_and_failures_of_the_token_endpoint() {
    let stand = Stand::small().await;
    stand.fault("token_ttl", json!(0)).await;
    let (_, tokens) = refresh(&stand, REFRESH_TOKEN).await;
    assert_eq!(
        bearer(&stand, tokens["access_token"].as_str().expect("a token")).await,
        401
    );
    stand
        .admin(
            "faults",
            json!({"name": "server_error", "times": 1, "operation": "token"}),
        )
        .await;
    assert_eq!(
        bearer(&stand, ACCESS_TOKEN).await,
        200,
        "the switch is aimed at the token endpoint"
    );
    let form = [("grant_type", "refresh_token")];
    assert_eq!(
        stand
            .http
            .post(&stand.running.urls.token)
            .form(&form)
            .send()
            .await
            .expect("an answer")
            .status(),
        503
    );
    assert_eq!(refresh(&stand, REFRESH_TOKEN).await.0, 200);
}
