use serde_json::{Value, json};

use crate::stand::Stand;

async fn piano(stand: &Stand, selection: &str) -> Value {
    stand
        .ask(&format!(
            "{{ allPianos(first: 1) {{ nodes {{ {selection} }} }} }}"
        ))
        .await
}

async fn fields(stand: &Stand) -> String {
    stand
        .ask("{ __type(name: \"PrivatePiano\") { fields { name type { name kind } } } }")
        .await
        .to_string()
}

#[tokio::test]
async fn each_drift_changes_schema_and_data_together_and_is_undone_by_clearing() {
    let stand = Stand::small().await;
    let before = piano(&stand, "make year tags").await;
    let node = |answer: &Value| answer["data"]["allPianos"]["nodes"][0].clone();
    let make = node(&before)["make"].clone();
    let plain = fields(&stand).await;

    stand
        .fault("field_added", json!("PrivatePiano.acousticRating:Int"))
        .await;
    assert_eq!(
        node(&piano(&stand, "make acousticRating").await),
        json!({"make": make, "acousticRating": 42})
    );

    stand
        .fault("field_renamed", json!("PrivatePiano.make:manufacturer"))
        .await;
    assert_eq!(
        node(&piano(&stand, "manufacturer acousticRating").await),
        json!({"manufacturer": make, "acousticRating": 42})
    );
    let refused = piano(&stand, "make").await;
    assert_eq!(
        refused["errors"][0]["message"],
        "Field 'make' doesn't exist on type 'PrivatePiano'"
    );
    assert_eq!(refused["errors"][0]["extensions"]["code"], "undefinedField");

    stand
        .fault("field_removed", json!("PrivatePiano.tags"))
        .await;
    assert_eq!(
        piano(&stand, "tags").await["errors"][0]["message"],
        "Field 'tags' doesn't exist on type 'PrivatePiano'"
    );

    stand
        .fault(
            "field_retyped",
            json!("PrivatePiano.serviceIntervalMonths:String"),
        )
        .await;
    assert!(
        node(&piano(&stand, "serviceIntervalMonths").await)["serviceIntervalMonths"].is_string()
    );
    let drifted = fields(&stand).await;
    assert!(
        drifted.contains("acousticRating")
            && drifted.contains("manufacturer")
            && !drifted.contains("\"tags\""),
        "{drifted}"
    );

    stand.admin("faults", json!({"clear": "all"})).await;
    assert_eq!(piano(&stand, "make year tags").await, before);
    assert_eq!(fields(&stand).await, plain);
}

#[tokio::test]
async fn a_drift_that_does_not_fit_is_refused_and_changes_nothing() {
    let stand = Stand::small().await;
    for (name, value) in [
        ("field_removed", "PrivatePiano.wings"),
        ("field_retyped", "PrivatePiano.year"),
        ("field_renamed", "nonsense"),
    ] {
        let url = format!("{}/faults", stand.running.urls.admin);
        let answer = stand
            .http
            .post(url)
            .json(&json!({"name": name, "value": value}))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 400, "{name} {value}");
    }
    assert!(piano(&stand, "make year").await["data"].is_object());
}

#[tokio::test]
async fn validation_speaks_as_the_vendor_does() {
    let stand = Stand::small().await;
    for (query, message) in [
        (
            "{ allClients { nodes { name } } }",
            "Field 'name' doesn't exist on type 'PrivateClient'",
        ),
        (
            "{ allPianos(clientId: \"x\") { nodes { id } } }",
            "Field 'allPianos' doesn't accept argument 'clientId'",
        ),
        (
            "{ allEventsBatched(filters: {startGte: \"x\"}) { nodes { id } } }",
            "InputObject 'PrivateAllEventsFilter' doesn't accept argument 'startGte'",
        ),
        (
            "{ allTimelineEntries(occurredAtGet: \"hier\") { nodes { id } } }",
            "Occurred at get n'est pas une date valide",
        ),
        (
            "{ allClients(first: -1) { nodes { id } } }",
            "First doit être supérieur(e) ou égal(e) à 0",
        ),
        (
            "{ allClients(filters: {lifecycleIds: [\"x\"]}) { nodes { id } } }",
            "The stand-in does not honour the filter `lifecycleIds`; leave it out.",
        ),
    ] {
        let answer = stand.ask(query).await;
        assert_eq!(answer["errors"][0]["message"], message, "{query}");
        assert!(answer.get("data").is_none(), "{query}");
    }
    let wrong_type = stand
        .ask_with(
            "query($id: ID!) { event(eventId: $id) { id } }",
            json!({"id": "evt_x"}),
        )
        .await;
    assert_eq!(
        wrong_type["errors"][0]["message"],
        "Type mismatch on variable $id and argument eventId (ID! / String!)"
    );
    assert!(
        stand
            .ask("{ allClients(sortBy: [UPDATED_AT_DESC]) { nodes { id } } }")
            .await
            .get("errors")
            .is_some()
    );
}

#[tokio::test]
async fn documents_use_fragments_aliases_directives_and_defaults() {
    let stand = Stand::small().await;
    let query = "query Two($n: Int = 2, $no: Boolean!) { few: allClients(first: $n) { ...page } allTaxes @include(if: $no) { name } }
                 query Other { allTaxes { name } }
                 fragment page on PrivateClientConnection { __typename nodes { key: id ...contact } totalCount }
                 fragment contact on PrivateClient { defaultContact { firstName } defaultContact { lastName } id @skip(if: $no) }";
    let body = json!({"query": query, "variables": {"no": false}, "operationName": "Two"});
    let answer = stand
        .http
        .post(&stand.running.urls.graphql)
        .header("x-gazelle-api-key", standin::API_KEY)
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let answer: Value = answer.json().await.expect("a JSON answer");
    let page = &answer["data"]["few"];
    assert_eq!(
        (&page["__typename"], page["nodes"].as_array().map(Vec::len)),
        (&json!("PrivateClientConnection"), Some(2)),
        "{answer}"
    );
    let node = &page["nodes"][0];
    assert_eq!(node["key"], node["id"]);
    assert!(
        node["defaultContact"]["firstName"].is_string()
            && node["defaultContact"]["lastName"].is_string()
    );
    assert!(answer["data"].get("allTaxes").is_none());
}
