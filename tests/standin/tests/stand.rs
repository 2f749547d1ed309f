//! A running small stand-in and the few ways to talk to it.

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use standin::{API_KEY, Options, Running};

pub struct Stand {
    pub running: Running,
    pub http: Client,
}

impl Stand {
    pub async fn small() -> Stand {
        Stand::with(Options::small()).await
    }

    pub async fn with(options: Options) -> Stand {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a plain HTTP client");
        Stand {
            running: standin::serve(options).await.expect("a free port"),
            http,
        }
    }

    pub fn post(&self, query: &str, variables: Value) -> RequestBuilder {
        self.http
            .post(&self.running.urls.graphql)
            .json(&json!({"query": query, "variables": variables}))
    }

    pub async fn send(&self, query: &str, variables: Value) -> Response {
        self.post(query, variables)
            .header("x-gazelle-api-key", API_KEY)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn ask(&self, query: &str) -> Value {
        self.ask_with(query, json!({})).await
    }

    pub async fn ask_with(&self, query: &str, variables: Value) -> Value {
        self.send(query, variables)
            .await
            .json()
            .await
            .expect("a JSON answer")
    }

    pub async fn admin(&self, path: &str, body: Value) -> Value {
        let answer = self
            .http
            .post(format!("{}/{path}", self.running.urls.admin))
            .json(&body)
            .send()
            .await
            .expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path} {body}: {status} {text}");
        serde_json::from_str(&text).expect("a JSON answer")
    }

    pub async fn fault(&self, name: &str, value: Value) {
        self.admin("faults", json!({"name": name, "value": value}))
            .await;
    }

    pub async fn stats(&self) -> Value {
        let answer = self
            .http
            .get(format!("{}/stats", self.running.urls.admin))
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("a JSON answer")
    }

    /// Every node of a connection, page by page, with the total it announced.
    pub async fn walk(&self, field: &str, selection: &str, first: usize) -> (Vec<Value>, u64) {
        let query = format!(
            "query($first: Int, $after: String) {{ {field}(first: $first, after: $after) {{ nodes {{ {selection} }} pageInfo {{ hasNextPage endCursor }} totalCount }} }}"
        );
        let (mut nodes, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = self
                .ask_with(&query, json!({"first": first, "after": after}))
                .await;
            let page = &answer["data"][field];
            assert!(page.is_object(), "{answer}");
            nodes.extend(page["nodes"].as_array().expect("nodes").iter().cloned());
            if page["pageInfo"]["hasNextPage"] != true {
                return (nodes, page["totalCount"].as_u64().expect("totalCount"));
            }
            assert_ne!(
                after, page["pageInfo"]["endCursor"],
                "the cursor stands still"
            );
            after = page["pageInfo"]["endCursor"].clone();
        }
    }
}

pub fn ids(nodes: &[Value]) -> Vec<String> {
    nodes
        .iter()
        .map(|node| node["id"].as_str().expect("an id").to_owned())
        .collect()
}
