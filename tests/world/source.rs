//! The stand-in of a test, and the ways to talk to it.

use reqwest::Client;
use serde_json::{Value, json};
use standin::{API_KEY, Options, Running};

/// A running stand-in.
pub struct TestSource {
    /// Its addresses.
    pub running: Running,
    http: Client,
}

impl TestSource {
    /// Starts one on a free port.
    pub async fn start(options: Options) -> TestSource {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        println!("the source's seed is {}", options.seed);
        TestSource {
            running: standin::serve(options).await.expect("a free port"),
            http: Client::new(),
        }
    }

    /// Posts to the admin face.
    pub async fn admin(&self, path: &str, body: &Value) {
        let url = format!("{}/{path}", self.running.urls.admin);
        let answer = self
            .http
            .post(url)
            .json(body)
            .send()
            .await
            .expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path} {body}: {status} {text}");
    }

    /// What the source has counted.
    pub async fn stats(&self) -> Value {
        self.look("stats").await
    }

    /// The switches that are on.
    pub async fn faults(&self) -> Value {
        self.look("faults").await
    }

    async fn look(&self, path: &str) -> Value {
        let url = format!("{}/{path}", self.running.urls.admin);
        let answer = self.http.get(url).send().await.expect("an answer");
        answer.json().await.expect("a JSON answer")
    }

    /// The data of a GraphQL query.
    pub async fn ask(&self, query: &str) -> Value {
        let request = self
            .http
            .post(&self.running.urls.graphql)
            .header("x-gazelle-api-key", API_KEY)
            .json(&json!({ "query": query }));
        let answer = request.send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("a JSON answer");
        assert!(answer["errors"].is_null(), "{query}: {answer}");
        answer["data"].take()
    }

    /// Every node of a connection, page by page.
    pub async fn every(&self, field: &str, selection: &str) -> Vec<Value> {
        let (mut nodes, mut after) = (Vec::new(), String::new());
        loop {
            let query = format!(
                "{{ {field}(first: 100{after}) {{ nodes {{ {selection} }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            let mut page = self.ask(&query).await[field].take();
            nodes.append(page["nodes"].as_array_mut().expect("nodes"));
            if page["pageInfo"]["hasNextPage"] != true {
                return nodes;
            }
            after = format!(", after: {}", page["pageInfo"]["endCursor"]);
        }
    }
}
